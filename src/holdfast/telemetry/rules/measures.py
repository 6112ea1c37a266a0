"""What can be asked of calls in numbers: each measure from figures that add up.

Figures are sums over calls (`telemetry.store.figures`), so those of stored buckets and of calls that are read one by one
can be added in any order. Unknown is None: a rate of nothing, a total of which no call says anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any

from holdfast.telemetry.rules.histogram import quantile

Figures = Mapping[str, Any]
Value = int | float | dict[str, Decimal] | dict[str, int] | None
"""A count, a number in the measure's unit, amounts by currency, or counts by name."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure: its unit (UCUM, `currency` for amounts), the figures it needs, and how it is made of them."""

    name: str
    unit: str
    figures: tuple[str, ...]
    of: Callable[[Figures], Value]
    says: str


def _plain(name: str, figures: Figures) -> Value:
    found: int = figures[name]
    return found


def _known(name: str, known: str, figures: Figures) -> Value:
    found: int = figures[name]
    return found if figures[known] else None


def _rate(part: str, whole: str, figures: Figures) -> Value:
    total = figures[whole]
    return figures[part] / total if total else None


def _quantile(name: str, q: float, figures: Figures) -> Value:
    return quantile(figures[name], q)


def _input(figures: Figures) -> Value:
    if not figures["input_known"]:
        return None
    total: int = sum(figures[name] for name in INPUT)
    return total


def _total(figures: Figures) -> Value:
    if not figures["input_known"] and not figures["output_known"]:
        return None
    total: int = sum(figures[name] for name in (*INPUT, "output_tokens"))
    return total


def _per(count: Callable[[Figures], int], cost: str, figures: Figures) -> Value:
    n = count(figures)
    return {currency: amount / n for currency, amount in figures[cost].items()} if n else {}


SAID = ("environment", "release", "route", "tenant", "user", "session", "agent", "feature")
"""Dimensions that applications have to say: there is a measure of the calls that do not."""
INPUT = ("input_uncached_tokens", "input_cache_read_tokens", "input_cache_write_tokens")
_TOKENS = {
    "input_uncached_tokens": "input_known",
    "input_cache_read_tokens": "prompt_cache_known",
    "input_cache_write_tokens": "input_known",
    "input_cache_write_5m_tokens": "input_known",
    "input_cache_write_1h_tokens": "input_known",
    "output_tokens": "output_known",
    "reasoning_tokens": "reasoning_known",
    "input_audio_tokens": "input_known",
    "input_image_tokens": "input_known",
    "cache_read_audio_tokens": "input_known",
    "output_audio_tokens": "output_known",
    "output_image_tokens": "output_known",
}
_QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}


def _counted(name: str, figure: str, says: str) -> Measure:
    return Measure(name, "1", (figure,), partial(_plain, figure), says)


def _ratio(name: str, part: str, whole: str, says: str) -> Measure:
    return Measure(name, "1", (part, whole), partial(_rate, part, whole), says)


