"""Which steps of a change people are told of."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from tests.changes.made import NOW, change

from holdfast.changes.model import ChangeClass, Risk, State, Verdict
from holdfast.changes.rules.notices import notice
from holdfast.platform.notify.model import Severity

GATED = change(State.GATED)
RISK = Risk("mem_2", "Ben", "we need it", NOW, NOW + timedelta(days=1))
EMERGENCY = replace(change(State.GATED), change_class=ChangeClass.EMERGENCY)


@pytest.mark.parametrize(
    ("before", "after", "reviewers", "severity", "title"),
    [
        (GATED, replace(GATED, gate=Verdict.PASS), 1, Severity.INFO, "Change waits for review"),
        (GATED, replace(GATED, gate=Verdict.INCONCLUSIVE), 0, Severity.WARNING, "Change waits for a decision"),
        (GATED, replace(GATED, risk=RISK), 1, Severity.WARNING, "Risk of a change accepted"),
        (GATED, change(State.FAILED, reason="its gate failed"), 1, Severity.WARNING, "Change refused"),
        (change(State.DRAFT), EMERGENCY, 1, Severity.CRITICAL, "Emergency change"),
        (change(State.RAMPING), change(State.HELD, reason="split"), 1, Severity.WARNING, "Change held"),
        (change(State.RAMPING), change(State.HALTED, reason="errors"), 1, Severity.CRITICAL, "Change halted"),
        (change(State.HALTED), change(State.ROLLED_BACK), 1, Severity.WARNING, "Change rolled back"),
        (change(State.SOAKING), change(State.COMPLETED), 1, Severity.INFO, "Change completed"),
    ],
)  # fmt: skip
def test_who_has_to_act_or_to_know_is_told(before, after, reviewers, severity, title) -> None:  # type: ignore[no-untyped-def]
    said = notice(before, after, reviewers)
    assert said is not None
    assert (said.severity, said.title) == (severity, f"{title}: {after.title}")
    assert ("Route", "chat") in said.facts
    assert not after.reason or ("Why", after.reason) in said.facts


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (GATED, replace(GATED, gate=Verdict.PASS)),  # nobody is asked to review it
        (GATED, change(State.APPROVED)),
        (change(State.DRAFT), GATED),
        (change(State.RAMPING), change(State.RAMPING, stage=1)),
        (change(State.HELD), change(State.RAMPING)),
        (GATED, change(State.FAILED, reason="withdrawn: not now")),
        (change(State.HELD), change(State.HELD, version=9)),
    ],
)
def test_nobody_is_told_of_what_goes_as_planned(before, after) -> None:  # type: ignore[no-untyped-def]
    assert notice(before, after, 0) is None
