"""Spans as they came: one row an observation, replaced by a later one with the same ids."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

import msgspec
import numpy as np

from holdfast.storage import native
from holdfast.storage.columns import Columns, Select
from holdfast.telemetry.model import Facts, Span, SpanEvent, TimeRange
from holdfast.telemetry.rules.versions import WRITERS

_LONG, _INSTANT = native.numbers("q"), native.numbers("I")
COLUMNS = (
    native.Column("workspace", "String", native.texts),
    native.Column("trace_id", "String", native.texts),
    native.Column("span_id", "String", native.texts),
    native.Column("parent_span_id", "String", native.texts),
    native.Column("name", "String", native.texts),
    native.Column("span_kind", "String", native.texts),
    native.Column("kind", "String", native.texts),
    native.Column("system", "String", native.texts),
    native.Column("environment", "String", native.texts),
    native.Column("started_at", "DateTime64(9, 'UTC')", _LONG),
    native.Column("duration_ns", "Int64", _LONG),
    native.Column("status", "String", native.texts),
    native.Column("status_message", "String", native.texts),
    native.Column("scope_name", "String", native.texts),
    native.Column("scope_version", "String", native.texts),
    native.Column("attributes", "String", native.texts),
    native.Column("resource", "String", native.texts),
    native.Column("events", "String", native.texts),
    native.Column("links", "String", native.texts),
    native.Column("user", "String", native.texts),
    native.Column("session", "String", native.texts),
    native.Column("content", "String", native.texts),
    native.Column("content_state", "String", native.texts),
    native.Column("instructions", "Array(UInt64)", native.arrays(native.numbers("Q"))),
    native.Column("tools", "Array(String)", native.arrays(native.texts)),
    native.Column("told", "String", native.texts),
    native.Column("sample", "Bool", native.flags),
    native.Column("received_at", "DateTime64(3, 'UTC')", _LONG),
    native.Column("expires_at", "DateTime('UTC')", _INSTANT),
    native.Column("content_expires_at", "DateTime('UTC')", _INSTANT),
)
_SEQUENCE = native.Column("sequence", "UInt64", native.numbers("Q"))
NAMES = (*(column.name for column in COLUMNS), _SEQUENCE.name)
VALUES = {column.name: place for place, column in enumerate(COLUMNS[1:])}
"""Column → its place in the values of a SpanRow."""
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
LOOKED_UP = 2000
"""Traces that one query asks for."""
_FINAL = {"do_not_merge_across_partitions_select_final": 1}


@dataclass(slots=True)
class SpanRow:
    """A span ready to be stored; `values` are those of COLUMNS after the workspace."""

    workspace: str
    span: Span
    facts: Facts
    values: tuple[Any, ...]


@dataclass(frozen=True, slots=True)
class StoredSpan:
    """A span read back, with its content where that is still there."""

    span: Span
    kind: str
    system: str
    environment: str
    content_state: str
    sample: bool
    sequence: int
    instructions: tuple[int, ...] | None
    tools: tuple[str, ...] | None
    kept: bool = True
    """Whether what its content said by the way is known: not of content that is gone and came before that was kept."""


def nanoseconds(instant: datetime) -> int:
    """Unix nanoseconds of an instant, exactly."""
    return (instant - _EPOCH) // timedelta(microseconds=1) * 1000


def milliseconds(instant: datetime) -> int:
    """Unix milliseconds of an instant, rounded down."""
    return (instant - _EPOCH) // timedelta(milliseconds=1)


def encode(value: Any) -> str:
    """JSON text; empty containers are empty text, which costs nothing to keep."""
    return msgspec.json.encode(value).decode() if value else ""


class Block(NamedTuple):
    """Spans as they are sent to the store, all but the number of their commit."""

    rows: int
    body: bytes


NO_SPANS = Block(0, b"")


def block(rows: Sequence[SpanRow]) -> Block:
    """Spans made ready to be sent. Raises UNFIT where a value does not fit its column."""
    if not rows:
        return NO_SPANS
    data = [[row.workspace for row in rows], *zip(*(row.values for row in rows), strict=True)]
    return Block(len(rows), native.body(COLUMNS, data))


def insert(columns: Columns, blocks: Sequence[Block], sequences: Sequence[int]) -> None:
    """Stores spans durably as one commit, in which each block has a number."""
    sent = [
        native.block(len(NAMES), one.rows, one.body + native.column(_SEQUENCE, [sequence] * one.rows))
        for one, sequence in zip(blocks, sequences, strict=True)
        if one.rows
    ]
    if sent:
        columns.insert_blocks("spans", NAMES, sent)


def in_places(pairs: Sequence[tuple[str, str]], prefix: str) -> tuple[str, dict[str, Any]]:
    """A condition that a row's (system, environment) is one of some pairs, empty text meaning any; its parameters.

    No pairs: no row. `prefix` keeps the parameters of several such conditions apart.
    """
    either, params = [], {}
    for number, (system, environment) in enumerate(pairs):
        parts = []
        for column, value in (("system", system), ("environment", environment)):
            if value:
                parts.append(f"{column} = {{{prefix}_{column}{number}:String}}")
                params[f"{prefix}_{column}{number}"] = value
        either.append("(" + (" AND ".join(parts) or "true") + ")")
    return " OR ".join(either) or "false", params


def count(
    columns: Columns,
    workspace: str,
    within: TimeRange,
    systems: Sequence[str] | None,
    environments: Sequence[str] | None,
    pairs: Sequence[tuple[str, str]] = (),
) -> int:
    """How many spans began in a time range, each counted once; `pairs` limit them where there are any."""
    where, params = _begun(within, systems, environments, pairs)
    query = Select("spans", ["uniqExact(trace_id, span_id)"], where, params)
    return int(columns.rows(workspace, query)[0][0])


def content_states(
    columns: Columns,
    workspace: str,
    within: TimeRange,
    systems: Sequence[str] | None,
    environments: Sequence[str] | None,
    pairs: Sequence[tuple[str, str]] = (),
) -> dict[str, int]:
    """What became of the content of spans of inferences that began in a time range: how many of each state."""
    where, params = _begun(within, systems, environments, pairs)
    query = Select(
        "spans",
        ["content_state", "uniqExact(trace_id, span_id)"],
        [*where, "kind = 'inference'"],
        params,
        group_by=["content_state"],
    )
    return {str(state): int(n) for state, n in columns.rows(workspace, query)}


def _begun(
    within: TimeRange,
    systems: Sequence[str] | None,
    environments: Sequence[str] | None,
    pairs: Sequence[tuple[str, str]],
) -> tuple[list[str], dict[str, Any]]:
    where = [
        "started_at >= fromUnixTimestamp64Nano({start_ns:Int64}, 'UTC')",
        "started_at < fromUnixTimestamp64Nano({end_ns:Int64}, 'UTC')",
    ]
    params: dict[str, Any] = {"start_ns": nanoseconds(within.start), "end_ns": nanoseconds(within.end)}
    for column, allowed in (("system", systems), ("environment", environments)):
        if allowed:
            where.append(f"{column} IN {{{column}:Array(String)}}")
            params[column] = list(allowed)
    if pairs:
        clause, more = in_places(pairs, "reach")
        where.append(clause)
        params |= more
    return where, params


_READ = (
    "trace_id",
    "span_id",
    "parent_span_id",
    "name",
    "span_kind",
    "toUnixTimestamp64Nano(started_at) AS start_ns",
    "duration_ns",
    "status",
    "status_message",
    "scope_name",
    "scope_version",
    "attributes",
    "resource",
    "events",
    "links",
    "content",
    "kind",
    "system",
    "environment",
    "if(content_state IN ('captured', 'redacted') AND content = '', 'expired', content_state) AS state",
    "sample",
    "sequence",
    "instructions",
    "tools",
    "told",
)


def of_traces(columns: Columns, workspace: str, trace_ids: Sequence[str]) -> list[StoredSpan]:
    """All spans of some traces, oldest first, each once in its latest form."""
    if not trace_ids:
        return []
    query = Select(
        "spans",
        _READ,
        ["trace_id IN {traces:Array(String)}"],
        {"traces": list(trace_ids)},
        order_by=["start_ns", "span_id"],
    )
    found: dict[tuple[str, str], StoredSpan] = {}
    for row in columns.rows(workspace, query):
        stored = _stored(row)
        key = (stored.span.trace_id, stored.span.span_id)
        if key not in found or found[key].sequence < stored.sequence:
            found[key] = stored
    return list(found.values())


def _decode(text: str, empty: Any) -> Any:
    return msgspec.json.decode(text) if text else empty


def _stored(row: tuple[Any, ...]) -> StoredSpan:
    attributes, resource, events, links = (_decode(row[i], {} if i < 13 else []) for i in range(11, 15))
    content = _decode(row[15], {})
    attributes.update(content.get("attributes", {}))
    for index, more in content.get("events", {}).items():
        events[int(index)]["attributes"].update(more)
    span = Span(
        trace_id=row[0],
        span_id=row[1],
        parent_span_id=row[2],
        name=row[3],
        kind=row[4],
        start_ns=row[5],
        end_ns=row[5] + row[6],
        status=row[7],
        status_message=row[8],
        scope_name=row[9],
        scope_version=row[10],
        attributes=attributes,
        resource=resource,
        events=[SpanEvent(event["name"], event["time_ns"], event["attributes"]) for event in events],
        links=links,
    )
    kind, system, environment, state, sample, sequence, instructions, tools, told = row[16:]
    seen = _instructions(instructions), tuple(tools) or None
    known = {name: one for name, one in zip(("instructions", "tools"), seen, strict=True) if one is not None}
    there = state == "captured" or (not told and state in ("none", "redacted"))
    if not there or (state == "none" and known):
        span.told = {**_decode(told, {}), **known}
    kept = bool(told) or state in ("none", "captured", "redacted")
    return StoredSpan(span, kind, system, environment, state, sample, sequence, *seen, kept=kept)


NOTHING_TOLD = "{}"
"""How it is kept that a span's content said nothing by the way; empty text: there was none, or it is not known."""
NO_INSTRUCTIONS = (0,)
"""How it is kept that a call has no system prompt; nothing kept: it is not known."""


