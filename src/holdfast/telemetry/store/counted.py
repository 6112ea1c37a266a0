"""Calls as they are counted: one row each, replaced when more of the trace arrives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal
from operator import attrgetter
from typing import Any, NamedTuple

import msgspec

from holdfast.pricing.model import Charge, Usage
from holdfast.storage import native
from holdfast.storage.columns import Columns, Select
from holdfast.telemetry.model import Call
from holdfast.telemetry.store.calls import DIMENSIONS, FACTS, FINAL, USAGE
from holdfast.telemetry.store.spans import LOOKED_UP, milliseconds

_TEXTS = (*DIMENSIONS, *FACTS)
"""Columns named as the facts that they hold; unknown is empty text."""
_TEXT, _LIST = native.texts, native.arrays(native.texts)
_COUNT, _LONG, _BYTE = native.numbers("Q"), native.numbers("q"), native.numbers("B")
_MAYBE_COUNT = native.nullable(_COUNT, 0)
COLUMNS = (
    native.Column("workspace", "String", _TEXT),
    native.Column("id", "String", _TEXT),
    native.Column("trace_id", "String", _TEXT),
    native.Column("span_id", "String", _TEXT),
    native.Column("started_at", "DateTime64(9, 'UTC')", _LONG),
    native.Column("duration_ns", "Int64", _LONG),
    native.Column("kind", "String", _TEXT),
    native.Column("status", "String", _TEXT),
    native.Column("error_class", "String", _TEXT),
    native.Column("streaming", "Nullable(Bool)", native.nullable(native.flags, False)),
    native.Column("ttft_ms", "Nullable(Float64)", native.nullable(native.numbers("d"), 0.0)),
    native.Column(
        "cost_amount", "Nullable(Decimal(38, 15))", native.nullable(native.decimals(15), Decimal(0))
    ),
    native.Column("cost_currency", "String", _TEXT),
    native.Column("cost_parts", "String", _TEXT),
    native.Column("cost_source", "String", _TEXT),
    native.Column("cost_unknown_reason", "String", _TEXT),
    native.Column("price_id", "String", _TEXT),
    native.Column("price_effective_from", "Nullable(DateTime64(3, 'UTC'))", native.nullable(_LONG, 0)),
    native.Column("finish_reasons", "Array(String)", _LIST),
    native.Column("refusal", "Nullable(Bool)", native.nullable(native.flags, False)),
    native.Column("parameters", "String", _TEXT),
    native.Column("scope", "String", _TEXT),
    native.Column("convention", "String", _TEXT),
    native.Column("provenance", "String", _TEXT),
    native.Column("quality", "Array(String)", _LIST),
    native.Column("observations", "Array(String)", _LIST),
    native.Column("sample", "Bool", native.flags),
    native.Column("attempt", "Bool", native.flags),
    native.Column("resends", "Nullable(UInt32)", native.nullable(native.numbers("I"), 0)),
    native.Column("cache_hit", "Nullable(Bool)", native.nullable(native.flags, False)),
    native.Column("configuration", "String", _TEXT),
    native.Column("version", "UInt64", _COUNT),
    native.Column("is_deleted", "UInt8", _BYTE),
    native.Column("received_at", "DateTime64(3, 'UTC')", _LONG),
    native.Column("expires_at", "DateTime('UTC')", native.numbers("I")),
    *(native.Column(name, "Nullable(UInt64)", _MAYBE_COUNT) for name in USAGE),
    *(native.Column(name, "String", _TEXT) for name in _TEXTS),
)
NAMES = tuple(column.name for column in COLUMNS)
_texts = attrgetter(*_TEXTS)
_buckets = attrgetter(*USAGE.values())
_json = msgspec.json.Encoder(decimal_format="string").encode
_SCALE = Decimal(1).scaleb(-15)
_NO_USAGE = Usage()
_NOT_PRICED = Charge(None, "USD", None, None, None, {}, "not priced")


class CallRow(NamedTuple):
    """A call to be stored, or (`deleted`) one that turned out to be part of another."""

    workspace: str
    call: Call
    deleted: bool
    received_ms: int  # Unix milliseconds
    expires_seconds: int  # Unix seconds


def _values(row: CallRow) -> tuple[Any, ...]:
    """A row by COLUMNS, its texts still None where unknown. Instants are ticks, which need no conversion."""
    call, facts = row.call, row.call.facts
    charge = call.charge or _NOT_PRICED
    return (
        row.workspace,
        call.id,
        call.trace_id,
        call.span_id,
        call.start_ns,
        call.duration_ns,
        str(facts.kind),
        "error" if call.error else "ok",
        str(facts.error_class) if facts.error_class else "",
        facts.streaming,
        facts.ttft_ms,
        *charged(charge).values(),
        facts.finish_reasons,
        facts.refusal,
        _json(facts.parameters).decode() if facts.parameters else "",
        call.scope,
        facts.convention,
        _json(facts.provenance).decode() if facts.provenance else "",
        facts.quality,
        call.observations,
        facts.sample,
        call.attempt,
        facts.resends,
        facts.cache_hit,
        call.configuration,
        call.sequence,
        int(row.deleted),
        row.received_ms,
        row.expires_seconds,
        *_buckets(facts.usage or _NO_USAGE),
        *_texts(facts),
    )


def charged(charge: Charge) -> dict[str, Any]:
    """A charge by the columns that hold it, in their order."""
    amount = charge.amount
    return {
        "cost_amount": None if amount is None else amount.quantize(_SCALE),
        "cost_currency": "" if amount is None else charge.currency,
        "cost_parts": _json(charge.parts).decode() if charge.parts else "",
        "cost_source": charge.source or "",
        "cost_unknown_reason": charge.unknown_reason or "",
        "price_id": charge.price_id or "",
        "price_effective_from": None
        if charge.effective_from is None
        else milliseconds(charge.effective_from),
    }


def insert(columns: Columns, rows: Sequence[CallRow]) -> None:
    """Stores calls durably; a call already there is replaced when its sequence is not higher.

    Raises UNFIT where a value does not fit its column; nothing was stored then.
    """
    if not rows:
        return
    by_column: list[Sequence[Any]] = list(zip(*map(_values, rows), strict=True))
    for position in range(len(NAMES) - len(_TEXTS), len(NAMES)):
        by_column[position] = [text or "" for text in by_column[position]]
    _insert(columns, len(rows), by_column)


def _insert(columns: Columns, rows: int, by_column: Sequence[Sequence[Any]]) -> None:
    block = native.block(len(COLUMNS), rows, native.body(COLUMNS, by_column))
    columns.insert_blocks("calls", NAMES, [block])


def plain(row: CallRow) -> dict[str, Any]:
    """A row by the names of its columns, as `rows.read` gives one that is stored."""
    made = dict(zip(NAMES, _values(row), strict=True))
    return made | {name: made[name] or "" for name in _TEXTS}


def insert_plain(columns: Columns, rows: Sequence[Mapping[str, Any]]) -> None:
    """Stores rows by the names of their columns. Raises UNFIT; nothing was stored then."""
    if rows:
        _insert(columns, len(rows), [[row[name] for row in rows] for name in NAMES])


def known(
    columns: Columns, workspace: str, trace_ids: Sequence[str], table: str = "calls"
) -> dict[str, dict[str, int]]:
    """Per trace, the calls (or operations) that are stored now: id → start in nanoseconds."""
    query = Select(
        table,
        ["trace_id", "id", "toUnixTimestamp64Nano(started_at)"],
        ["trace_id IN {traces:Array(String)}"],
        {"traces": list(trace_ids)},
        final=True,
        settings=FINAL,
    )
    found: dict[str, dict[str, int]] = {}
    for trace_id, call_id, start_ns in columns.rows(workspace, query):
        found.setdefault(trace_id, {})[call_id] = start_ns
    return found


class Standing(NamedTuple):
    """A call (or an operation) as it stands: the latest row of its key. `live`: it is not taken away."""

    id: str
    start_ns: int
    version: int
    live: bool


def standing(
    columns: Columns,
    workspace: str,
    trace_ids: Sequence[str],
    within_ns: tuple[int, int],
    table: str = "calls",
) -> dict[str, list[Standing]]:
    """Per trace, the calls (or operations) that begin between two instants, those taken away included."""
    found: dict[str, list[Standing]] = {}
    for start in range(0, len(trace_ids), LOOKED_UP):
        query = Select(
            table,
            [
                "trace_id",
                "id",
                "toUnixTimestamp64Nano(started_at) AS start_ns",
                "max(version) AS newest",
                "argMax(is_deleted, version) = 0",
            ],
            [
                "trace_id IN {traces:Array(String)}",
                "started_at >= fromUnixTimestamp64Nano({first_ns:Int64}, 'UTC')",
                "started_at <= fromUnixTimestamp64Nano({last_ns:Int64}, 'UTC')",
            ],
            {
                "traces": list(trace_ids[start : start + LOOKED_UP]),
                "first_ns": max(within_ns[0], 0),
                "last_ns": min(within_ns[1], 2**63 - 1),
            },
            group_by=["trace_id", "id", "start_ns"],
        )
        for trace_id, *values in columns.rows(workspace, query):
            found.setdefault(trace_id, []).append(Standing(values[0], values[1], values[2], bool(values[3])))
    return found


def last_version(columns: Columns) -> int:
    """The highest commit number that calls were made of; 0 where there are none."""
    return int(columns.everywhere("SELECT max(version) FROM calls")[0][0])


def version_before_last(columns: Columns) -> int:
    """The highest commit number but one that calls or operations were made of; 0 where there is none.

    The last one may be there in part: an insert into several months, or into both tables, is several writes.
    """
    last = max(last_version(columns), _last_operation(columns))
    rows = columns.everywhere(
        "SELECT max(version) FROM calls WHERE version < {last:UInt64}"
        " UNION ALL SELECT max(version) FROM operations WHERE version < {last:UInt64}",
        {"last": last},
    )
    return max(int(row[0]) for row in rows)


def _last_operation(columns: Columns) -> int:
    return int(columns.everywhere("SELECT max(version) FROM operations")[0][0])
