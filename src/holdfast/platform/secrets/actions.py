"""Verbs of secrets: keep, remove, change keys."""

from __future__ import annotations

from dataclasses import replace

from holdfast.kernel.context import Context
from holdfast.kernel.errors import Invalid, NotFound
from holdfast.kernel.ids import new_id
from holdfast.platform.audit import actions as audit
from holdfast.platform.epochs import actions as epochs
from holdfast.platform.secrets import rules, store
from holdfast.platform.secrets.model import DataKey, MasterKey, Secret
from holdfast.storage.sql import Transaction


def keep(ctx: Context, tx: Transaction, master: MasterKey, name: str, text: str) -> str:
    """Keeps a secret encrypted, in the place of the one with this name; returns its reference (`secret:…`)."""
    if not name.strip() or len(name) > 200:
        raise Invalid("a secret needs a name, of at most 200 characters", where="name")
    keys = store.data_keys_of(tx, ctx.workspace)
    data_key = keys[-1] if keys else _new_data_key(ctx, tx, master)
    before = store.secret_by_name(tx, ctx.workspace, name)
    secret_id = before.id if before else new_id("sec")
    sealed = rules.seal(data_key.id, rules.unwrap(master, data_key), ctx.workspace, secret_id, text)
    kept = Secret(secret_id, ctx.workspace, name, sealed, before.created_at if before else ctx.now, ctx.now)
    store.put_secret(tx, kept)
    epochs.advance(tx)
    audit.record(ctx, tx, action="secret.kept", subject=secret_id, details={"name": name})
    return kept.reference


def remove(ctx: Context, tx: Transaction, secret_id: str) -> None:
    """Forgets a secret. Raises NotFound."""
    if not store.delete_secret(tx, ctx.workspace, secret_id):
        raise NotFound("there is no such secret in this workspace")
    epochs.advance(tx)
    audit.record(ctx, tx, action="secret.removed", subject=secret_id)


def change_data_key(ctx: Context, tx: Transaction, master: MasterKey) -> int:
    """Seals every secret of the workspace under a new data key and forgets the old ones; returns how many."""
    old = {key.id: rules.unwrap(master, key) for key in store.data_keys_of(tx, ctx.workspace)}
    fresh = _new_data_key(ctx, tx, master)
    plain_key = rules.unwrap(master, fresh)
    found = store.secrets_of(tx, ctx.workspace)
    for secret in found:
        text = rules.open_sealed(old[rules.key_id_of(secret.sealed)], secret)
        store.put_secret(
            tx, replace(secret, sealed=rules.seal(fresh.id, plain_key, ctx.workspace, secret.id, text))
        )
    store.drop_data_keys(tx, ctx.workspace, keep=fresh.id)
    epochs.advance(tx)
    audit.record(ctx, tx, action="secrets.key_changed", subject=fresh.id, details={"secrets": len(found)})
    return len(found)


def change_master_key(ctx: Context, tx: Transaction, old: MasterKey, new: MasterKey) -> int:
    """Wraps the data keys of every workspace under a new master key; returns how many. `ctx` names who does it."""
    found = store.all_data_keys(tx)
    for key in found:
        plain = rules.unwrap(old, key)
        store.put_data_key(
            tx, replace(key, master=new.id, wrapped=rules.wrap(new, key.workspace, key.id, plain))
        )
    epochs.advance(tx)
    details = {"from": old.id, "to": new.id, "data_keys": len(found)}
    audit.record(ctx, tx, action="secrets.master_changed", subject=new.id, details=details)
    return len(found)


def _new_data_key(ctx: Context, tx: Transaction, master: MasterKey) -> DataKey:
    key_id = new_id("dk")
    wrapped = rules.wrap(master, ctx.workspace, key_id, rules.new_data_key())
    made = DataKey(key_id, ctx.workspace, master.id, wrapped, ctx.now)
    store.put_data_key(tx, made)
    return made
