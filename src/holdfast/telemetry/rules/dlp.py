"""Captured content as a list of texts, for a company's own DLP, and put together again from its answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec


def texts_of(content: str) -> list[str]:
    """Every text in captured content, in order; content that is no JSON is one text."""
    read = _read(content)
    return [content] if read is None else list(_texts(read))


def replaced(content: str, texts: list[str]) -> str:
    """The content with its texts replaced, in the order of `texts_of`."""
    read = _read(content)
    if read is None:
        return texts[0]
    return msgspec.json.encode(_replaced(read, iter(texts))).decode()


def _read(content: str) -> Any:
    try:
        read = msgspec.json.decode(content)
    except msgspec.DecodeError:
        return None
    return read if isinstance(read, dict | list) else None


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)


def _replaced(value: Any, texts: Iterator[str]) -> Any:
    if isinstance(value, str):
        return next(texts)
    if isinstance(value, dict):
        return {key: _replaced(inner, texts) for key, inner in value.items()}
    if isinstance(value, list):
        return [_replaced(inner, texts) for inner in value]
    return value
