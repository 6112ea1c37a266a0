"""Channels: added, changed, removed; their secrets are sealed at once and never shown again."""

from __future__ import annotations

import secrets as random
from dataclasses import replace

from holdfast.kernel.context import Context
from holdfast.kernel.errors import Conflict, Invalid, NotFound, Unavailable
from holdfast.kernel.ids import new_id
from holdfast.platform import outbound
from holdfast.platform.audit import actions as audit
from holdfast.platform.notify import rules, store
from holdfast.platform.notify.model import Channel, ChannelConfig, ChannelKind
from holdfast.platform.secrets import actions as secrets
from holdfast.platform.secrets.model import MasterKey
from holdfast.platform.settings import Settings
from holdfast.storage.sql import Transaction


def check_target(settings: Settings, kind: ChannelKind, config: ChannelConfig, secret: str | None) -> None:
    """Judges where a channel leads before it is kept: resolves the name. Call it outside any transaction.

    Raises Invalid, also where the name does not resolve.
    """
    rules.check_config(kind, config, secret)
    try:
        if kind is ChannelKind.EMAIL:
            outbound.judged_address(settings, config.host.strip(), config.port)
        elif kind is ChannelKind.WEBHOOK:
            outbound.check_url(settings, config.url.strip())
        elif secret is not None:
            outbound.check_url(settings, secret.strip())
    except Unavailable as error:
        raise Invalid(error.detail, where="host" if kind is ChannelKind.EMAIL else "url") from error


def add_channel(
    ctx: Context,
    tx: Transaction,
    master: MasterKey,
    *,
    name: str,
    kind: ChannelKind,
    config: ChannelConfig,
    secret: str = "",
) -> tuple[Channel, str]:
    """A new channel, and the signing secret that was made for a webhook without one (else empty).

    `secret` is the password of the mail server, the webhook's signing secret, or the whole address that Slack or
    Teams gave. It is sealed at once. Raises Invalid, naming the field, and Conflict for a name that is taken.
    """
    made = ""
    secret = secret.strip() if kind is not ChannelKind.EMAIL else secret
    if kind is ChannelKind.WEBHOOK and not secret:
        secret = made = rules.new_signing_secret(random.token_bytes(32))
    name, config = rules.check_name(name), rules.check_config(kind, config, secret)
    if kind is ChannelKind.EMAIL and config.user and not secret:
        raise Invalid("a user needs a password", where="secret")
    _check_free(tx, ctx.workspace, name, "")
    channel_id = new_id("ch")
    reference = secrets.keep(ctx, tx, master, _secret_name(channel_id), secret) if secret else ""
    channel = Channel(
        channel_id, ctx.workspace, name, kind, config, reference, True, ctx.now, ctx.actor.id, ctx.now
    )
    store.put_channel(tx, channel)
    audit.record(ctx, tx, action="channel.added", subject=channel.id, details=_told(channel))
    return channel, made


def change_channel(
    ctx: Context,
    tx: Transaction,
    master: MasterKey,
    channel_id: str,
    *,
    name: str,
    config: ChannelConfig,
    secret: str | None = None,
    enabled: bool = True,
) -> Channel:
    """Changes a channel; its kind stays. `secret` None keeps the one that is kept.

    A password is given again when the server or its user changes, and never goes to another server than it was
    given for. Raises NotFound, Invalid, Conflict.
    """
    before = _there(tx, ctx.workspace, channel_id)
    secret = (secret.strip() if before.kind is not ChannelKind.EMAIL else secret) if secret else None
    if secret is None:
        config = replace(config, shown_host=before.config.shown_host)
    name, config = rules.check_name(name), rules.check_config(before.kind, config, secret)
    _check_free(tx, ctx.workspace, name, channel_id)
    reference = before.secret
    if before.kind is ChannelKind.EMAIL:
        moved = (config.host, config.user) != (before.config.host, before.config.user)
        if config.user and secret is None and (moved or not reference):
            raise Invalid("another server or user needs the password again", where="secret")
        if not config.user and reference:
            secrets.remove(ctx, tx, reference.partition(":")[2])
            secret, reference = None, ""
    if secret is not None:
        reference = secrets.keep(ctx, tx, master, _secret_name(channel_id), secret)
    channel = replace(before, name=name, config=config, secret=reference, enabled=enabled, changed_at=ctx.now)
    if not enabled or config != before.config or secret is not None:
        channel = replace(channel, failing_since=None, failure="")
    store.put_channel(tx, channel)
    audit.record(
        ctx,
        tx,
        action="channel.changed",
        subject=channel.id,
        details=_told(channel) | {"secret_changed": secret is not None},
    )
    return channel


def remove_channel(ctx: Context, tx: Transaction, channel_id: str) -> None:
    """Forgets a channel and its secret; what waits for it is cancelled. Raises NotFound."""
    before = _there(tx, ctx.workspace, channel_id)
    store.remove_channel(tx, ctx.workspace, channel_id, ctx.now)
    if before.secret:
        secrets.remove(ctx, tx, before.secret.partition(":")[2])
    audit.record(ctx, tx, action="channel.removed", subject=channel_id, details={"name": before.name})


def _there(tx: Transaction, workspace: str, channel_id: str) -> Channel:
    found = store.channel(tx, workspace, channel_id)
    if found is None:
        raise NotFound("there is no such channel in this workspace")
    return found


def _check_free(tx: Transaction, workspace: str, name: str, own: str) -> None:
    if any(one.name == name and one.id != own for one in store.channels_of(tx, workspace)):
        raise Conflict("there is a channel with this name already", where="name")


def _secret_name(channel_id: str) -> str:
    return f"channel {channel_id}"


def _told(channel: Channel) -> dict[str, object]:
    """What the audit log says of a channel: where it leads, never a secret."""
    where = channel.config.host or channel.config.shown_host or outbound.host_of(channel.config.url)
    return {"name": channel.name, "kind": channel.kind.value, "host": where, "enabled": channel.enabled}
