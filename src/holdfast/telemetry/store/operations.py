"""Operations as they are counted (tool calls, retrievals, agent runs): written like calls, and read as figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, NamedTuple

from holdfast.storage import native
from holdfast.storage.columns import Columns, Select
from holdfast.telemetry.model import Operation
from holdfast.telemetry.rules.adding import Key
from holdfast.telemetry.store.calls import DIMENSIONS, FINAL, CallFilter, among
from holdfast.telemetry.store.figures import Counts, bin_of
from holdfast.telemetry.store.spans import nanoseconds

_TEXTS = (*DIMENSIONS, "operation", "data_source", "error_type", "convention")
"""Columns named as the facts that they hold; unknown is empty text."""
_TEXT, _LONG = native.texts, native.numbers("q")
_MAYBE_COUNT = native.nullable(native.numbers("I"), 0)
COLUMNS = (
    native.Column("workspace", "String", _TEXT),
    native.Column("id", "String", _TEXT),
    native.Column("trace_id", "String", _TEXT),
    native.Column("span_id", "String", _TEXT),
    native.Column("started_at", "DateTime64(9, 'UTC')", _LONG),
    native.Column("duration_ns", "Int64", _LONG),
    native.Column("kind", "String", _TEXT),
    native.Column("tool", "String", _TEXT),
    native.Column("status", "String", _TEXT),
    native.Column("error_class", "String", _TEXT),
    native.Column("llm_calls", "Nullable(UInt32)", _MAYBE_COUNT),
    native.Column("tool_calls", "Nullable(UInt32)", _MAYBE_COUNT),
    native.Column("documents", "Nullable(UInt32)", _MAYBE_COUNT),
    native.Column("top_score", "Nullable(Float64)", native.nullable(native.numbers("d"), 0.0)),
    native.Column("newest_age_ms", "Nullable(UInt64)", native.nullable(native.numbers("Q"), 0)),
    native.Column("cache_hit", "Nullable(Bool)", native.nullable(native.flags, False)),
    native.Column("scope", "String", _TEXT),
    native.Column("observations", "Array(String)", native.arrays(_TEXT)),
    native.Column("sample", "Bool", native.flags),
    native.Column("version", "UInt64", native.numbers("Q")),
    native.Column("is_deleted", "UInt8", native.numbers("B")),
    native.Column("received_at", "DateTime64(3, 'UTC')", _LONG),
    native.Column("expires_at", "DateTime('UTC')", native.numbers("I")),
    *(native.Column(name, "String", _TEXT) for name in _TEXTS),
)
NAMES = tuple(column.name for column in COLUMNS)
TOLD = tuple(name for name in NAMES if name not in ("workspace", "version", "is_deleted", "expires_at"))
"""What exports tell of an operation."""
_texts = attrgetter(*_TEXTS)


class OperationRow(NamedTuple):
    """An operation to be stored, or (`deleted`) one that turned out to be part of another, or none."""

    workspace: str
    operation: Operation
    deleted: bool
    received_ms: int  # Unix milliseconds
    expires_seconds: int  # Unix seconds


def _values(row: OperationRow) -> tuple[Any, ...]:
    one, facts = row.operation, row.operation.facts
    age = None if facts.newest_ns is None else max(one.start_ns - facts.newest_ns, 0) // 1_000_000
    return (
        row.workspace,
        one.id,
        one.trace_id,
        one.id,
        one.start_ns,
        one.duration_ns,
        str(facts.kind),
        facts.tool_name or "",
        "error" if one.error else "ok",
        str(facts.error_class) if facts.error_class else "",
        one.llm_calls,
        one.tool_calls,
        facts.documents,
        facts.top_score,
        age,
        facts.cache_hit,
        one.scope,
        one.observations,
        facts.sample,
        one.sequence,
        int(row.deleted),
        row.received_ms,
        row.expires_seconds,
        *(text or "" for text in _texts(facts)),
    )


def insert(columns: Columns, rows: Sequence[OperationRow]) -> None:
    """Stores operations durably; one already there is replaced when its sequence is not higher.

    Raises UNFIT where a value does not fit its column; nothing was stored then.
    """
    if rows:
        _insert(columns, len(rows), list(zip(*map(_values, rows), strict=True)))


def _insert(columns: Columns, rows: int, by_column: Sequence[Sequence[Any]]) -> None:
    block = native.block(len(COLUMNS), rows, native.body(COLUMNS, by_column))
    columns.insert_blocks("operations", NAMES, [block])


def plain(row: OperationRow) -> dict[str, Any]:
    """A row by the names of its columns, as `rows.read` gives one that is stored."""
    return dict(zip(NAMES, _values(row), strict=True))


def insert_plain(columns: Columns, rows: Sequence[Mapping[str, Any]]) -> None:
    """Stores rows by the names of their columns. Raises UNFIT; nothing was stored then."""
    if rows:
        _insert(columns, len(rows), [[row[name] for row in rows] for name in NAMES])


FILTERS = (
    *DIMENSIONS,
    "kind",
    "operation",
    "tool",
    "data_source",
    "status",
    "error_class",
    "error_type",
    "trace_id",
    "convention",
    "scope",
)
FLAGS = ("sample", "cache_hit")
GROUPS = (*FILTERS, *FLAGS)
"""Dimensions that figures of operations can be grouped by."""
OWN = ("tool", "data_source")
"""Those that calls do not have."""
_TOOL, _RUN, _SEARCH = (f"kind = '{kind}'" for kind in ("tool", "agent", "retrieval"))
_STEPS = "(assumeNotNull(llm_calls) + assumeNotNull(tool_calls))"
SUMS: Mapping[str, str] = {
    "operations": "count()",
    **{
        f"{name}{suffix}": f"countIf({kind}{also})"
        for name, kind in (("tool", _TOOL), ("run", _RUN), ("retrieval", _SEARCH))
        for suffix, also in (("_rows", ""), ("_errors", " AND status = 'error'"))
    },
    "steps": f"sumIf({_STEPS}, llm_calls IS NOT NULL)",
    "steps_known": "countIf(llm_calls IS NOT NULL)",
    "documents": "sum(ifNull(documents, 0))",
    "documents_known": "countIf(documents IS NOT NULL)",
    "empty": "countIf(ifNull(documents = 0, false))",
    "top_score": "sum(ifNull(top_score, 0))",
    "top_score_known": "countIf(top_score IS NOT NULL)",
    "newest_age_ms": "sum(ifNull(newest_age_ms, 0))",
    "newest_age_known": "countIf(newest_age_ms IS NOT NULL)",
    "retrieval_cache_hits": f"countIf({_SEARCH} AND ifNull(cache_hit, false))",
    "retrieval_cache_known": f"countIf({_SEARCH} AND cache_hit IS NOT NULL)",
}
"""Figures of operations that are sums."""
_LASTED = bin_of("duration_ns / 1e6")
MAPS: Mapping[str, Counts] = {
    "tool_histogram": Counts("", "", _LASTED, _TOOL),
    "run_histogram": Counts("", "", _LASTED, _RUN),
    "retrieval_histogram": Counts("", "", _LASTED, _SEARCH),
    "steps_counts": Counts("", "", _STEPS, "llm_calls IS NOT NULL"),
    "newest_age_histogram": Counts(
        "", "", bin_of("assumeNotNull(newest_age_ms) / 864e5"), "newest_age_ms IS NOT NULL"
    ),
}
"""Figures of operations that are counts by key."""
KIND_OF: Mapping[str, str] = {
    **dict.fromkeys(("tool_rows", "tool_errors", "tool_histogram"), "tool"),
    **dict.fromkeys(("run_rows", "run_errors", "run_histogram"), "agent"),
    **dict.fromkeys(("steps", "steps_known", "steps_counts"), "agent"),
    **dict.fromkeys(("retrieval_rows", "retrieval_errors", "retrieval_histogram"), "retrieval"),
    **dict.fromkeys(("documents", "documents_known", "empty", "top_score", "top_score_known"), "retrieval"),
    **dict.fromkeys(("newest_age_ms", "newest_age_known", "newest_age_histogram"), "retrieval"),
    **dict.fromkeys(("retrieval_cache_hits", "retrieval_cache_known"), "retrieval"),
}
"""The kind of operations that a figure is of."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a query asks, of some kinds of operations.

    `step` is SQL that makes a step's start (Unix seconds) of `{at}`, or empty.
    """

    filters: CallFilter
    figures: tuple[str, ...]
    by: tuple[str, ...]
    step: str = ""
    kinds: tuple[str, ...] = ()


def read(columns: Columns, workspace: str, wanted: Wanted, most: int) -> dict[Key, dict[str, Any]] | None:
    """Figures of the operations of a filter, each counted once, by step and group; None for more rows than `most`."""
    keys = [f"{_dimension(name)} AS g{n}" for n, name in enumerate(wanted.by)]
    grouped = [f"g{n}" for n in range(len(wanted.by))]
    if wanted.step:
        keys.insert(0, f"{wanted.step.format(at='started_at')} AS step")
        grouped.insert(0, "step")
    sums = [name for name in wanted.figures if name in SUMS]
    found: dict[Key, dict[str, Any]] = {}
    for names in ([sums] if sums else []) + [[name] for name in wanted.figures if name in MAPS]:
        clauses, params = _where(wanted.filters)
        clauses.append("kind IN {kinds:Array(String)}")
        params["kinds"] = list(wanted.kinds)
        counted = MAPS.get(names[0])
        if counted is None:
            told, by = [f"{SUMS[name]} AS f_{name}" for name in names], grouped
        else:
            told, by = [f"{counted.key} AS k", "count() AS n"], [*grouped, "k"]
            clauses.append(counted.where)
        query = Select(
            "operations",
            [*keys, *told],
            clauses,
            params,
            group_by=by,
            limit=most + 1,
            final=True,
            settings=FINAL,
        )
        rows = columns.dicts(workspace, query)
        if len(rows) > most:
            return None
        for row in rows:
            key = (row.get("step"), tuple(str(row[f"g{n}"]) for n in range(len(wanted.by))))
            held = found.setdefault(key, {})
            if counted is None:
                held |= {name: row[f"f_{name}"] for name in names}
            else:
                held.setdefault(names[0], {})[row["k"]] = int(row["n"])
    return found


def _dimension(name: str) -> str:
    return f"ifNull(toString({name}), '')" if name == "cache_hit" else f"toString({name})"


def _where(filters: CallFilter) -> tuple[list[str], dict[str, Any]]:
    for name in filters.equals:
        if name not in GROUPS:
            raise KeyError(name)
    clauses, params = among(filters, _dimension)
    within = filters.within
    params |= {"start_ns": nanoseconds(within.start), "end_ns": nanoseconds(within.end)}
    return [
        "started_at >= fromUnixTimestamp64Nano({start_ns:Int64}, 'UTC')",
        "started_at < fromUnixTimestamp64Nano({end_ns:Int64}, 'UTC')",
        *clauses,
    ], params
