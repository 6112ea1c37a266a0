"""Verbs on links: keys are made and revoked; a link is signed, and opened by whoever has it."""

from __future__ import annotations

import secrets as random
from dataclasses import dataclass
from datetime import datetime, timedelta

from holdfast.feedback.model import LinkKey
from holdfast.feedback.rules import links as rules
from holdfast.feedback.rules import said
from holdfast.feedback.rules.links import Link
from holdfast.feedback.store import links as store
from holdfast.kernel.context import Context
from holdfast.kernel.errors import Invalid, NotFound
from holdfast.kernel.ids import new_id
from holdfast.platform.audit import actions as audit
from holdfast.platform.secrets import reads as secrets
from holdfast.platform.settings import Settings
from holdfast.storage.sql import Transaction


@dataclass(frozen=True, slots=True)
class Opened:
    """A link that holds, and the key that signed it."""

    key: LinkKey
    link: Link


def add_key(ctx: Context, tx: Transaction, name: str, origins: tuple[str, ...] = ()) -> LinkKey:
    """A key for links; `origins` are the sites that may show the widget in a frame. Raises Invalid."""
    if not name.strip() or len(name) > 100 or not name.isprintable():
        raise Invalid("a key needs a name of at most 100 characters", where="name")
    sites = rules.check_origins(origins)
    made = LinkKey(new_id("lk"), ctx.workspace, name.strip(), sites, ctx.now, ctx.actor.id, None)
    store.add(tx, made)
    details = {"name": made.name, "origins": list(sites)}
    audit.record(ctx, tx, action="feedback.link_key_added", subject=made.id, details=details)
    return made


def revoke_key(ctx: Context, tx: Transaction, id: str) -> None:
    """Ends a key, and every link that it signed, at once. Raises NotFound."""
    if not store.revoke(tx, ctx.workspace, id, ctx.now):
        raise NotFound("there is no such key of links that lives in this workspace")
    audit.record(ctx, tx, action="feedback.link_key_revoked", subject=id)


def sign(
    ctx: Context,
    tx: Transaction,
    settings: Settings,
    *,
    call_id: str | None,
    trace_id: str | None,
    life: timedelta,
    key: str = "",
) -> tuple[str, datetime]:
    """A token for one call or trace, and when it expires. Without `key`, by the newest that lives.

    Raises Invalid, and NotFound where there is no such key.
    """
    if not call_id and not trace_id:
        raise Invalid("a link is about one call: name its call_id or trace_id", where="call_id")
    if call_id is not None and len(call_id) > said.MAX_NAME:
        raise Invalid(f"a call id has at most {said.MAX_NAME} characters", where="call_id")
    if trace_id is not None and not said.is_trace_id(trace_id):
        raise Invalid("a trace id has 32 hexadecimal digits", where="trace_id")
    if not timedelta(minutes=1) <= life <= rules.LONGEST:
        raise Invalid(f"a link holds from a minute to {rules.LONGEST.days} days", where="days")
    living = [one for one in store.of_workspace(tx, ctx.workspace) if one.revoked_at is None]
    found = next((one for one in living if key in ("", one.id)), None)
    if found is None:
        raise NotFound(
            "there is no such key of links that lives; make one: POST /api/v1/feedback/link-keys, "
            "or holdfast feedback link-key"
        )
    expires_at = ctx.now + life
    signer = rules.derived(secrets.sealing_key(settings).key, found.id)
    return rules.signed(signer, found.id, call_id, trace_id, expires_at, random.token_urlsafe(9)), expires_at


def open_link(tx: Transaction, settings: Settings, token: str, now: datetime) -> Opened:
    """What a token leads to. Raises NotFound, in the same words whatever is wrong with it."""
    key = store.by_id(tx, rules.key_of(token))
    if key is None or key.revoked_at is not None:
        raise NotFound(rules.GONE)
    return Opened(key, rules.opened(rules.derived(secrets.sealing_key(settings).key, key.id), token, now))


def keys(ctx: Context, tx: Transaction) -> list[LinkKey]:
    """The workspace's keys, the newest first, revoked ones too."""
    return store.of_workspace(tx, ctx.workspace)
