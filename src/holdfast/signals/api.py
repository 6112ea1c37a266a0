"""The JSON door of signals: alerts, rules, and what a rule would read now."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from holdfast.kernel.time import iso
from holdfast.platform.access.guard import caller, problems, services
from holdfast.platform.access.model import Caller
from holdfast.platform.access.model import Scope as Permission
from holdfast.platform.notify.model import Severity
from holdfast.signals import actions
from holdfast.signals.model import Alert, Memory, Period, Reading, Rule, RuleKind, Scope, State
from holdfast.signals.reads import alerts as reads
from holdfast.signals.reads.alerts import Watched

router = APIRouter(prefix="/api/v1", tags=["alerts"], responses=problems(401, 403, 404, 422, 503))
Reader = Annotated[Caller, Depends(caller(Permission.READ))]
Admin = Annotated[Caller, Depends(caller(Permission.ADMIN, everywhere=True))]
Id = Annotated[str, Field(max_length=40)]
Text = Annotated[str, Field(max_length=200)]
Amount = Annotated[str, Field(max_length=30, pattern=r"^\d+(\.\d+)?$")]


class RuleBody(BaseModel):
    """A rule. Which fields matter depends on its kind; the rest are ignored."""

    model_config = ConfigDict(extra="forbid")

    name: Annotated[str, Field(max_length=100)]
    system: Text = ""
    environment: Text = ""
    route: Text = ""
    tenant: Text = ""
    model: Text = ""
    severity: Severity = Severity.WARNING
    channels: Annotated[
        list[Annotated[str, Field(max_length=40)]] | None,
        Field(max_length=100, description="Ids of channels; null: all."),
    ] = None
    enabled: bool = True
    window_minutes: Annotated[int, Field(ge=1, le=1440, description="All kinds but spend.")] = 5
    min_calls: Annotated[int, Field(ge=1, le=1_000_000, description="error_rate, p95.")] = 20
    error_percent: Annotated[float, Field(gt=0, le=100, description="error_rate.")] = 5.0
    p95_ms: Annotated[float, Field(gt=0, le=86_400_000, description="p95.")] = 10_000.0
    period: Period = Period.MONTH
    amount: Annotated[Amount, Field(description="spend: a decimal text.")] = "100"
    currency: Annotated[str, Field(min_length=3, max_length=3)] = "USD"
    percents: Annotated[list[int], Field(max_length=10, description="spend: thresholds.")] = Field(
        default_factory=lambda: [50, 80, 100]
    )

    def rule(self, by: Caller, kind: RuleKind, rule_id: str = "") -> Rule:
        """The rule that this describes."""
        return Rule(
            id=rule_id,
            workspace=by.ctx.workspace,
            name=self.name,
            kind=kind,
            scope=Scope(self.system, self.environment, self.route, self.tenant, self.model),
            severity=self.severity,
            channels=None if self.channels is None else tuple(self.channels),
            enabled=self.enabled,
            created_at=by.ctx.now,
            created_by=by.ctx.actor.id,
            changed_at=by.ctx.now,
            window=timedelta(minutes=self.window_minutes),
            min_calls=self.min_calls,
            share=self.error_percent / 100,
            ms=self.p95_ms,
            period=self.period,
            amount=Decimal(self.amount),
            currency=self.currency,
            percents=tuple(self.percents),
        )


class NewRule(RuleBody):
    """A rule to add."""

    kind: RuleKind


class ReadingOut(BaseModel):
    """What a rule reads now: `unknown` where there is too little to say."""

    state: State
    value: str
    note: str | None
    facts: dict[str, str]

    @classmethod
    def of(cls, one: Reading) -> ReadingOut:
        """As it is."""
        return cls(state=one.state, value=one.value, note=one.note or None, facts=dict(one.facts))


class RuleOut(BaseModel):
    """A rule, its condition in words, and the state that it is in."""

    id: str
    name: str
    kind: RuleKind
    condition: str
    system: str
    environment: str
    route: str
    tenant: str
    model: str
    severity: Severity
    channels: list[str] | None
    enabled: bool
    window_minutes: int | None
    min_calls: int | None
    error_percent: float | None
    p95_ms: float | None
    period: Period | None
    amount: str | None
    currency: str | None
    percents: list[int] | None
    state: State
    since: str | None
    value: str | None
    note: str | None
    evaluated_at: str | None
    changed_at: str

    @classmethod
    def of(cls, one: Watched) -> RuleOut:
        """What matters for its kind; the rest is null."""
        rule, memory = one.rule, one.memory
        spend = rule.kind is RuleKind.SPEND
        counts = rule.kind in (RuleKind.ERROR_RATE, RuleKind.LATENCY)
        return cls(
            id=rule.id,
            name=rule.name,
            kind=rule.kind,
            condition=reads.condition(rule),
            system=rule.scope.system,
            environment=rule.scope.environment,
            route=rule.scope.route,
            tenant=rule.scope.tenant,
            model=rule.scope.model,
            severity=rule.severity,
            channels=None if rule.channels is None else list(rule.channels),
            enabled=rule.enabled,
            window_minutes=None if spend else int(rule.window / timedelta(minutes=1)),
            min_calls=rule.min_calls if counts else None,
            error_percent=round(rule.share * 100, 6) if rule.kind is RuleKind.ERROR_RATE else None,
            p95_ms=rule.ms if rule.kind is RuleKind.LATENCY else None,
            period=rule.period if spend else None,
            amount=f"{rule.amount:f}" if spend else None,
            currency=rule.currency if spend else None,
            percents=list(rule.percents) if spend else None,
            state=memory.state if rule.enabled else State.UNKNOWN,
            since=iso(memory.since) if memory.since else None,
            value=memory.value or None,
            note=memory.note or None,
            evaluated_at=iso(memory.evaluated_at) if memory.evaluated_at else None,
            changed_at=iso(rule.changed_at),
        )


class AlertOut(BaseModel):
    """A firing of a rule: open until `closed_at`. `threshold` is the percent of a spend rule."""

    id: str
    rule: str
    title: str
    severity: Severity
    system: str | None
    environment: str | None
    threshold: int | None
    period: str | None
    value: str
    link: str
    opened_at: str
    closed_at: str | None
    closed_because: str | None

    @classmethod
    def of(cls, one: Alert) -> AlertOut:
        """As it is kept."""
        return cls(
            id=one.id,
            rule=one.rule,
            title=one.title,
            severity=one.severity,
            system=one.system or None,
            environment=one.environment or None,
            threshold=int(one.part) if one.part else None,
            period=one.period or None,
            value=one.value,
            link=one.link,
            opened_at=iso(one.opened_at),
            closed_at=iso(one.closed_at) if one.closed_at else None,
            closed_because=one.closed_because or None,
        )


class AlertPage(BaseModel):
    """Alerts, the latest first; `next_cursor` is null on the last page."""

    alerts: list[AlertOut]
    next_cursor: str | None


@router.get("/alerts", responses=problems(401, 403, 404, 422))
def list_alerts(
    request: Request,
    by: Reader,
    which: Literal["all", "open", "closed"] = "all",
    limit: Annotated[int, Field(ge=1, le=200)] = 50,
    cursor: Annotated[str, Field(max_length=300)] = "",
) -> AlertPage:
    """Alerts of rules on what you may read."""
    is_open = None if which == "all" else which == "open"
    with services(request).database.reading() as tx:
        found = reads.alerts(by, tx, is_open=is_open, limit=limit, cursor=cursor or None)
    return AlertPage(alerts=[AlertOut.of(one) for one in found.items], next_cursor=found.next_cursor)


@router.get("/alert-rules", responses=problems(401, 403, 404, 422))
def list_rules(request: Request, by: Reader) -> list[RuleOut]:
    """Rules on what you may read, each with the state that it is in."""
    with services(request).database.reading() as tx:
        return [RuleOut.of(one) for one in reads.watched(by, tx)]


@router.post("/alert-rules", status_code=201, responses=problems(401, 403, 404, 422))
def add_rule(request: Request, by: Admin, body: NewRule) -> RuleOut:
    """Adds a rule; it is evaluated within seconds."""
    with services(request).database.transaction() as tx:
        made = actions.add_rule(by.ctx, tx, body.rule(by, body.kind))
    return RuleOut.of(Watched(made, Memory()))


@router.post("/alert-previews", responses=problems(401, 403, 404, 422, 503))
def preview_rule(request: Request, by: Admin, body: NewRule) -> ReadingOut:
    """What such a rule would read now; nothing is kept."""
    rule = body.rule(by, body.kind)
    return ReadingOut.of(
        reads.preview(rule, reads.long_watching(), request.app.state.figures, by.workspace.zone, by.ctx.now)
    )


@router.put("/alert-rules/{rule}", responses=problems(401, 403, 404, 422))
def change_rule(request: Request, by: Admin, rule: Id, body: RuleBody) -> RuleOut:
    """Changes a rule; its kind stays. Open alerts of what it no longer watches are closed, and that is told."""
    found = services(request)
    with found.database.transaction() as tx:
        before = reads.rule(by, tx, rule).rule
        actions.change_rule(by.ctx, tx, body.rule(by, before.kind, rule), found.settings.base_url)
        return RuleOut.of(reads.rule(by, tx, rule))


@router.delete("/alert-rules/{rule}", status_code=204, responses=problems(401, 403, 404, 422))
def remove_rule(request: Request, by: Admin, rule: Id) -> None:
    """Ends a rule; its open alerts are closed, and that is told."""
    found = services(request)
    with found.database.transaction() as tx:
        actions.remove_rule(by.ctx, tx, rule, found.settings.base_url)
