"""Small models look at every call; what they alone find is counted, and people are asked about a share of it."""

from __future__ import annotations

from datetime import UTC, datetime

import msgspec
import pytest

from holdfast.evals.rules import review as rules
from holdfast.evals.rules.review import Basis, CallRef, Dimension, Found, Looked, Policy, Rates, Severity

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
CALLS = [CallRef(f"{n:032x}", f"{n:016x}", "shop", "prod", "ask", NOW) for n in range(2000)]
PLAIN = Policy()


def found(basis: Basis) -> Found:
    return Found("a-rule", "1", Dimension.POLICY, Severity.LOW, 0.9, basis)


def asked(policy: Policy, *bases: Basis) -> list[rules.Item]:
    looked = Looked(tuple(found(basis) for basis in bases))
    made = [rules.opened("rev", "w", policy, call, looked, NOW) for call in CALLS]
    return [one for one in made if one is not None]


def test_heads_look_at_every_call_unless_review_is_behind() -> None:
    assert {rules.wants_heads(PLAIN, call, False) for call in CALLS} == {1.0}
    behind = [rules.wants_heads(PLAIN, call, False, behind=True) for call in CALLS]
    assert set(behind) == {0.0, rules.BEHIND}
    assert sum(map(bool, behind)) / len(CALLS) == pytest.approx(rules.BEHIND, abs=0.02)
    assert rules.wants_heads(PLAIN, CALLS[0], True, behind=True) == 1.0, "always at what a rule flagged"
    none = Policy(sampling=Rates(heads=0))
    assert not any(rules.wants_heads(none, call, False) for call in CALLS)


@pytest.mark.parametrize("basis", [Basis.HEAD, Basis.SCORE])
def test_of_what_heads_alone_found_people_are_asked_about_a_share(basis: Basis) -> None:
    some = asked(PLAIN, basis)
    assert len(some) / len(CALLS) == pytest.approx(0.05, abs=0.02)
    assert {one.inclusion for one in some} == {0.05}
    assert len(asked(Policy(sampling=Rates(asked=1)), basis)) == len(CALLS)
    assert asked(Policy(sampling=Rates(asked=0)), basis) == []


def test_what_a_rule_found_too_is_always_asked_about() -> None:
    for bases in ((Basis.STATED,), (Basis.STATED, Basis.HEAD)):
        some = asked(PLAIN, *bases)
        assert len(some) == len(CALLS)
        assert {one.inclusion for one in some} == {1.0}


def test_a_policy_of_one_share_keeps_the_others() -> None:
    made = msgspec.convert({"sampling": {"people": 0.1}}, Policy)
    assert made.sampling == Rates(heads=1.0, asked=0.05, people=0.1)
