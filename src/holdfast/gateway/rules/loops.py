"""Tool calls that a request brings, as digests: an agent that repeats a call with the same arguments goes in circles."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from hashlib import blake2b
from typing import Any

from holdfast.gateway.model import Dialect


def latest_calls(body: Mapping[str, Any], dialect: Dialect) -> tuple[bytes, ...]:
    """Digests (16 bytes) of the tool calls of the newest assistant turn in `body`, in its dialect.

    Only the newest: earlier turns were counted when they were the newest. Arguments are compared as JSON, so that the
    order of their keys and their spacing make no difference.
    """
    found = _openai(body) if dialect is Dialect.OPENAI else _blocks(body)
    return tuple(_digest(name, arguments) for name, arguments in found)


def _digest(name: Any, arguments: Any) -> bytes:
    if isinstance(arguments, str):
        with suppress(ValueError):  # else compared as the text that it is
            arguments = json.loads(arguments)
    text = json.dumps([name, arguments], sort_keys=True, separators=(",", ":"), default=str)
    return blake2b(text.encode(errors="replace"), digest_size=16).digest()


def _openai(body: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    """`tool_calls` of Chat Completions; of the Responses API the last run of `function_call` items in `input`."""
    for message in _backwards(body.get("messages")):
        if message.get("role") == "assistant":
            for call in _backwards(message.get("tool_calls")):
                function = call.get("function") or call.get("custom")
                if isinstance(function, dict):
                    yield function.get("name"), function.get("arguments", function.get("input"))
            return
    seen = False
    for item in _backwards(body.get("input")):
        if item.get("type") in ("function_call", "custom_tool_call"):
            seen = True
            yield item.get("name"), item.get("arguments", item.get("input"))
        elif seen:
            return


def _blocks(body: Mapping[str, Any]) -> Iterator[tuple[Any, Any]]:
    """Anthropic's `tool_use`, Gemini's `functionCall`."""
    for message in _backwards(body.get("messages") or body.get("contents")):
        if message.get("role") in ("assistant", "model"):
            for part in _backwards(message.get("content") or message.get("parts")):
                if part.get("type") == "tool_use":
                    yield part.get("name"), part.get("input")
                elif isinstance(call := part.get("functionCall"), dict):
                    yield call.get("name"), call.get("args")
            return


def _backwards(items: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(items, list):
        for item in reversed(items):
            if isinstance(item, dict):
                yield item
