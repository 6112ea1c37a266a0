"""Verbs on judges: keep one as its next version, have it checked against its human labels."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from holdfast.evals.rules.judging import Judge, KeptJudge, Kind
from holdfast.evals.states import ACTIVE, RunState
from holdfast.evals.store import judges as store
from holdfast.kernel.context import Context
from holdfast.kernel.errors import Conflict, Invalid, NotFound
from holdfast.kernel.ids import new_id
from holdfast.platform.audit import actions as audit
from holdfast.storage.sql import Transaction

MAX_NOTE = 1000


@dataclass(frozen=True, slots=True)
class AppliedJudge:
    """What became of one judge: the version now in force and the one before (0: none); `asks`: grades may change."""

    name: str
    before: int
    version: int
    hash: str
    labels: int
    asks_changed: bool

    @property
    def changed(self) -> bool:
        """Whether this is a new version."""
        return self.version != self.before


def kinds(ctx: Context, tx: Transaction) -> Mapping[str, Kind]:
    """The workspace's judges by name, as suites are read with."""
    return {one.name: one.kind for one in store.latest(tx, ctx.workspace)}


def planned(ctx: Context, tx: Transaction, judges: Sequence[Judge]) -> list[AppliedJudge]:
    """What applying would do; nothing is changed."""
    made = []
    for one in judges:
        head = next(iter(store.heads(tx, ctx.workspace, one.name, 1)), None)
        before = head.version if head else 0
        same = head is not None and (head.hash, head.description) == (one.hash, one.description)
        differs = head is None or head.asks != one.asks
        made.append(
            AppliedJudge(one.name, before, before if same else before + 1, one.hash, len(one.labels), differs)
        )
    return made


def apply(ctx: Context, tx: Transaction, judges: Sequence[Judge], *, note: str = "") -> list[AppliedJudge]:
    """Keeps each judge as its next version, all or none; one that says the same stays. Raises Invalid, Conflict."""
    if len(note) > MAX_NOTE:
        raise Invalid(f"a note has at most {MAX_NOTE} characters", where="note")
    done = planned(ctx, tx, judges)
    changed = [(judge, one) for judge, one in zip(judges, done, strict=True) if one.changed]
    for judge, one in changed:
        kept = KeptJudge(
            ctx.workspace, judge.name, one.version, judge.hash, judge.asks, judge.kind, judge.description,
            len(judge.labels), ctx.now, ctx.actor.id, note,
        )  # fmt: skip
        if not store.add(tx, kept, replace(judge, version=one.version)):
            raise Conflict(
                f"another version of the judge {judge.name} was applied at the same moment; try again"
            )
    for judge, one in changed:
        details = {
            "version": one.version,
            "hash": judge.hash,
            "asks": judge.asks,
            "kind": judge.kind.value,
            "labels": len(judge.labels),
            "note": note,
        }
        audit.record(ctx, tx, action="judge.applied", subject=f"judge:{judge.name}", details=details)
    return done


def check(ctx: Context, tx: Transaction, name: str) -> store.Check:
    """Has a judge asked about all of its labelled answers. Raises NotFound, Conflict while it is being checked."""
    judge = store.judge(tx, ctx.workspace, name)
    if judge is None:
        raise NotFound("there is no such judge in this workspace")
    if any(one.state in ACTIVE for one in store.checks_of(tx, ctx.workspace, name)):
        raise Conflict(f"the judge {name} is being checked already; wait for its end")
    made = store.Check(
        new_id("chk"),
        ctx.workspace,
        name,
        judge.version,
        judge.asks,
        RunState.QUEUED,
        "",
        ctx.now,
        ctx.actor.id,
    )
    store.add_check(tx, made)
    details = {"judge": f"{name}@{judge.version}", "labels": len(judge.labels)}
    audit.record(ctx, tx, action="judge.check_registered", subject=made.id, details=details)
    return made


def finish_check(ctx: Context, tx: Transaction, check: store.Check, stopped: str) -> bool:
    """Ends a check. `stopped`: why not all was asked. False where it was over already."""
    state = RunState.STOPPED if stopped else RunState.DONE
    if not store.change_check(tx, check.id, state=state, note=stopped, finished_at=ctx.now):
        return False
    details = {"judge": f"{check.judge}@{check.version}", "state": state.value, "note": stopped}
    audit.record(ctx, tx, action="judge.checked", subject=check.id, details=details)
    return True
