"""What gateways say of budgets: told to people once, and shown beside what is configured; unknown where nobody says."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from tests.gateway.control.desk import Desk, document
from tests.platform.access.house import House

from holdfast.gateway.actions import budgets as actions
from holdfast.gateway.model import Budget, Period, Scope
from holdfast.gateway.reads import budgets as reads
from holdfast.gateway.reads.states import States
from holdfast.gateway.rules.scopes import budget_id
from holdfast.gateway.states import BudgetEventKind, BudgetState, LimitState, State
from holdfast.kernel.context import Context
from holdfast.platform.access.model import Scope as Permission
from holdfast.platform.notify import store as notified
from holdfast.platform.notify.actions import channels
from holdfast.platform.notify.model import ChannelConfig, ChannelKind
from holdfast.platform.secrets import master

ENDS = datetime(2026, 12, 1, tzinfo=UTC)
SOFT = {"scope": "tenant", "amount": "5", "hard": False}
HARD = {"scope": "workspace", "amount": "100"}


def standing(workspace: str, spent: str = "6", **changed: Any) -> BudgetState:
    """A soft budget of 5 over a tenant."""
    budget = Budget(scope=Scope.TENANT, amount=Decimal(5), hard=False)
    said: dict[str, Any] = {
        "workspace": workspace,
        "budget": budget_id(workspace, budget),
        "scope": Scope.TENANT,
        "value": "acme",
        "period": Period.MONTH,
        "window": "2026-11",
        "ends": ENDS,
        "hard": False,
        "currency": "USD",
        "amount": Decimal(5),
        "spent": Decimal(spent),
        "reserved": Decimal(0),
    }
    return BudgetState(**{**said, **changed})


def closed(workspace: str) -> BudgetState:
    budget = Budget(scope=Scope.WORKSPACE, amount=Decimal(100))
    id = budget_id(workspace, budget)
    return standing(
        workspace, "3", budget=id, scope=Scope.WORKSPACE, value=workspace, hard=True, closed=True,
        amount=Decimal(100),
    )  # fmt: skip


def channel(desk: Desk, ctx: Context) -> str:
    with desk.database.transaction() as tx:
        config = ChannelConfig(url="http://127.0.0.1:9/in")
        made, _ = channels.add_channel(
            ctx, tx, master.load(desk.settings), name="Tickets", kind=ChannelKind.WEBHOOK, config=config
        )
        return made.id


@pytest.mark.parametrize(
    ("changed", "kind"),
    [
        ({"spent": "5.000000000001"}, BudgetEventKind.CROSSED),
        ({"spent": "5"}, None),  # all of it, and no more
        ({"spent": "4", "reserved": Decimal(3)}, None),  # it may become less
        ({"spent": "3", "elsewhere": Decimal(3)}, BudgetEventKind.CROSSED),
        ({"spent": "6", "hard": True}, None),  # a lifted one
        ({"spent": "1", "hard": True, "closed": True}, BudgetEventKind.BREACHED),
    ],
)
def test_what_people_must_be_told(changed: dict[str, Any], kind: BudgetEventKind | None) -> None:
    assert standing("ws_1", **changed).event is kind


def test_it_is_told_once_however_often_and_by_however_many(desk: Desk) -> None:
    ctx = desk.ctx()
    channel(desk, ctx)
    one, other = standing(ctx.workspace), closed(ctx.workspace)
    for _ in range(2):
        made = actions.tell(desk.services, [one, other, standing(ctx.workspace, "4", value="quiet")])
    assert made == []
    again = [
        standing(ctx.workspace, "9"),  # another process, or later
        standing(ctx.workspace, value="birch"),
        standing(ctx.workspace, window="2026-12"),
        standing("ws_gone"),
    ]
    assert {(e.value, e.window) for e in actions.tell(desk.services, again)} == {
        ("birch", "2026-11"),
        ("acme", "2026-12"),
    }
    told = [action for action, _ in desk.audit(ctx) if action.startswith("gateway.budget")]
    assert sorted(told) == ["gateway.budget_breached", *["gateway.budget_crossed"] * 3]
    with desk.database.reading() as tx:
        kept = reads.events(ctx, tx)
        sent = [notified.deliveries_of_message(tx, event.id) for event in kept]
        message = notified.message(tx, next(e.id for e in kept if e.kind == "breached"))
    assert [len(one) for one in sent] == [1, 1, 1, 1]
    assert message.title == "Hard budget closed: workspace acme"
    assert message.severity == "critical"
    assert message.link.endswith("/w/acme/gateway/budgets")
    with desk.database.reading() as tx:
        assert reads.events(desk.ctx("birch"), tx) == []


def state(id: str, workspace: str, at: datetime, *budgets: BudgetState, **more: Any) -> State:
    return State(id=id, epoch=3, version="0", started_at=at, at=at, budgets=budgets, **more)


def test_figures_of_several_processes_are_one_and_unknown_without_any(
    house: House, states: States, clock: Any
) -> None:
    mine, theirs = house.workspace("acme").id, house.workspace("birch").id
    limits = [{"scope": "key", "requests_per_minute": 60}]
    with house.client(house.key("acme", Permission.ADMIN)) as admin:
        admin.put("/api/v1/gateway", json=document(budgets=[SOFT, HARD], limits=limits))
    with house.client(house.key("acme", Permission.READ)) as reader:
        nothing = reader.get("/api/v1/gateway/budgets").json()
        assert (nothing["gateways"], nothing["as_of"]) == (0, None)
        assert [one["values"] for one in nothing["budgets"]] == [[], []]
        now, before = clock(), clock() - timedelta(seconds=20)
        used = LimitState(
            workspace=mine, limit=f"{mine}/key/", scope=Scope.KEY, value="key_1", requests=7, tokens=90,
            running=1, requests_per_minute=60,
        )  # fmt: skip
        states.put(
            state("gw_1/0", mine, now, standing(mine, "2", reserved=Decimal("0.5")), limits=(used, used))
        )
        hidden = standing(theirs, "77", value="hidden")
        states.put(state("gw_1/1", mine, before, standing(mine, "1.25"), hidden, limits=(used,)))
        states.put(state("gw_2/0", mine, now, closed(mine), cut=(mine,)))
        answer = reader.get("/api/v1/gateway/budgets")
        assert "hidden" not in answer.text
        found = answer.json()
    assert found["gateways"] == 3
    assert found["as_of"].startswith(before.isoformat()[:19])
    soft, hard = found["budgets"]
    assert soft["values"] == [
        {
            "value": "acme",
            "window": "2026-11",
            "resets_at": "2026-12-01T00:00:00.000000Z",
            "amount": "5",
            "spent": "3.25",
            "reserved": "0.5",
            "closed": False,
            "lifted": False,
            "at_least": True,  # gw_2 left something out
        }
    ]
    assert [(one["value"], one["closed"], one["at_least"]) for one in hard["values"]] == [(mine, True, False)]
    [limit] = found["limits"]
    assert limit["values"] == [
        {"value": "key_1", "requests": 21, "tokens": 270, "running": 3, "at_least": True}
    ]


def test_events_over_http_are_of_ones_own_workspace(house: House) -> None:
    workspace = house.workspace("acme").id
    services_desk = Desk(house.database, house.settings, house.clock)
    actions.tell(services_desk.services, [standing(workspace)])
    for slug, count in (("acme", 1), ("birch", 0)):
        with house.client(house.key(slug, Permission.READ)) as reader:
            found = reader.get("/api/v1/gateway/budgets/events").json()
            assert len(found) == count
            assert all((one["kind"], one["spent"], one["amount"]) == ("crossed", "6", "5") for one in found)
