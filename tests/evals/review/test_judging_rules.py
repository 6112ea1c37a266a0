"""What a policy may say of judges, which calls they are shown, and how sure a finding of theirs is."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from holdfast.evals.rules.judging import Kind
from holdfast.evals.rules.online import read_policy
from holdfast.evals.rules.review import Basis, CallRef, Dimension, Found, Policy, Severity, for_judges, raises
from holdfast.evals.rules.review_judging import (
    Shown,
    Verdicts,
    check_known,
    confidence,
    corrected,
    spendable,
)
from holdfast.kernel.errors import Invalid

TONE = {"judge": "polite", "dimension": "tone", "max_cost": "1"}
KNOWN = {"polite": Kind.RUBRIC, "pairs": Kind.PAIRWISE, "held": Kind.REFERENCE}


def policy(*judges: dict[str, Any]) -> Policy:
    return read_policy({"judges": list(judges)})


def call(number: int, route: str = "ask") -> CallRef:
    return CallRef(
        f"{number:032x}", f"{number:016x}", "shop", "prod", route, datetime(2026, 1, 5, tzinfo=UTC)
    )


@pytest.mark.parametrize(
    ("judges", "where", "said"),
    [
        ([{"judge": "polite", "dimension": "tone"}], "judges[0]", "max_cost"),
        ([{**TONE, "rate": 0}], "judges[0].rate", "above 0"),
        ([{**TONE, "rate": 1.5}], "judges[0].rate", "above 0"),
        ([{**TONE, "max_cost": "0"}], "judges[0].max_cost", "above 0"),
        ([{**TONE, "max_cost": "NaN"}], "judges[0].max_cost", "USD a day"),
        ([TONE, {**TONE, "judge": "other"}], "judges[1].routes", "every other route"),
        (
            [{**TONE, "routes": ["a", "b"]}, {**TONE, "judge": "other", "routes": ["b"]}],
            "judges[1].routes",
            "the route b",
        ),
        ([TONE, {**TONE, "dimension": "pii leak"}], "judges[1].dimension", "judges tone already"),
        ([TONE, {**TONE, "routes": ["a"], "max_cost": "2"}], "judges[1].max_cost", "one ceiling"),
        ([{**TONE, "dimension": "colour"}], "judges[0].dimension", "invalid"),
    ],
)
def test_what_a_policy_may_not_say_is_refused_with_its_place(
    judges: list[dict[str, Any]], where: str, said: str
) -> None:
    with pytest.raises(Invalid, match=said) as refused:
        policy(*judges)
    assert refused.value.where == where


@pytest.mark.parametrize(
    ("name", "said"), [("gone", "name one of: polite"), ("pairs", "another answer"), ("held", "a reference")]
)
def test_a_judge_that_cannot_judge_live_calls_is_refused(name: str, said: str) -> None:
    with pytest.raises(Invalid, match=said) as refused:
        check_known(policy(TONE, {**TONE, "judge": name, "routes": ["a"]}).judges, KNOWN)
    assert refused.value.where == "judges[1].judge"
    check_known(policy(TONE).judges, KNOWN)


def test_a_judge_that_names_the_route_takes_the_place_of_one_that_names_none() -> None:
    made = policy({**TONE, "rate": 1}, {**TONE, "judge": "other", "rate": 1, "routes": ["chat"]})
    assert [one.judge for one in for_judges(made, call(1, "chat"), False)] == ["other"]
    assert [one.judge for one in for_judges(made, call(1, "ask"), False)] == ["polite"]


def test_the_sample_is_the_share_the_same_each_time_and_all_that_is_flagged() -> None:
    made = policy({**TONE, "rate": 0.2})
    drawn = [for_judges(made, call(n), False) for n in range(2000)]
    assert drawn == [for_judges(made, call(n), False) for n in range(2000)]
    assert 340 < sum(map(len, drawn)) < 460
    assert {one.weight for some in drawn for one in some} == {5.0}
    assert all(for_judges(made, call(n), True)[0].weight == 1.0 for n in range(50))
    never = policy({**TONE, "rate": 0.2, "always": False})
    assert [for_judges(never, call(n), True) for n in range(2000)] == drawn


def verdicts(failed: int, of: int, weight: float = 1.0) -> Verdicts:
    return Verdicts(failed * weight, of * weight, of * weight**2)


@pytest.mark.parametrize(
    ("shown", "said"),
    [
        (None, verdicts(10, 100)),  # never checked
        (Shown(4, 4, 16, 16), verdicts(10, 100)),  # too few bad answers among its labels
        (Shown(8, 8, 16, 16), verdicts(2, 19)),  # too few live ones
        (Shown(4, 8, 8, 16), verdicts(50, 100)),  # no better than chance
    ],
)
def test_what_labels_cannot_correct_is_the_judges_word_and_says_so(
    shown: Shown | None, said: Verdicts
) -> None:
    assert corrected(shown, said) is None
    assert confidence(0.25, shown, said) == (0.75, Basis.UNCORRECTED)


def test_a_rare_fault_makes_a_judge_that_errs_less_sure() -> None:
    shown = Shown(9, 10, 18, 20)
    common, basis = confidence(0.0, shown, verdicts(50, 100))
    rare, _ = confidence(0.0, shown, verdicts(14, 100))
    assert basis is Basis.JUDGE
    # half fail: 0.5 are truly bad of which 0.9 are caught, 0.1 of the rest fail wrongly
    assert common == pytest.approx(0.9, abs=0.001)
    # 14 in 100 fail: 0.05 are bad
    assert rare == pytest.approx(0.045 / 0.14, abs=0.001)


def test_calls_that_stand_for_many_tell_no_more_than_their_number() -> None:
    shown = Shown(9, 10, 18, 20)
    assert corrected(shown, verdicts(10, 50, 20.0)) == corrected(shown, verdicts(10, 50))


def test_an_uncorrected_judge_is_never_told_at_once() -> None:
    harm = Found("judge safe", "1", Dimension.HARM, Severity.CRITICAL, 1.0, Basis.UNCORRECTED)
    assert raises(Policy(), [harm]) is None


def test_a_ceiling_is_not_crossed_and_what_has_no_price_cannot_be_held_to_it() -> None:
    one, half = Decimal(1), Decimal("0.5")
    assert spendable(one, half, half, 0, "polite") == ""
    assert "1 USD a day" in spendable(one, half, Decimal("0.51"), 0, "polite")
    assert "price" in spendable(one, Decimal(0), Decimal(0), 1, "polite")
