"""Calls as they are read: filters, lists, figures, exports. How they are written is in `counted`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from holdfast.storage.columns import Columns, Select
from holdfast.telemetry.model import TimeRange
from holdfast.telemetry.store.spans import in_places, nanoseconds

USAGE = {
    "input_uncached_tokens": "input_uncached",
    "input_cache_read_tokens": "input_cache_read",
    "input_cache_write_tokens": "input_cache_write",
    "input_cache_write_5m_tokens": "input_cache_write_5m",
    "input_cache_write_1h_tokens": "input_cache_write_1h",
    "output_tokens": "output",
    "reasoning_tokens": "output_reasoning",
    "input_audio_tokens": "input_audio",
    "input_image_tokens": "input_image",
    "cache_read_audio_tokens": "cache_read_audio",
    "output_audio_tokens": "output_audio",
    "output_image_tokens": "output_image",
}
DIMENSIONS = ("system", "environment", "route", "agent", "tenant", "user", "session", "release", "feature")
FACTS = (
    "provider",
    "request_model",
    "response_model",
    "operation",
    "error_type",
    "response_id",
    "service_tier",
)
FINAL = {"do_not_merge_across_partitions_select_final": 1}


@dataclass(frozen=True, slots=True)
class CallFilter:
    """Which calls: `equals` maps a column to the values allowed (empty text: unknown); text searches content and ids."""

    within: TimeRange
    equals: dict[str, tuple[str, ...]]
    text: str = ""
    min_duration_ms: float | None = None
    content_pairs: tuple[tuple[str, str], ...] = ()  # text is sought in the content of these places alone
    pairs: tuple[
        tuple[str, str], ...
    ] = ()  # only these (system, environment), empty text meaning any; none: no limit


FILTERS = (
    *DIMENSIONS,
    "provider",
    "request_model",
    "response_model",
    "operation",
    "kind",
    "status",
    "error_class",
    "error_type",
    "price_id",
    "response_id",
    "trace_id",
    "convention",
    "scope",
    "service_tier",
    "cost_source",
    "cost_unknown_reason",
    "configuration",
)
FLAGS = ("streaming", "refusal", "sample", "attempt", "cache_hit")
MODEL = "if(response_model = '', request_model, response_model)"


_IDS = (
    "trace_id = {text:String} OR id = {text:String} OR response_id = {text:String} OR session = {text:String}"
    " OR user = {text:String}"
)
_CONTENT = (
    " OR (trace_id, id) IN (SELECT trace_id, span_id FROM spans WHERE workspace = {workspace:String}"
    " AND started_at >= fromUnixTimestamp64Nano({start_ns:Int64}, 'UTC')"
    " AND started_at < fromUnixTimestamp64Nano({end_ns:Int64}, 'UTC')"
    " AND content != '' AND positionCaseInsensitiveUTF8(content, {text:String}) > 0 AND "
)


def among(filters: CallFilter, expression: Callable[[str], str]) -> tuple[list[str], dict[str, Any]]:
    """Conditions that each dimension, as an expression of its name, has one of its values, and on the places."""
    clauses: list[str] = []
    params: dict[str, Any] = {}
    for number, (name, allowed) in enumerate(filters.equals.items()):
        clauses.append(f"{expression(name)} IN {{v{number}:Array(String)}}")
        params[f"v{number}"] = list(allowed)
    if filters.pairs:
        clause, more = in_places(filters.pairs, "reach")
        clauses.append(clause)
        params |= more
    return clauses, params


def where(filters: CallFilter) -> tuple[list[str], dict[str, Any]]:
    """SQL conditions of a filter, with their parameters."""
    clauses = [
        "started_at >= fromUnixTimestamp64Nano({start_ns:Int64}, 'UTC')",
        "started_at < fromUnixTimestamp64Nano({end_ns:Int64}, 'UTC')",
    ]
    params: dict[str, Any] = {
        "start_ns": nanoseconds(filters.within.start),
        "end_ns": nanoseconds(filters.within.end),
    }
    for number, (column, allowed) in enumerate(filters.equals.items()):
        key = f"v{number}"
        if column in FILTERS or column == "model":
            clauses.append(f"{MODEL if column == 'model' else column} IN {{{key}:Array(String)}}")
            params[key] = list(allowed)
        elif column in FLAGS:
            wanted = [
                f"{column} IS NULL" if v == "" else f"{column} = {'true' if v == 'true' else 'false'}"
                for v in allowed
            ]
            clauses.append(" OR ".join(wanted))
        elif column == "finish_reason":
            clauses.append(f"hasAny(finish_reasons, {{{key}:Array(String)}})")
            params[key] = list(allowed)
        elif column == "quality":
            clauses.append(f"hasAny(quality, {{{key}:Array(String)}})")
            params[key] = list(allowed)
        else:
            raise KeyError(column)
    if filters.min_duration_ms is not None:
        clauses.append("duration_ns >= {min_ns:Int64}")
        params["min_ns"] = int(filters.min_duration_ms * 1e6)
    if filters.pairs:
        clause, more = in_places(filters.pairs, "reach")
        clauses.append(clause)
        params |= more
    if filters.text:
        clause = _IDS
        if filters.content_pairs:
            readable, more = in_places(filters.content_pairs, "content")
            clause += f"{_CONTENT}({readable}))"
            params |= more
        clauses.append(clause)
        params["text"] = filters.text
    return clauses, params


TOLD = (
    "duration_ns",
    "kind",
    *DIMENSIONS,
    *FACTS,
    "status",
    "error_class",
    "streaming",
    "ttft_ms",
    *USAGE,
    "cost_amount",
    "cost_currency",
    "cost_parts",
    "cost_source",
    "cost_unknown_reason",
    "price_id",
    "price_effective_from",
    "finish_reasons",
    "refusal",
    "cache_hit",
    "resends",
    "parameters",
)
"""Columns of what a call was, in the order that lists and exports share."""
ORIGIN = ("convention", "provenance", "quality", "observations", "sample", "attempt", "configuration")
"""Columns of how it is known."""
LISTED = ("id", "trace_id", "span_id", "toUnixTimestamp64Nano(started_at) AS start_ns", *TOLD, *ORIGIN)


def listed(
    columns: Columns,
    workspace: str,
    filters: CallFilter,
    limit: int,
    after: tuple[Any, str] | None,
    order: str = "time",
) -> list[dict[str, Any]]:
    """Calls by a filter, the latest first (or the slowest, the dearest); `after` is the key of the last one seen."""
    clauses, params = where(filters)
    key = {"time": "started_at", "duration": "duration_ns", "cost": "cost_amount"}[order]
    if order == "cost":
        clauses.append("cost_amount IS NOT NULL")
    if after is not None:
        value = {
            "time": "fromUnixTimestamp64Nano({after_key:Int64}, 'UTC')",
            "duration": "{after_key:Int64}",
            "cost": "toDecimal128({after_key:String}, 15)",
        }[order]
        clauses.append(f"({key} < {value}) OR ({key} = {value} AND id < {{after_id:String}})")
        params |= {"after_key": after[0], "after_id": after[1]}
    ordering = [f"{key} DESC", "id DESC"]
    query = Select(
        "calls", LISTED, clauses, params, order_by=ordering, limit=limit, final=True, settings=FINAL
    )
    return columns.dicts(workspace, query)


def of_trace(columns: Columns, workspace: str, trace_id: str) -> list[dict[str, Any]]:
    """The calls of one trace, oldest first."""
    query = Select(
        "calls",
        LISTED,
        ["trace_id = {trace:String}"],
        {"trace": trace_id},
        order_by=["start_ns", "id"],
        final=True,
        settings=FINAL,
    )
    return columns.dicts(workspace, query)


NAMED = ("trace_id", "session", "id", "response_id")
"""By what calls can be named from outside."""


def named(
    columns: Columns, workspace: str, within: TimeRange, by: str, values: Sequence[str], limit: int
) -> list[dict[str, Any]]:
    """Calls of a time range whose `by` (one of `NAMED`) is one of these, the latest first; attempts left out."""
    if by not in NAMED or not values:
        return []
    clauses, params = where(CallFilter(within, {"attempt": ("false",)}))
    query = Select(
        "calls",
        LISTED,
        [*clauses, f"{by} IN {{named:Array(String)}}"],
        params | {"named": list(values)},
        order_by=["start_ns DESC", "id DESC"],
        limit=limit,
        final=True,
        settings=FINAL,
    )
    return columns.dicts(workspace, query)


def count(columns: Columns, workspace: str, filters: CallFilter) -> int:
    """How many calls a filter finds, each counted once."""
    clauses, params = where(filters)
    return int(
        columns.rows(workspace, Select("calls", ["count()"], clauses, params, final=True, settings=FINAL))[0][
            0
        ]
    )


_SHOWN = {"finish_reason": "arrayJoin(finish_reasons)", "quality": "arrayJoin(quality)", "model": MODEL}


def facets(
    columns: Columns, workspace: str, filters: CallFilter, names: Sequence[str], limit: int
) -> dict[str, list[tuple[str, int]]]:
    """For each dimension the commonest values among the calls of a filter, with their counts, in one pass.

    A flag's value is `true`, `false` or empty (unknown). List-valued dimensions are counted once per element.
    """
    clauses, params = where(filters)
    found: dict[str, list[tuple[str, int]]] = {name: [] for name in names}
    lists = [name for name in names if _SHOWN.get(name, "").startswith("arrayJoin")]
    plain = [name for name in names if name not in lists]
    for one in ([plain] if plain else []) + [[name] for name in lists]:
        keys = [f"d{number}" for number in range(len(one))]
        query = Select(
            "calls",
            [
                *(f"{_shown(name)} AS {key}" for name, key in zip(one, keys, strict=True)),
                f"grouping({', '.join(keys)}) AS dimension",
                "count() AS n",
            ],
            clauses,
            params,
            group_by=[f"GROUPING SETS ({', '.join(f'({key})' for key in keys)})"],
            order_by=["n DESC", *keys],
            limit_by=f"{limit} BY dimension",
            final=True,
            settings=FINAL,
        )
        every = (1 << len(one)) - 1
        position = {every - (1 << (len(one) - 1 - number)): number for number in range(len(one))}
        for row in columns.rows(workspace, query):
            number = position[row[len(one)]]
            found[one[number]].append((str(row[number]), int(row[-1])))
    return found


def _shown(name: str) -> str:
    return f"ifNull(toString({name}), '')" if name in FLAGS else f"toString({_SHOWN.get(name, name)})"


def exported(columns: Columns, workspace: str, filters: CallFilter, format_name: str) -> bytes:
    """All calls of a filter in one of the engine's formats (Parquet, JSONEachRow), oldest first."""
    clauses, params = where(filters)
    names = [name for name in LISTED if not name.startswith("toUnix")]
    query = Select(
        "calls",
        ["workspace", "started_at", *names],
        clauses,
        params,
        order_by=["started_at", "id"],
        final=True,
        settings=FINAL,
    )
    return columns.formatted(workspace, query, format_name)


