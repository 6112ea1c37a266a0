"""Tables of signals, and every query on them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from holdfast.platform.notify.model import Severity
from holdfast.signals.model import Alert, Memory, Period, Rule, RuleKind, Scope, State
from holdfast.storage.sql import Instant, Transaction, metadata

alert_rules = sa.Table(
    "alert_rules",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), nullable=False, index=True),
    sa.Column("name", sa.String(100), nullable=False),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("scope", sa.Text, nullable=False),  # JSON of Scope
    sa.Column("condition", sa.Text, nullable=False),  # JSON: what its kind asks for
    sa.Column("severity", sa.String(20), nullable=False),
    sa.Column("channels", sa.Text),  # JSON list; null: every channel
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("created_by", sa.String(200), nullable=False),
    sa.Column("changed_at", Instant, nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("due_at", Instant, nullable=False, index=True),  # its next evaluation: a claim moves it on
    sa.Column("memory", sa.Text, nullable=False),  # JSON of Memory
    sa.Column("removed_at", Instant),
)

alerts = sa.Table(
    "alerts",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("rule", sa.String(40), sa.ForeignKey("alert_rules.id"), nullable=False),
    sa.Column("revision", sa.Integer, nullable=False),
    sa.Column("part", sa.String(10), nullable=False),
    sa.Column("period", sa.String(10), nullable=False),
    sa.Column("system", sa.Text, nullable=False),
    sa.Column("environment", sa.Text, nullable=False),
    sa.Column("title", sa.Text, nullable=False),
    sa.Column("severity", sa.String(20), nullable=False),
    sa.Column("opened_at", Instant, nullable=False),
    sa.Column("value", sa.Text, nullable=False),
    sa.Column("link", sa.Text, nullable=False),
    sa.Column("told", sa.Boolean, nullable=False),
    sa.Column("closed_at", Instant),
    sa.Column("closed_because", sa.Text, nullable=False),
    sa.Index(None, "rule", "period"),
    sa.Index(None, "workspace", "opened_at"),
)

_INSTANTS = ("since", "evaluated_at", "clear_since", "watching_since")


def _rule(row: Any) -> Rule:
    told = json.loads(row.condition)
    return Rule(
        id=row.id,
        workspace=row.workspace,
        name=row.name,
        kind=RuleKind(row.kind),
        scope=Scope(**json.loads(row.scope)),
        severity=Severity(row.severity),
        channels=None if row.channels is None else tuple(json.loads(row.channels)),
        enabled=row.enabled,
        created_at=row.created_at,
        created_by=row.created_by,
        changed_at=row.changed_at,
        revision=row.revision,
        window=timedelta(seconds=told["window"]),
        min_calls=told["min_calls"],
        share=told["share"],
        ms=told["ms"],
        period=Period(told["period"]),
        amount=Decimal(told["amount"]),
        currency=told["currency"],
        percents=tuple(told["percents"]),
    )


def _values(rule: Rule) -> dict[str, Any]:
    condition = {
        "window": rule.window.total_seconds(),
        "min_calls": rule.min_calls,
        "share": rule.share,
        "ms": rule.ms,
        "period": rule.period.value,
        "amount": f"{rule.amount:f}",
        "currency": rule.currency,
        "percents": list(rule.percents),
    }
    return {
        "id": rule.id,
        "workspace": rule.workspace,
        "name": rule.name,
        "kind": rule.kind.value,
        "scope": json.dumps(asdict(rule.scope)),
        "condition": json.dumps(condition),
        "severity": rule.severity.value,
        "channels": None if rule.channels is None else json.dumps(list(rule.channels)),
        "enabled": rule.enabled,
        "created_at": rule.created_at,
        "created_by": rule.created_by,
        "changed_at": rule.changed_at,
        "revision": rule.revision,
    }


def _memory(text: str) -> Memory:
    told = json.loads(text)
    for name in _INSTANTS:
        told[name] = datetime.fromisoformat(told[name]) if told[name] else None
    return Memory(**{**told, "state": State(told["state"])})


def _memory_text(memory: Memory) -> str:
    told = asdict(memory)
    for name in _INSTANTS:
        told[name] = told[name].isoformat() if told[name] else None
    return json.dumps({**told, "state": memory.state.value})


def _alert(row: Any) -> Alert:
    parts = {name: getattr(row, name) for name in Alert.__dataclass_fields__}
    return Alert(**{**parts, "severity": Severity(row.severity)})


def add_rule(tx: Transaction, rule: Rule, due_at: datetime) -> None:
    """A new rule, with nothing to remember."""
    tx.execute(alert_rules.insert().values(**_values(rule), due_at=due_at, memory=_memory_text(Memory())))


def change_rule(tx: Transaction, rule: Rule, due_at: datetime, memory: Memory) -> None:
    """Changes one, and what it remembers."""
    statement = alert_rules.update().where(alert_rules.c.id == rule.id)
    tx.execute(statement.values(**_values(rule), due_at=due_at, memory=_memory_text(memory)))


def remove_rule(tx: Transaction, rule_id: str, at: datetime) -> None:
    """It is evaluated no more; its alerts stay."""
    statement = alert_rules.update().where(alert_rules.c.id == rule_id)
    tx.execute(statement.values(removed_at=at, enabled=False))


def rules_of(tx: Transaction, workspace: str) -> list[tuple[Rule, Memory]]:
    """Those that were not removed, by name."""
    statement = tx.select(alert_rules, workspace).where(alert_rules.c.removed_at.is_(None))
    rows = tx.execute(statement.order_by(alert_rules.c.name, alert_rules.c.id))
    return [(_rule(row), _memory(row.memory)) for row in rows]


def rule(tx: Transaction, workspace: str, rule_id: str, *, lock: bool = False) -> tuple[Rule, Memory] | None:
    """One that was not removed; `lock`: nobody else decides on it until the transaction ends."""
    statement = tx.select(alert_rules, workspace).where(
        alert_rules.c.id == rule_id, alert_rules.c.removed_at.is_(None)
    )
    row = tx.execute(statement.with_for_update() if lock else statement).one_or_none()
    return None if row is None else (_rule(row), _memory(row.memory))


def anything_due(tx: Transaction, now: datetime) -> bool:
    """Whether a rule is to be evaluated."""
    return tx.execute(sa.select(alert_rules.c.id).where(_due(now)).limit(1)).first() is not None


def claim_due(tx: Transaction, now: datetime, next_at: datetime, limit: int) -> list[Rule]:
    """Rules of every workspace that are to be evaluated now. They are due again at `next_at`: one process has them."""
    statement = sa.select(alert_rules).where(_due(now)).order_by(alert_rules.c.due_at).limit(limit)
    found = [_rule(row) for row in tx.execute(statement.with_for_update(skip_locked=True))]
    ids = [one.id for one in found]
    tx.execute(alert_rules.update().where(alert_rules.c.id.in_(ids)).values(due_at=next_at))
    return found


def _due(now: datetime) -> sa.ColumnElement[bool]:
    return sa.and_(alert_rules.c.enabled, alert_rules.c.removed_at.is_(None), alert_rules.c.due_at <= now)


def put_memory(tx: Transaction, rule_id: str, memory: Memory) -> None:
    """Keeps what a rule remembers."""
    tx.execute(alert_rules.update().where(alert_rules.c.id == rule_id).values(memory=_memory_text(memory)))


def add_alert(tx: Transaction, alert: Alert) -> None:
    """A new one."""
    tx.execute(alerts.insert().values(**(asdict(alert) | {"severity": alert.severity.value})))


def close_alert(tx: Transaction, alert_id: str, at: datetime, because: str, value: str) -> None:
    """Ends one; `value` is the last that was read."""
    statement = alerts.update().where(alerts.c.id == alert_id, alerts.c.closed_at.is_(None))
    tx.execute(statement.values(closed_at=at, closed_because=because, value=value))


def put_value(tx: Transaction, rule_id: str, period: str, value: str) -> None:
    """The last value of a rule's open alerts of a period."""
    statement = alerts.update().where(
        alerts.c.rule == rule_id, alerts.c.period == period, alerts.c.closed_at.is_(None)
    )
    tx.execute(statement.values(value=value))


