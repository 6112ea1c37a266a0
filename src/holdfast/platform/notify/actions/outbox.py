"""The outbox: put messages in, claim what is due, attempt it, keep what came of it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from holdfast.kernel.context import Context
from holdfast.kernel.errors import HoldfastError, Invalid, NotFound
from holdfast.kernel.ids import new_id
from holdfast.kernel.time import Clock
from holdfast.platform.audit import actions as audit
from holdfast.platform.notify import rules, store
from holdfast.platform.notify.model import (
    Channel,
    ChannelKind,
    Delivery,
    DeliveryState,
    Message,
    MessageKind,
    Outcome,
    Parcel,
    Receipt,
    Sender,
    Sent,
    Severity,
)
from holdfast.platform.secrets import reads as secrets
from holdfast.platform.settings import Settings
from holdfast.platform.tenancy import reads as tenancy
from holdfast.storage.sql import Database, Transaction

KEEP = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that this process alone may attempt now, until its lease runs out."""

    delivery: Delivery
    channel: Channel
    message: Message


@dataclass(frozen=True, slots=True)
class Post:
    """What an attempt needs of its process: the control store, the settings, one sender for each kind, the clock."""

    database: Database
    settings: Settings
    senders: Mapping[ChannelKind, Sender]
    clock: Clock


def send(
    ctx: Context, tx: Transaction, channel_ids: Collection[str] | None, message: Message
) -> list[Delivery]:
    """Puts a message into the outbox, in the caller's transaction: it goes out if and only if that commits.

    `channel_ids` None means every channel. Channels that are switched off or gone are left out, so the answer may
    be empty. A message whose id is there already changes nothing; its deliveries are returned. Raises Invalid
    where the message belongs to another workspace.
    """
    if message.workspace != ctx.workspace:
        raise Invalid("a message belongs to the workspace that sends it", where="workspace")
    if not store.add_message(tx, message):
        return store.deliveries_of_message(tx, message.id)
    chosen = [
        one
        for one in store.channels_of(tx, ctx.workspace)
        if one.enabled and (channel_ids is None or one.id in channel_ids)
    ]
    made = [_delivery(one, message, ctx.now, ctx.now + rules.GIVE_UP) for one in chosen]
    store.add_deliveries(tx, made)
    return made


def begin_test(ctx: Context, tx: Transaction, channel_id: str, link: str) -> Claimed:
    """A test message to one channel, claimed by the caller: attempt it at once, then `finish` it. One attempt only.

    Raises NotFound.
    """
    channel = store.channel(tx, ctx.workspace, channel_id)
    if channel is None:
        raise NotFound("there is no such channel in this workspace")
    workspace = tenancy.workspace_by_id(tx, ctx.workspace)
    message = Message(
        id=new_id("msg"),
        kind=MessageKind.TEST,
        severity=Severity.INFO,
        title=f"Test from Holdfast: {workspace.name}",
        summary=f"{ctx.actor.name} tests the channel “{channel.name}”. Alerts of this workspace can reach you here.",
        at=ctx.now,
        workspace=workspace.id,
        workspace_name=workspace.name,
        link=link,
        facts=(("Workspace", workspace.name), ("Channel", channel.name)),
    )
    store.add_message(tx, message)
    claimed = _lease(_delivery(channel, message, ctx.now, ctx.now), ctx.now)
    store.add_deliveries(tx, [claimed])
    audit.record(ctx, tx, action="channel.tested", subject=channel_id, details={"message": message.id})
    return Claimed(claimed, channel, message)


def test(ctx: Context, post: Post, channel_id: str, slug: str) -> Delivery:
    """Sends a real test message now, once, and returns its delivery as it ended. Raises NotFound, Unavailable."""
    link = f"{post.settings.base_url}/w/{slug}/settings/notifications"
    with post.database.transaction() as tx:
        claimed = begin_test(ctx, tx, channel_id, link)
    return attempt(post, claimed, 0.0)


def anything_due(tx: Transaction, now: datetime) -> bool:
    """Whether `claim` may find something: a look that locks nothing."""
    return store.anything_due(tx, now)