@dataclass(frozen=True, slots=True)
class Summary:
    """Figures of many calls. Sums leave out what is unknown and say how much that is; None where nothing is known."""

    calls: int
    errors: int
    p50_ms: float | None
    p95_ms: float | None
    input_tokens: int | None
    output_tokens: int | None
    cache_read_tokens: int | None
    costs: dict[str, Decimal]  # by currency
    unpriced: int
    samples: int


_INPUT = "ifNull(input_uncached_tokens, 0) + ifNull(input_cache_read_tokens, 0) + ifNull(input_cache_write_tokens, 0)"
_KNOWN_INPUT = "input_uncached_tokens IS NOT NULL OR input_cache_read_tokens IS NOT NULL"
_FIGURES = (
    "count()",
    "countIf(status = 'error')",
    "quantilesTDigest(0.5, 0.95)(duration_ns / 1e6)",
    f"sumOrNullIf({_INPUT}, {_KNOWN_INPUT})",
    "sumOrNull(output_tokens)",
    "sumOrNull(input_cache_read_tokens)",
    "sumMapIf([cost_currency], [ifNull(cost_amount, 0)], cost_amount IS NOT NULL)",
    "countIf(cost_amount IS NULL)",
    "countIf(sample)",
)


def _summary(row: tuple[Any, ...]) -> Summary:
    calls = int(row[0])
    currencies, amounts = row[6]
    return Summary(
        calls=calls,
        errors=int(row[1]),
        p50_ms=float(row[2][0]) if calls else None,
        p95_ms=float(row[2][1]) if calls else None,
        input_tokens=None if row[3] is None else int(row[3]),
        output_tokens=None if row[4] is None else int(row[4]),
        cache_read_tokens=None if row[5] is None else int(row[5]),
        costs=dict(zip(currencies, amounts, strict=True)),
        unpriced=int(row[7]),
        samples=int(row[8]),
    )


