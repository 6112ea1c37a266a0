"""The state machine: no state but by its steps, none skipped, no promotion without what it needs, every rollback obeyed."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.changes.made import NOW, change

from holdfast.changes.model import ENDED, LIVE, Change, ChangeClass, Risk, State, Verdict
from holdfast.changes.rules import states
from holdfast.changes.rules.policy import SHIPPED, ABPolicy, ClassPolicy
from holdfast.changes.rules.splits import traffic
from holdfast.changes.rules.states import Looked
from holdfast.kernel.errors import Conflict, HoldfastError, Invalid

POLICY = SHIPPED[ChangeClass.MODERATE]
COMPARED = msgspec.structs.replace(POLICY, ab=ABPolicy(metric="errors", minimum=0.05, split=50))
HOUR = timedelta(hours=1)

MAY_FOLLOW = {
    State.DRAFT: {State.GATED, State.FAILED},
    State.GATED: {State.APPROVED, State.DRAFT, State.FAILED},
    State.APPROVED: {State.SCHEDULED, State.DRAFT, State.FAILED},
    State.SCHEDULED: {
        State.SHADOW,
        State.COMPARING,
        State.RAMPING,
        State.DRAFT,
        State.GATED,
        State.FAILED,
    },
    State.SHADOW: {State.COMPARING, State.RAMPING, State.HELD, State.HALTED},
    State.COMPARING: {State.RAMPING, State.HELD, State.HALTED},
    State.RAMPING: {State.RAMPING, State.SOAKING, State.HELD, State.HALTED},
    State.SOAKING: {State.COMPLETED, State.HELD, State.HALTED},
    State.HELD: {State.SHADOW, State.COMPARING, State.RAMPING, State.SOAKING, State.HELD, State.HALTED},
    State.HALTED: {State.ROLLED_BACK},
    State.COMPLETED: {State.HALTED},
    State.ROLLED_BACK: set[State](),
    State.FAILED: set[State](),
}


def looked(one: Change, at: datetime = NOW, policy: ClassPolicy = POLICY, **seen: Any) -> Change:
    return states.step(one, policy, Looked(**seen), at)


def going(state: State, stage: int = 0, **more: Any) -> Change:
    """One whose stage has had its first request and its dwell by NOW + 1 day."""
    return change(state, stage=stage, since=NOW - HOUR, first_at=NOW - HOUR, **more)


def test_the_way_of_a_change_that_does_well() -> None:
    one = states.step(change(State.DRAFT), POLICY, states.Submitted(), NOW)
    assert one.state is State.GATED
    one = looked(one, gate=Verdict.PENDING, approved=True)
    assert one.state is State.GATED, "approved before its suites are through"
    one = looked(one, gate=Verdict.PASS, approved=False)
    assert one.state is State.GATED, "its suites are through before it is approved"
    one = looked(one, gate=Verdict.PASS, approved=True)
    seen = [one.state]
    at = NOW
    for _ in range(12):
        at += timedelta(days=2)
        if one.state in LIVE and one.first_at is None:
            one = looked(one, at, first_at=at)
            at += timedelta(days=2)
        one = looked(one, at, first_at=at, enough=True)
        seen.append(one.state)
    assert seen[:9] == [
        State.APPROVED,
        State.SCHEDULED,
        State.SHADOW,
        State.RAMPING,
        State.RAMPING,
        State.RAMPING,
        State.SOAKING,
        State.COMPLETED,
        State.COMPLETED,
    ]


def test_nothing_passes_a_gate_that_is_not_passed() -> None:
    gated = change(State.GATED)
    assert looked(gated, gate=Verdict.FAIL, approved=True).state is State.FAILED
    assert looked(gated, gate=Verdict.INCONCLUSIVE, approved=True).state is State.GATED
    assert looked(gated, gate=Verdict.PASS, approved=True, external=False).state is State.GATED
    assert looked(gated, gate=Verdict.PASS, approved=True, rejected="Ann: no").state is State.FAILED


def test_a_risk_is_accepted_for_a_while() -> None:
    unclear = change(State.GATED, gate=Verdict.INCONCLUSIVE)
    risk = Risk("mem_2", "Ben", " we need it ", NOW, NOW + HOUR)
    taken = states.step(unclear, POLICY, states.Accepted(risk), NOW)
    assert taken.risk is not None and taken.risk.reason == "we need it"
    inside = looked(taken, NOW + HOUR / 2, gate=Verdict.INCONCLUSIVE, approved=True)
    assert inside.state is State.APPROVED
    assert looked(taken, NOW + HOUR, gate=Verdict.INCONCLUSIVE, approved=True).state is State.GATED
    scheduled = looked(inside, NOW + HOUR / 2)
    assert looked(scheduled, NOW + 2 * HOUR).state is State.GATED, "it did not begin in time"
    for refused in (change(State.GATED, gate=Verdict.PASS), change(State.GATED), change(State.RAMPING)):
        with pytest.raises(Conflict):
            states.step(refused, POLICY, states.Accepted(risk), NOW)
    with pytest.raises(Invalid):
        states.step(unclear, POLICY, states.Accepted(replace(risk, until=NOW)), NOW)
    with pytest.raises(Invalid):
        states.step(unclear, POLICY, states.Accepted(replace(risk, reason=" ")), NOW)


def test_an_edit_voids_what_was_decided() -> None:
    for state in (State.GATED, State.APPROVED, State.SCHEDULED):
        edited = states.step(change(state, gate=Verdict.PASS), POLICY, states.Edited(), NOW)
        assert (edited.state, edited.gate, edited.risk) == (State.DRAFT, Verdict.PENDING, None)
    for state in (*LIVE, *ENDED):
        with pytest.raises(Conflict):
            states.step(change(state), POLICY, states.Edited(), NOW)


def test_it_begins_when_nothing_stands_in_its_way() -> None:
    ready = change(State.SCHEDULED, gate=Verdict.PASS)
    assert looked(ready, blocked="a freeze").state is State.SCHEDULED
    assert looked(replace(ready, not_before=NOW + HOUR)).state is State.SCHEDULED
    assert looked(replace(ready, not_before=NOW + HOUR), NOW + HOUR).state is State.SHADOW
    assert looked(ready, policy=SHIPPED[ChangeClass.MINOR]).state is State.RAMPING
    moved = looked(ready, moved="its route serves another release by now")
    assert (moved.state, moved.gate) == (State.DRAFT, Verdict.PENDING)


def test_it_is_compared_at_its_split_and_goes_on_above_it() -> None:
    shadow = going(State.SHADOW)
    late = NOW + timedelta(days=1)
    one = looked(shadow, late, COMPARED, enough=True)
    assert (one.state, _share(COMPARED, one)) == (State.COMPARING, 50)
    one = replace(one, first_at=late)
    assert looked(one, late + 2 * HOUR, COMPARED, enough=False).state is State.COMPARING, "not concluded yet"
    after = looked(one, late + 2 * HOUR, COMPARED, enough=True)
    assert (after.state, after.stage, _share(COMPARED, after)) == (State.RAMPING, 2, 100), (
        "nobody is taken off it"
    )
    assert looked(one, late, COMPARED, stop="A/B: The candidate is worse").state is State.HALTED


@pytest.mark.parametrize("state", [State.SHADOW, State.RAMPING, State.SOAKING])
def test_it_goes_on_only_with_dwell_samples_and_nobody_against_it(state: State) -> None:
    one = going(state)
    late = NOW + timedelta(days=3)
    assert looked(one, late, enough=True) != one
    assert looked(one, late, enough=False) == one
    assert looked(one, late, enough=True, blocked="a freeze") == one
    soon = NOW - HOUR + states.dwell(one, POLICY) - timedelta(seconds=1)
    assert looked(one, soon, enough=True) == one
    fresh = replace(one, first_at=None)
    assert looked(fresh, late, enough=True) == fresh, "dwell counts from the first request"


def test_overdue_stages_are_not_folded_together() -> None:
    one = going(State.RAMPING)
    after = looked(one, NOW + timedelta(days=30), enough=True, first_at=NOW)
    assert (after.state, after.stage, after.first_at) == (State.RAMPING, 1, None)
    again = looked(after, NOW + timedelta(days=30), enough=True, first_at=NOW)
    assert (again.stage, again.first_at) == (1, NOW + timedelta(days=30)), (
        "never earlier than its stage began"
    )


def test_what_is_held_for_want_of_data_goes_on_when_it_is_there() -> None:
    held = looked(going(State.RAMPING, 1), missing="no calls")
    assert (held.state, held.from_state, held.stage) == (State.HELD, State.RAMPING, 1)
    assert looked(held, missing="no calls") == held
    back = looked(held)
    assert (back.state, back.stage, back.first_at) == (State.RAMPING, 1, None)
    person = states.step(going(State.RAMPING, 1), POLICY, states.Held("wait"), NOW)
    assert looked(person).state is State.HELD, "what a person holds a person lets go"
    assert states.step(person, POLICY, states.Resumed("go"), NOW).state is State.RAMPING
    torn = looked(going(State.RAMPING), hold="the split is not as asked for")
    assert looked(torn).state is State.HELD


@pytest.mark.parametrize("state", [State.SHADOW, State.RAMPING, State.SOAKING, State.HELD])
def test_what_is_worse_is_stopped_everywhere(state: State) -> None:
    one = going(state, from_state=State.RAMPING if state is State.HELD else None)
    halted = looked(one, stop="errors: worse", blocked="a freeze", hold="x", missing="y")
    assert (halted.state, halted.reason) == (State.HALTED, "errors: worse")


def test_it_is_rolled_back_when_gateways_say_so() -> None:
    halted = change(State.HALTED, reason="errors")
    assert looked(halted, settled=False) == halted
    assert looked(halted, settled=True).state is State.ROLLED_BACK
    unknown = looked(halted, settled=None)
    assert unknown.state is State.ROLLED_BACK and "unknown" in unknown.reason


@pytest.mark.parametrize("state", list(State))
def test_rollback_is_obeyed_in_every_state(state: State) -> None:
    one = change(state, from_state=State.RAMPING if state is State.HELD else None)
    if state is State.FAILED:
        with pytest.raises(Conflict):
            states.step(one, POLICY, states.RolledBack("bad"), NOW)
        return
    after = states.step(one, POLICY, states.RolledBack("bad"), NOW)
    assert after.state in (State.HALTED, State.ROLLED_BACK, State.FAILED)
    assert all(v.release != one.candidate or not v.weight for v in traffic(after, POLICY).variants)
    assert traffic(after, POLICY).shadow is None


def test_an_emergency_is_reviewed_in_time_or_rolled_back() -> None:
    policy = SHIPPED[ChangeClass.EMERGENCY]
    urgent = change(State.DRAFT, change_class=ChangeClass.EMERGENCY)
    one = states.step(urgent, policy, states.Submitted(NOW + 8 * HOUR), NOW)
    one = looked(one, policy=policy, gate=Verdict.PASS, approved=True)
    assert one.state is State.APPROVED
    soaking = going(State.SOAKING, change_class=ChangeClass.EMERGENCY, review_due=NOW + 8 * HOUR)
    waits = looked(soaking, NOW + 7 * HOUR, policy, enough=True, reviewed=False)
    assert waits.state is State.SOAKING
    assert looked(soaking, NOW + 7 * HOUR, policy, enough=True, reviewed=True).state is State.COMPLETED
    assert looked(soaking, NOW + 9 * HOUR, policy, enough=True, reviewed=False).state is State.HALTED
    with pytest.raises(Conflict, match="review"):
        states.step(soaking, policy, states.Advanced("now"), NOW)
    with pytest.raises(Invalid):
        states.step(urgent, policy, states.Submitted(), NOW)


def test_a_person_may_hurry_it_but_not_past_a_freeze() -> None:
    one = going(State.RAMPING)
    assert states.step(one, POLICY, states.Advanced("we watched it"), NOW).stage == 1
    with pytest.raises(Conflict, match="freeze"):
        states.step(one, POLICY, states.Advanced("go", blocked="a freeze until 18:00"), NOW)
    with pytest.raises(Invalid):
        states.step(one, POLICY, states.Advanced(""), NOW)
    with pytest.raises(Conflict):
        states.step(change(State.GATED), POLICY, states.Advanced("go"), NOW)


REASONS = st.sampled_from(["", "why"])
FINE = Looked(gate=Verdict.PASS, approved=True, enough=True, first_at=NOW, settled=True, reviewed=True)
EVENTS: st.SearchStrategy[states.Event] = st.one_of(
    st.just(FINE),
    st.just(FINE),
    st.builds(
        Looked,
        gate=st.sampled_from(list(Verdict)),
        approved=st.booleans(),
        rejected=st.sampled_from(["", "", "", "Ann: no"]),
        external=st.booleans(),
        blocked=REASONS,
        moved=st.sampled_from(["", "", "", "moved"]),
        stop=st.sampled_from(["", "", "", "worse"]),
        hold=st.sampled_from(["", "", "torn"]),
        missing=st.sampled_from(["", "", "nothing"]),
        enough=st.booleans(),
        first_at=st.none() | st.just(NOW),
        settled=st.sampled_from([True, False, None]),
        reviewed=st.booleans(),
    ),
    st.just(states.Submitted()),
    st.just(states.Edited()),
    st.builds(states.Withdrawn, REASONS),
    st.builds(states.Accepted, st.just(Risk("mem_2", "Ben", "why", NOW, NOW + 9 * HOUR))),
    st.builds(states.Advanced, REASONS, REASONS),
    st.builds(states.Held, REASONS),
    st.builds(states.Resumed, REASONS),
    st.builds(states.RolledBack, REASONS),
)


BEGINNINGS = (
    *(change(state) for state in State if state not in (State.HELD, State.RAMPING)),
    *(change(State.RAMPING, stage=stage) for stage in range(3)),
    *(change(State.HELD, from_state=state) for state in (State.SHADOW, State.COMPARING, State.RAMPING)),
    change(State.HELD, from_state=State.SOAKING, stage=2),
    change(State.HELD, from_state=State.RAMPING, stage=1, reason=f"{states.DATA}no calls"),
)


@settings(max_examples=1500, deadline=None)
@given(
    st.sampled_from((POLICY, COMPARED)),
    st.sampled_from(BEGINNINGS),
    st.lists(st.tuples(EVENTS, st.integers(0, 100)), max_size=60),
)
def test_whatever_happens_no_state_is_reached_but_by_its_steps(
    policy: ClassPolicy, one: Change, happens: list[tuple[states.Event, int]]
) -> None:
    if policy.ab is None and State.COMPARING in (one.state, one.from_state):
        return
    at = NOW
    for event, hours in happens:
        at += timedelta(hours=hours)
        try:
            after = states.step(one, policy, event, at)
        except HoldfastError:
            assert not (isinstance(event, states.RolledBack) and event.reason and one.live), "a lost rollback"
            continue
        _lawful(policy, one, event, after, at)
        one = after


def _lawful(policy: ClassPolicy, before: Change, event: states.Event, after: Change, at: datetime) -> None:
    if (after.state, after.stage) != (before.state, before.stage):
        assert after.state in MAY_FOLLOW[before.state] | (
            {State.DRAFT} if isinstance(event, states.Edited) else set()
        )
        assert after.since == at and after.first_at is None
    old, new = _share(policy, before), _share(policy, after)
    if new > old:
        _promoted(policy, before, event, after, at)
    if isinstance(event, states.RolledBack) or (isinstance(event, Looked) and event.stop and before.live):
        assert new == 0 or after.state is State.COMPLETED
    if before.state is State.GATED and after.state is State.APPROVED:
        assert isinstance(event, Looked) and event.approved and event.external and not event.rejected
        accepted = before.risk is not None and at < before.risk.until
        assert event.gate is Verdict.PASS or (event.gate is Verdict.INCONCLUSIVE and accepted)


def _promoted(policy: ClassPolicy, before: Change, event: states.Event, after: Change, at: datetime) -> None:
    """Its candidate has more traffic than before: only by evidence, or by a person who says why; by one stage."""
    if isinstance(event, states.Advanced):
        assert event.reason and not event.blocked
    elif before.state is State.HELD:
        assert before.from_state is after.state
    else:
        assert isinstance(event, Looked) and not (event.blocked or event.stop or event.hold or event.missing)
        if before.state is not State.SCHEDULED:
            first = before.first_at or (event.first_at and max(event.first_at, before.since))
            assert event.enough and first is not None
            assert at >= first + states.dwell(before, policy)
    compared = policy.ab is not None and State.COMPARING in (before.state, after.state)
    if compared and before.state is not State.COMPARING:
        assert (_share(policy, before), _share(policy, after)) == (0, 50)
        return
    stages = (0, *POLICY.stages)
    assert stages.index(_share(policy, after)) - stages.index(_share(policy, before)) == 1


def _share(policy: ClassPolicy, one: Change) -> int:
    return sum(v.weight for v in traffic(one, policy).variants if v.release == one.candidate)


def test_instants_are_aware() -> None:
    assert NOW.tzinfo is UTC
