"""What is told of calls outside, and under which names: figures of a series, and Prometheus' families."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

from holdfast.telemetry.rules.distribution import distribution, parts
from holdfast.telemetry.rules.exposition import Family, Labels
from holdfast.telemetry.rules.ledger import OVERFLOW, Figures, Series, Sums

ERRORS = ("model", "application", "rate_limit", "timeout", "content_filter")
TOKENS = {
    "input_uncached": ("input_uncached_tokens", "input_known"),
    "input_cache_read": ("input_cache_read_tokens", "prompt_cache_known"),
    "input_cache_write": ("input_cache_write_tokens", "input_known"),
    "output": ("output_tokens", "output_known"),
}
"""Exclusive buckets: they add up to all tokens. Each with the figure that it is, and how many calls say it."""
NEEDED = (
    "rows",
    "calls",
    "errors",
    *(f"errors_{kind}" for kind in ERRORS),
    "unpriced",
    "input_known",
    "prompt_cache_known",
    "output_known",
    "reasoning_known",
    "reasoning_tokens",
    *(figure for figure, _ in TOKENS.values()),
    "cost",
    "latency_histogram",
    "ttft_histogram",
)
"""The figures of `telemetry.store.figures` that `flat` reads."""
DIMENSIONS = ("system", "environment", "route", "provider", "model", "kind")
"""What exports tell series apart by; all of them are kept in minute buckets."""
LABELS = ("system", "environment", "route", "model")
"""What Prometheus' series are told apart by."""
UNKNOWN = "(unknown)"


def flat(found: Mapping[str, Any]) -> Figures:
    """The figures of a series as sums by name. What no call says is left out: unknown is not zero."""
    made = {"calls": found["calls"], "attempts": found["rows"], "unpriced": found["unpriced"]}
    made |= {f"error:{kind}": found[f"errors_{kind}"] for kind in ERRORS}
    made["error:unknown"] = max(found["errors"] - sum(found[f"errors_{kind}"] for kind in ERRORS), 0)
    for bucket, (figure, known) in TOKENS.items():
        if found[known]:
            made[f"tokens:{bucket}"] = found[figure]
    if found["reasoning_known"]:
        made["reasoning"] = found["reasoning_tokens"]
    made |= {f"cost:{currency}": amount for currency, amount in found.get("cost", {}).items()}
    for name in ("latency", "ttft"):
        made |= {f"{name}:{index}": n for index, n in found.get(f"{name}_histogram", {}).items()}
    return {name: Decimal(value) for name, value in made.items() if value}


def families(total: Sums, since: datetime, *, complete: bool, more: bool) -> list[Family]:
    """Prometheus' families of a workspace's calls: `total` is what was told since `since`."""
    ordered = sorted(total.items())
    base = [(_labels(series), figures) for series, figures in ordered]

    def plain(name: str) -> list[tuple[Labels, Decimal]]:
        return [(labels, figures.get(name, Decimal(0))) for labels, figures in base]

    def by(name: str, label: str) -> list[tuple[Labels, Decimal]]:
        return [
            ((*labels, (label, part)), value)
            for labels, figures in base
            for part, value in parts(figures, name).items()
        ]

    def spread(name: str) -> list[tuple[Labels, Any]]:
        made = [(labels, distribution(figures, name)) for labels, figures in base]
        return [(labels, one) for labels, one in made if one.count]

    return [
        Family("holdfast_calls", "counter", "Calls, each once.", plain("calls")),
        Family(
            "holdfast_call_attempts", "counter", "Calls, and failed attempts within them.", plain("attempts")
        ),
        Family("holdfast_call_errors", "counter", "Calls that failed, by class.", by("error", "class")),
        Family(
            "holdfast_call_cost", "counter", "What priced calls cost, by currency.", by("cost", "currency")
        ),
        Family("holdfast_call_unpriced", "counter", "Calls whose cost is unknown.", plain("unpriced")),
        Family(
            "holdfast_call_tokens",
            "counter",
            "Tokens by exclusive bucket, of calls that say them.",
            by("tokens", "bucket"),
        ),
        Family("holdfast_call_duration_seconds", "histogram", "Duration of calls.", spread("latency")),
        Family(
            "holdfast_call_time_to_first_token_seconds",
            "histogram",
            "Time to the first token, of calls that say it.",
            spread("ttft"),
        ),
        Family(
            "holdfast_calls_counted_since_seconds",
            "gauge",
            "Calls that began at or after this instant (Unix seconds) are in the counters.",
            [((), int(since.timestamp()))],
        ),
        Family(
            "holdfast_calls_complete",
            "gauge",
            "1 where all telemetry that was received is in the counters, else 0.",
            [((), int(complete))],
        ),
        Family(
            "holdfast_calls_series_overflow",
            "gauge",
            f"1 where some calls have no series of their own and are in those labelled {OVERFLOW}.",
            [((), int(more))],
        ),
    ]


def _labels(series: Series) -> Labels:
    return tuple((name, value or UNKNOWN) for name, value in zip(LABELS, series, strict=True))


Truth = Callable[[datetime, datetime], Sums]
"""(from, to) → what the calls that began between two instants add up to now, by series."""
