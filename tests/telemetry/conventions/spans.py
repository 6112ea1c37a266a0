"""Spans for tests: one is made from attributes alone, the rest has harmless defaults."""

from __future__ import annotations

from typing import Any

from holdfast.telemetry.model import Attributes, Span, SpanEvent


def span(attributes: Attributes | None = None, **given: Any) -> Span:
    """A CLIENT span of an unknown scope, from 1 s to 2 s, unless told otherwise."""
    fields: dict[str, Any] = {
        "trace_id": "0" * 31 + "1",
        "span_id": "0" * 15 + "1",
        "parent_span_id": "",
        "name": "span",
        "kind": "CLIENT",
        "start_ns": 1_000_000_000,
        "end_ns": 2_000_000_000,
        "status": "unset",
        "status_message": "",
        "scope_name": "app",
        "scope_version": "",
        "attributes": attributes or {},
        "resource": {},
        "events": [],
    }
    return Span(**(fields | given))


def event(name: str, attributes: Attributes, at: int = 1_500_000_000) -> SpanEvent:
    return SpanEvent(name, at, attributes)


def buckets(usage: Any) -> tuple[int | None, ...]:
    """(uncached, cache read, cache write, output, reasoning) of a usage."""
    return (
        usage.input_uncached,
        usage.input_cache_read,
        usage.input_cache_write,
        usage.output,
        usage.output_reasoning,
    )
