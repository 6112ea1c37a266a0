"""Verbs on improvements: proposed, begun, measured, closed with that measurement, or dropped."""

from __future__ import annotations

from dataclasses import replace

from holdfast.evals.actions import runs
from holdfast.evals.reads import runs as run_reads
from holdfast.evals.states import RunState
from holdfast.feedback.model import SAID, Effect, Improvement, Measurement, Stage, Wanted, Window
from holdfast.feedback.rules import improving as rules
from holdfast.feedback.rules import rates
from holdfast.feedback.rules.rates import Rate
from holdfast.feedback.store import improvements as store
from holdfast.feedback.store import items as item_store
from holdfast.feedback.store import triage as triage_store
from holdfast.kernel.context import Context
from holdfast.kernel.errors import HoldfastError, Invalid, NotFound
from holdfast.kernel.ids import new_id
from holdfast.platform.audit import actions as audit
from holdfast.storage.sql import Transaction


def propose(
    ctx: Context,
    tx: Transaction,
    *,
    title: str,
    owner: str = "",
    hypothesis: str = "",
    category: str = "",
    change_ref: str = "",
) -> Improvement:
    """A new one. Raises Invalid."""
    made = Improvement(
        id=new_id("imp"), workspace=ctx.workspace, title=title.strip(), owner=owner.strip(),
        hypothesis=hypothesis.strip(), category=category.strip(), change_ref=change_ref.strip(),
        stage=Stage.PROPOSED, measurement=None, note="", created_at=ctx.now, created_by=ctx.actor.id,
        changed_at=ctx.now,
    )  # fmt: skip
    rules.check(made)
    store.add(tx, made)
    return record(ctx, tx, made, action="improvement.proposed")


def change(
    ctx: Context,
    tx: Transaction,
    id: str,
    *,
    title: str,
    owner: str,
    hypothesis: str,
    category: str,
    change_ref: str,
) -> Improvement:
    """Writes its title, owner, hypothesis, category or change anew. A new category or change needs measuring anew.

    Raises NotFound, Invalid; Conflict once it is closed or dropped.
    """
    one = _there(ctx, tx, id)
    if one.stage in (Stage.CLOSED, Stage.DROPPED):
        rules.check_move(one, Stage.IN_PROGRESS)
    made = replace(
        one,
        title=title.strip(),
        owner=owner.strip(),
        hypothesis=hypothesis.strip(),
        category=category.strip(),
        change_ref=change_ref.strip(),
    )
    rules.check(made)
    if one.stage is Stage.MEASURED and (made.category, made.change_ref) != (one.category, one.change_ref):
        made = replace(made, stage=Stage.IN_PROGRESS, measurement=None)
    return record(ctx, tx, made, action="improvement.changed")


def start(ctx: Context, tx: Transaction, id: str) -> Improvement:
    """It is worked on. Raises NotFound, Conflict, Invalid that says what is missing."""
    one = _there(ctx, tx, id)
    rules.check_move(one, Stage.IN_PROGRESS)
    return record(ctx, tx, replace(one, stage=Stage.IN_PROGRESS), action="improvement.started")


def measure(
    ctx: Context, tx: Transaction, id: str, *, before_run: str, after_run: str, before: Window, after: Window
) -> Improvement:
    """Measures it: two runs of one suite, paired, and the share of feedback in its category in two windows.

    What cannot be measured is kept as lacking, with the reason. Raises NotFound, Conflict, Invalid.
    """
    one = _there(ctx, tx, id)
    rules.check_move(one, Stage.MEASURED)
    rules.check_windows(before, after, ctx.now)
    suite, why_no_suite = _suite(ctx, tx, before_run, after_run)
    found = rules.feedback_effect(
        rate_of(ctx, tx, one.category, before), rate_of(ctx, tx, one.category, after)
    )
    lacks = [why for why in (why_no_suite,) if why]
    if found is None:
        lacks.append("a window has no feedback at all: choose longer ones")
    measured = Measurement(before_run, after_run, before, after, suite, found, tuple(lacks), ctx.now)
    return record(
        ctx, tx, replace(one, stage=Stage.MEASURED, measurement=measured), action="improvement.measured"
    )