def kept_instructions(known: tuple[int, ...] | None) -> tuple[int, ...]:
    """Fingerprints of instructions as they are kept."""
    return () if known is None else known or NO_INSTRUCTIONS


def _instructions(kept: Sequence[int]) -> tuple[int, ...] | None:
    found = tuple(int(one) for one in kept)
    return None if not found else () if found == NO_INSTRUCTIONS else found


def traces_since(columns: Columns, sequence: int) -> list[tuple[str, str]]:
    """(workspace, trace id) of all traces with anything to count that got spans in or after a commit, for recovery at start.

    A span of any kind counts: one between two others can make their calls one.
    """
    rows = columns.everywhere(
        "SELECT DISTINCT workspace, trace_id FROM spans WHERE kind IN"
        " ('inference', 'embeddings', 'rerank', 'tool', 'retrieval', 'agent')"
        " AND (workspace, trace_id) IN"
        " (SELECT workspace, trace_id FROM spans WHERE sequence >= {sequence:UInt64})",
        {"sequence": sequence},
    )
    return [(row[0], row[1]) for row in rows]


Probes = list[np.ndarray[Any, np.dtype[np.uint32]]]
"""The four 27-bit slices of trace ids at bits 0, 32, 64 and 96."""


def _probes(columns: Columns, where: str, params: dict[str, Any]) -> Probes:
    slices = ", ".join(
        f"toUInt32(bitAnd(bitShiftRight(id, {shift}), 0x7FFFFFF))" for shift in (0, 32, 64, 96)
    )
    return columns.arrays(
        f"SELECT {slices} FROM (SELECT DISTINCT reinterpretAsUInt128(reverse(unhex(trace_id))) AS id FROM spans"
        f" WHERE {where})",
        params,
    )


