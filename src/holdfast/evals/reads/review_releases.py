"""Answers on releases: what review found in their live answers, and what judges gave them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from holdfast.evals.rules.review_releases import whole_spans
from holdfast.evals.store import review_asks, review_served
from holdfast.kernel.context import Context
from holdfast.storage.sql import Transaction


@dataclass(frozen=True, slots=True)
class Reviewed:
    """Of one release's calls: (how many tell it, how many of them are bad).

    `grades` by judge: how many answers it graded, the sum of what was missing of the best grade (0 is best, 1 is worst),
    and the sum of the squares of that. Only calls that chance drew are among them.
    """

    flagged: tuple[int, int] = (0, 0)
    refused: tuple[int, int] = (0, 0)
    grades: Mapping[str, tuple[int, float, float]] = field(default_factory=dict)


def by_release(
    ctx: Context, tx: Transaction, route: str, releases: Sequence[str], start: datetime, end: datetime
) -> dict[str, Reviewed]:
    """Of calls that began in a time range: of findings in the whole spans of ten seconds within it."""
    counts = review_served.sums(tx, ctx.workspace, route, releases, *whole_spans(start, end))
    grades = review_asks.graded(tx, ctx.workspace, route, releases, start, end)
    found = {}
    for release in releases:
        looked, flagged, told, refused = counts.get(release, (0, 0, 0, 0))
        found[release] = Reviewed((looked, flagged), (told, refused), grades.get(release, {}))
    return found