def summary(columns: Columns, workspace: str, filters: CallFilter) -> Summary:
    """The figures of all calls of a filter."""
    clauses, params = where(filters)
    query = Select("calls", _FIGURES, clauses, params, final=True, settings=FINAL)
    return _summary(columns.rows(workspace, query)[0])


def series(
    columns: Columns, workspace: str, filters: CallFilter, step_seconds: int
) -> dict[datetime, Summary]:
    """The figures by bucket of time (UTC), for every bucket that has calls."""
    clauses, params = where(filters)
    bucket = f"toStartOfInterval(started_at, INTERVAL {int(step_seconds)} SECOND) AS bucket"
    query = Select(
        "calls",
        [bucket, *_FIGURES],
        clauses,
        params,
        group_by=["bucket"],
        order_by=["bucket"],
        final=True,
        settings=FINAL,
    )
    rows = columns.rows(workspace, query)
    return {(row[0] if row[0].tzinfo else row[0].replace(tzinfo=UTC)): _summary(row[1:]) for row in rows}


def places(columns: Columns, workspace: str) -> list[tuple[str, str]]:
    """The pairs of system and environment that calls name; for the menus."""
    named = ["DISTINCT system", "environment"]
    query = Select("calls", named, order_by=["system", "environment"], limit=1000)
    return [(row[0], row[1]) for row in columns.rows(workspace, query)]


