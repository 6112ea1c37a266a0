"""What of an item's words may be kept, by the workspace's data policy: all, a redacted form, or none."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from holdfast.feedback.model import Item, Words
from holdfast.platform.tenancy.model import CaptureMode, DataPolicy
from holdfast.text.detectors import clean, redact

Check = Callable[[list[str]], list[str] | None]
"""A company's own check: the texts as they may be kept, or None where it does not answer."""
_TEXTS = ("comment", "correction", "used", "label")


def fitted(items: Sequence[Item], policy: DataPolicy, key: bytes, check: Check | None = None) -> list[Item]:
    """The items as they may be kept. `key` makes pseudonyms of authors that are personal data."""
    named = [replace(one, author=pseudonym(one.author, key)) for one in items]
    if policy.capture is CaptureMode.OFF:
        return [_withheld(one) for one in named]
    if policy.capture is not CaptureMode.ON:
        kinds = frozenset(policy.redact_kinds)
        named = [_replaced(one, lambda text: redact(text, kinds)[0]) for one in named]
    return named if check is None else _checked(named, check)


def pseudonym(author: str | None, key: bytes) -> str | None:
    """The author as given where that is no address, number or key of a person; else a name that stands for it."""
    if author is None or clean(author) or redact(author)[0] == author:
        return author
    return (
        "p_"
        + hmac.new(key, b"feedback author|" + author.casefold().encode(), hashlib.sha256).hexdigest()[:24]
    )


def _withheld(item: Item) -> Item:
    without = replace(item, comment=None, correction=None, used=None, metadata={})
    return without if without == item else replace(without, words=Words.WITHHELD)


def _checked(items: Sequence[Item], check: Check) -> list[Item]:
    texts: list[str] = []

    def gathered(text: str) -> str:  # in the order that they are put back in
        texts.append(text)
        return text

    for one in items:
        _replaced(one, gathered)
    if not texts:
        return list(items)
    answered = check(texts)
    if answered is None:
        return [_withheld(one) for one in items]
    left = iter(answered)
    return [_replaced(one, lambda _: next(left)) for one in items]


def _replaced(item: Item, change: Callable[[str], str]) -> Item:
    made: dict[str, Any] = {}
    for name in _TEXTS:
        text = getattr(item, name)
        if text is not None:
            made[name] = change(text)
    made["metadata"] = _deep(dict(item.metadata), change)
    changed = replace(item, **made)
    return changed if changed == item else replace(changed, words=Words.REDACTED)


def _deep(value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        return {key: _deep(inner, change) for key, inner in value.items()}
    if isinstance(value, list):
        return [_deep(inner, change) for inner in value]
    return value
