"""Rules and figures made up for tests, and a workspace that evaluates them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from tests.platform.notify.desk import Desk

from holdfast.platform.notify.model import Severity
from holdfast.platform.notify.store import messages
from holdfast.platform.tenancy import actions as tenancy
from holdfast.signals import actions, store
from holdfast.signals.model import Alert, Memory, Period, Rule, RuleKind, Scope, Window
from holdfast.telemetry.model import TimeRange

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
EMPTY = TimeRange(NOW - timedelta(minutes=5), NOW)
BASE = "https://holdfast.acme.test"


def rule(kind: RuleKind = RuleKind.ERROR_RATE, **changed: Any) -> Rule:
    """A rule with plain values."""
    scope = Scope(
        **{name: changed.pop(name) for name in ("system", "environment", "route") if name in changed}
    )
    made = Rule("rule_1", "ws", "Shop", kind, scope, Severity.CRITICAL, None, True, NOW, "t", NOW)
    return replace(made, **changed)


def spend(amount: str = "100", period: Period = Period.DAY, **changed: Any) -> Rule:
    """A budget in dollars."""
    return rule(RuleKind.SPEND, amount=Decimal(amount), period=period, **changed)


def window(
    calls: int = 0, errors: int = 0, p95: float | None = None, unpriced: int = 0, **costs: str
) -> Window:
    """Figures; costs by currency."""
    return Window(
        EMPTY, calls, errors, p95, {code: Decimal(amount) for code, amount in costs.items()}, unpriced
    )


@dataclass
class Told:
    """Figures that say what they are told to, and remember what they were asked."""

    now: Window = field(default_factory=window)
    ever: Window = field(default_factory=window)
    asked: list[tuple[Scope, TimeRange]] = field(default_factory=list)

    def of(self, workspace: str, scope: Scope, within: TimeRange) -> Window:
        self.asked.append((scope, within))
        long = within.end - within.start == actions.LOOK_BACK
        return replace(self.ever if long else self.now, within=within)


@dataclass
class Post:
    """A workspace with one rule, evaluated when told to."""

    desk: Desk
    figures: Told = field(default_factory=Told)
    rule: Rule = field(default_factory=rule)

    def add(self, made: Rule, zone: str = "UTC") -> Rule:
        with self.desk.database.transaction() as tx:
            tenancy.rename_workspace(self.desk.ctx, tx, "Acme", zone)
            self.rule = actions.add_rule(self.desk.ctx, tx, made)
        return self.rule

    def change(self, **changed: Any) -> None:
        with self.desk.database.transaction() as tx:
            self.rule = actions.change_rule(self.desk.ctx, tx, replace(self.rule, **changed), BASE)

    def turn(self, now: Window | None = None, **later: float) -> list[Alert]:
        """Moves the clock on and evaluates."""
        self.desk.clock.move(**(later or {"seconds": 15}))
        if now is not None:
            self.figures.now = now
        return actions.evaluate(self.desk.database, self.figures, self.rule, self.desk.clock(), BASE)

    def alerts(self, is_open: bool | None = None) -> list[Alert]:
        with self.desk.database.reading() as tx:
            return store.listed(tx, self.desk.workspace, is_open=is_open, pairs=(("", ""),), limit=200)

    def memory(self) -> Memory:
        with self.desk.database.reading() as tx:
            found = store.rule(tx, self.desk.workspace, self.rule.id)
        assert found is not None
        return found[1]

    def told(self) -> list[str]:
        """Ids of the messages in the outbox, without the alert's own id: firing, resolved."""
        import sqlalchemy as sa

        with self.desk.database.reading() as tx:
            rows = tx.execute(sa.select(messages.c.id).order_by(messages.c.created_at, messages.c.id))
            return [row.id.partition(".")[2] for row in rows]
