"""What is measured of both releases, and which span the baseline is read in once all traffic is on the candidate."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.changes.made import NOW, change

from holdfast.changes.model import ChangeClass, Evidence, State
from holdfast.changes.rules.guarding import Verdict, look
from holdfast.changes.rules.measuring import (
    IN_WORDS,
    Quality,
    Seen,
    Span,
    about,
    readings,
    reference,
    unmeasured,
)
from holdfast.changes.rules.policy import SHIPPED
from holdfast.evals.rules.review_releases import whole_spans


def test_the_baseline_is_the_whole_of_the_last_stage_beside_the_candidate() -> None:
    one = change(State.RAMPING, stage=2)

    def came(minute: int, after: State, stage: int = 0) -> Evidence:
        at = NOW + timedelta(minutes=minute)
        return Evidence(one.id, one.workspace, minute, at, "x", after, after, stage, "", {}, "", "")

    way = [came(0, State.SHADOW), came(1, State.RAMPING), came(2, State.RAMPING), came(9, State.RAMPING, 1)]
    assert reference(one, [came(0, State.SHADOW)]) is None
    first = Span(NOW + timedelta(minutes=1), NOW + timedelta(minutes=9))
    assert reference(one, way) == first, "a look in its midst begins no other stage"
    way += [came(10, State.HELD, 1), came(20, State.RAMPING, 1), came(30, State.RAMPING, 2)]
    last = Span(NOW + timedelta(minutes=20), NOW + timedelta(minutes=30))
    assert reference(one, [*way, came(31, State.RAMPING, 2)]) == last


@given(st.timedeltas(timedelta(0), timedelta(hours=2)), st.timedeltas(timedelta(0), timedelta(hours=2)))
def test_what_review_counted_of_a_stage_is_all_there_however_short_it_was(
    after: timedelta, long: timedelta
) -> None:
    start = NOW + after
    counted, until = whole_spans(*about(Span(start, start + long)))
    assert counted <= start and start + long <= until


def seen(**quality: Any) -> Seen:
    return Seen(None, Quality(**quality))


@pytest.mark.parametrize(
    ("old", "new", "name", "verdict"),
    [
        (seen(flagged=(400, 4)), seen(flagged=(400, 80)), "flagged", Verdict.WORSE),
        (seen(flagged=(4000, 0)), seen(flagged=(4000, 0)), "flagged", Verdict.NOT_WORSE),
        (seen(), seen(flagged=(400, 0)), "flagged", Verdict.NO_DATA),
        (seen(flagged=(400, 0)), seen(), "flagged", Verdict.NO_DATA),
        (seen(flagged=(400, 0)), seen(flagged=(5, 5)), "flagged", Verdict.INCONCLUSIVE),
        (seen(refused=(400, 0)), seen(refused=(400, 100)), IN_WORDS, Verdict.WORSE),
        (seen(feedback=(100, 5)), seen(feedback=(100, 70)), "feedback", Verdict.WORSE),
        (seen(feedback=(10, 5)), seen(feedback=(10, 9)), "feedback", Verdict.INCONCLUSIVE),
        (
            seen(grades={"kind": (200, 20.0, 4.0)}),
            seen(grades={"kind": (200, 160.0, 130.0)}),
            "grade by kind",
            Verdict.WORSE,
        ),
    ],
)
def test_what_is_judged_of_answers(old: Seen, new: Seen, name: str, verdict: Verdict) -> None:
    policy = SHIPPED[ChangeClass.MODERATE]
    found = {one.metric.name: one for one in look(readings(policy, State.RAMPING, old, new, 0))}
    assert found[name].verdict is verdict, found[name].sentence


def test_what_neither_release_tells_is_not_asked() -> None:
    policy = SHIPPED[ChangeClass.MODERATE]
    names = [one.metric.name for one in readings(policy, State.RAMPING, seen(), seen(), 0)]
    assert names == ["errors", "latency"]
    assert {"flagged", "feedback", "grade"} <= set(unmeasured(policy, names))
    assert "grade" not in unmeasured(policy, ["grade by kind"])
    assert "refusals" not in unmeasured(policy, [IN_WORDS])
