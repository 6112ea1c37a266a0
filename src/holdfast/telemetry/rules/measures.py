"""What can be asked of calls in numbers: each measure from figures that add up.

Figures are sums over calls (`telemetry.store.figures`), so those of stored buckets and of calls that are read one by one
can be added in any order. Unknown is None: a rate of nothing, a total of which no call says anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from holdfast.telemetry.rules import operation_measures
from holdfast.telemetry.rules.measure import (
    QUANTILES,
    Figures,
    Measure,
    Value,
    counted,
    if_known,
    plain,
    quantile_of,
    ratio,
)


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


def _all() -> dict[str, Measure]:
    made = [
        counted("calls", "calls", "Calls, each once; failed attempts within a call are none of their own."),
        Measure(
            "attempts",
            "1",
            ("rows", "resends"),
            lambda f: int(f["rows"] + f["resends"]),
            "Requests that were sent: calls, failed attempts within them, and resends that clients report.",
        ),
        counted("errors", "errors", "Calls that failed."),
        *(
            counted(f"errors_{kind}", f"errors_{kind}", f"Calls that failed by: {kind.replace('_', ' ')}.")
            for kind in ("model", "application", "rate_limit", "timeout", "content_filter")
        ),
        ratio("error_rate", "errors", "calls", "Share of calls that failed."),
        counted("throttled", "throttled", "Requests that a rate limit turned away, attempts included."),
        ratio("throttled_rate", "throttled", "rows", "Share of requests that a rate limit turned away."),
        counted("streamed", "streamed", "Calls that streamed their answer."),
        *(
            Measure(
                f"{what}_{name}",
                "ms",
                (f"{what}_histogram",),
                partial(quantile_of, f"{what}_histogram", q),
                says,
            )
            for what, says in (
                ("latency", "Duration of calls."),
                ("ttft", "Time to the first token, of calls that say it."),
            )
            for name, q in QUANTILES.items()
        ),
        *(
            Measure(name, "{token}", (name, known), partial(if_known, name, known), f"Tokens: {name[:-7]}.")
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
        counted("unpriced", "unpriced", "Calls whose cost is unknown."),
        ratio("unpriced_rate", "unpriced", "rows", "Share of calls whose cost is unknown."),
        Measure(
            "usage_unknown",
            "1",
            ("rows", "input_known"),
            lambda f: int(f["rows"] - f["input_known"]),
            "Calls that do not say their input tokens.",
        ),
        *(
            counted(name, name, f"Calls that were answered, and whose {what}.")
            for name, what in (
                ("answered_unpriced", "cost is unknown"),
                ("answered_without_usage", "input tokens are unknown"),
            )
        ),
        *(
            counted(f"without_{name}", f"without_{name}", f"Calls that do not say their {name}.")
            for name in SAID
        ),
        Measure(
            "ttft_known",
            "1",
            ("ttft_histogram",),
            lambda f: sum(f["ttft_histogram"].values()),
            "Calls that say the time to their first token.",
        ),
        counted("reported_cost_calls", "reported_cost_calls", "Calls whose cost the sender reported."),
        Measure(
            "cost_per_call",
            "currency",
            ("cost", "rows", "unpriced"),
            partial(_per, lambda f: int(f["rows"] - f["unpriced"]), "cost"),
            "Cost per priced call.",
        ),
        *(
            Measure(f"{name}s", "1", (f"{name}s",), partial(plain, f"{name}s"), says)
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
        ratio(
            "prompt_cache_hit_rate",
            "prompt_cached",
            "prompt_cache_known",
            "Share of calls that read from the prompt cache, of those that say.",
        ),
        ratio(
            "prompt_cache_token_rate",
            "input_cache_read_tokens",
            "prompt_cache_input_tokens",
            "Share of input tokens read from the prompt cache, of calls that say.",
        ),
        ratio(
            "response_cache_hit_rate",
            "cache_hits",
            "cache_hit_known",
            "Share of calls that a response cache answered, of those that say.",
        ),
        counted("refusals", "refusals", "Answers that refuse, where that is said."),
        ratio("refusal_rate", "refusals", "refusal_known", "Share of refusals, of the calls that say."),
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
MEASURES: Mapping[str, Measure] = {**_all(), **operation_measures.all_of()}
"""Every measure by its name."""
