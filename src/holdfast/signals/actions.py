"""Verbs of signals: keep rules, and decide on figures: alert, messages and audit entry in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime, timedelta

from holdfast.kernel.context import SYSTEM, Context
from holdfast.kernel.errors import Invalid, NotFound
from holdfast.kernel.ids import new_id
from holdfast.platform.audit import actions as audit
from holdfast.platform.notify import actions as notify
from holdfast.platform.notify import reads as channels
from holdfast.platform.notify.model import Message, MessageKind
from holdfast.platform.tenancy import reads as tenancy
from holdfast.platform.tenancy.model import Workspace
from holdfast.signals import rules, store
from holdfast.signals.model import Alert, Figures, Memory, Reading, Rule, RuleKind, State, Window
from holdfast.storage.sql import Database, Transaction
from holdfast.telemetry.model import TimeRange

MOST_RULES = 500
LOOK_BACK = timedelta(days=7)
"""How far back a rule on silence looks for a first call, until it has seen one."""


def add_rule(ctx: Context, tx: Transaction, rule: Rule) -> Rule:
    """Adds a rule: id, workspace, maker and times are set here. It is evaluated within seconds. Raises Invalid."""
    if len(store.rules_of(tx, ctx.workspace)) >= MOST_RULES:
        raise Invalid(f"a workspace has at most {MOST_RULES} rules", where="name")
    made = rules.check_rule(
        replace(
            rule,
            id=new_id("rule"),
            workspace=ctx.workspace,
            created_at=ctx.now,
            created_by=ctx.actor.id,
            changed_at=ctx.now,
            revision=1,
        )
    )
    _check_channels(ctx, tx, made)
    store.add_rule(tx, made, ctx.now)
    audit.record(ctx, tx, action="alert_rule.added", subject=made.id, details=_told(made))
    return made


def change_rule(ctx: Context, tx: Transaction, rule: Rule, base_url: str) -> Rule:
    """Changes the rule with this id; its kind stays. Open alerts of what it no longer watches are closed and told.

    Raises NotFound, Invalid.
    """
    before, memory = _there(ctx, tx, rule.id)
    made = rules.check_rule(
        replace(
            rule,
            workspace=ctx.workspace,
            kind=before.kind,
            created_at=before.created_at,
            created_by=before.created_by,
            changed_at=ctx.now,
            revision=before.revision,
        )
    )
    _check_channels(ctx, tx, made)
    alike = rules.watches_alike(before, made)
    if not alike:
        made, memory = replace(made, revision=before.revision + 1), Memory()
    store.change_rule(tx, made, ctx.now, memory if made.enabled else Memory())
    if not alike or not made.enabled:
        because = "the rule was changed" if made.enabled else "the rule was switched off"
        _close_all(ctx, tx, before, because, base_url)
    audit.record(ctx, tx, action="alert_rule.changed", subject=made.id, details=_told(made))
    return made


def remove_rule(ctx: Context, tx: Transaction, rule_id: str, base_url: str) -> None:
    """Ends a rule; its open alerts are closed and told. Raises NotFound."""
    before, _ = _there(ctx, tx, rule_id)
    store.remove_rule(tx, rule_id, ctx.now)
    _close_all(ctx, tx, before, "the rule was removed", base_url)
    audit.record(ctx, tx, action="alert_rule.removed", subject=rule_id, details={"name": before.name})


def claim_due(tx: Transaction, now: datetime, limit: int = 100) -> list[Rule]:
    """Rules to evaluate now, of every workspace; nobody else has them until the next turn. Commit, then evaluate."""
    return store.claim_due(tx, now, now + rules.EVERY, limit)


def anything_due(tx: Transaction, now: datetime) -> bool:
    """Whether `claim_due` may find something."""
    return store.anything_due(tx, now)


def evaluate(database: Database, figures: Figures, rule: Rule, now: datetime, base_url: str) -> list[Alert]:
    """Reads a rule's figures and keeps what follows; returns the alerts that opened or closed. Raises Unavailable.

    Safe with several processes: the decision is made on what is kept, under a lock, so that a transition happens
    and is told once, whoever comes first.
    """
    with database.reading() as tx:
        workspace = tenancy.workspace_by_id(tx, rule.workspace)
        found = store.rule(tx, rule.workspace, rule.id)
    if found is None:
        return []
    rule, memory = found
    window = figures.of(rule.workspace, rule.scope, rules.looks_at(rule, workspace.zone, now))
    if rule.kind is RuleKind.NO_DATA and not window.calls and not memory.seen:
        before = TimeRange(now - LOOK_BACK, now)
        memory = replace(memory, seen=figures.of(rule.workspace, rule.scope, before).calls > 0)
    with database.transaction() as tx:
        return decide(tx, workspace, rule, window, now, base_url, seen=memory.seen)


def decide(
    tx: Transaction,
    workspace: Workspace,
    rule: Rule,
    window: Window,
    now: datetime,
    base_url: str,
    *,
    seen: bool = False,
) -> list[Alert]:
    """Decides on figures and keeps what follows: memory, alerts, messages, audit entries, in this transaction.

    Figures that are older than the last decision, or of another version of the rule, change nothing.
    """
    found = store.rule(tx, rule.workspace, rule.id, lock=True)
    if found is None or not found[0].enabled or found[0].revision != rule.revision:
        return []
    rule, memory = found
    if memory.evaluated_at is not None and memory.evaluated_at >= now:
        return []
    memory = rules.watched(replace(memory, seen=memory.seen or seen), window, now)
    reading = rules.read(rule, window, memory, now)
    period = rules.period_key(rule, workspace.zone, now)
    known = store.alerts_of_rule(tx, rule, period)
    verdict = rules.decide(rule, reading, memory, known, period, now)
    store.put_memory(tx, rule.id, verdict.memory)
    ctx = Context(rule.workspace, SYSTEM, now)
    link = rules.link_of(base_url, workspace.slug, rule, window.within)
    opened = [
        _open(rule, part, period, reading, link, now, told=part in verdict.loud) for part in verdict.opens
    ]
    for alert in opened:
        store.add_alert(tx, alert)
    if any(one.closed_at is None for one in known) and reading.state is not State.UNKNOWN:
        store.put_value(tx, rule.id, period, reading.value)
    by_id = {one.id: one for one in known}
    closed = [replace(by_id[id_], closed_at=now, closed_because=why) for id_, why in verdict.closes]
    for alert in closed:
        value = alert.value if rule.kind is RuleKind.SPEND else reading.value
        store.close_alert(tx, alert.id, now, alert.closed_because, value)
    for alert in opened:
        if alert.told:
            notify.send(ctx, tx, rule.channels, _firing(workspace, rule, alert, reading))
    for alert in closed:
        if alert.told:
            notify.send(ctx, tx, rule.channels, _resolved(workspace, rule, alert, now))
    _record(ctx, tx, rule, opened, closed)
    return [*opened, *closed]


def _open(
    rule: Rule, part: str, period: str, reading: Reading, link: str, now: datetime, *, told: bool
) -> Alert:
    return Alert(
        id=new_id("alert"),
        workspace=rule.workspace,
        rule=rule.id,
        revision=rule.revision,
        part=part,
        period=period,
        system=rule.scope.system,
        environment=rule.scope.environment,
        title=rules.title_of(rule, part),
        severity=rule.severity,
        opened_at=now,
        value=reading.value,
        link=link,
        told=told,
    )


def _firing(workspace: Workspace, rule: Rule, alert: Alert, reading: Reading) -> Message:
    summary = f"{reading.value[:1].upper()}{reading.value[1:]}."
    if reading.note:
        summary += f" Note: {reading.note}."
    facts = (("Rule", rules.condition_of(rule)), ("Scope", rules.scope_of(rule)), *reading.facts)
    return _message(workspace, rule, alert, MessageKind.FIRING, alert.title, summary, alert.opened_at, facts)


def _resolved(workspace: Workspace, rule: Rule, alert: Alert, now: datetime) -> Message:
    minutes = timedelta(minutes=max(1, round((now - alert.opened_at) / timedelta(minutes=1))))
    summary = f"Closed after {rules.words(minutes)}: {alert.closed_because}."
    facts = (("Rule", rules.condition_of(rule)), ("Scope", rules.scope_of(rule)), ("Last value", alert.value))
    title = rules.title_of(rule, alert.part, resolved=True)
    return _message(workspace, rule, alert, MessageKind.RESOLVED, title, summary, now, facts)


def _message(
    workspace: Workspace,
    rule: Rule,
    alert: Alert,
    kind: MessageKind,
    title: str,
    summary: str,
    at: datetime,
    facts: tuple[tuple[str, str], ...],
) -> Message:
    return Message(
        id=f"{alert.id}.{'firing' if kind is MessageKind.FIRING else 'resolved'}",
        kind=kind,
        severity=alert.severity,
        title=title,
        summary=summary,
        at=at,
        workspace=workspace.id,
        workspace_name=workspace.name,
        system=rule.scope.system,
        about=alert.id,
        link=alert.link,
        facts=facts,
    )


def _close_all(ctx: Context, tx: Transaction, rule: Rule, because: str, base_url: str) -> None:
    workspace = tenancy.workspace_by_id(tx, ctx.workspace)
    still = [one for one in store.alerts_of_rule(tx, rule, "") if one.closed_at is None]
    for alert in still:
        store.close_alert(tx, alert.id, ctx.now, because, alert.value)
        if alert.told:
            ended = replace(alert, closed_at=ctx.now, closed_because=because)
            notify.send(ctx, tx, rule.channels, _resolved(workspace, rule, ended, ctx.now))
    _record(ctx, tx, rule, [], still)


def _record(
    ctx: Context, tx: Transaction, rule: Rule, opened: Sequence[Alert], closed: Sequence[Alert]
) -> None:
    for alert in opened:
        details = {"rule": rule.id, "name": rule.name, "value": alert.value, "threshold": alert.part}
        audit.record(ctx, tx, action="alert.opened", subject=alert.id, details=details)
    for alert in closed:
        details = {"rule": rule.id, "name": rule.name, "value": alert.value, "because": alert.closed_because}
        audit.record(ctx, tx, action="alert.closed", subject=alert.id, details=details)


def _there(ctx: Context, tx: Transaction, rule_id: str) -> tuple[Rule, Memory]:
    found = store.rule(tx, ctx.workspace, rule_id, lock=True)
    if found is None:
        raise NotFound("there is no such rule in this workspace")
    return found


def _check_channels(ctx: Context, tx: Transaction, rule: Rule) -> None:
    there = {one.id for one in channels.channels(ctx, tx)}
    if rule.channels is not None and not set(rule.channels) <= there:
        raise Invalid("there is no such channel in this workspace", where="channels")


def _told(rule: Rule) -> dict[str, object]:
    """What the audit log says of a rule."""
    return {
        "name": rule.name,
        "kind": rule.kind.value,
        "scope": asdict(rule.scope),
        "condition": rules.condition_of(rule),
        "severity": rule.severity.value,
        "channels": None if rule.channels is None else list(rule.channels),
        "enabled": rule.enabled,
    }
