"""A gateway's configuration in a workspace, marked in all that may be named freely."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

from holdfast.gateway import actions
from holdfast.gateway.actions import budgets, lifts
from holdfast.gateway.model import Lifted, Period, Scope
from holdfast.gateway.states import BudgetState
from holdfast.kernel.context import Context
from holdfast.kernel.time import utc_now
from holdfast.platform.secrets import master
from holdfast.platform.services import Services
from holdfast.platform.settings import Settings
from holdfast.storage.sql import Database, Transaction


def gate_of(ctx: Context, tx: Transaction, settings: Settings, mark: str, key: str) -> dict[str, str]:
    """Puts one in force; what stands for its parts in paths."""
    name = f"vendor-{mark}"
    reference = actions.keep_secret(ctx, tx, master.load(settings), name, f"sk-{mark}")
    upstream = {"dialect": "openai", "base_url": "https://1.1.1.1/v1", "credential": reference}
    document: dict[str, Any] = {
        "upstreams": {f"up-{mark}": {**upstream, "models": [f"model-{mark}"]}},
        "releases": {f"rel-{mark}": {"chain": [{"upstream": f"up-{mark}"}]}},
        "routes": {f"route-{mark}": {"release": f"rel-{mark}", "message": f"sorry {mark}"}},
        "budgets": [
            {"scope": "tenant", "amount": "5"},
            {"scope": "tenant", "amount": "3", "hard": False, "only": [f"tenant-{mark}"]},
        ],
        "limits": [{"scope": "tenant", "requests_per_minute": 9, "only": [f"tenant-{mark}"]}],
        "keys": {key: {"tenant": f"tenant-{mark}"}},
    }
    judged = actions.judge(settings, document)
    actions.apply(ctx, tx, judged, note=f"because {mark}")
    lift = lifts.lift(
        ctx,
        tx,
        what=Lifted.BUDGET,
        scope=Scope.TENANT,
        value=f"tenant-{mark}",
        until=ctx.now + timedelta(hours=20),
        reason=f"because {mark}",
        person=f"person {mark}",
    )
    return {"secret": name, "version": "1", "lift": lift.id}


def crossed(settings: Settings, database: Database, workspace: str, mark: str) -> None:
    """A gateway tells that a soft budget is crossed."""
    services = Services(settings, utc_now, database, None)  # type: ignore[arg-type]
    budgets.tell(
        services,
        [
            BudgetState(
                workspace=workspace,
                budget=f"{workspace}/tenant",
                scope=Scope.TENANT,
                value=f"tenant-{mark}",
                period=Period.MONTH,
                window="2026-11",
                ends=services.clock() + timedelta(days=3),
                hard=False,
                currency="USD",
                amount=Decimal(3),
                spent=Decimal(4),
                reserved=Decimal(0),
            )
        ],
    )