def _all() -> dict[str, Measure]:
    made = [
        _counted("calls", "calls", "Calls, each once; failed attempts within a call are none of their own."),
        Measure(
            "attempts",
            "1",
            ("rows", "resends"),
            lambda f: int(f["rows"] + f["resends"]),
            "Requests that were sent: calls, failed attempts within them, and resends that clients report.",
        ),
        _counted("errors", "errors", "Calls that failed."),
        *(
            _counted(f"errors_{kind}", f"errors_{kind}", f"Calls that failed by: {kind.replace('_', ' ')}.")
            for kind in ("model", "application", "rate_limit", "timeout", "content_filter")
        ),
        _ratio("error_rate", "errors", "calls", "Share of calls that failed."),
        _counted("throttled", "throttled", "Requests that a rate limit turned away, attempts included."),
        _ratio("throttled_rate", "throttled", "rows", "Share of requests that a rate limit turned away."),
        _counted("streamed", "streamed", "Calls that streamed their answer."),
        *(
            Measure(
                f"{what}_{name}",
                "ms",
                (f"{what}_histogram",),
                partial(_quantile, f"{what}_histogram", q),
                says,
            )
            for what, says in (
                ("latency", "Duration of calls."),
                ("ttft", "Time to the first token, of calls that say it."),
            )
            for name, q in _QUANTILES.items()
        ),
        *(
            Measure(name, "{token}", (name, known), partial(_known, name, known), f"Tokens: {name[:-7]}.")
            for name, known in _TOKENS.items()
        ),
        Measure(
            "input_tokens", "{token}", (*INPUT, "input_known"), _input, "All input tokens, cached or not."
        ),
        Measure(
            "total_tokens",
            "{token}",
            (*INPUT, "output_tokens", "input_known", "output_known"),
            _total,
            "Input and output tokens.",
        ),
        Measure("cost", "currency", ("cost",), lambda f: dict(f["cost"]), "What priced calls cost."),
        _counted("unpriced", "unpriced", "Calls whose cost is unknown."),
        _ratio("unpriced_rate", "unpriced", "rows", "Share of calls whose cost is unknown."),
        Measure(
            "usage_unknown",
            "1",
            ("rows", "input_known"),
            lambda f: int(f["rows"] - f["input_known"]),
            "Calls that do not say their input tokens.",
        ),
        *(
            _counted(name, name, f"Calls that were answered, and whose {what}.")
            for name, what in (
                ("answered_unpriced", "cost is unknown"),
                ("answered_without_usage", "input tokens are unknown"),
            )
        ),
        *(
            _counted(f"without_{name}", f"without_{name}", f"Calls that do not say their {name}.")
            for name in SAID
        ),
        Measure(
            "ttft_known",
            "1",
            ("ttft_histogram",),
            lambda f: sum(f["ttft_histogram"].values()),
            "Calls that say the time to their first token.",
        ),
        _counted("reported_cost_calls", "reported_cost_calls", "Calls whose cost the sender reported."),
        Measure(
            "cost_per_call",
            "currency",
            ("cost", "rows", "unpriced"),
            partial(_per, lambda f: int(f["rows"] - f["unpriced"]), "cost"),
            "Cost per priced call.",
        ),
        *(
            Measure(f"{name}s", "1", (f"{name}s",), partial(_plain, f"{name}s"), says)
            for name, says in _DISTINCT
        ),
        *(
            Measure(
                f"cost_per_{name}",
                "currency",
                (f"{name}s", f"{name}_cost"),
                partial(_per, partial(_whole, f"{name}s"), f"{name}_cost"),
                f"Cost per {name}, of the calls that name one.",
            )
            for name, _ in _DISTINCT
        ),
        _ratio(
            "prompt_cache_hit_rate",
            "prompt_cached",
            "prompt_cache_known",
            "Share of calls that read from the prompt cache, of those that say.",
        ),
        _ratio(
            "prompt_cache_token_rate",
            "input_cache_read_tokens",
            "prompt_cache_input_tokens",
            "Share of input tokens read from the prompt cache, of calls that say.",
        ),
        _ratio(
            "response_cache_hit_rate",
            "cache_hits",
            "cache_hit_known",
            "Share of calls that a response cache answered, of those that say.",
        ),
        _counted("refusals", "refusals", "Answers that refuse, where that is said."),
        _ratio("refusal_rate", "refusals", "refusal_known", "Share of refusals, of the calls that say."),
        Measure(
            "finish_reasons",
            "1",
            ("finish_reasons",),
            lambda f: dict(f["finish_reasons"]),
            "Why answers ended.",
        ),
    ]
    return {one.name: one for one in made}


def _whole(name: str, figures: Figures) -> int:
    found: int = figures[name]
    return found


_DISTINCT = (
    ("session", "Different sessions, of the calls that name one."),
    ("user", "Different users, of the calls that name one."),
    ("transaction", "Different traces: one each for what a user asked."),
)
MEASURES: Mapping[str, Measure] = _all()
"""Every measure by its name."""
