"""What can be asked of tool calls, retrievals and agent runs in numbers, from figures of `store.operations`.

Where none was seen a measure is None, not 0: whether nothing was done or nothing was traced, nobody knows.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from math import ceil

from holdfast.telemetry.rules.measure import QUANTILES, Figures, Measure, Value, if_known, quantile_of, rate


def _mean(total: str, count: str, scale: float, figures: Figures) -> Value:
    return figures[total] / scale / figures[count] if figures[count] else None


def _rank(name: str, q: float, figures: Figures) -> Value:
    """The value of a rank, exactly; the figure is counts by value."""
    counts: Mapping[int, int] = figures[name]
    left = max(ceil(q * sum(counts.values())), 1)
    for value in sorted(counts):
        left -= counts[value]
        if left <= 0:
            return int(value)
    return None


def _made(
    name: str, unit: str, figures: tuple[str, ...], of: Callable[[Figures], Value], says: str
) -> Measure:
    return Measure(name, unit, figures, of, says, "operations")


def _count(name: str, figure: str, seen: str, says: str, unit: str = "1") -> Measure:
    return _made(name, unit, tuple(dict.fromkeys((figure, seen))), partial(if_known, figure, seen), says)


def _share(name: str, part: str, whole: str, says: str) -> Measure:
    return _made(name, "1", (part, whole), partial(rate, part, whole), says)


def _lasted(name: str, figure: str, says: str) -> list[Measure]:
    return [
        _made(f"{name}_latency_{q}", "ms", (figure,), partial(quantile_of, figure, rank), says)
        for q, rank in QUANTILES.items()
    ]


def all_of() -> dict[str, Measure]:
    """Every measure of operations by its name."""
    made = [
        _count("tool_calls", "tool_rows", "tool_rows", "Calls of tools, each once."),
        _count("tool_errors", "tool_errors", "tool_rows", "Calls of tools that failed."),
        _share("tool_error_rate", "tool_errors", "tool_rows", "Share of tool calls that failed."),
        *_lasted("tool", "tool_histogram", "Duration of tool calls."),
        _count("agent_runs", "run_rows", "run_rows", "Runs of agents, runs within runs included."),
        _count("agent_errors", "run_errors", "run_rows", "Runs of agents that failed."),
        _share("agent_error_rate", "run_errors", "run_rows", "Share of agent runs that failed."),
        *_lasted("agent", "run_histogram", "Duration of agent runs."),
        _count(
            "agent_steps", "steps", "steps_known", "LLM calls and tool calls of agent runs that show them."
        ),
        _count("agent_steps_known", "steps_known", "run_rows", "Agent runs that show their steps."),
        _made(
            "agent_steps_per_run",
            "1",
            ("steps", "steps_known"),
            partial(_mean, "steps", "steps_known", 1.0),
            "LLM calls and tool calls of one agent run, on average of those that show them.",
        ),
        *(
            _made(
                f"agent_steps_{q}",
                "1",
                ("steps_counts",),
                partial(_rank, "steps_counts", QUANTILES[q]),
                "LLM calls and tool calls of one agent run, of those that show them; exact.",
            )
            for q in ("p50", "p95")
        ),
        _count("retrievals", "retrieval_rows", "retrieval_rows", "Searches for documents, each once."),
        _count("retrieval_errors", "retrieval_errors", "retrieval_rows", "Retrievals that failed."),
        _share(
            "retrieval_error_rate", "retrieval_errors", "retrieval_rows", "Share of retrievals that failed."
        ),
        *_lasted("retrieval", "retrieval_histogram", "Duration of retrievals."),
        _count("retrieval_documents", "documents", "documents_known", "Documents found, where that is said."),
        _count(
            "retrieval_documents_known",
            "documents_known",
            "retrieval_rows",
            "Retrievals that say how many documents they found.",
        ),
        _made(
            "retrieval_documents_mean",
            "1",
            ("documents", "documents_known"),
            partial(_mean, "documents", "documents_known", 1.0),
            "Documents that one retrieval found, of those that say.",
        ),
        _count(
            "retrieval_empty",
            "empty",
            "documents_known",
            "Retrievals that found nothing, where that is said.",
        ),
        _share(
            "retrieval_empty_rate",
            "empty",
            "documents_known",
            "Share of empty retrievals, of those that say.",
        ),
        _made(
            "retrieval_top_score",
            "1",
            ("top_score", "top_score_known"),
            partial(_mean, "top_score", "top_score_known", 1.0),
            "The best score that a retrieval found, on average of those that say, in the unit of their stores.",
        ),
        _count(
            "retrieval_top_score_known", "top_score_known", "retrieval_rows", "Retrievals that say a score."
        ),
        _made(
            "retrieval_staleness",
            "d",
            ("newest_age_ms", "newest_age_known"),
            partial(_mean, "newest_age_ms", "newest_age_known", 86_400_000.0),
            "Age of the newest document found when it was found, on average of the retrievals that say.",
        ),
        *(
            _made(
                f"retrieval_staleness_{q}",
                "d",
                ("newest_age_histogram",),
                partial(quantile_of, "newest_age_histogram", QUANTILES[q]),
                "Age of the newest document found when it was found, of the retrievals that say.",
            )
            for q in ("p50", "p95")
        ),
        _count(
            "retrieval_staleness_known",
            "newest_age_known",
            "retrieval_rows",
            "Retrievals that say when a document they found was last changed.",
        ),
        _share(
            "retrieval_cache_hit_rate",
            "retrieval_cache_hits",
            "retrieval_cache_known",
            "Share of retrievals that a cache answered, of those that say.",
        ),
        _count(
            "retrieval_cache_known",
            "retrieval_cache_known",
            "retrieval_rows",
            "Retrievals that say whether a cache answered.",
        ),
    ]
    return {one.name: one for one in made}
