"""Answers on rates: over time, and by route, release, source or any other dimension. Each opinion counts once."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from holdfast.feedback.model import SAID, Sentiment, Wanted
from holdfast.feedback.rules import rates
from holdfast.feedback.rules.rates import Rate
from holdfast.feedback.store import items as store
from holdfast.kernel.context import Context
from holdfast.storage.sql import Transaction

MOST_MARKS = 200_000
"""Items that are looked at for a course; of more, the latest."""
GROUPED = ("route", "release", "system", "environment", "source", "label")


@dataclass(frozen=True, slots=True)
class Course:
    """Rates over time: (beginning of the step, rate). `whole` is of all of it. Implicit signals are not among them."""

    whole: Rate
    steps: list[tuple[datetime, Rate]]


def said(wanted: Wanted) -> Wanted:
    """The same, of what people said alone, whichever way, each opinion once."""
    sources = tuple(one for one in wanted.sources if one in SAID) or SAID
    return replace(wanted, sources=sources, sentiments=(), unique=True)


def course(ctx: Context, tx: Transaction, wanted: Wanted, start: datetime, end: datetime) -> Course:
    """Rates over a range of time."""
    asked = replace(said(wanted), start=start, end=end)
    marks = store.marks(tx, ctx.workspace, asked, MOST_MARKS)
    return Course(
        rates.rate(sentiment for _, sentiment in marks),
        rates.over_time(marks, start, end, rates.step_of(start, end)),
    )


def by_release(
    ctx: Context, tx: Transaction, route: str, releases: Sequence[str], start: datetime, end: datetime
) -> dict[str, tuple[int, int]]:
    """Of calls that began in a time range: how many people said anything good or bad of, and of how many bad, by release.

    A call that several people rate counts once, and is bad where one of them says so; signals of behaviour do not count.
    """
    wanted = said(Wanted(routes=(route,), releases=tuple(releases)))
    told = replace(wanted, sentiments=(Sentiment.NEGATIVE, Sentiment.POSITIVE))
    return store.opinions(tx, ctx.workspace, told, (start, end))


def by(
    ctx: Context, tx: Transaction, wanted: Wanted, dimension: str, limit: int = 12
) -> list[tuple[str | None, Rate]]:
    """The rate of each value of a dimension (one of GROUPED), those with most said first; None is unknown."""
    if dimension not in GROUPED:
        raise KeyError(dimension)
    counts: dict[str | None, dict[Sentiment, int]] = defaultdict(dict)
    for value, sentiment, n in store.tallied(tx, ctx.workspace, said(wanted), dimension):
        counts[value][sentiment] = n
    found = [
        (
            value,
            rates.of_counts(
                of.get(Sentiment.NEGATIVE, 0), of.get(Sentiment.POSITIVE, 0), of.get(Sentiment.UNKNOWN, 0)
            ),
        )
        for value, of in counts.items()
    ]
    return sorted(found, key=lambda one: (-one[1].said - one[1].unknown, one[0] or ""))[:limit]


def facets(
    ctx: Context, tx: Transaction, wanted: Wanted, limit: int = 12
) -> dict[str, list[tuple[str, int]]]:
    """Values with their number of items, each dimension under all filters but its own; empty text is unknown."""
    without = {
        "sentiment": {"sentiments": ()},
        "source": {"sources": ()},
        "signal": {},
        "route": {"routes": ()},
        "release": {"releases": ()},
        "system": {"systems": ()},
        "label": {"labels": ()},
    }
    return {
        name: store.facet(tx, ctx.workspace, replace(wanted, **changes), name, limit)  # type: ignore[arg-type]
        for name, changes in without.items()
    }
