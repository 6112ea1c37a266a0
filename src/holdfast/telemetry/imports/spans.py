"""Spans in the words of OpenTelemetry GenAI, from whatever an export says."""

from __future__ import annotations

from contextlib import suppress
from typing import Any, Final

from holdfast.telemetry.imports.reader import Misfit
from holdfast.telemetry.imports.values import json_text, parsed, whole
from holdfast.telemetry.model import Attributes, Span

SCOPE: Final = "holdfast.import."
"""Begins the instrumentation scope of every imported span."""
VERSION: Final = "1"
LATEST: Final = 2**63

NOTHING_MORE: Final = frozenset(("role", "content", "annotations", "provider_specific_fields"))
"""Fields of a message of which only the text is content."""
PARAMETERS: Final = {
    "temperature": "gen_ai.request.temperature",
    "top_p": "gen_ai.request.top_p",
    "topP": "gen_ai.request.top_p",
    "top_k": "gen_ai.request.top_k",
    "topK": "gen_ai.request.top_k",
    "max_tokens": "gen_ai.request.max_tokens",
    "maxTokens": "gen_ai.request.max_tokens",
    "max_completion_tokens": "gen_ai.request.max_tokens",
    "max_output_tokens": "gen_ai.request.max_tokens",
    "n": "gen_ai.request.choice.count",
    "stop": "gen_ai.request.stop_sequences",
    "stop_sequences": "gen_ai.request.stop_sequences",
    "frequency_penalty": "gen_ai.request.frequency_penalty",
    "presence_penalty": "gen_ai.request.presence_penalty",
    "seed": "gen_ai.request.seed",
    "reasoning_effort": "gen_ai.request.reasoning.level",
    "stream": "gen_ai.request.stream",
    "service_tier": "gen_ai.request.service_tier",
    "dimensions": "gen_ai.embeddings.dimension.count",
}
"""Request parameters by the names that clients give them."""


def make(
    source: str,
    ids: tuple[str, str, str],
    name: str,
    times: tuple[int, int],
    attributes: Attributes,
    resource: Attributes,
    *,
    kind: str = "CLIENT",
    error: str | None = None,
) -> Span:
    """A span. `ids`: trace, span, parent or empty; `times`: start and end in Unix nanoseconds; `error`: its message."""
    start, end = times
    if start <= 0 or start >= LATEST:
        raise Misfit("its time is out of range")
    trace_id, span_id, parent = ids
    return Span(
        trace_id,
        span_id,
        parent,
        name,
        kind,
        start,
        min(max(end, start), LATEST - 1),
        "unset" if error is None else "error",
        error or "",
        SCOPE + source,
        VERSION,
        attributes,
        resource,
    )


def parameters(attributes: Attributes, stated: dict[str, Any]) -> None:
    """Puts request parameters where the conventions read them; others under `holdfast.parameter.`, as they are."""
    for name, value in stated.items():
        if value is None or name in ("tools", "messages", "model", "user"):
            continue
        known = PARAMETERS.get(name)
        if known is None:
            if isinstance(value, (str, int, float, bool)) and len(name) <= 80:
                attributes.setdefault(f"holdfast.parameter.{name}", value)
        elif name in ("stop", "stop_sequences"):
            attributes.setdefault(known, [value] if isinstance(value, str) else value)
        elif isinstance(value, str) and name not in ("reasoning_effort", "service_tier"):
            attributes.setdefault(known, _number(value))
        else:
            attributes.setdefault(known, value)


def _number(value: str) -> Any:
    """A number that was written as text; other text as it is."""
    try:
        return int(value)
    except ValueError:
        pass
    try:
        return float(value)
    except ValueError:
        return {"true": True, "false": False}.get(value.lower(), value)


def tools(attributes: Attributes, definitions: Any) -> None:
    """Tool definitions."""
    if definitions:
        attributes["gen_ai.tool.definitions"] = (
            definitions if isinstance(definitions, str) else json_text(definitions)
        )


def asked(attributes: Attributes, value: Any) -> None:
    """What the model was sent: messages of any client, plain text, or both with tools in one object."""
    if value is None or value == "" or value == [] or value == {}:
        return
    if isinstance(value, str) and value[:1] == "{":
        with suppress(Misfit):
            value = parsed(value, "input")
    if isinstance(value, dict):
        if value.get("tools"):
            tools(attributes, value["tools"])
        instructions = value.get("system") or value.get("instructions")
        if instructions:
            attributes["gen_ai.system_instructions"] = json_text(
                [instructions] if isinstance(instructions, str) else instructions
            )
        value = value.get("messages") or value.get("input") or value
    attributes["gen_ai.input.messages"] = _messages(value, "user")