def close(ctx: Context, tx: Transaction, id: str, note: str = "") -> Improvement:
    """It is over, with what was measured. Raises NotFound, Conflict, Invalid that says what is missing."""
    one = _there(ctx, tx, id)
    rules.check_move(one, Stage.CLOSED)
    done = replace(one, stage=Stage.CLOSED, note=note.strip(), closed_at=ctx.now)
    rules.check(done)
    return record(ctx, tx, done, action="improvement.closed")


def drop(ctx: Context, tx: Transaction, id: str, note: str) -> Improvement:
    """It is given up, and why. Raises NotFound, Conflict, Invalid."""
    one = _there(ctx, tx, id)
    rules.check_move(one, Stage.DROPPED)
    if not note.strip():
        raise Invalid("say why it is given up", where="note")
    done = replace(one, stage=Stage.DROPPED, note=note.strip(), closed_at=ctx.now)
    rules.check(done)
    return record(ctx, tx, done, action="improvement.dropped")


def rate_of(ctx: Context, tx: Transaction, category: str, within: Window) -> Rate:
    """The share of a category among all that people said in a window, each opinion once. Of a triage's category or failure
    mode, among what was triaged: of the rest it is not known.
    """
    kind, _, named = category.partition(":")
    wanted = Wanted(start=within.start, end=within.end, sources=SAID, unique=True)
    if kind == "label":
        n = item_store.count(tx, ctx.workspace, wanted)
        return rates.share_of(item_store.count(tx, ctx.workspace, replace(wanted, labels=(named,))), n)
    n = triage_store.counted(tx, ctx.workspace, wanted)
    chosen = {"category": named} if kind == "category" else {"mode": named}
    return rates.share_of(triage_store.counted(tx, ctx.workspace, wanted, **chosen), n)


def _suite(ctx: Context, tx: Transaction, before_run: str, after_run: str) -> tuple[Effect | None, str]:
    """What changed between two runs, or why that cannot be told. Raises NotFound for a run that is not there."""
    before, after = run_reads.run(ctx, tx, before_run).run, run_reads.run(ctx, tx, after_run).run
    for name, one in (("before", before), ("after", after)):
        if one.state is not RunState.DONE:
            return None, f"the run {name} is {one.state.value}, not done"
    if before.id == after.id or before.suite != after.suite:
        return None, "the two runs are not two runs of one suite"
    if after.created_at < before.created_at:
        return None, "the run after was made before the other"
    try:
        verdict = runs.verdict_of(ctx, tx, after, run_reads.suite_of(ctx, tx, after), before.id)
    except HoldfastError as error:
        return None, error.detail
    found, score, base = verdict.suite.comparison, verdict.suite.score, verdict.suite.baseline
    if found is None or score is None or base is None:
        return None, "the two runs have no case in common that both have graded"
    words = f"{found.cases} cases of {after.suite}: {found.better} better, {found.worse} worse"
    apart, trusted, value, past = verdict.suite.apart, verdict.suite.trusted, score.value, base.value
    if apart is None:
        note = trusted.versus.note if trusted and trusted.versus else "label answers of both runs"
        return None, f"the scores rest on judges, and their difference is not to be trusted: {note}"
    if trusted is not None and trusted.value is not None:
        value, past = trusted.value, trusted.value - apart.difference
        words += " by the judges alone; corrected by people's labels"
    return rules.suite_effect(past, value, apart.difference, apart.low, apart.high, words), ""


def _there(ctx: Context, tx: Transaction, id: str) -> Improvement:
    found = store.get(tx, ctx.workspace, id, lock=True)
    if found is None:
        raise NotFound("there is no such improvement in this workspace")
    return found


def record(ctx: Context, tx: Transaction, one: Improvement, *, action: str) -> Improvement:
    """Keeps an improvement as it now is, and says so on the audit log."""
    made = replace(one, changed_at=ctx.now)
    store.put(tx, made)
    details: dict[str, object] = {
        "title": one.title,
        "owner": one.owner,
        "category": one.category,
        "change": one.change_ref,
        "note": one.note,
    }
    if one.measurement is not None:
        measured = one.measurement
        details["runs"] = [measured.before_run, measured.after_run]
        for name, effect in (("suite", measured.suite), ("feedback", measured.feedback)):
            details[name] = effect and [effect.before, effect.after, effect.low, effect.high]
    audit.record(ctx, tx, action=action, subject=one.id, details=details)
    return made
