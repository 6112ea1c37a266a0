"""The cases of a run as a list: how each stands, how it stood in another run, narrowed down, and what is told of a few."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from holdfast.evals.model import Case
from holdfast.evals.reads.listing import SEGMENT, Facet
from holdfast.evals.reads.runs import Answered, Standing, hidden, standing_of, suite_of
from holdfast.evals.rules.case_words import asked
from holdfast.evals.states import Run
from holdfast.evals.store import runs as store
from holdfast.kernel.context import Context
from holdfast.storage.sql import Transaction

Change = Literal["worse", "better", "same", "not compared"]
STANDINGS: tuple[Standing, ...] = ("failed", "unknown", "waiting", "passed")
CHANGES: tuple[Change, ...] = ("worse", "better", "same", "not compared")
LABELS = {
    "standing": "Standing",
    "change": "Against the other",
    "criticality": "Criticality",
    "holdout": "Holdout",
}
MOST_REASON = 300


@dataclass(frozen=True, slots=True)
class Stands:
    """A case and how it stands. `score` is the mean of what is known; `before` that of the other run.

    `change` is None where there is no other run. What a holdout case holds is left out where the reader may not see it.
    """

    case: Case
    standing: Standing
    passed: int
    answers: int
    score: float | None
    before: float | None = None
    change: Change | None = None


def stands(ctx: Context, tx: Transaction, run: Run, other: Run | None, *, holdouts: bool) -> list[Stands]:
    """Every case: failed first, then unknown; within them what is worse than in `other`, then what is critical."""
    mine = _gathered(tx, ctx.workspace, run)
    theirs = {} if other is None else _gathered(tx, ctx.workspace, other)
    hashes = {} if other is None else {case.id: case.hash for case in suite_of(ctx, tx, other).cases}
    found = []
    for case in suite_of(ctx, tx, run).cases:
        told = mine.get(case.id, [])
        score = _mean(score for score, _ in told)
        same_case = hashes.get(case.id) == case.hash
        before = _mean(score for score, _ in theirs.get(case.id, [])) if same_case else None
        found.append(
            Stands(
                case if holdouts or not case.holdout else hidden(case),
                _standing([passed for _, passed in told], run.bars.repeats),
                sum(passed is True for _, passed in told),
                len(told),
                score,
                before,
                None if other is None else _change(score, before),
            )
        )
    return sorted(found, key=_order)


def facets(rows: Iterable[Stands]) -> list[Facet]:
    """What the cases can be told apart by, beside their standing; what is the same for all is left out."""
    rows = list(rows)
    counts: dict[str, Counter[str]] = {}
    for row in rows:
        for name, value in _values(row).items():
            counts.setdefault(name, Counter())[value] += 1
    found = []
    for name in sorted(counts, key=lambda one: (one.startswith(SEGMENT), one not in LABELS, one)):
        counted = counts[name]
        if name != "standing" and (len(counted) > 1 or counted.total() < len(rows)):
            values = sorted(counted.items(), key=lambda one: _place(one[0], one[1]))
            label = LABELS.get(name) or name.removeprefix(SEGMENT).capitalize()
            found.append(Facet(name, label, tuple(values[:30])))
    return found


def names(rows: Iterable[Stands]) -> tuple[str, ...]:
    """Every filter that the cases can be narrowed by."""
    return (*LABELS, *sorted({f"{SEGMENT}{name}" for row in rows for name in row.case.segments}))


def narrowed(rows: Iterable[Stands], chosen: Mapping[str, Sequence[str]], words: str) -> list[Stands]:
    """The cases with one of the chosen values of every filter, and all of the words in their id or question."""
    wanted = [word.lower() for word in words.split()]
    found = []
    for row in rows:
        values = _values(row)
        if all(values.get(name) in few for name, few in chosen.items() if few):
            text = f"{row.case.id} {asked(row.case)}".lower() if wanted else ""
            if all(word in text for word in wanted):
                found.append(row)
    return found


def reasons(
    ctx: Context, tx: Transaction, run: Run, rows: Sequence[Stands], *, holdouts: bool
) -> dict[str, str]:
    """By case, what the graders said of its first answer that did not pass."""
    shown = {row.case.id: row.case for row in rows if row.standing in ("failed", "unknown")}
    found: dict[str, str] = {}
    for one in store.few(tx, ctx.workspace, run.id, list(shown)):
        if one.passed is True or (shown[one.case].holdout and not holdouts):
            continue
        told = [
            f"{grade.grader}: {grade.reason}"
            for grade in one.grades
            if grade.passed is one.passed and grade.reason
        ]
        said = one.answer.error or "; ".join(told)
        if said and one.case not in found:
            found[one.case] = said[:MOST_REASON]
    return found


def beside(
    ctx: Context, tx: Transaction, other: Run, answered: Answered, *, holdouts: bool
) -> Answered | None:
    """The same case in another run; None where it was not asked there, or was another case."""
    case = next((one for one in suite_of(ctx, tx, other).cases if one.id == answered.case.id), None)
    mine = next((one.case_hash for one in answered.answers), answered.case.hash)
    if case is None or case.hash != mine:
        return None
    found = Answered(case, tuple(store.one(tx, ctx.workspace, other.id, case.id)))
    return found if holdouts or not case.holdout else found.without_content()


def _standing(told: Sequence[bool | None], due: int) -> Standing:
    """As `standing_of`; what has passed so far has not passed before all of it was answered."""
    found = standing_of(told)
    return "waiting" if found == "passed" and len(told) < due else found


def _gathered(tx: Transaction, workspace: str, run: Run) -> dict[str, list[tuple[float | None, bool | None]]]:
    found: dict[str, list[tuple[float | None, bool | None]]] = {}
    for case, score, passed in store.outcomes(tx, workspace, run.id):
        found.setdefault(case, []).append((score, passed))
    return found


def _mean(scores: Iterable[float | None]) -> float | None:
    known = [score for score in scores if score is not None]
    return math.fsum(known) / len(known) if known else None


def _change(score: float | None, before: float | None) -> Change:
    if score is None or before is None:
        return "not compared"
    return "same" if math.isclose(score, before, abs_tol=1e-9) else "worse" if score < before else "better"


def _order(row: Stands) -> tuple[int, int, int]:
    worse = CHANGES.index(row.change) if row.change is not None else 0
    return STANDINGS.index(row.standing), worse, 0 if row.case.criticality == "critical" else 1


def _values(row: Stands) -> dict[str, str]:
    made = {"standing": row.standing, "criticality": row.case.criticality.value}
    if row.change is not None:
        made["change"] = row.change
    if row.case.holdout:
        made["holdout"] = "yes"
    return made | {f"{SEGMENT}{name}": value for name, value in row.case.segments.items()}


def _place(value: str, count: int) -> tuple[int, int, str]:
    """Changes in their order, the rest by how many there are."""
    known = CHANGES.index(value) if value in CHANGES else 0
    return known, -count, value
