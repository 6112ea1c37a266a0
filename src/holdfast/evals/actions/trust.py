"""What the scores of a run are worth that rest on judges: gathered from what people say, and from checks of the judges."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from holdfast.evals.model import Suite, Trusted
from holdfast.evals.rules.judging import judge_names
from holdfast.evals.states import Graded, Run, RunState
from holdfast.evals.store import judges as judge_store
from holdfast.evals.store import labels as label_store
from holdfast.kernel.context import Context
from holdfast.storage.sql import Transaction

if TYPE_CHECKING:
    from holdfast.evals.rules.trusting import Checked, Side


class Answered(NamedTuple):
    """A run, the suite it asked, and what it has answered so far."""

    run: Run
    suite: Suite
    graded: Sequence[Graded]

    def means(self) -> dict[str, float]:
        """The score of each case that has one."""
        found: dict[str, list[float]] = {}
        for one in self.graded:
            if one.score is not None:
                found.setdefault(one.case, []).append(one.score)
        return {case: sum(scores) / len(scores) for case, scores in found.items()}


def groups(
    ctx: Context, tx: Transaction, of: Answered, baseline: Answered | None = None
) -> dict[tuple[str, str], Trusted]:
    """(dimension, value) → the score as people would have it, of the suite ("", "") and each of its parts.

    Beside it what it is to the baseline's. Empty where no judge has a say.
    """
    from holdfast.evals.rules import comparing, trusting

    run, suite = of.run, of.suite
    if not any(trusting.rests_on(case) for case in suite.cases):
        return {}
    mine = _side(ctx, tx, of)
    past = None if baseline is None else _side(ctx, tx, baseline)
    checked = _checked(ctx, tx, run, suite)
    scored = of.means()
    before = {} if baseline is None else baseline.means()
    alike = set() if baseline is None else _alike(suite, baseline.suite)
    found: dict[tuple[str, str], Trusted] = {}
    parts = _parts(suite, run)
    held_together = max(1, sum(dimension in run.bars.by for dimension, _ in parts))
    for dimension, value in parts:
        error = run.bars.alpha / (held_together if dimension in run.bars.by else 1)
        chosen = [one for one in mine.units if _within(one.segments, one.criticality, dimension, value)]
        cases = [one for one in suite.cases if _within(one.segments, one.criticality.value, dimension, value)]
        plain = [one for one in cases if not trusting.rests_on(one) and one.id in scored]
        exact = [(case.weight, scored[case.id]) for case in plain]
        judges = tuple(sorted({name for case in cases for name in trusting.rests_on(case)}))
        made = trusting.figure(chosen, mine, exact, judges, checked, 1 - error)
        if made is not None and past is not None:
            families = {one.family for one in chosen} & alike
            apart = [
                (case.weight, scored[case.id] - before[case.id])
                for case in plain
                if case.id in before and (case.family or case.id) in alike
            ]
            made = replace(made, versus=comparing.versus(mine, past, families, apart, 1 - error))
        if made is not None:
            found[dimension, value] = made
    return found


def _side(ctx: Context, tx: Transaction, of: Answered) -> Side:
    from holdfast.evals.rules import trusting

    said = label_store.of_run(tx, ctx.workspace, of.run.id)
    labels = trusting.gathered((one.case, one.repeat, one.expectation, one.score) for one in said)
    return trusting.side(of.suite.cases, of.graded, labels, of.run.id)


def _alike(suite: Suite, other: Suite) -> set[str]:
    """Families whose cases are the same in both suites."""
    theirs = _families(other)
    return {name for name, hashes in _families(suite).items() if theirs.get(name) == hashes}


def _families(suite: Suite) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for case in suite.cases:
        found.setdefault(case.family or case.id, set()).add(case.hash)
    return found


def _parts(suite: Suite, run: Run) -> list[tuple[str, str]]:
    found = {("", "")}
    for case in suite.cases:
        found.add(("criticality", case.criticality.value))
        found |= {(name, case.segments[name]) for name in run.bars.by if name in case.segments}
    return sorted(found)


def _within(segments: Mapping[str, str], criticality: str, dimension: str, value: str) -> bool:
    if not dimension:
        return True
    return segments.get(dimension, criticality if dimension == "criticality" else None) == value


def _checked(ctx: Context, tx: Transaction, run: Run, suite: Suite) -> list[Checked]:
    from holdfast.evals.rules.trusting import Checked

    found = []
    for name in sorted({name for case in suite.cases for name in judge_names(case)}):
        judge = judge_store.judge(tx, ctx.workspace, name, by=run.created_at)
        for check in judge_store.checks_of(tx, ctx.workspace, name):
            if judge is None or check.state is not RunState.DONE or check.asks != judge.asks:
                continue
            version = judge_store.judge(tx, ctx.workspace, name, check.version)
            assert version is not None, "a version that was checked is never removed"
            truth = {one.id: one.label >= 0.5 for one in version.labels}
            told = [
                (truth[one.item], one.score >= 0.5)
                for one in judge_store.items_of(tx, ctx.workspace, check.id)
                if one.score is not None and one.item in truth
            ]
            good = [said for true, said in told if true]
            bad = [said for true, said in told if not true]
            found.append(Checked(name, sum(good), len(good), len(bad) - sum(bad), len(bad)))
            break
    return found
