"""How many tokens were used, in the other dialect's words.

OpenAI's `prompt_tokens` include what was read from the cache and written to it, Anthropic's `input_tokens` exclude both;
reasoning is part of the output in both. What a vendor did not state stays unstated, it is never 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

_READ = "cache_read_input_tokens"
_WRITTEN = "cache_creation_input_tokens"


def to_openai(usage: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Anthropic's usage as OpenAI's; None where the totals are not known."""
    usage = usage or {}
    fresh, output = _count(usage, "input_tokens"), _count(usage, "output_tokens")
    if fresh is None or output is None:
        return None
    read, written = _count(usage, _READ), _count(usage, _WRITTEN)
    prompt = fresh + (read or 0) + (written or 0)
    said: dict[str, Any] = {
        "prompt_tokens": prompt,
        "completion_tokens": output,
        "total_tokens": prompt + output,
    }
    details = {"cached_tokens": read, "cache_write_tokens": written}
    if details := {name: count for name, count in details.items() if count is not None}:
        said["prompt_tokens_details"] = details
    reasoning = _count(usage.get("output_tokens_details"), "thinking_tokens")
    if reasoning is not None:
        said["completion_tokens_details"] = {"reasoning_tokens": reasoning}
    return said


def to_anthropic(usage: Mapping[str, Any] | None) -> dict[str, Any]:
    """OpenAI's usage as Anthropic's, whose two totals are null where they are not known.

    Parts that sum to more than their total are not stated.
    """
    usage = usage or {}
    prompt = _count(usage, "prompt_tokens")
    details = usage.get("prompt_tokens_details")
    parts = {_READ: _count(details, "cached_tokens"), _WRITTEN: _count(details, "cache_write_tokens")}
    parts = {name: count for name, count in parts.items() if count is not None}
    cached = sum(count or 0 for count in parts.values())
    if prompt is None or cached > prompt:
        parts, cached = {}, 0
    said: dict[str, Any] = {
        "input_tokens": None if prompt is None else prompt - cached,
        "output_tokens": _count(usage, "completion_tokens"),
        **parts,
    }
    reasoning = _count(usage.get("completion_tokens_details"), "reasoning_tokens")
    if reasoning is not None:
        said["output_tokens_details"] = {"thinking_tokens": reasoning}
    return said


def _count(usage: object, name: str) -> int | None:
    """A number of tokens; None for whatever is none."""
    value = usage.get(name) if isinstance(usage, Mapping) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None
