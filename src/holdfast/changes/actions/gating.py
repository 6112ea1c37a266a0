"""The gate: the suites of a route asked of both releases, the candidate held against the baseline."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

from holdfast.changes import store
from holdfast.changes.model import LOAD, Change, GateRun, Verdict
from holdfast.changes.rules.gates import of_deltas, together
from holdfast.changes.rules.policy import ClassPolicy
from holdfast.changes.rules.reading import policy_of
from holdfast.evals.actions import runs
from holdfast.evals.model import Outcome
from holdfast.evals.reads import deltas
from holdfast.evals.reads import runs as run_reads
from holdfast.evals.reads import suites as suite_reads
from holdfast.evals.states import ACTIVE, Run, RunState, Trigger
from holdfast.kernel.context import Context
from holdfast.kernel.errors import HoldfastError, NotFound
from holdfast.storage.sql import Transaction

_SAYS = {Outcome.PASS: Verdict.PASS, Outcome.FAIL: Verdict.FAIL}
_UNDECIDED = (Verdict.PENDING, Verdict.FAIL)
NONE = "no suite asks this route: write one, or somebody has to answer for going on without"


@dataclass(frozen=True, slots=True)
class Gate:
    """How far the gate of a change is."""

    verdict: Verdict
    runs: tuple[GateRun, ...]
    reason: str

    def facts(self) -> dict[str, Any]:
        """For the evidence."""
        said = [
            {
                "suite": one.suite,
                "verdict": one.verdict.value,
                "baseline_run": one.baseline_run,
                "candidate_run": one.candidate_run,
                "reasons": list(one.reasons),
            }
            for one in self.runs
        ]
        return {"gate": self.verdict.value, "reason": self.reason, "suites": said}


def go_on(ctx: Context, tx: Transaction, change: Change) -> Gate:
    """Has the gate's next runs begin, and says how far it is. Begun runs are found again by the change's content."""
    policy = policy_of(change)
    known = {one.suite: one for one in store.gates_of(tx, ctx.workspace, change.id, change.content)}
    found = []
    for suite in suites_of(ctx, tx, change, policy):
        row = known.get(suite) or GateRun(
            change.id, ctx.workspace, suite, change.content, "", "", Verdict.PENDING, ()
        )
        after = _next(ctx, tx, change, policy, row) if row.verdict is Verdict.PENDING else row
        if after != known.get(suite):
            store.put_gate(tx, after)
        found.append(after)
    load = _load_step(tx, change, policy, found, known)
    if load is not None:
        found.append(load)
    if not found:
        nothing = policy.suites is not None
        return Gate(Verdict.PASS if nothing else Verdict.INCONCLUSIVE, (), "" if nothing else NONE)
    return Gate(together([one.verdict for one in found]), tuple(found), "")


def _load_step(
    tx: Transaction, change: Change, policy: ClassPolicy, found: list[GateRun], known: dict[str, GateRun]
) -> GateRun | None:
    """The load step, begun when all suites are through and none failed; somebody else makes it."""
    if policy.load is None or not found or together([one.verdict for one in found]) in _UNDECIDED:
        return None
    row = known.get(LOAD)
    if row is None:
        row = GateRun(change.id, change.workspace, LOAD, change.content, "", "", Verdict.PENDING, ())
        store.put_gate(tx, row)
    return row


def suites_of(ctx: Context, tx: Transaction, change: Change, policy: ClassPolicy) -> list[str]:
    """The suites that the policy names, else all that ask the route."""
    if policy.suites is not None:
        return list(policy.suites)
    return [one.name for one in suite_reads.latest(ctx, tx) if one.route == change.route]


def _next(ctx: Context, tx: Transaction, change: Change, policy: ClassPolicy, row: GateRun) -> GateRun:
    try:
        if change.baseline and not row.baseline_run:
            row = replace(row, baseline_run=_begin(ctx, tx, change, policy, row, change.baseline, ""))
        before = run_reads.run(ctx, tx, row.baseline_run).run if row.baseline_run else None
        if before is not None and before.state in ACTIVE:
            return row
        if before is not None and before.state is not RunState.DONE:
            return _unclear(
                row, f"the run of the baseline was {before.state}: {before.note or 'no reason given'}"
            )
        if not row.candidate_run:
            made = _begin(ctx, tx, change, policy, row, change.candidate, row.baseline_run)
            return replace(row, candidate_run=made)
        return _judged(ctx, tx, row, policy, run_reads.run(ctx, tx, row.candidate_run).run, before)
    except NotFound as error:
        return _unclear(row, error.detail)
    except HoldfastError as error:
        return _unclear(row, f"{row.suite} cannot be asked: {error.detail}")


def _begin(
    ctx: Context,
    tx: Transaction,
    change: Change,
    policy: ClassPolicy,
    row: GateRun,
    release: str,
    baseline: str,
) -> str:
    wanted = runs.Wanted(
        suite=row.suite,
        release=release,
        baseline=baseline,
        repeats=policy.repeats,
        trigger=Trigger.CHANGE,
        because=f"gate of the change {change.id}: {change.title}",
    )
    return runs.register(ctx, tx, wanted).id


def _judged(
    ctx: Context, tx: Transaction, row: GateRun, policy: ClassPolicy, run: Run, before: Run | None
) -> GateRun:
    if run.state in ACTIVE:
        return row
    verdict = run_reads.verdict_of(run)
    if run.state is not RunState.DONE or verdict is None:
        return _unclear(row, f"its run was {run.state}: {run.note or 'no reason given'}")
    said = _SAYS.get(verdict.outcome, Verdict.INCONCLUSIVE)
    found = deltas.between(ctx, tx, run, before) if before is not None else ()
    beside, why = of_deltas(policy.deltas, found)
    return replace(
        row,
        verdict=together([said, beside]),
        reasons=(*why, *verdict.reasons)[:20]
        if beside is not Verdict.PASS
        else (*verdict.reasons[:17], *why),
        deltas=found,
    )


def _unclear(row: GateRun, why: str) -> GateRun:
    return replace(row, verdict=Verdict.INCONCLUSIVE, reasons=(why,))