def trace_probes(columns: Columns, since: datetime) -> Probes:
    """Of every trace that got a span since an instant."""
    where = "received_at >= {since:DateTime64(3, 'UTC')}"
    return _probes(columns, where, {"since": since.astimezone(UTC)})


def trace_probes_between(columns: Columns, first: int, end: int) -> Probes:
    """Of every trace that got a span in commits from `first` to before `end`."""
    where = "sequence >= {first:UInt64} AND sequence < {end:UInt64}"
    return _probes(columns, where, {"first": first, "end": end})


class Present(NamedTuple):
    """What the store has of a trace: the latest commit by span id, the first and last start of any row, whether every
    row is of one writer, and a span (or "") of which there is more than one row."""

    commits: dict[str, int]
    first_ns: int
    last_ns: int
    own: bool
    replaced: str


def present(
    columns: Columns, workspace: str, trace_ids: Sequence[str], writer: int, since: int = 0
) -> dict[str, Present]:
    """What the store has of some traces, as one look at each shard sees it; traces without spans are left out.

    `since` leaves out earlier commits: old parts of the table are then not read at all.
    """
    found: dict[str, Present] = {}
    for start in range(0, len(trace_ids), LOOKED_UP):
        query = Select(
            "spans",
            [
                "trace_id",
                "span_id",
                "max(sequence)",
                "toUnixTimestamp64Nano(min(started_at))",
                "toUnixTimestamp64Nano(max(started_at))",
                f"min(bitAnd(sequence, {WRITERS - 1}) = {{writer:UInt64}})",
                "count()",
            ],
            ["trace_id IN {traces:Array(String)}", "sequence >= {since:UInt64}"],
            {"traces": list(trace_ids[start : start + LOOKED_UP]), "writer": writer, "since": since},
            group_by=["trace_id", "span_id"],
        )
        for trace_id, span_id, sequence, first_ns, last_ns, own, rows in columns.rows(workspace, query):
            held = found.get(trace_id)
            if held is None:
                found[trace_id] = Present(
                    {span_id: sequence}, first_ns, last_ns, bool(own), span_id if rows > 1 else ""
                )
                continue
            held.commits[span_id] = sequence
            found[trace_id] = held._replace(
                first_ns=min(held.first_ns, first_ns),
                last_ns=max(held.last_ns, last_ns),
                own=held.own and bool(own),
                replaced=span_id if rows > 1 else held.replaced,
            )
    return found


def traces_of_writer(columns: Columns, writer: int, after: int) -> list[tuple[str, str]]:
    """(workspace, trace id) of all traces that got spans in one writer's commits after a commit."""
    rows = columns.everywhere(
        "SELECT DISTINCT workspace, trace_id FROM spans WHERE sequence > {after:UInt64}"
        f" AND bitAnd(sequence, {WRITERS - 1}) = {{writer:UInt64}}",
        {"after": after, "writer": writer},
    )
    return [(row[0], row[1]) for row in rows]


def any_received_before(columns: Columns, instant: datetime) -> bool:
    """Whether the store holds spans that were received before an instant."""
    rows = columns.everywhere(
        "SELECT 1 FROM spans WHERE received_at < {before:DateTime64(3, 'UTC')} LIMIT 1",
        {"before": instant.astimezone(UTC)},
    )
    return bool(rows)


def last_sequence(columns: Columns) -> int:
    """The highest commit number in the store; 0 where it is empty."""
    return int(columns.everywhere("SELECT max(sequence) FROM spans")[0][0])
