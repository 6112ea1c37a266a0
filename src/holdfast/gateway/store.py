"""Tables of the gateway, and every query on them. A configuration that was applied is never changed."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
import sqlalchemy as sa

from holdfast.gateway.model import Governed, Lift, Lifted, Period, Scope, Traffic, Version
from holdfast.gateway.states import BudgetEvent, BudgetEventKind
from holdfast.storage.sql import Instant, Transaction, metadata

configurations = sa.Table(
    "gateway_configurations",
    metadata,
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), primary_key=True),
    sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("document", sa.Text, nullable=False),  # JSON of model.Configuration
    sa.Column("release_ids", sa.Text, nullable=False),  # JSON: name -> id in the registry
    sa.Column("applied_at", Instant, nullable=False),
    sa.Column("applied_by", sa.String(200), nullable=False),
    sa.Column("note", sa.Text, nullable=False),
)

prices = sa.Table(
    "gateway_prices",
    metadata,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("digest", sa.String(64), nullable=False),
)
"""One row: the digest of all prices that gateways were last told of."""
_KNOWN = "known"

lifted = sa.Table(
    "gateway_lifts",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("what", sa.String(20), nullable=False),
    sa.Column("scope", sa.String(20), nullable=False),
    sa.Column("value", sa.String(300), nullable=False),
    sa.Column("until", Instant, nullable=False),
    sa.Column("extra", sa.String(60)),  # a decimal; none: the cap stands against nothing
    sa.Column("person", sa.String(300), nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("made_at", Instant, nullable=False),
    sa.Column("made_by", sa.String(200), nullable=False),
    sa.Column("ended_at", Instant),
    sa.Column("ended_by", sa.String(200), nullable=False),
    sa.Index(None, "workspace", "until"),
)

governed_routes = sa.Table(
    "gateway_traffic",
    metadata,
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), primary_key=True),
    sa.Column("route", sa.String(120), primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("traffic", sa.Text, nullable=False),  # JSON of model.Traffic
    sa.Column("change", sa.String(40), nullable=False),
    sa.Column("made_at", Instant, nullable=False),
    sa.Column("made_by", sa.String(200), nullable=False),
    sa.Column("epoch", sa.BigInteger, nullable=False),
)
"""What was decided for each governed route, one row for each decision; the last one is in force."""

events = sa.Table(
    "gateway_budget_events",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),  # made from what it is about: told twice, it is one
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("scope", sa.String(20), nullable=False),
    sa.Column("value", sa.String(300), nullable=False),
    sa.Column("period", sa.String(20), nullable=False),
    sa.Column("window", sa.String(20), nullable=False),
    sa.Column("ends", Instant, nullable=False),
    sa.Column("currency", sa.String(10), nullable=False),
    sa.Column("amount", sa.String(60), nullable=False),  # decimals
    sa.Column("spent", sa.String(60), nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Index(None, "workspace", "at"),
)


processes = sa.Table(
    "gateway_processes",
    metadata,
    sa.Column("id", sa.String(100), primary_key=True),
    sa.Column("epoch", sa.BigInteger, nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("admin", sa.String(300), nullable=False, server_default=""),
)
"""Gateway processes, as they said last: which epoch each one serves, and where it takes what is pushed to it."""


def _version(row: Any) -> Version:
    return Version(
        workspace=row.workspace,
        version=row.version,
        document=json.loads(row.document),
        release_ids=json.loads(row.release_ids),
        applied_at=row.applied_at,
        applied_by=row.applied_by,
        note=row.note,
    )


def add_version(tx: Transaction, made: Version) -> bool:
    """False where the workspace has this version already."""
    values = {
        "workspace": made.workspace,
        "version": made.version,
        "document": json.dumps(made.document),
        "release_ids": json.dumps(dict(made.release_ids)),
        "applied_at": made.applied_at,
        "applied_by": made.applied_by,
        "note": made.note,
    }
    return tx.insert_new(configurations, values, key=["workspace", "version"])


def latest(tx: Transaction, workspace: str) -> Version | None:
    statement = tx.select(configurations, workspace).order_by(configurations.c.version.desc()).limit(1)
    row = tx.execute(statement).one_or_none()
    return None if row is None else _version(row)


def version(tx: Transaction, workspace: str, number: int) -> Version | None:
    statement = tx.select(configurations, workspace).where(configurations.c.version == number)
    row = tx.execute(statement).one_or_none()
    return None if row is None else _version(row)


def versions(tx: Transaction, workspace: str, before: int | None, limit: int) -> list[Version]:
    """The latest first; those below `before` where it is given."""
    statement = tx.select(configurations, workspace)
    if before is not None:
        statement = statement.where(configurations.c.version < before)
    statement = statement.order_by(configurations.c.version.desc()).limit(limit)
    return [_version(row) for row in tx.execute(statement)]


def latest_of_all(tx: Transaction) -> Mapping[str, Version]:
    """The current configuration of every workspace that has one, by workspace: for the snapshot."""
    newest = (
        sa.select(configurations.c.workspace, sa.func.max(configurations.c.version).label("version"))
        .group_by(configurations.c.workspace)
        .subquery()
    )
    statement = sa.select(configurations).join(
        newest,
        sa.and_(
            configurations.c.workspace == newest.c.workspace, configurations.c.version == newest.c.version
        ),
    )
    return {row.workspace: _version(row) for row in tx.execute(statement)}


def _governed(row: Any) -> Governed:
    return Governed(
        workspace=row.workspace,
        route=row.route,
        number=row.number,
        traffic=msgspec.json.decode(row.traffic, type=Traffic),
        change=row.change,
        made_at=row.made_at,
        made_by=row.made_by,
        epoch=row.epoch,
    )


def add_traffic(tx: Transaction, made: Governed) -> bool:
    """False where the route has a decision of this number already."""
    values = {name: getattr(made, name) for name in Governed.__dataclass_fields__}
    values |= {"traffic": msgspec.json.encode(made.traffic).decode()}
    return tx.insert_new(governed_routes, values, key=["workspace", "route", "number"])


def governed(tx: Transaction, workspace: str) -> dict[str, Governed]:
    """What is in force, by route."""
    own = governed_routes.c
    newest = sa.select(own.route, sa.func.max(own.number).label("number"))
    last = newest.where(own.workspace == workspace).group_by(own.route).subquery()
    same = sa.and_(own.route == last.c.route, own.number == last.c.number)
    statement = tx.select(governed_routes, workspace).join(last, same).order_by(own.route)
    return {row.route: _governed(row) for row in tx.execute(statement)}


def decided(tx: Transaction, workspace: str, route: str, limit: int) -> list[Governed]:
    """Decisions for a route, the latest first."""
    statement = tx.select(governed_routes, workspace).where(governed_routes.c.route == route)
    statement = statement.order_by(governed_routes.c.number.desc()).limit(limit)
    return [_governed(row) for row in tx.execute(statement)]


def decided_at(tx: Transaction, workspace: str, route: str, at: datetime) -> Governed | None:
    """The decision that was in force for a route at an instant."""
    statement = tx.select(governed_routes, workspace).where(
        governed_routes.c.route == route, governed_routes.c.made_at <= at
    )
    row = tx.execute(statement.order_by(governed_routes.c.number.desc()).limit(1)).one_or_none()
    return None if row is None else _governed(row)


def price_digest(tx: Transaction) -> str | None:
    return tx.execute(sa.select(prices.c.digest).where(prices.c.name == _KNOWN)).scalar_one_or_none()


def put_price_digest(tx: Transaction, digest: str) -> None:
    tx.upsert(prices, {"name": _KNOWN, "digest": digest}, key=["name"])


def _lift(row: Any) -> Lift:
    return Lift(
        id=row.id,
        workspace=row.workspace,
        what=Lifted(row.what),
        scope=Scope(row.scope),
        value=row.value,
        until=row.until,
        extra=None if row.extra is None else Decimal(row.extra),
        person=row.person,
        reason=row.reason,
        made_at=row.made_at,
        made_by=row.made_by,
        ended_at=row.ended_at,
        ended_by=row.ended_by,
    )


def add_lift(tx: Transaction, made: Lift) -> None:
    values = {name: getattr(made, name) for name in Lift.__struct_fields__}
    extra = None if made.extra is None else f"{made.extra:f}"
    tx.execute(lifted.insert().values({**values, "extra": extra}))


def lift(tx: Transaction, workspace: str, id: str) -> Lift | None:
    row = tx.execute(tx.select(lifted, workspace).where(lifted.c.id == id)).one_or_none()
    return None if row is None else _lift(row)


def end_lift(tx: Transaction, workspace: str, id: str, at: datetime, by: str) -> None:
    ended = lifted.update().where(lifted.c.workspace == workspace, lifted.c.id == id)
    tx.execute(ended.values(ended_at=at, ended_by=by))


def lifts(tx: Transaction, workspace: str, at: datetime) -> list[Lift]:
    """Those in force at an instant, what ends first first."""
    holds = tx.select(lifted, workspace).where(lifted.c.until > at, lifted.c.ended_at.is_(None))
    return [_lift(row) for row in tx.execute(holds.order_by(lifted.c.until, lifted.c.id))]


def last_lifts(tx: Transaction, workspace: str, limit: int) -> list[Lift]:
    """The latest made first, ended ones too."""
    found = tx.select(lifted, workspace).order_by(lifted.c.made_at.desc(), lifted.c.id.desc()).limit(limit)
    return [_lift(row) for row in tx.execute(found)]


def add_event(tx: Transaction, made: BudgetEvent) -> bool:
    """False where it is known already."""
    values = {name: getattr(made, name) for name in BudgetEvent.__struct_fields__}
    values |= {"amount": f"{made.amount:f}", "spent": f"{made.spent:f}"}
    return tx.insert_new(events, values, key=["id"])


def known_events(tx: Transaction, ids: Collection[str]) -> set[str]:
    """Which of these are known."""
    return set(tx.execute(sa.select(events.c.id).where(events.c.id.in_(ids))).scalars())


def last_events(tx: Transaction, workspace: str, limit: int) -> list[BudgetEvent]:
    """The latest first."""
    found = tx.select(events, workspace).order_by(events.c.at.desc(), events.c.id).limit(limit)
    return [_event(row) for row in tx.execute(found)]


def _event(row: Any) -> BudgetEvent:
    return BudgetEvent(
        id=row.id,
        workspace=row.workspace,
        kind=BudgetEventKind(row.kind),
        scope=Scope(row.scope),
        value=row.value,
        period=Period(row.period),
        window=row.window,
        ends=row.ends,
        currency=row.currency,
        amount=Decimal(row.amount),
        spent=Decimal(row.spent),
        at=row.at,
    )


def put_process(tx: Transaction, id: str, epoch: int, admin: str, at: datetime) -> None:
    tx.upsert(processes, {"id": id, "epoch": epoch, "admin": admin, "at": at}, key=["id"])


def processes_since(tx: Transaction, since: datetime) -> list[tuple[str, int, datetime, str]]:
    """(id, epoch, when it said so, where it takes what is pushed) of those that said anything since an instant."""
    statement = sa.select(processes).where(processes.c.at >= since).order_by(processes.c.id)
    return [(row.id, row.epoch, row.at, row.admin) for row in tx.execute(statement)]


def forget_processes(tx: Transaction, before: datetime) -> None:
    """Removes those that have said nothing since."""
    tx.execute(processes.delete().where(processes.c.at < before))
