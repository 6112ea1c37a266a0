"""Client keys of the gateway: made and revoked with the other keys, and what each stands for, in the configuration."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime

from msgspec import structs

from holdfast.gateway import store
from holdfast.gateway.actions.configuration import Judged, apply
from holdfast.gateway.model import Configuration, KeyUse
from holdfast.kernel.context import Context
from holdfast.kernel.errors import Conflict, Invalid, NotFound
from holdfast.platform.access import reads as access
from holdfast.platform.access.actions import keys
from holdfast.platform.access.model import ApiKey, Caller, Scope
from holdfast.storage.sql import Transaction


def make_key(
    by: Caller, tx: Transaction, name: str, use: KeyUse, expires_at: datetime | None = None
) -> tuple[ApiKey, str]:
    """A key that opens the gateway alone; with its text, which is not to be had again. Raises Denied, Invalid, Conflict."""
    made, text = keys.create_key_for(by, tx, name, frozenset({Scope.GATEWAY}), expires_at)
    if use != KeyUse():
        _apply(by.ctx, tx, made.id, use, f"the key {name} was made")
    return made, text


def put_use(ctx: Context, tx: Transaction, key_id: str, use: KeyUse, note: str = "") -> None:
    """What a key stands for from now on, as the next version of the configuration. Raises NotFound, Invalid, Conflict."""
    _there(ctx, tx, key_id)
    _apply(ctx, tx, key_id, use, note)


def revoke_key(ctx: Context, tx: Transaction, key_id: str) -> None:
    """Ends a key at once, whatever else it opens, and takes it out of the configuration. Raises NotFound.

    Nothing in the configuration can stand in the way: where it cannot be applied any more, the key stays in it, revoked.
    """
    found = _there(ctx, tx, key_id)
    keys.revoke_key(ctx, tx, key_id)
    with suppress(Invalid, Conflict):
        _apply(ctx, tx, key_id, KeyUse(), f"the key {found.name} was revoked")


def _there(ctx: Context, tx: Transaction, key_id: str) -> ApiKey:
    for key in access.keys(tx, ctx.workspace):
        if key.id == key_id and access.opens(key, Scope.GATEWAY):
            return key
    raise NotFound("there is no such key of the gateway in this workspace")


def _apply(ctx: Context, tx: Transaction, key_id: str, use: KeyUse, note: str) -> None:
    """The configuration in force with another use of one key; what else it says was judged when it was applied."""
    current = store.latest(tx, ctx.workspace)
    before = current.configuration if current else Configuration()
    uses = {key: one for key, one in before.keys.items() if key != key_id}
    if use != KeyUse():
        uses[key_id] = use
    if uses != dict(before.keys):
        version = current.version if current else 0
        apply(ctx, tx, Judged(structs.replace(before, keys=uses), ()), expected_version=version, note=note)