def any_call(columns: Columns, workspace: str) -> bool:
    """Whether the workspace has ever had a call."""
    return bool(columns.rows(workspace, Select("calls", ["1"], limit=1)))


def received_since(
    columns: Columns, workspace: str, filters: CallFilter, after: datetime, limit: int = 50
) -> list[dict[str, Any]]:
    """Calls that were stored after an instant, the latest first, with `received_at`."""
    clauses, params = where(filters)
    clauses.append("received_at > {after:DateTime64(3, 'UTC')}")
    params["after"] = after
    query = Select(
        "calls",
        [*LISTED, "received_at"],
        clauses,
        params,
        order_by=["started_at DESC", "id DESC"],
        limit=limit,
        final=True,
        settings=FINAL,
    )
    return columns.dicts(workspace, query)


def observed_by(
    columns: Columns, workspace: str, within: TimeRange, scope: str, one_in: int
) -> list[tuple[str, int, int]]:
    """By system: calls, and those of them that a span of an instrumentation scope observed. No attempts, no sample data.

    `one_in` looks at the calls of one in so many traces alone.
    """
    clauses, params = where(CallFilter(within, {"sample": ("false",), "attempt": ("false",)}))
    some = "cityHash64(trace_id) % {one_in:UInt32} = 0"
    seen = (
        "(trace_id, observed) IN (SELECT trace_id, span_id FROM spans WHERE workspace = {workspace:String}"
        " AND scope_name = {scope:String}"
        " AND started_at >= fromUnixTimestamp64Nano({start_ns:Int64}, 'UTC') - INTERVAL 1 HOUR"
        f" AND started_at < fromUnixTimestamp64Nano({{end_ns:Int64}}, 'UTC') + INTERVAL 1 HOUR AND {some})"
    )
    query = Select(
        "calls FINAL LEFT ARRAY JOIN observations AS observed",
        ["system", "uniqExact(trace_id, id)", f"uniqExactIf((trace_id, id), {seen})"],
        [*clauses, some],
        params | {"scope": scope, "one_in": one_in},
        group_by=["system"],
        order_by=["system"],
        settings=FINAL,
    )
    return [(str(system), int(calls), int(of)) for system, calls, of in columns.rows(workspace, query)]
