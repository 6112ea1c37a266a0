"""The figures that metrics are made of: how each is read from calls, and how it is added up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from holdfast.telemetry.rules.histogram import PER_OCTAVE, ZERO
from holdfast.telemetry.rules.measures import SAID
from holdfast.telemetry.store.calls import FLAGS, MODEL, USAGE

BY_SYSTEM = ("system", "environment", "sample")
"""Dimensions of the buckets by system, which are an hour or a day long."""
NARROW = ("system", "environment", "route", "provider", "model", "kind", "sample")
"""Dimensions of the minutes, and of hours and days made of them."""
WIDE = (*NARROW, "agent", "tenant", "release", "feature", "configuration")
"""Dimensions of the wide buckets, which are an hour or a day long."""
_ONE = "NOT attempt"
_INPUT_KNOWN = (
    "(input_uncached_tokens IS NOT NULL OR input_cache_read_tokens IS NOT NULL"
    " OR input_cache_write_tokens IS NOT NULL)"
)
_INPUT = "(ifNull(input_uncached_tokens, 0) + ifNull(input_cache_read_tokens, 0) + ifNull(input_cache_write_tokens, 0))"


def bin_of(value: str) -> str:
    """The bucket of a value as `rules.histogram.bucket` gives it."""
    return (
        f"if({value} <= 0, toInt16({ZERO}), toInt16(ceil(log2(greatest({value}, 1e-9)) * {PER_OCTAVE}) - 1))"
    )


SUMS: Mapping[str, str] = {
    "rows": "count()",
    "calls": f"countIf({_ONE})",
    "responded": f"countIf(response_model != '' AND {_ONE})",
    "responded_rows": "countIf(response_model != '')",
    "resends": "sum(ifNull(resends, 0))",
    "errors": f"countIf(status = 'error' AND {_ONE})",
    **{
        f"errors_{kind}": f"countIf(error_class = '{kind}' AND {_ONE})"
        for kind in ("model", "application", "rate_limit", "timeout", "content_filter")
    },
    "throttled": "countIf(error_class = 'rate_limit')",
    "streamed": f"countIf(ifNull(streaming, false) AND {_ONE})",
    "refusals": "countIf(ifNull(refusal, false))",
    "refusal_known": "countIf(refusal IS NOT NULL)",
    "cache_hits": "countIf(ifNull(cache_hit, false))",
    "cache_hit_known": "countIf(cache_hit IS NOT NULL)",
    "prompt_cached": "countIf(ifNull(input_cache_read_tokens, 0) > 0)",
    "prompt_cache_known": "countIf(input_cache_read_tokens IS NOT NULL)",
    "prompt_cache_input_tokens": f"sumIf({_INPUT}, input_cache_read_tokens IS NOT NULL)",
    "input_known": f"countIf({_INPUT_KNOWN})",
    "output_known": "countIf(output_tokens IS NOT NULL)",
    "reasoning_known": "countIf(reasoning_tokens IS NOT NULL)",
    **{name: f"sum(ifNull({name}, 0))" for name in USAGE},
    "cost": "sum(ifNull(cost_amount, 0))",
    "unpriced": "countIf(cost_amount IS NULL)",
    "answered_unpriced": f"countIf(cost_amount IS NULL AND status = 'ok' AND {_ONE})",
    "answered_without_usage": f"countIf(NOT {_INPUT_KNOWN} AND status = 'ok' AND {_ONE})",
    **{f"without_{name}": f"countIf({name} = '' AND {_ONE})" for name in SAID},
    "reported_cost_calls": "countIf(cost_source = 'reported')",
}
"""Figures that are sums, with how each is made of calls. The same name is the column in which buckets keep it."""


@dataclass(frozen=True, slots=True)
class Counts:
    """A figure that is counts by key: the columns in which buckets keep both, the key of a call, and which calls count."""

    keys: str
    counts: str
    key: str
    where: str


MAPS: Mapping[str, Counts] = {
    "latency_histogram": Counts("latency_bins", "latency_counts", bin_of("duration_ns / 1e6"), _ONE),
    "ttft_histogram": Counts(
        "ttft_bins", "ttft_counts", bin_of("assumeNotNull(ttft_ms)"), "ttft_ms IS NOT NULL"
    ),
    "finish_reasons": Counts(
        "finish_names", "finish_counts", "arrayJoin(finish_reasons)", "notEmpty(finish_reasons)"
    ),
}
"""Figures that are counts by key."""
_COUNTED = (("session", "session"), ("user", "user"), ("transaction", "trace_id"))
DISTINCT: Mapping[str, str] = {
    **{f"{what}s": f"uniqExactIf({column}, {column} != '')" for what, column in _COUNTED},
    **{f"{what}_cost": f"sumIf(ifNull(cost_amount, 0), {column} != '')" for what, column in _COUNTED},
}
"""Counts of different values, and what the calls cost that name one; read from calls alone: such counts do not add up."""


def of_calls(name: str) -> str:
    """A figure, other than one of MAPS, in a query over calls."""
    return f"{SUMS.get(name) or DISTINCT[name]} AS f_{name}"


def counts_of_calls(name: str) -> str:
    """A figure of MAPS in a query over calls that groups by no finish reason: a pair of arrays, keys and counts."""
    one = MAPS[name]
    keys = "finish_reasons" if "arrayJoin" in one.key else f"[{one.key}]"
    return f"sumMapIf({keys}, arrayMap(x -> toUInt64(1), {keys}), {one.where}) AS m_{name}"


def dimension(name: str, *, stored: bool) -> str:
    """A dimension as text; empty text is unknown. `stored`: in buckets, not in calls."""
    if name == "model" and not stored:
        return f"toString({MODEL})"
    if name in FLAGS and name != "sample":
        return f"ifNull(toString({name}), '')"
    if name == "finish_reason":
        return "toString(arrayJoin(finish_reasons))"
    return f"toString({name})"
