"""Break-glass: who may, for how long, what is said on the audit log, and that gateways hear of it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from tests.gateway.control.desk import Desk, document
from tests.platform.access.house import House

from holdfast.commands import gateway as configuring
from holdfast.commands import lifts as commands
from holdfast.gateway.actions import lifts
from holdfast.gateway.model import Lift, Lifted, Scope
from holdfast.kernel.context import Context
from holdfast.kernel.errors import Conflict, HoldfastError, Invalid, NotFound
from holdfast.kernel.time import iso
from holdfast.platform.access.model import Scope as Permission
from running_core import CoreProcess

PATH = "/api/v1/gateway/lifts"
BUDGETS = [
    {"scope": "tenant", "amount": "5", "only": ["acme", "birch"]},
    {"scope": "user", "amount": "5", "hard": False},
]


def lift(desk: Desk, ctx: Context, **changed: Any) -> Lift:
    said: dict[str, Any] = {
        "what": Lifted.BUDGET,
        "scope": Scope.TENANT,
        "value": "acme",
        "until": ctx.now + timedelta(hours=1),
        "reason": "the fair",
    }
    with desk.database.transaction() as tx:
        return lifts.lift(ctx, tx, **{**said, **changed})


def test_a_lift_reaches_gateways_with_who_answers_for_it(desk: Desk) -> None:
    ctx = desk.ctx()
    desk.apply(ctx, document(budgets=BUDGETS))
    before = desk.epoch()
    made = lift(desk, ctx, extra=Decimal("2.50"))
    assert desk.epoch() == before + 1
    assert (made.person, made.reason, made.extra) == ("Somebody", "the fair", Decimal("2.50"))
    [told] = desk.snapshot().workspaces[ctx.workspace].lifts
    assert told == made
    action, details = desk.audit(ctx)[-1]
    assert action == "gateway.lifted"
    assert details == {
        "what": "budget",
        "scope": "tenant",
        "value": "acme",
        "until": iso(made.until),
        "extra": "2.50",
        "person": "Somebody",
        "reason": "the fair",
    }
    with desk.database.transaction() as tx:
        ended = lifts.end_lift(ctx, tx, made.id)
        assert lifts.end_lift(ctx, tx, made.id).ended_at == ended.ended_at
    assert desk.epoch() == before + 2
    assert desk.snapshot().workspaces[ctx.workspace].lifts == ()
    assert desk.audit(ctx)[-1][0] == "gateway.lift_ended"


def test_one_that_is_over_is_told_to_nobody(desk: Desk, clock: Any) -> None:
    ctx = desk.ctx()
    desk.apply(ctx, document(budgets=BUDGETS))
    lift(desk, ctx)
    clock.move(seconds=3600)
    assert desk.snapshot().workspaces[ctx.workspace].lifts == ()


@pytest.mark.parametrize(
    ("changed", "where"),
    [
        ({"until": timedelta(0)}, "until"),
        ({"until": timedelta(hours=24, seconds=1)}, "until"),
        ({"reason": " "}, "reason"),
        ({"scope": Scope.USER, "value": ""}, "scope"),  # its budget is soft
        ({"value": "cedar"}, "scope"),  # the budget names others
        ({"what": Lifted.LIMIT}, "scope"),
        ({"what": Lifted.LIMIT, "scope": Scope.KEY, "extra": Decimal(1)}, "extra"),
        ({"extra": Decimal(0)}, "extra"),
        ({"extra": Decimal("NaN")}, "extra"),
        ({"value": "x" * 301}, "value"),
    ],
)
def test_what_cannot_be_lifted_so(desk: Desk, changed: dict[str, Any], where: str) -> None:
    ctx = desk.ctx()
    desk.apply(ctx, document(budgets=BUDGETS))
    if isinstance(changed.get("until"), timedelta):
        changed = {"until": ctx.now + changed["until"]}
    before = desk.epoch()
    with pytest.raises(Invalid) as refused:
        lift(desk, ctx, **changed)
    assert refused.value.where == where
    assert desk.epoch() == before


def test_who_is_no_person_must_name_one(desk: Desk) -> None:
    desk.apply(desk.ctx(), document(budgets=BUDGETS))
    ctx = desk.ctx(kind="key")
    with pytest.raises(Invalid, match="name the person"):
        lift(desk, ctx)
    assert lift(desk, ctx, person="Ann Lee").person == "Ann Lee"
    assert lift(desk, desk.ctx(), person="Somebody else").person == "Somebody"


def test_there_are_not_too_many(desk: Desk) -> None:
    ctx = desk.ctx()
    desk.apply(ctx, document(budgets=BUDGETS))
    for _ in range(lifts.MOST):
        lift(desk, ctx)
    with pytest.raises(Conflict):
        lift(desk, ctx)


def test_over_http_admins_lift_readers_look_and_neighbours_see_nothing(house: House, clock: Any) -> None:
    body = {
        "scope": "tenant",
        "value": "acme",
        "until": iso(clock() + timedelta(hours=2)),
        "reason": "the fair",
        "person": "Ann Lee",
        "extra": "3",
    }
    with house.client(house.key("acme", Permission.ADMIN)) as admin:
        assert admin.post(PATH, json=body).status_code == 422, "nothing is in force yet"
        admin.put("/api/v1/gateway", json=document(budgets=BUDGETS))
        made = admin.post(PATH, json=body)
        assert made.status_code == 201, made.text
        assert (made.json()["extra"], made.json()["in_force"]) == ("3", True)
        assert admin.post(PATH, json={**body, "more": 1}).status_code == 422
        assert admin.post(PATH, json={**body, "until": "2026-11-22T10:00:00"}).status_code == 422
    one = f"{PATH}/{made.json()['id']}"
    with house.client(house.key("acme", Permission.READ)) as reader:
        assert [found["id"] for found in reader.get(PATH).json()] == [made.json()["id"]]
        assert reader.post(PATH, json=body).status_code == 403
        assert reader.delete(one).status_code == 403
    with house.client(house.key("birch", Permission.ADMIN)) as other:
        assert other.get(PATH).json() == []
        assert other.delete(one).status_code == 404
    with house.client(house.key("acme", Permission.ADMIN)) as admin:
        assert admin.delete(one).json()["in_force"] is False
        assert admin.delete(one).status_code == 200


def test_the_command_line_lifts_lists_and_ends(tmp_path: Path) -> None:
    core = CoreProcess(tmp_path / "data", outbound_allow="127.0.0.1")
    core.workspace("acme")
    settings = core.settings.model_copy(update={"outbound_allow": "127.0.0.1"})
    file = tmp_path / "gateway.yaml"
    file.write_text("budgets: [{scope: tenant, amount: 5}]")
    configuring.apply(settings, file, "", "", None, dry_run=False)
    said: dict[str, Any] = {
        "scope": "tenant", "value": "acme", "minutes": 5, "person": "Ann", "reason": "why not",
        "extra": "", "limits": False,
    }  # fmt: skip
    assert "nothing is lifted" in commands.lifts(settings, "")
    made = commands.lift(settings, "", **said)
    assert "hard budgets over tenant acme lifted until" in made
    assert commands.lifts(settings, "acme") == made
    assert "has ended" in commands.unlift(settings, "", made.partition(":")[0])
    assert "nothing is lifted" in commands.lifts(settings, "")
    for changed in ({"scope": "planet"}, {"extra": "much"}, {"minutes": 1441}, {"person": ""}):
        with pytest.raises(HoldfastError):
            commands.lift(settings, "", **{**said, **changed})
    with pytest.raises(NotFound):
        commands.unlift(settings, "", "lift_none")
