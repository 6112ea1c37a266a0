"""Tables of notify, and every query on them."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from holdfast.platform.notify.model import (
    Channel,
    ChannelConfig,
    ChannelKind,
    Delivery,
    DeliveryState,
    Message,
    MessageKind,
    Outcome,
    Receipt,
    Severity,
    Tls,
)
from holdfast.platform.notify.rules import Health
from holdfast.storage.sql import Instant, Transaction, metadata

channels = sa.Table(
    "notify_channels",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), nullable=False, index=True),
    sa.Column("name", sa.String(100), nullable=False),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("config", sa.Text, nullable=False),  # JSON of ChannelConfig
    sa.Column("secret", sa.String(60), nullable=False),  # a reference, or empty
    sa.Column("enabled", sa.Boolean, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("created_by", sa.String(200), nullable=False),
    sa.Column("changed_at", Instant, nullable=False),
    sa.Column("removed_at", Instant),
    sa.Column("failing_since", Instant),
    sa.Column("failure", sa.Text, nullable=False),
    sa.Column("delivered_at", Instant),
)

messages = sa.Table(
    "notify_messages",
    metadata,
    sa.Column("id", sa.String(80), primary_key=True),
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), nullable=False, index=True),
    sa.Column("body", sa.Text, nullable=False),  # JSON of Message
    sa.Column("created_at", Instant, nullable=False, index=True),
)

deliveries = sa.Table(
    "notify_deliveries",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("message", sa.String(80), sa.ForeignKey("notify_messages.id"), nullable=False),
    sa.Column("channel", sa.String(40), sa.ForeignKey("notify_channels.id"), nullable=False),
    sa.Column("about", sa.String(80), nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("due_at", Instant, nullable=False),
    sa.Column("give_up_at", Instant, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("lease", sa.String(40), nullable=False),
    sa.Column("lease_until", Instant),
    sa.Column("finished_at", Instant),
    sa.Column("recipients", sa.Text, nullable=False),  # JSON list
    sa.Column("error", sa.Text, nullable=False),
    sa.UniqueConstraint("message", "channel"),
    sa.Index(None, "state", "due_at"),
    sa.Index(None, "channel", "created_at"),
)

receipts = sa.Table(
    "notify_receipts",
    metadata,
    sa.Column("delivery", sa.String(40), sa.ForeignKey("notify_deliveries.id"), primary_key=True),
    sa.Column("attempt", sa.Integer, primary_key=True),
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("duration_ms", sa.Float),
    sa.Column("outcome", sa.String(20), nullable=False),
    sa.Column("status", sa.Integer),
    sa.Column("answer", sa.Text, nullable=False),
    sa.Index(None, "workspace", "started_at"),
)

OPEN = (DeliveryState.WAITING.value, DeliveryState.SENDING.value)


def _channel(row: Any) -> Channel:
    config = json.loads(row.config)
    config |= {"tls": Tls(config["tls"]), "recipients": tuple(config["recipients"])}
    return Channel(
        id=row.id,
        workspace=row.workspace,
        name=row.name,
        kind=ChannelKind(row.kind),
        config=ChannelConfig(**config),
        secret=row.secret,
        enabled=row.enabled,
        created_at=row.created_at,
        created_by=row.created_by,
        changed_at=row.changed_at,
        failing_since=row.failing_since,
        failure=row.failure,
        delivered_at=row.delivered_at,
    )


def _delivery(row: Any) -> Delivery:
    return Delivery(
        id=row.id,
        workspace=row.workspace,
        message=row.message,
        channel=row.channel,
        about=row.about,
        state=DeliveryState(row.state),
        attempts=row.attempts,
        due_at=row.due_at,
        give_up_at=row.give_up_at,
        created_at=row.created_at,
        lease=row.lease,
        lease_until=row.lease_until,
        finished_at=row.finished_at,
        recipients=tuple(json.loads(row.recipients)),
        error=row.error,
    )


def _delivery_row(delivery: Delivery) -> dict[str, Any]:
    return asdict(delivery) | {
        "state": delivery.state.value,
        "recipients": json.dumps(list(delivery.recipients)),
    }


def _message(row: Any) -> Message:
    told = json.loads(row.body)
    told |= {
        "kind": MessageKind(told["kind"]),
        "severity": Severity(told["severity"]),
        "at": datetime.fromisoformat(told["at"]),
        "facts": tuple((label, value) for label, value in told["facts"]),
    }
    return Message(**told)


def _receipt(row: Any) -> Receipt:
    return Receipt(
        delivery=row.delivery,
        workspace=row.workspace,
        attempt=row.attempt,
        started_at=row.started_at,
        duration_ms=row.duration_ms,
        outcome=Outcome(row.outcome),
        status=row.status,
        answer=row.answer,
    )


def put_channel(tx: Transaction, channel: Channel) -> None:
    """Adds a channel, or changes the one with this id."""
    values = asdict(channel) | {"kind": channel.kind.value, "config": json.dumps(asdict(channel.config))}
    tx.upsert(channels, values, key=["id"])


def channels_of(tx: Transaction, workspace: str) -> list[Channel]:
    """Those that were not removed, by name."""
    statement = tx.select(channels, workspace).where(channels.c.removed_at.is_(None))
    return [_channel(row) for row in tx.execute(statement.order_by(channels.c.name, channels.c.id))]


def channel(tx: Transaction, workspace: str, channel_id: str) -> Channel | None:
    """One that was not removed."""
    statement = tx.select(channels, workspace).where(
        channels.c.id == channel_id, channels.c.removed_at.is_(None)
    )
    row = tx.execute(statement).one_or_none()
    return None if row is None else _channel(row)


def remove_channel(tx: Transaction, workspace: str, channel_id: str, at: datetime) -> None:
    """Forgets where it led; its receipts stay. What still waits for it is cancelled."""
    tx.execute(
        channels.update()
        .where(channels.c.workspace == workspace, channels.c.id == channel_id)
        .values(removed_at=at, secret="", enabled=False, failing_since=None, failure="")
    )
    tx.execute(
        deliveries.update()
        .where(deliveries.c.channel == channel_id, deliveries.c.state == DeliveryState.WAITING.value)
        .values(state=DeliveryState.CANCELLED.value, finished_at=at, error="the channel was removed")
    )


def health(tx: Transaction, channel_id: str) -> Health:
    """How a channel does, locked until the transaction ends."""
    statement = sa.select(channels.c.failing_since, channels.c.failure, channels.c.delivered_at).where(
        channels.c.id == channel_id
    )
    row = tx.execute(statement.with_for_update()).one()
    return Health(row.failing_since, row.failure, row.delivered_at)


def put_health(tx: Transaction, channel_id: str, kept: Health) -> None:
    """Keeps it."""
    tx.execute(channels.update().where(channels.c.id == channel_id).values(**asdict(kept)))


def add_message(tx: Transaction, message: Message) -> bool:
    """False where there is one with this id already; then nothing changes."""
    if tx.execute(sa.select(messages.c.id).where(messages.c.id == message.id)).first() is not None:
        return False
    body = asdict(message) | {"at": message.at.isoformat()}
    values = {"id": message.id, "workspace": message.workspace, "created_at": message.at}
    tx.execute(messages.insert().values(**values, body=json.dumps(body, ensure_ascii=False)))
    return True


def message(tx: Transaction, message_id: str) -> Message:
    """One that is there."""
    return _message(tx.execute(sa.select(messages).where(messages.c.id == message_id)).one())


def add_deliveries(tx: Transaction, made: Sequence[Delivery]) -> None:
    """New ones; none of them may be there."""
    if made:
        tx.execute(deliveries.insert(), [_delivery_row(one) for one in made])


def deliveries_of_message(tx: Transaction, message_id: str) -> list[Delivery]:
    """All of a message."""
    statement = sa.select(deliveries).where(deliveries.c.message == message_id).order_by(deliveries.c.id)
    return [_delivery(row) for row in tx.execute(statement)]


def _due(now: datetime) -> sa.ColumnElement[bool]:
    return sa.or_(
        sa.and_(deliveries.c.state == DeliveryState.WAITING.value, deliveries.c.due_at <= now),
        sa.and_(deliveries.c.state == DeliveryState.SENDING.value, deliveries.c.lease_until <= now),
    )


def anything_due(tx: Transaction, now: datetime) -> bool:
    """Whether something waits to be claimed."""
    return tx.execute(sa.select(deliveries.c.id).where(_due(now)).limit(1)).first() is not None


def claimable(tx: Transaction, now: datetime, limit: int, busy: Collection[str]) -> list[Delivery]:
    """What is due now or was left by a process that ended; one for each channel, none of `busy` channels.

    A message waits for the earlier ones of its alert on the same channel, so that nobody hears of the end first.
    Rows are locked until the transaction ends; those that another process holds are passed over.
    """
    earlier = deliveries.alias()
    overtaken = (
        sa.select(earlier.c.id)
        .where(
            earlier.c.channel == deliveries.c.channel,
            earlier.c.about == deliveries.c.about,
            earlier.c.about != "",
            earlier.c.state.in_(OPEN),
            sa.or_(
                earlier.c.created_at < deliveries.c.created_at,
                sa.and_(earlier.c.created_at == deliveries.c.created_at, earlier.c.id < deliveries.c.id),
            ),
        )
        .exists()
    )
    statement = (
        sa.select(deliveries)
        .where(_due(now), ~overtaken, deliveries.c.channel.not_in(list(busy)))
        .order_by(deliveries.c.due_at, deliveries.c.id)
        .limit(limit * 16)
        .with_for_update(skip_locked=True)
    )
    found: dict[str, Delivery] = {}
    for row in tx.execute(statement):
        found.setdefault(row.channel, _delivery(row))
    return list(found.values())[:limit]


def put_delivery(tx: Transaction, delivery: Delivery) -> None:
    """Changes one."""
    tx.execute(deliveries.update().where(deliveries.c.id == delivery.id).values(**_delivery_row(delivery)))


def delivery(tx: Transaction, delivery_id: str) -> Delivery:
    """One that is there, locked until the transaction ends."""
    statement = sa.select(deliveries).where(deliveries.c.id == delivery_id).with_for_update()
    return _delivery(tx.execute(statement).one())


def put_receipt(tx: Transaction, kept: Receipt) -> None:
    """Keeps what came of an attempt; a late answer takes the place of `unknown`."""
    tx.upsert(receipts, asdict(kept) | {"outcome": kept.outcome.value}, key=["delivery", "attempt"])


def receipts_of(tx: Transaction, delivery_id: str) -> list[Receipt]:
    """Every attempt of a delivery, in order."""
    statement = sa.select(receipts).where(receipts.c.delivery == delivery_id).order_by(receipts.c.attempt)
    return [_receipt(row) for row in tx.execute(statement)]


def recent(
    tx: Transaction, workspace: str, channel_id: str, limit: int
) -> list[tuple[Delivery, Message, str, Receipt | None]]:
    """The latest deliveries (of one channel, or of all) with their message, channel's name and last receipt."""
    last = (
        sa.select(receipts.c.delivery, sa.func.max(receipts.c.attempt).label("attempt"))
        .where(receipts.c.workspace == workspace)
        .group_by(receipts.c.delivery)
        .subquery()
    )
    statement = tx.select(deliveries, workspace).order_by(
        deliveries.c.created_at.desc(), deliveries.c.id.desc()
    )
    if channel_id:
        statement = statement.where(deliveries.c.channel == channel_id)
    found = [_delivery(row) for row in tx.execute(statement.limit(limit))]
    ids = [one.id for one in found]
    told = tx.execute(sa.select(messages).where(messages.c.id.in_([one.message for one in found])))
    by_id = {row.id: _message(row) for row in told}
    told_names = tx.execute(
        sa.select(channels.c.id, channels.c.name).where(channels.c.workspace == workspace)
    )
    names = {row.id: str(row.name) for row in told_names}
    joined = sa.select(receipts).join(
        last, sa.and_(last.c.delivery == receipts.c.delivery, last.c.attempt == receipts.c.attempt)
    )
    ends = {row.delivery: _receipt(row) for row in tx.execute(joined.where(receipts.c.delivery.in_(ids)))}
    return [(one, by_id[one.message], names[one.channel], ends.get(one.id)) for one in found]


def forget_before(tx: Transaction, before: datetime) -> int:
    """Removes what was finished before an instant, with receipts and messages; returns how many deliveries."""
    old = sa.select(deliveries.c.id).where(deliveries.c.finished_at < before)
    tx.execute(receipts.delete().where(receipts.c.delivery.in_(old)))
    gone = tx.execute(deliveries.delete().where(deliveries.c.finished_at < before)).rowcount
    used = sa.select(deliveries.c.message)
    tx.execute(messages.delete().where(messages.c.created_at < before, messages.c.id.not_in(used)))
    return int(gone)
