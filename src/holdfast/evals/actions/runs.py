"""Verbs on runs: register one with its bars before anything is asked, cancel it, finish it with its verdict."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

import msgspec

from holdfast.evals.actions import trust
from holdfast.evals.model import Bars, Case, Suite, Trial, Verdict
from holdfast.evals.rules.judging import Kind, judge_names
from holdfast.evals.states import ACTIVE, Graded, Run, RunState, Trigger
from holdfast.evals.store import judges as judge_store
from holdfast.evals.store import runs as store
from holdfast.evals.store import suites as suite_store
from holdfast.gateway.reads import applied
from holdfast.kernel.context import Context
from holdfast.kernel.errors import Conflict, Invalid, NotFound
from holdfast.kernel.ids import new_id
from holdfast.platform.audit import actions as audit
from holdfast.storage.sql import Transaction

MOST_REPEATS = 100
MOST_TRIALS = 200_000
MOST_CONCURRENCY = 64


@dataclass(frozen=True, slots=True)
class Wanted:
    """A run to be made. What is None or empty is as the suite says, or as is usual."""

    suite: str
    version: int | None = None
    release: str = ""
    model: str = ""
    baseline: str = ""
    repeats: int | None = None
    least: float | None = None
    margin: float | None = None
    seed: int | None = None
    concurrency: int = 8
    max_cost: Decimal | None = None
    reuse: bool = True
    trigger: Trigger = Trigger.DEMAND
    because: str = ""


def register(ctx: Context, tx: Transaction, wanted: Wanted) -> Run:
    """A run, queued. Its bars are on the audit log before the first question. Raises NotFound, Invalid, Conflict."""
    head = suite_store.head(tx, ctx.workspace, wanted.suite, wanted.version)
    suite = None if head is None else suite_store.suite(tx, ctx.workspace, head.name, head.version)
    if head is None or suite is None:
        raise NotFound("there is no such suite in this workspace, or no such version of it", where="suite")
    bars = _bars(suite, wanted)
    if not 1 <= wanted.concurrency <= MOST_CONCURRENCY:
        raise Invalid(f"1 to {MOST_CONCURRENCY} questions at once", where="concurrency")
    if len(suite.cases) * bars.repeats > MOST_TRIALS:
        raise Invalid(f"a run has at most {MOST_TRIALS:,} answers: cases times repeats", where="repeats")
    if wanted.max_cost is not None and not (wanted.max_cost.is_finite() and wanted.max_cost > 0):
        raise Invalid("a ceiling is an amount in USD above 0", where="max_cost")
    if wanted.seed is not None and not 0 <= wanted.seed < 1 << 31:
        raise Invalid("a seed is a whole number from 0 to 2,147,483,647", where="seed")
    _check_baseline(ctx, tx, wanted, head.name)
    judges = _judges(ctx, tx, suite, wanted)
    run = Run(
        id=new_id("run"),
        workspace=ctx.workspace,
        suite=head.name,
        version=head.version,
        suite_hash=head.hash,
        route=suite.route,
        release=wanted.release,
        release_id=_release_id(ctx, tx, suite, wanted),
        model=wanted.model,
        baseline=wanted.baseline,
        bars=bars,
        cases=len(suite.cases),
        seed=wanted.seed,
        concurrency=wanted.concurrency,
        max_cost=wanted.max_cost,
        reuse=wanted.reuse,
        trigger=wanted.trigger,
        created_at=ctx.now,
        created_by=ctx.actor.id,
        because=wanted.because,
    )
    store.add(tx, run)
    details: dict[str, object] = {
        "suite": f"{run.suite}@{run.version}",
        "hash": run.suite_hash,
        "release": run.release,
        "release_id": run.release_id,
        "baseline": run.baseline,
        "bars": msgspec.to_builtins(bars),
        "trigger": run.trigger.value,
        "because": run.because,
    }
    if judges:
        details["judges"] = judges
    audit.record(ctx, tx, action="eval.registered", subject=run.id, details=details)
    return run


def cancel(ctx: Context, tx: Transaction, id: str) -> Run:
    """Ends a run without a verdict; its answers stay. Raises NotFound, Conflict where it is over."""
    run = store.get(tx, ctx.workspace, id)
    if run is None:
        raise NotFound("there is no such run in this workspace")
    if not store.change(tx, id, ACTIVE, state=RunState.CANCELLED, finished_at=ctx.now):
        raise Conflict(f"this run is {run.state} already")
    audit.record(ctx, tx, action="eval.cancelled", subject=id, details={"suite": run.suite})
    return replace(run, state=RunState.CANCELLED, finished_at=ctx.now)


def finish(ctx: Context, tx: Transaction, run: Run, verdict: Verdict, stopped: str) -> bool:
    """Ends a run with its verdict. `stopped`: why not all was asked. False where the run was over already."""
    state = RunState.STOPPED if stopped else RunState.DONE
    text = msgspec.json.encode(verdict).decode()
    if not store.change(tx, run.id, ACTIVE, state=state, note=stopped, finished_at=ctx.now, verdict=text):
        return False
    details = {
        "suite": f"{run.suite}@{run.version}",
        "release": run.release,
        "state": state.value,
        "outcome": verdict.outcome.value,
        "reasons": list(verdict.reasons[:10]),
        "note": stopped,
    }
    audit.record(ctx, tx, action="eval.finished", subject=run.id, details=details)
    return True


def verdict_of(ctx: Context, tx: Transaction, run: Run, suite: Suite, baseline: str = "") -> Verdict:
    """The verdict on what a run has answered, held against its baseline or another run. Raises NotFound."""
    before: Iterable[Trial] | None = None
    past: trust.Answered | None = None
    other_id = baseline or run.baseline
    if other_id:
        other = store.get(tx, ctx.workspace, other_id)
        asked = None if other is None else suite_store.suite(tx, ctx.workspace, other.suite, other.version)
        if other is None or asked is None:
            raise NotFound("there is no such run in this workspace", where="baseline")
        past = trust.Answered(other, asked, list(store.graded(tx, ctx.workspace, other.id)))
        before = list(trials_of(asked, other.bars.repeats, past.graded))
    graded = list(store.graded(tx, ctx.workspace, run.id))
    mine = list(trials_of(suite, run.bars.repeats, graded))
    from holdfast.evals.rules import settling, verdicts  # scipy: half a second

    groups = trust.groups(ctx, tx, trust.Answered(run, suite, graded), past)
    whole = groups.get(("", ""))
    bars = run.bars if whole is None or whole.value is None else replace(run.bars, least=None)
    raw = verdicts.judge(mine, bars, before)
    return settling.settled(_waiting(raw, graded), run.bars, groups)


def _waiting(raw: Verdict, graded: Iterable[Graded]) -> Verdict:
    """The verdict, that says how many answers wait for a person."""
    waits = sum(
        any(one.grader == "human" and one.score is None for one in answer.grades) for answer in graded
    )
    if not waits:
        return raw
    said = f"{waits} answers wait for a person to grade them"
    return replace(raw, reasons=(*raw.reasons, said))


def trials_of(suite: Suite, repeats: int, graded: Iterable[Graded]) -> Iterator[Trial]:
    """Every answer that is due, with its grade; those that there are not have none."""
    found = {(one.case, one.repeat): one for one in graded}
    for case in suite.cases:
        for repeat in range(repeats):
            yield _trial(case, repeat, found.get((case.id, repeat)))


def _trial(case: Case, repeat: int, graded: Graded | None) -> Trial:
    return Trial(
        case=case.id,
        repeat=repeat,
        score=None if graded is None else graded.score,
        passed=None if graded is None else graded.passed,
        family=case.family,
        segments=case.segments,
        weight=case.weight,
        criticality=case.criticality,
        hash=case.hash,
    )


def _bars(suite: Suite, wanted: Wanted) -> Bars:
    bars = suite.bars
    if wanted.repeats is not None:
        if not 1 <= wanted.repeats <= MOST_REPEATS:
            raise Invalid(f"1 to {MOST_REPEATS} repeats", where="repeats")
        bars = replace(bars, repeats=wanted.repeats)
    for name in ("least", "margin"):
        value = getattr(wanted, name)
        if value is not None:
            if not 0 <= value <= 1:
                raise Invalid("a share from 0 to 1", where=name)
            bars = replace(bars, **{name: value})
    return bars


def _release_id(ctx: Context, tx: Transaction, suite: Suite, wanted: Wanted) -> str:
    """The hash of what will answer, where one release alone does. Raises Invalid where nothing can."""
    version = applied.in_force(ctx, tx)
    routes = {} if version is None else dict(version.document.get("routes") or {})
    releases = {} if version is None else dict(version.release_ids)
    if suite.route and suite.route not in routes:
        raise Invalid(
            f"the gateway has no route {suite.route!r}, by which the cases of {suite.name} are asked; apply a configuration"
            " that has it, or change the suite",
            where="suite",
        )
    if wanted.release and wanted.release not in releases:
        known = ", ".join(sorted(releases)[:20]) or "none"
        raise Invalid(f"the gateway has no release {wanted.release!r}; there are: {known}", where="release")
    if not suite.route and not wanted.release and not wanted.model:
        raise Invalid(
            "say what is to answer: a release or a model, or give the suite a route of the gateway",
            where="release",
        )
    name = wanted.release or str((routes.get(suite.route) or {}).get("release") or "")
    return str(releases.get(name, ""))


def _judges(ctx: Context, tx: Transaction, suite: Suite, wanted: Wanted) -> list[str]:
    """The judges that will grade, with their versions. Raises Invalid where one has nothing to compare with."""
    found = []
    for name in sorted({name for case in suite.cases for name in judge_names(case)}):
        judge = judge_store.judge(tx, ctx.workspace, name)
        if judge is None:
            raise Invalid(f"there is no judge {name!r}; apply it with the suite, or beside it", where="suite")
        if judge.kind is Kind.PAIRWISE and not wanted.baseline and _compares(suite, name):
            raise Invalid(
                f"the judge {name} says which of two answers is better: name a baseline whose answers it compares"
                " with, or give its cases a reference",
                where="baseline",
            )
        found.append(f"{name}@{judge.version}")
    return found


def _compares(suite: Suite, judge: str) -> bool:
    """Whether an expectation has the judge compare with the baseline."""
    return any(
        one.grader == "judge" and one.params.get("judge") == judge and not one.params.get("reference")
        for case in suite.cases
        for one in case.expectations
    )


def _check_baseline(ctx: Context, tx: Transaction, wanted: Wanted, suite: str) -> None:
    if not wanted.baseline:
        return
    other = store.get(tx, ctx.workspace, wanted.baseline)
    if other is None:
        raise NotFound("there is no such run in this workspace", where="baseline")
    if other.suite != suite:
        raise Invalid(f"the baseline is a run of {other.suite}, not of {suite}", where="baseline")
    if other.state is not RunState.DONE:
        raise Conflict(f"the baseline is {other.state}, not done; wait for its end, or name another")
