"""The one function by which a change goes on: `step(change, event, now)`, total and pure.

What a person may not do now raises Conflict that says why; what a look shows that nothing follows from returns the change as
it was. Every other return is one step, which its caller keeps with the facts it rests on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from holdfast.changes.model import BEFORE_SERVING, Change, ChangeClass, Risk, State, Verdict
from holdfast.changes.rules.policy import ClassPolicy
from holdfast.kernel.errors import Conflict, Invalid

SERVING = frozenset({State.SHADOW, State.COMPARING, State.RAMPING, State.SOAKING})
DATA = "data: "
"""How the reason begins of a hold that ends by itself, when what was missing is there again."""


@dataclass(frozen=True, slots=True)
class Submitted:
    """The author asks for the gate and for reviewers. `review_due` is for an emergency."""

    review_due: datetime | None = None


@dataclass(frozen=True, slots=True)
class Edited:
    """Anything of it was written anew: what was decided about it holds no more."""


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """Somebody takes it back before it served."""

    reason: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """Somebody answers for an inconclusive gate."""

    risk: Risk


@dataclass(frozen=True, slots=True)
class Advanced:
    """Somebody has it go on before its dwell or samples are there."""

    reason: str
    blocked: str = ""  # why nothing may go on now: a freeze, a window


@dataclass(frozen=True, slots=True)
class Held:
    """Somebody has it stand still."""

    reason: str


@dataclass(frozen=True, slots=True)
class Resumed:
    """Somebody lets it go on."""

    reason: str


@dataclass(frozen=True, slots=True)
class RolledBack:
    """Somebody or something takes traffic off it: in every state, with nobody asked."""

    reason: str


@dataclass(frozen=True, slots=True)
class Looked:
    """What a look found. Only what concerns the state is filled in.

    `approved`: enough people have, for its present content, and nobody rejected; `rejected`: why one did. `blocked`: why
    nothing may begin or go on now. `moved`: why its baseline is no longer what the route serves. `stop`, `hold`: why traffic
    has to be taken off it, or it has to stand still; `missing`: what keeps it from being told how it does. `enough`: it had
    its samples, and every stop metric is conclusive and good. `first_at`: since when every gateway serves its stage.
    `settled`: every gateway serves what was decided last; None: that cannot be known of one that does not answer.
    `reviewed`: the review of an emergency has been made.
    """

    gate: Verdict = Verdict.PENDING
    approved: bool = False
    rejected: str = ""
    external: bool = True
    blocked: str = ""
    moved: str = ""
    stop: str = ""
    hold: str = ""
    missing: str = ""
    enough: bool = False
    first_at: datetime | None = None
    settled: bool | None = False
    reviewed: bool = False


Event = Submitted | Edited | Withdrawn | Accepted | Advanced | Held | Resumed | RolledBack | Looked


def step(change: Change, policy: ClassPolicy, event: Event, now: datetime) -> Change:
    """The change after an event; the same one where nothing follows. Raises Conflict, Invalid."""
    match event:
        case Looked():
            return _looked(change, policy, event, now)
        case Submitted():
            return _submitted(change, event, now)
        case Edited():
            return _edited(change, now)
        case Accepted():
            return _accepted(change, event, now)
        case Advanced():
            return _advanced(change, policy, event, now)
        case Withdrawn():
            return _withdrawn(change, event, now)
        case RolledBack():
            return _rolled_back(change, event, now)
        case Held() | Resumed():
            return _stopped_or_going(change, event, now)


def _submitted(change: Change, event: Submitted, now: datetime) -> Change:
    if change.state is not State.DRAFT:
        raise Conflict(f"this change is {_named(change)} already")
    if (change.change_class is ChangeClass.EMERGENCY) != (event.review_due is not None):
        raise Invalid("an emergency has a time by which it is reviewed, and nothing else has one")
    gated = _to(change, State.GATED, now, "")
    return replace(gated, review_due=event.review_due, gate=Verdict.PENDING, risk=None)


def _edited(change: Change, now: datetime) -> Change:
    if change.state not in BEFORE_SERVING:
        raise Conflict(f"this change is {_named(change)}: what is under way is not edited; open another")
    drafted = _to(change, State.DRAFT, now, "" if change.state is State.DRAFT else "edited")
    return replace(drafted, gate=Verdict.PENDING, risk=None, review_due=None)


def _withdrawn(change: Change, event: Withdrawn, now: datetime) -> Change:
    if change.state not in BEFORE_SERVING:
        raise Conflict(f"this change is {_named(change)}: roll it back instead")
    return _to(change, State.FAILED, now, f"withdrawn: {_said(event.reason)}")


def _stopped_or_going(change: Change, event: Held | Resumed, now: datetime) -> Change:
    if isinstance(event, Held):
        if change.state not in SERVING:
            raise Conflict(f"this change is {_named(change)}: only one that is under way can be held")
        return _held(change, _said(event.reason), now)
    if change.state is not State.HELD or change.from_state is None:
        raise Conflict(f"this change is {_named(change)}, not held")
    return _to(change, change.from_state, now, _said(event.reason), stage=change.stage)


def _accepted(change: Change, event: Accepted, now: datetime) -> Change:
    if change.state is not State.GATED or change.gate is not Verdict.INCONCLUSIVE:
        raise Conflict(
            f"a risk is accepted of a change whose gate is inconclusive; this one is {_named(change)}, its gate"
            f" {change.gate}"
        )
    if not now < event.risk.until:
        raise Invalid("the time until which the risk is accepted is over already", where="until")
    return replace(change, risk=replace(event.risk, reason=_said(event.risk.reason)), updated_at=now)


def _advanced(change: Change, policy: ClassPolicy, event: Advanced, now: datetime) -> Change:
    if change.state not in SERVING:
        raise Conflict(f"this change is {_named(change)}: only one that is under way goes on")
    if event.blocked:
        raise Conflict(event.blocked)
    if change.state is State.SOAKING and change.review_due is not None:
        raise Conflict("an emergency ends with its review")
    return _next(change, policy, now, _said(event.reason))


def _rolled_back(change: Change, event: RolledBack, now: datetime) -> Change:
    if change.state in (State.ROLLED_BACK, State.HALTED):
        return change
    if change.state is State.FAILED:
        raise Conflict("this change never served anybody, and has ended")
    reason = _said(event.reason)
    if change.state in BEFORE_SERVING:
        return _to(change, State.FAILED, now, reason)
    return _to(change, State.HALTED, now, reason, stage=change.stage)


def _looked(change: Change, policy: ClassPolicy, seen: Looked, now: datetime) -> Change:
    overdue = change.review_due is not None and not seen.reviewed and now > change.review_due
    if overdue and change.live and change.state is not State.HALTED:
        why = "it was an emergency, and nobody reviewed it in time"
        return _to(change, State.HALTED, now, why, stage=change.stage)
    match change.state:
        case State.GATED:
            return _through_the_gate(change, seen, now)
        case State.APPROVED:
            return _to(change, State.SCHEDULED, now, "")
        case State.SCHEDULED:
            return _begins(change, policy, seen, now)
        case State.SHADOW | State.COMPARING | State.RAMPING | State.SOAKING:
            return _goes_on(change, policy, seen, now)
        case State.HELD:
            return _stands(change, seen, now)
        case State.HALTED:
            if seen.settled is False:
                return change
            left = "" if seen.settled else "; a gateway does not answer, so what it serves is unknown"
            return _to(change, State.ROLLED_BACK, now, change.reason + left, stage=change.stage)
        case _:
            return change


def _through_the_gate(change: Change, seen: Looked, now: datetime) -> Change:
    if seen.rejected:
        return _to(change, State.FAILED, now, f"rejected: {seen.rejected}")
    if seen.gate is not change.gate:
        change = replace(change, gate=seen.gate, risk=None, updated_at=now)
    emergency = change.change_class is ChangeClass.EMERGENCY
    if change.gate is Verdict.FAIL and not emergency:
        return _to(change, State.FAILED, now, "its gate failed")
    accepted = change.risk is not None and now < change.risk.until and change.gate is Verdict.INCONCLUSIVE
    if (change.gate is Verdict.PASS or accepted or emergency) and seen.approved and seen.external:
        return _to(change, State.APPROVED, now, "")
    return change


def _begins(change: Change, policy: ClassPolicy, seen: Looked, now: datetime) -> Change:
    if seen.moved:
        drafted = _to(change, State.DRAFT, now, seen.moved)
        return replace(drafted, gate=Verdict.PENDING, risk=None, review_due=None)
    if change.risk is not None and now >= change.risk.until:
        gated = _to(change, State.GATED, now, "the time is over for which its risk was accepted")
        return replace(gated, risk=None)
    if seen.blocked or (change.not_before is not None and now < change.not_before):
        return change
    state = State.SHADOW if policy.shadow is not None else _after_shadow(policy)
    return replace(_to(change, state, now, ""), began_at=now)


def _goes_on(change: Change, policy: ClassPolicy, seen: Looked, now: datetime) -> Change:
    if seen.stop:
        return _to(change, State.HALTED, now, seen.stop, stage=change.stage)
    if seen.hold:
        return _held(change, seen.hold, now)
    if seen.missing:
        return _held(change, DATA + seen.missing, now)
    if change.first_at is None and seen.first_at is not None:
        change = replace(change, first_at=max(seen.first_at, change.since), updated_at=now)
    if change.first_at is None or now < change.first_at + dwell(change, policy):
        return change
    if not seen.enough or seen.blocked:
        return change
    if change.state is State.SOAKING and change.review_due is not None and not seen.reviewed:
        return change
    return _next(change, policy, now, "")


def _stands(change: Change, seen: Looked, now: datetime) -> Change:
    """Held: what stops it stops it here too; a hold for want of data ends with the want."""
    if seen.stop:
        return _to(change, State.HALTED, now, seen.stop, stage=change.stage)
    if change.reason.startswith(DATA) and not seen.missing and change.from_state is not None:
        if seen.hold:
            return replace(_held(change, seen.hold, now), from_state=change.from_state)
        return _to(change, change.from_state, now, "", stage=change.stage)
    return change


def _next(change: Change, policy: ClassPolicy, now: datetime, reason: str) -> Change:
    """One stage on, never more."""
    match change.state:
        case State.SHADOW:
            return _to(change, _after_shadow(policy), now, reason)
        case State.COMPARING:
            return _to(change, State.RAMPING, now, reason, stage=_after_comparing(policy))
        case State.RAMPING if change.stage + 1 < len(policy.stages):
            return _to(change, State.RAMPING, now, reason, stage=change.stage + 1)
        case State.RAMPING:
            return _to(change, State.SOAKING, now, reason, stage=change.stage)
        case _:
            return _to(change, State.COMPLETED, now, reason, stage=change.stage)


def _after_shadow(policy: ClassPolicy) -> State:
    return State.RAMPING if policy.ab is None else State.COMPARING


def _after_comparing(policy: ClassPolicy) -> int:
    """The first stage with more traffic than it had while it was compared: nobody is taken off it again."""
    split = policy.ab.split if policy.ab is not None else 0
    return next(stage for stage, share in enumerate(policy.stages) if share > split)


def dwell(change: Change, policy: ClassPolicy) -> timedelta:
    """How long it stays at least where it is, from the first request on."""
    match change.state:
        case State.SHADOW if policy.shadow is not None:
            return timedelta(minutes=policy.shadow.minutes)
        case State.SOAKING:
            return timedelta(hours=policy.soak_hours)
        case _:
            return timedelta(minutes=policy.dwell_minutes)


def _held(change: Change, reason: str, now: datetime) -> Change:
    return replace(_to(change, State.HELD, now, reason, stage=change.stage), from_state=change.state)


def _to(change: Change, state: State, now: datetime, reason: str, *, stage: int = 0) -> Change:
    return replace(
        change,
        state=state,
        stage=stage,
        from_state=None,
        reason=reason,
        since=now,
        first_at=None,
        updated_at=now,
    )


def _said(reason: str) -> str:
    text = reason.strip()
    if not text:
        raise Invalid("say why", where="reason")
    return text


def _named(change: Change) -> str:
    return change.state.replace("_", " ")
