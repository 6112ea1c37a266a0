"""Policies: what is shipped, with what a workspace writes laid over it, and what is wrong named by its place."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from holdfast.changes.model import ChangeClass
from holdfast.changes.rules import policy as policies
from holdfast.changes.rules.policy import SHIPPED, ClassPolicy, Policy
from holdfast.kernel.errors import Invalid


def test_what_nobody_wrote_is_as_shipped() -> None:
    for change_class in ChangeClass:
        assert policies.of(Policy(), "billing", change_class) == SHIPPED[change_class]


def test_a_system_lies_over_all_systems_and_these_over_what_is_shipped() -> None:
    written = policies.parse(
        {
            "systems": {
                "*": {"major": {"reviewers": 3, "guards": {"errors": {"margin": 0.1}}}},
                "billing": {"major": {"soak_hours": 1, "may": {"approve": ["admin"]}}},
            }
        }
    )
    billing = policies.of(written, "billing", ChangeClass.MAJOR)
    other = policies.of(written, "shop", ChangeClass.MAJOR)
    assert (billing.reviewers, billing.soak_hours, other.soak_hours) == (3, 1, 72)
    assert billing.guards["errors"].margin == 0.1 and "latency" in billing.guards
    assert not policies.may(billing, "approve", frozenset({"approver"}))
    assert policies.may(other, "approve", frozenset({"approver"}))
    assert policies.may(billing, "roll_back", frozenset({"operator"}))
    assert policies.of(written, "billing", ChangeClass.MINOR) == SHIPPED[ChangeClass.MINOR]


@pytest.mark.parametrize(
    ("said", "where"),
    [
        ({"stages": []}, "stages"),
        ({"stages": [50, 10, 100]}, "stages"),
        ({"stages": [10, 50]}, "stages"),
        ({"stages": [0, 100]}, "stages"),
        ({"reviewers": -1}, "reviewers"),
        ({"roles": ["king"]}, "roles"),
        ({"roles": []}, "roles"),
        ({"samples": 0}, "samples"),
        ({"dwell_minutes": -1}, "dwell_minutes"),
        ({"confidence": 1.0}, "confidence"),
        ({"stale_seconds": 10}, "stale_seconds"),
        ({"guards": {"errors": {"margin": 0}}}, "guards.errors.margin"),
        ({"guards": {"errors": {"margin": 0.1, "in_a_row": 1}}}, "guards.errors.in_a_row"),
        ({"guards": {"charm": {}}}, "guards.charm"),
        ({"may": {"dance": ["admin"]}}, "may.dance"),
        ({"shadow": {"percent": 0}}, "shadow.percent"),
        ({"colour": "red"}, ""),
    ],
)
def test_what_is_wrong_is_named_by_its_place(said: dict[str, Any], where: str) -> None:
    with pytest.raises(Invalid) as refused:
        policies.parse({"systems": {"billing": {"moderate": said}}})
    assert (refused.value.where or "").startswith("systems.billing.moderate")
    assert (refused.value.where or "").endswith(where)


def test_a_class_or_a_range_that_there_is_not_is_refused() -> None:
    with pytest.raises(Invalid, match="gigantic"):
        policies.parse({"systems": {"*": {"gigantic": {}}}})
    with pytest.raises(Invalid, match="least"):
        policies.parse({"parameters": {"temperature": {"least": 1, "most": 0}}})


def test_a_margin_of_the_gate_is_laid_over_the_others() -> None:
    written = {
        "systems": {
            "*": {"minor": {"deltas": {"latency": None}}},
            "billing": {"minor": {"deltas": {"cost": 0.1}}},
        }
    }
    found = policies.of(policies.parse(written), "billing", ChangeClass.MINOR)
    assert found.deltas == {"cost": 0.1, "latency": None, "format": 0.05}
    kept = msgspec.convert(msgspec.to_builtins(found), ClassPolicy)
    assert kept.deltas == found.deltas
    with pytest.raises(Invalid, match="margins above 0"):
        policies.parse({"systems": {"*": {"minor": {"deltas": {"speed": 0.1}}}}})
