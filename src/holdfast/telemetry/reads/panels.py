"""Answers to panels: figures of the whole window and of every step, for the groups with most calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from holdfast.kernel.errors import HoldfastError
from holdfast.storage.columns import Columns
from holdfast.telemetry.model import MetricAnswer, MetricQuery, MetricRow, Step, TimeRange
from holdfast.telemetry.reads import metrics
from holdfast.telemetry.reads.metrics import Moment
from holdfast.telemetry.rules import panels
from holdfast.telemetry.rules.measures import MEASURES
from holdfast.telemetry.rules.panels import Panel

DIMENSIONS = metrics.GROUPS
ROWS = 200
"""Most groups of a table."""
NOTHING = MetricAnswer([], 0, True, 0.0)


@dataclass(frozen=True, slots=True)
class Asked:
    """A panel with all that a page adds to it: the window, what the address narrows, what the reader may see."""

    panel: Panel
    within: TimeRange
    step: Step
    equals: tuple[tuple[str, tuple[str, ...]], ...]
    pairs: tuple[tuple[str, str], ...] = ()

    @property
    def whole(self) -> MetricQuery:
        """One figure of the whole window for each group."""
        panel = self.panel
        return MetricQuery(
            panel.measures, self.within, None, panel.group_by, dict(self.equals), self.pairs, ROWS
        )


@dataclass(frozen=True, slots=True)
class Plot:
    """`totals`: a row for each group, most calls first. `rows`: by step, of the groups in `top`.

    `fault` says why there is no answer.
    """

    totals: MetricAnswer
    rows: list[MetricRow]
    top: tuple[tuple[str, ...], ...]
    starts: list[datetime]
    complete: bool
    fault: str = ""


def check(panel: Panel) -> Panel:
    """The panel, where everything that it names exists. Raises Invalid."""
    return panels.checked(panel, MEASURES, DIMENSIONS)


def plot(
    columns: Columns,
    workspace: str,
    asked: Asked,
    *,
    complete: bool = True,
    tabled: bool = True,
    at: Moment | None = None,
) -> Plot:
    """The answer to one panel. Without `tabled`, the totals of groups say how they rank alone. Raises Invalid."""
    at = at or metrics.moment(columns, workspace)
    whole = asked.whole
    ranks = replace(whole, measures=_ranking(whole.measures)) if whole.group_by and not tabled else whole
    totals = metrics.query(columns, workspace, ranks, complete=complete, at=at)
    top = tuple(row.group for row in totals.rows[: asked.panel.top])
    starts = panels.starts(asked.step, asked.within)
    if not top:
        return Plot(totals, [], (), starts, totals.complete)
    rows = stepped(columns, workspace, whole, asked.step, top, at)
    return Plot(totals, rows, top, starts, complete)


def _ranking(measures: tuple[str, ...]) -> tuple[str, ...]:
    """What groups are ranked by: their calls, or the operations that are asked for alone."""
    return measures if _sources(measures) == "operations" else ("calls",)


def _sources(measures: tuple[str, ...]) -> str:
    return " ".join(sorted({MEASURES[name].source for name in measures}))


def stepped(
    columns: Columns,
    workspace: str,
    whole: MetricQuery,
    step: Step,
    groups: Sequence[tuple[str, ...]],
    at: Moment | None = None,
) -> list[MetricRow]:
    """A query's figures by step, of these groups alone: so many groups that there are, so few are read."""
    equals = dict(whole.equals)
    for place, name in enumerate(whole.group_by):
        equals[name] = tuple(sorted({group[place] for group in groups}))
    narrowed = replace(whole, step=step, equals=equals, limit=10_000)
    kept = set(groups)
    return [row for row in metrics.query(columns, workspace, narrowed, at=at).rows if row.group in kept]


def plots(columns: Columns, workspace: str, asked: Sequence[Asked], *, complete: bool = True) -> list[Plot]:
    """The answers to many panels, in their order. Those that ask for different measures of the same are asked as one.

    What cannot be answered has a `fault`.
    """
    together: dict[Asked, list[str]] = {}
    keys = []
    for one in asked:
        of = _sources(one.panel.measures)  # apart, as one may have a dimension that the other has not
        key = replace(one, panel=Panel(of, "", (), one.panel.group_by, (), "", one.panel.top))
        keys.append(key)
        named = together.setdefault(key, [])
        named += [name for name in one.panel.measures if name not in named]

    def answer(key: Asked) -> Plot:
        merged = replace(key, panel=replace(key.panel, measures=tuple(together[key])))
        try:
            return plot(columns, workspace, merged, complete=complete, tabled=False, at=at)
        except HoldfastError as error:
            return Plot(NOTHING, [], (), [], False, error.detail)

    at = metrics.moment(columns, workspace)
    found = dict(zip(together, columns.each(answer, list(together)), strict=True))
    return [found[key] for key in keys]