def alerts_of_rule(tx: Transaction, rule: Rule, period: str) -> list[Alert]:
    """What a decision needs: those of this revision and period, and all that are open."""
    this = sa.and_(alerts.c.revision == rule.revision, alerts.c.period == period, alerts.c.period != "")
    statement = sa.select(alerts).where(alerts.c.rule == rule.id, sa.or_(this, alerts.c.closed_at.is_(None)))
    return [_alert(row) for row in tx.execute(statement.order_by(alerts.c.opened_at, alerts.c.id))]


def listed(
    tx: Transaction,
    workspace: str,
    *,
    is_open: bool | None,
    pairs: Sequence[tuple[str, str]],
    limit: int,
    after: tuple[datetime, str] | None = None,
) -> list[Alert]:
    """The latest alerts, of the (system, environment) pairs given alone; an empty text there means any."""
    statement = tx.select(alerts, workspace)
    if is_open is not None:
        statement = statement.where(
            alerts.c.closed_at.is_(None) if is_open else alerts.c.closed_at.is_not(None)
        )
    within = [
        sa.and_(
            alerts.c.system == system if system else sa.true(),
            alerts.c.environment == environment if environment else sa.true(),
        )
        for system, environment in pairs
    ]
    statement = statement.where(sa.or_(sa.false(), *within))
    if after is not None:
        at, last = after
        statement = statement.where(
            sa.or_(alerts.c.opened_at < at, sa.and_(alerts.c.opened_at == at, alerts.c.id < last))
        )
    statement = statement.order_by(alerts.c.opened_at.desc(), alerts.c.id.desc()).limit(limit)
    return [_alert(row) for row in tx.execute(statement)]
