"""A declared A/B comparison: the calls that it takes are known beforehand, and what it concludes decides."""

from __future__ import annotations

from datetime import timedelta

import pytest
from tests.changes.made import NOW, change

from holdfast.changes.model import ChangeClass, State
from holdfast.changes.rules.declared import compare, concluded, planned
from holdfast.changes.rules.measuring import Quality, Seen
from holdfast.changes.rules.policy import ABPolicy, of, parse
from holdfast.changes.rules.states import Looked
from holdfast.kernel.errors import Invalid

AB = ABPolicy(metric="flagged", minimum=0.05, longest_days=2)
POLICY = of(
    parse(
        {"systems": {"*": {"moderate": {"ab": {"metric": "flagged", "minimum": 0.05, "longest_days": 2}}}}}
    ),
    "",
    ChangeClass.MODERATE,
)
GOING = Looked(enough=True, first_at=NOW)


def flagged(n: int, bad: int) -> Seen:
    return Seen(None, Quality(flagged=(n, bad)))


@pytest.mark.parametrize(
    ("old", "new", "days", "said", "enough"),
    [
        (flagged(5000, 1000), flagged(5000, 500), 1, "", True),
        (flagged(5000, 500), flagged(5000, 1000), 1, "stop", False),
        (flagged(100_000, 20_000), flagged(100_000, 20_100), 1, "", True),
        (flagged(100, 10), flagged(100, 12), 1, "", False),
        (flagged(100, 10), flagged(100, 12), 3, "hold", False),
        (flagged(0, 0), flagged(0, 0), 3, "hold", False),
    ],
)
def test_what_follows(old: Seen, new: Seen, days: int, said: str, enough: bool) -> None:
    one = change(State.COMPARING, since=NOW, first_at=NOW)
    found = compare(AB, 0.05, old, new, None)
    after = concluded(found, GOING, one, POLICY, NOW + timedelta(days=days))
    assert (bool(after.stop), bool(after.hold), after.enough) == (said == "stop", said == "hold", enough)


def test_the_calls_that_it_takes_are_known_beforehand_or_unknown() -> None:
    assert planned(AB, 0.05, flagged(0, 0)) is None
    few, many = planned(AB, 0.05, flagged(1000, 10)), planned(AB, 0.05, flagged(1000, 400))
    assert few is not None and many is not None and 0 < few < many


@pytest.mark.parametrize(
    "wrong", [{"metric": "joy"}, {"minimum": 0}, {"power": 1}, {"split": 100}, {"longest_days": 0}]
)
def test_one_that_makes_no_sense_is_refused_with_its_place(wrong: dict[str, object]) -> None:
    (field,) = wrong
    ab = {"metric": "errors", "minimum": 0.05, **wrong}
    with pytest.raises(Invalid) as refused:
        parse({"systems": {"*": {"major": {"ab": ab}}}})
    assert f"ab.{field}" in (refused.value.where or "")
