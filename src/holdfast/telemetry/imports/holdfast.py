"""Holdfast's own exports: calls and spans as `holdfast export` wrote them, with the same ids."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from holdfast.telemetry.conventions.byway import Told as Kept
from holdfast.telemetry.conventions.byway import checked
from holdfast.telemetry.imports import spans, values
from holdfast.telemetry.imports.mapped import TEXTS
from holdfast.telemetry.imports.reader import Item, Misfit, Tally, Told
from holdfast.telemetry.model import Attributes, Span, SpanEvent

SOURCE: Final = "holdfast"
NAMES: Final = {
    **{name: attribute for name, attribute in TEXTS.items() if name not in ("model", "user", "session")},
    "request_model": "gen_ai.request.model",
    "user": "holdfast.user",
    "session": "holdfast.session",
    "error_type": "error.type",
}
COUNTS: Final = {
    "input_cache_read_tokens": "gen_ai.usage.cache_read.input_tokens",
    "input_cache_write_tokens": "gen_ai.usage.cache_write.input_tokens",
    "input_cache_write_5m_tokens": "holdfast.usage.cache_write_5m_input_tokens",
    "input_cache_write_1h_tokens": "holdfast.usage.cache_write_1h_input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "reasoning_tokens": "gen_ai.usage.reasoning.output_tokens",
    "input_audio_tokens": "gen_ai.usage.audio.input_tokens",
    "input_image_tokens": "gen_ai.usage.image.input_tokens",
    "cache_read_audio_tokens": "gen_ai.usage.audio.cache_read.input_tokens",
    "output_audio_tokens": "gen_ai.usage.audio.output_tokens",
    "output_image_tokens": "gen_ai.usage.image.output_tokens",
}
NO_PROMPT: Final = [0]
"""How it is exported that a call had no system prompt; an empty list: nobody knows."""
PARAMETERS: Final = {
    "choice_count": "gen_ai.request.choice.count",
    "reasoning_level": "gen_ai.request.reasoning.level",
    "output_type": "gen_ai.output.type",
    "encoding_formats": "gen_ai.request.encoding_formats",
    "dimensions": "gen_ai.embeddings.dimension.count",
}


def is_ours(record: Any) -> bool:
    """Whether a record is a row of `holdfast export`."""
    return (
        isinstance(record, dict)
        and {"trace_id", "span_id", "started_at"} <= record.keys()
        and ("duration_ns" in record or "duration_ms" in record)
        and ("cost_amount" in record or "span_kind" in record)
    )


class Holdfast:
    """See `reader.Reader`."""

    def __init__(self, told: Told) -> None:
        self.tally = Tally()
        self._told = told
        self._resource = told.resource

    def read(self, record: Any) -> Iterator[Item]:
        """A call or a span."""
        if not is_ours(record):
            raise Misfit("it is no call or span of `holdfast export`; for other records give --mapping FILE")
        yield self._exact(record) if "span_kind" in record else self._call(record)

    def _exact(self, row: dict[str, Any]) -> Span:
        get = row.get
        attributes = values.mapping(get("attributes"), "attributes")
        content = values.mapping(get("content"), "content")
        attributes = {**attributes, **(content.get("attributes") or {})}
        events = values.parsed(get("events"), "events") or []
        start = _start(row)
        return Span(
            str(row["trace_id"]),
            str(row["span_id"]),
            get("parent_span_id") or "",
            get("name") or "",
            get("span_kind") or "UNSPECIFIED",
            start,
            start + _lasted(row),
            get("status") or "unset",
            get("status_message") or "",
            get("scope_name") or "",
            get("scope_version") or "",
            attributes,
            {**values.mapping(get("resource"), "resource"), **self._resource},
            [SpanEvent(one["name"], one["time_ns"], one.get("attributes") or {}) for one in events],
            values.parsed(get("links"), "links") or [],
            told=_kept(row) or None,
        )

    def _call(self, row: dict[str, Any]) -> Span:
        get = row.get
        attributes: Attributes = {"gen_ai.operation.name": "chat"}
        for name, attribute in NAMES.items():
            value = values.text(get(name))
            if value is not None:
                attributes[attribute] = value
        for name, count in self._counts(row).items():
            attributes[name] = count
        for name, value in values.mapping(get("parameters"), "parameters").items():
            attributes[PARAMETERS.get(name) or spans.PARAMETERS.get(name) or f"holdfast.parameter.{name}"] = (
                value
            )
        streaming, ttft = values.flag(get("streaming")), values.decimal(get("ttft_ms"), "ttft_ms")
        if streaming is not None:
            attributes["gen_ai.request.stream"] = streaming
        if ttft is not None:
            attributes["gen_ai.response.time_to_first_chunk"] = float(ttft / 1000)
        reasons = values.parsed(get("finish_reasons"), "finish_reasons")
        if reasons:
            attributes["gen_ai.response.finish_reasons"] = (
                reasons if isinstance(reasons, list) else [str(reasons)]
            )
        if values.flag(get("sample")):
            attributes["holdfast.sample"] = True
        if self._told.system:
            attributes.pop("holdfast.system", None)
        if self._told.environment:
            attributes.pop("holdfast.environment", None)
        start = _start(row)
        end = start + _lasted(row)
        name = f"{attributes['gen_ai.operation.name']} {attributes.get('gen_ai.request.model', '')}".strip()
        error = (get("error_type") or get("error_class") or "error") if get("status") == "error" else None
        ids = (str(row["trace_id"]), str(row["span_id"]), "")
        return spans.make(SOURCE, ids, name, (start, end), attributes, self._resource, error=error)

    def _counts(self, row: dict[str, Any]) -> dict[str, int]:
        counts = {}
        for name, attribute in COUNTS.items():
            count = values.whole(row.get(name), name)
            if count is not None:
                counts[attribute] = count
        fresh = values.whole(row.get("input_uncached_tokens"), "input_uncached_tokens")
        if fresh is not None:
            cached = (COUNTS["input_cache_read_tokens"], COUNTS["input_cache_write_tokens"])
            counts["gen_ai.usage.input_tokens"] = fresh + sum(counts.get(name, 0) for name in cached)
        return counts


def _kept(row: dict[str, Any]) -> Kept:
    """What the content of a span said by the way, which an export tells even where it leaves the content out."""
    told = values.mapping(row.get("told"), "told")
    instructions = values.parsed(row.get("instructions"), "instructions") or ()
    tools = values.parsed(row.get("tools"), "tools") or ()
    try:
        prompt = [] if list(instructions) == NO_PROMPT else list(instructions)
        return checked(
            {
                **told,
                **({"instructions": prompt} if instructions else {}),
                **({"tools": list(tools)} if tools else {}),
            }
        )
    except (ValueError, TypeError) as error:
        raise Misfit(f"what its content told is not as it was exported: {error}") from None


def _lasted(row: dict[str, Any]) -> int:
    if "duration_ns" in row:
        return values.whole(row["duration_ns"], "duration_ns") or 0
    return int((values.decimal(row["duration_ms"], "duration_ms") or 0) * 1_000_000)


def _start(row: dict[str, Any]) -> int:
    start = values.nanoseconds(row["started_at"], "started_at")
    if start is None:
        raise Misfit("it has no started_at")
    return start
