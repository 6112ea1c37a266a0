"""Answers about one trace."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

from holdfast.kernel.errors import NotFound
from holdfast.kernel.time import iso
from holdfast.platform.access.model import Reach
from holdfast.storage.columns import Columns
from holdfast.telemetry.conventions.content import is_content
from holdfast.telemetry.conventions.convention import ScopeOverride
from holdfast.telemetry.conventions.reading import read_facts
from holdfast.telemetry.model import Facts
from holdfast.telemetry.reads.shapes import call_json, instant
from holdfast.telemetry.store import calls as call_store
from holdfast.telemetry.store import events as event_store
from holdfast.telemetry.store import spans as span_store
from holdfast.telemetry.store.spans import StoredSpan


@dataclass(frozen=True, slots=True)
class SpanView:
    """A span of a trace, with the facts read from it. `content_state` says why there is no content, if so."""

    stored: StoredSpan
    facts: Facts


@dataclass(frozen=True, slots=True)
class TraceView:
    """One trace: its spans in order of start, the calls made of them, and its evaluation results."""

    trace_id: str
    spans: list[SpanView]
    calls: list[dict[str, Any]]
    evaluations: list[dict[str, Any]]


def trace(
    columns: Columns,
    workspace: str,
    trace_id: str,
    reach: Reach,
    overrides: Mapping[str, ScopeOverride] | None = None,
) -> TraceView:
    """One trace. Raises NotFound where the workspace has no such trace, or the caller may see nothing of it."""
    every = span_store.of_traces(columns, workspace, [trace_id])
    stored = [one for one in every if reach.covers(one.system, one.environment)]
    hidden = {one.span.span_id for one in every if not reach.covers(one.system, one.environment)}
    if not stored:
        raise NotFound("there is no such trace in this workspace")
    views = [SpanView(one, read_facts(one.span, overrides)) for one in stored]
    made = [
        call_json(row)
        for row in call_store.of_trace(columns, workspace, trace_id)
        if reach.covers(row["system"], row["environment"])
    ]
    mine = {one.span.span_id for one in stored}
    results = [
        row
        for row in event_store.evaluations_of_trace(columns, workspace, trace_id)
        if row["span_id"] in mine
        or (row["span_id"] not in hidden and reach.covers(row["system"], row["environment"]))
    ]
    return TraceView(trace_id, views, made, results)


def trace_json(view: TraceView, may_read_content: Callable[[str, str], bool]) -> dict[str, Any]:
    """A trace as the API shows it; content only where `may_read_content(system, environment)` says so."""
    return {
        "trace_id": view.trace_id,
        "spans": [
            span_json(one, may_read_content(one.stored.system, one.stored.environment)) for one in view.spans
        ],
        "calls": view.calls,
        "evaluations": [
            evaluation_json(row, may_read_content(row["system"], row["environment"]))
            for row in view.evaluations
        ],
    }


def evaluation_json(row: dict[str, Any], content: bool) -> dict[str, Any]:
    """An evaluation result as the API shows it. Its explanation quotes what was said: `content` must allow it."""
    return {**row, "at": str(row["at"]), "explanation": row["explanation"] if content else ""}


def span_json(view: SpanView, content: bool) -> dict[str, Any]:
    """A span as the API shows it. `content_state` is `denied` where the reader lacks the permission."""
    stored, facts = view.stored, view.facts
    span = stored.span
    held = stored.content_state not in ("none", "off", "unsampled", "withheld", "expired", "erased")

    def visible(attributes: dict[str, Any]) -> dict[str, Any]:
        return attributes if content else {k: v for k, v in attributes.items() if not is_content(k)}

    return {
        "span_id": span.span_id,
        "parent_span_id": span.parent_span_id or None,
        "name": span.name,
        "kind": stored.kind,
        "span_kind": span.kind,
        "system": stored.system or None,
        "environment": stored.environment or None,
        "started_at": iso(instant(span.start_ns)),
        "start_ns": span.start_ns,
        "duration_ms": (span.end_ns - span.start_ns) / 1e6,
        "status": span.status,
        "status_message": span.status_message or None,
        "scope": f"{span.scope_name}@{span.scope_version}" if span.scope_version else span.scope_name,
        "attributes": visible(span.attributes),
        "resource": visible(span.resource),
        "events": [
            {
                "name": event.name,
                "at": iso(instant(event.time_ns)),
                "attributes": visible(event.attributes) if content or not is_content(event.name) else {},
            }
            for event in span.events
        ],
        "links": [{**link, "attributes": visible(link.get("attributes") or {})} for link in span.links],
        "content_state": "denied" if held and not content else stored.content_state,
        "content": asdict(facts.content) if content and facts.content is not None else None,
        "provenance": facts.provenance,
        "quality": list(facts.quality),
        "sample": stored.sample,
    }


def shows_content(shown: dict[str, Any]) -> bool:
    """Whether a trace as shown holds captured content, which its opening then records.

    Content counts wherever it stands: read into messages or not, it is among the raw attributes and events.
    """
    return any(span["content_state"] in ("captured", "redacted") for span in shown["spans"]) or any(
        row["explanation"] for row in shown["evaluations"]
    )
