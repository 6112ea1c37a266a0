"""Which span the baseline is read in, once all traffic is on the candidate."""

from __future__ import annotations

from datetime import timedelta

from tests.changes.made import NOW, change

from holdfast.changes.model import Evidence, State
from holdfast.changes.rules.measuring import Span, reference


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
