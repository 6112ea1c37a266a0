"""Figures of operations (tool calls, retrievals, agent runs), read from them all: no stored buckets keep them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from holdfast.kernel.errors import Invalid
from holdfast.storage.columns import Columns
from holdfast.telemetry.model import MetricQuery
from holdfast.telemetry.rules.adding import Figures, Key
from holdfast.telemetry.rules.measure import Measure
from holdfast.telemetry.store import operations as store
from holdfast.telemetry.store.calls import CallFilter
from holdfast.telemetry.store.operations import GROUPS, KIND_OF, MAPS, OWN, Wanted


def check(asked: MetricQuery, measures: Sequence[Measure]) -> None:
    """Raises Invalid for a dimension that what is asked for does not have: calls have others than operations."""
    names = (*asked.group_by, *asked.equals)
    for measure in measures:
        if measure.source == "operations":
            wrong = next((name for name in names if name not in GROUPS), None)
            if wrong:
                raise Invalid(
                    f"{measure.name!r} is about tool calls, retrievals or agent runs, which have no dimension"
                    f" {wrong[:40]!r}; they have {', '.join(GROUPS)}",
                    where="group_by",
                )
        elif wrong := next((name for name in names if name in OWN), None):
            raise Invalid(
                f"{measure.name!r} is about calls, which have no dimension {wrong!r}: only tool calls, retrievals"
                " and agent runs do; ask for calls apart",
                where="group_by",
            )


def figures(
    columns: Columns, workspace: str, asked: MetricQuery, measures: Sequence[Measure], step: str, most: int
) -> dict[Key, Figures]:
    """What measures of operations are made of, by step and group that has any of their kind.

    `step` is SQL that makes a step's start of `{at}`, or empty. Raises Invalid for more rows than `most`.
    """
    names = tuple(dict.fromkeys(["operations", *(name for one in measures for name in one.figures)]))
    kinds = tuple(sorted({KIND_OF[name] for one in measures for name in one.figures}))
    filters = CallFilter(asked.within, dict(asked.equals), pairs=asked.pairs)
    found = store.read(columns, workspace, Wanted(filters, names, asked.group_by, step, kinds), most)
    if found is None:
        raise Invalid(
            f"this would be more than {most:,} rows; ask for fewer groups, longer steps or a filter",
            where="group_by",
        )
    empty: dict[str, Any] = {name: {} for name in names if name in MAPS}
    return {key: {**empty, **one} for key, one in found.items() if one.get("operations")}