def claim(tx: Transaction, now: datetime, limit: int, busy: Collection[str] = ()) -> list[Claimed]:
    """What this process may attempt now, at most one for each channel and none of `busy` ones.

    Commit before attempting: then no other process takes it while the lease lasts. An attempt that nobody wrote
    down is kept as `unknown`; it is made again under the same id, which lets receivers drop a second copy.
    """
    taken = []
    for found in store.claimable(tx, now, limit, busy):
        if found.state is DeliveryState.SENDING:
            lost = Sent(Outcome.UNKNOWN, answer=rules.LOST)
            store.put_receipt(tx, _receipt(found, lost, found.lease_until or now, None))
            if found.give_up_at <= found.created_at:
                store.put_delivery(tx, _ended(found, DeliveryState.FAILED, rules.LOST, now))
                continue
        channel = store.channel(tx, found.workspace, found.channel)
        if channel is None or not channel.enabled:
            gone = "the channel was removed or switched off"
            store.put_delivery(tx, _ended(found, DeliveryState.CANCELLED, gone, now))
            continue
        leased = _lease(found, now)
        store.put_delivery(tx, leased)
        taken.append(Claimed(leased, channel, store.message(tx, found.message)))
    return taken


def attempt(post: Post, claimed: Claimed, jitter: float) -> Delivery:
    """Sends what was claimed and keeps what came of it. The claim must be committed; no transaction may be open.

    Raises Unavailable where the control store is away: then the outcome is unknown, and the lease runs out.
    """
    began = post.clock()
    sent = _sent(post, claimed, began)
    with post.database.transaction() as tx:
        return finish(tx, claimed.delivery, sent, began, post.clock(), jitter)


def _sent(post: Post, claimed: Claimed, now: datetime) -> Sent:
    channel, secret = claimed.channel, ""
    if channel.secret:
        try:
            with post.database.reading() as tx:
                secret = secrets.workspace_secret(tx, post.settings, channel.workspace, channel.secret)
        except HoldfastError as error:
            return Sent(Outcome.RETRY, answer=error.detail)
    message = claimed.message
    if message.link.startswith("/"):
        message = replace(message, link=post.settings.base_url + message.link)
    parcel = Parcel(claimed.delivery, channel, message, now, secret)
    sent = post.senders[channel.kind].send(parcel)
    return replace(sent, answer=rules.without_secret(sent.answer, secret))


def finish(
    tx: Transaction, claimed: Delivery, sent: Sent, started_at: datetime, now: datetime, jitter: float
) -> Delivery:
    """Keeps what came of an attempt, and when the next one is due; returns the delivery as it stands now.

    One whose lease ran out meanwhile belongs to somebody else: only the receipt is kept then, or that it was
    delivered after all.
    """
    kept = store.delivery(tx, claimed.id)
    store.put_receipt(tx, _receipt(claimed, sent, started_at, (now - started_at) / timedelta(milliseconds=1)))
    final = kept.state in (DeliveryState.DELIVERED, DeliveryState.CANCELLED)
    if kept.lease != claimed.lease and (final or sent.outcome is not Outcome.DELIVERED):
        return kept
    stands = rules.after(replace(claimed, attempts=kept.attempts), sent, now, jitter)
    store.put_delivery(tx, stands)
    store.put_health(tx, claimed.channel, rules.health_after(store.health(tx, claimed.channel), sent, now))
    return stands


def forget_old(tx: Transaction, now: datetime) -> int:
    """Removes deliveries that ended over 90 days ago; returns how many."""
    return store.forget_before(tx, now - KEEP)


def _delivery(channel: Channel, message: Message, now: datetime, give_up_at: datetime) -> Delivery:
    return Delivery(
        id=new_id("dlv"),
        workspace=channel.workspace,
        message=message.id,
        channel=channel.id,
        about=message.about,
        state=DeliveryState.WAITING,
        attempts=0,
        due_at=now,
        give_up_at=give_up_at,
        created_at=now,
    )


def _lease(delivery: Delivery, now: datetime) -> Delivery:
    return replace(
        delivery,
        state=DeliveryState.SENDING,
        attempts=delivery.attempts + 1,
        lease=new_id("lease"),
        lease_until=now + rules.LEASE,
    )


def _ended(delivery: Delivery, state: DeliveryState, error: str, now: datetime) -> Delivery:
    return replace(delivery, state=state, error=error, finished_at=now, lease="", lease_until=None)


def _receipt(delivery: Delivery, sent: Sent, started_at: datetime, duration_ms: float | None) -> Receipt:
    return Receipt(
        delivery.id,
        delivery.workspace,
        delivery.attempts,
        started_at,
        duration_ms,
        sent.outcome,
        sent.status,
        sent.answer,
    )
