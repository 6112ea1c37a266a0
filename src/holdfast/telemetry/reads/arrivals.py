"""Answers for whoever follows calls as they come: which were counted since an instant, and what was said in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from holdfast.storage.columns import Columns
from holdfast.telemetry.conventions.convention import ScopeOverride
from holdfast.telemetry.conventions.reading import read_facts
from holdfast.telemetry.model import Content, Kind
from holdfast.telemetry.reads.shapes import aware, instant
from holdfast.telemetry.store import arrivals as store
from holdfast.telemetry.store import calls as call_store
from holdfast.telemetry.store import spans as span_store

REACH = timedelta(hours=24)
"""A call that is counted later than this after it began is history."""
CUT = frozenset({"length", "max_tokens", "max_output_tokens", "model_length", "incomplete"})
"""Reasons to end that say that an answer is not whole."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """A call that was counted at `received_at`, perhaps anew because more of it had come."""

    id: str
    trace_id: str
    observations: tuple[str, ...]
    system: str
    environment: str
    route: str
    started_at: datetime
    received_at: datetime
    cut: bool  # the answer ended at its maximum length
    user: str = ""
    release: str = ""
    cached: bool = False  # the answer was kept from an earlier call


@dataclass(frozen=True, slots=True)
class Said:
    """What was said in a call. `answer` None: it is not known, and `state` says why (see `SpanView`).

    `messages` are pairs of role and text, system first; `given` is all of them; `documents` what the trace retrieved before
    the call began. `masked`: personal data was taken out before it was kept.
    """

    state: str
    question: str = ""
    given: str = ""
    answer: str | None = None
    documents: tuple[str, ...] = ()
    masked: bool = False
    messages: tuple[tuple[str, str], ...] = ()


def arrived(columns: Columns, workspace: str, since: datetime, limit: int) -> list[Arrival]:
    """Inferences counted from an instant on, in that order, each once; no sample data, no attempts, no history."""
    return [_arrival(row) for row in store.arrived(columns, workspace, since, REACH, limit)]


def call(columns: Columns, workspace: str, trace_id: str, id: str) -> Arrival | None:
    """One call, whatever its age."""
    for row in call_store.of_trace(columns, workspace, trace_id):
        if row["id"] == id:
            at = instant(row["start_ns"])
            return _arrival({**row, "started_at": at, "received_at": at})
    return None


def _arrival(row: Mapping[str, Any]) -> Arrival:
    return Arrival(
        row["id"],
        row["trace_id"],
        tuple(row["observations"]),
        row["system"],
        row["environment"],
        row["route"],
        aware(row["started_at"]),
        aware(row["received_at"]),
        any(reason in CUT for reason in row["finish_reasons"]),
        row["user"],
        row["release"],
        bool(row["cache_hit"]),
    )


def said(
    columns: Columns,
    workspace: str,
    calls: Sequence[Arrival],
    overrides: Mapping[str, ScopeOverride] | None = None,
) -> dict[tuple[str, str], Said]:
    """What was said in some calls, by (trace id, call id). Opening it for a person is recorded by whoever shows it."""
    traces = sorted({one.trace_id for one in calls})
    views: dict[str, dict[str, tuple[str, Kind, int, Content | None]]] = {}
    for start in range(0, len(traces), span_store.LOOKED_UP):
        for stored in span_store.of_traces(columns, workspace, traces[start : start + span_store.LOOKED_UP]):
            facts = read_facts(stored.span, overrides)
            held = stored.content_state in ("captured", "redacted")
            views.setdefault(stored.span.trace_id, {})[stored.span.span_id] = (
                stored.content_state,
                facts.kind,
                stored.span.start_ns,
                facts.content if held else None,
            )
    return {(one.trace_id, one.id): _said(one, views.get(one.trace_id, {})) for one in calls}


def _said(one: Arrival, spans: Mapping[str, tuple[str, Kind, int, Content | None]]) -> Said:
    """From the first of a call's observations that has its answer, and the retrievals of its trace."""
    mine = [spans[id] for id in (one.id, *one.observations) if id in spans]
    if not mine:
        return Said("gone")
    state, _, start_ns, content = next(
        (view for view in mine if view[3] is not None and view[3].output_messages), mine[0]
    )
    if content is None:
        return Said(state)
    asked = content.input_messages or []
    given = [*_texts([{"parts": content.system_instructions or []}]), *_texts(asked)]
    users = [message for message in asked if message.get("role") == "user"]
    answers = _texts(content.output_messages or [])
    return Said(
        state,
        "\n".join(_texts(users[-1:])),
        "\n".join(given),
        "\n".join(answers) if answers else None,
        tuple(_documents(spans.values(), start_ns)),
        masked=state == "redacted",
        messages=tuple(_spoken(content)),
    )


def _spoken(content: Content) -> Iterable[tuple[str, str]]:
    system = "\n".join(_texts([{"parts": content.system_instructions or []}]))
    if system:
        yield "system", system
    for message in content.input_messages or ():
        text = "\n".join(_texts([message]))
        if text:
            yield str(message.get("role") or "user"), text


def _documents(spans: Iterable[tuple[str, Kind, int, Content | None]], before_ns: int) -> Iterable[str]:
    for _, kind, start_ns, content in spans:
        if kind in (Kind.RETRIEVAL, Kind.RERANK) and content is not None and start_ns <= before_ns:
            for document in content.documents or ():
                text = document.get("content")
                if isinstance(text, str) and text.strip():
                    yield text


def _texts(messages: Iterable[Mapping[str, Any]]) -> list[str]:
    """The text parts of messages."""
    return [
        part["content"]
        for message in messages
        for part in message.get("parts") or ()
        if isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("content"), str)
    ]
