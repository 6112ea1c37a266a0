"""Answers of notify: channels, and what came of their messages."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.kernel.context import Context
from holdfast.kernel.errors import Invalid, NotFound
from holdfast.platform.notify import store
from holdfast.platform.notify.model import Channel, ChannelKind, Delivery, Message, Receipt
from holdfast.platform.secrets import reads as secrets
from holdfast.platform.settings import Settings
from holdfast.storage.sql import Transaction

MOST = 200


@dataclass(frozen=True, slots=True)
class Told:
    """One message to one channel, and its last receipt (None before the first attempt ended)."""

    delivery: Delivery
    message: Message
    channel_name: str
    receipt: Receipt | None


def channels(ctx: Context, tx: Transaction) -> list[Channel]:
    """The channels of the workspace, by name."""
    return store.channels_of(tx, ctx.workspace)


def channel(ctx: Context, tx: Transaction, channel_id: str) -> Channel:
    """Raises NotFound."""
    found = store.channel(tx, ctx.workspace, channel_id)
    if found is None:
        raise NotFound("there is no such channel in this workspace")
    return found


def failing(ctx: Context, tx: Transaction) -> list[Channel]:
    """Channels that are on and whose last attempt failed."""
    return [one for one in channels(ctx, tx) if one.enabled and one.failing_since is not None]


def deliveries(ctx: Context, tx: Transaction, channel_id: str = "", limit: int = 50) -> list[Told]:
    """The latest deliveries, of one channel or of all. Raises NotFound, Invalid."""
    if not 1 <= limit <= MOST:
        raise Invalid(f"a page holds 1 to {MOST} deliveries", where="limit")
    if channel_id:
        channel(ctx, tx, channel_id)
    return [Told(*row) for row in store.recent(tx, ctx.workspace, channel_id, limit)]


def receipts(tx: Transaction, delivery_id: str) -> list[Receipt]:
    """Every attempt of a delivery, in order."""
    return store.receipts_of(tx, delivery_id)


def secret_of(tx: Transaction, settings: Settings, channel: Channel) -> str:
    """What a sender needs and nobody else may see; empty where the channel has none. Raises NotFound, Unavailable."""
    if not channel.secret:
        return ""
    return secrets.workspace_secret(tx, settings, channel.workspace, channel.secret)


def needs_secret(kind: ChannelKind) -> bool:
    """Whether a channel of this kind cannot be without a secret that its user gives."""
    return kind in (ChannelKind.SLACK, ChannelKind.TEAMS)