def answered(attributes: Attributes, value: Any) -> None:
    """What the model wrote."""
    if value is None or value == "" or value == [] or value == {}:
        return
    attributes["gen_ai.output.messages"] = _messages(value, "assistant")


def _messages(value: Any, role: str) -> str:
    if isinstance(value, str):
        if value[:1] in ("[", "{") and value[-1:] in ("]", "}"):
            return value
        return json_text([{"role": role, "parts": [{"type": "text", "content": value}]}])
    if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
        return json_text([{"role": role, "parts": [{"type": "text", "content": one}]} for one in value])
    if isinstance(value, list):
        return json_text([_plain(one, role) for one in value])
    return json_text(value)


def _plain(message: Any, role: str) -> Any:
    """A message of text alone in the form that is kept, which is then read quickly; any other as it is."""
    inner = message
    if isinstance(message, dict) and isinstance(message.get("message"), dict):
        inner = message["message"]
    if not isinstance(inner, dict):
        return message
    text = inner.get("content")
    if not isinstance(text, str) or not NOTHING_MORE.issuperset(
        name for name in inner if inner[name] is not None
    ):
        return message
    made = {"role": inner.get("role") or role, "parts": [{"type": "text", "content": text}]}
    reason = message.get("finish_reason")
    if isinstance(reason, str):
        made["finish_reason"] = reason
    return made


def openai_usage(attributes: Attributes, usage: dict[str, Any]) -> None:
    """Tokens of a usage object of OpenAI (Chat Completions or Responses), and of what speaks like it.

    The input includes what was read from and written to a cache, the output includes reasoning.
    """
    read = usage.get("prompt_tokens_details") or usage.get("input_tokens_details") or {}
    wrote = usage.get("completion_tokens_details") or usage.get("output_tokens_details") or {}
    put = {
        "gen_ai.usage.input_tokens": _first(usage, "prompt_tokens", "input_tokens"),
        "gen_ai.usage.output_tokens": _first(usage, "completion_tokens", "output_tokens"),
        "gen_ai.usage.cache_read.input_tokens": read.get("cached_tokens"),
        "gen_ai.usage.cache_write.input_tokens": _first(read, "cache_write_tokens", "cache_creation_tokens"),
        "gen_ai.usage.audio.input_tokens": read.get("audio_tokens"),
        "gen_ai.usage.reasoning.output_tokens": wrote.get("reasoning_tokens"),
        "gen_ai.usage.audio.output_tokens": wrote.get("audio_tokens"),
    }
    for name, value in put.items():
        count = whole(value, name)
        if count is not None:
            attributes[name] = count


def anthropic_usage(attributes: Attributes, usage: dict[str, Any]) -> None:
    """Tokens of a usage object of Anthropic, whose input leaves out what was read from and written to the cache."""
    fresh = whole(usage.get("input_tokens"), "input_tokens")
    read = whole(usage.get("cache_read_input_tokens"), "cache_read_input_tokens")
    write = whole(usage.get("cache_creation_input_tokens"), "cache_creation_input_tokens")
    split = usage.get("cache_creation") or {}
    short = whole(split.get("ephemeral_5m_input_tokens"), "ephemeral_5m_input_tokens")
    long = whole(split.get("ephemeral_1h_input_tokens"), "ephemeral_1h_input_tokens")
    details = usage.get("output_tokens_details") or {}
    put = {
        "gen_ai.usage.input_tokens": None if fresh is None else fresh + (read or 0) + (write or 0),
        "gen_ai.usage.cache_read.input_tokens": read,
        "gen_ai.usage.cache_write.input_tokens": write,
        "holdfast.usage.cache_write_5m_input_tokens": short,
        "holdfast.usage.cache_write_1h_input_tokens": long,
        "gen_ai.usage.output_tokens": whole(usage.get("output_tokens"), "output_tokens"),
        "gen_ai.usage.reasoning.output_tokens": whole(details.get("reasoning_tokens"), "reasoning_tokens"),
    }
    attributes.update({name: count for name, count in put.items() if count is not None})


def _first(source: dict[str, Any], *names: str) -> Any:
    return next((source[name] for name in names if source.get(name) is not None), None)
