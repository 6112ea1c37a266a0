"""Answers of secrets: what a reference stands for.

    env:NAME            a variable of the process            operator's settings only
    file:/path          a file, without its last newline     operator's settings only
    vault:path#field    HashiCorp Vault, KV version 2        operator's settings only
    secret:id           kept here, encrypted                 a workspace's own

What users of a workspace enter may name only `secret:` of that workspace: with `env:` or `file:` an admin of one
workspace could read the machine. Text without one of these prefixes is not a reference. Errors never hold a value.
"""

from __future__ import annotations

from holdfast.kernel.errors import Invalid, NotFound, Unavailable
from holdfast.platform.secrets import master, rules, store
from holdfast.platform.secrets.model import DataKey, MasterKey, Secret
from holdfast.platform.secrets.references import is_reference, operator_secret
from holdfast.platform.settings import Settings
from holdfast.storage.sql import Transaction

__all__ = ["is_reference", "names", "operator_secret", "sealing_key", "workspace_secret"]


def workspace_secret(tx: Transaction, settings: Settings, workspace: str, reference: str) -> str:
    """A secret that a workspace keeps (`secret:id`). Raises Invalid for any other reference, NotFound, Unavailable."""
    kind, _, secret_id = reference.partition(":")
    if kind != "secret":
        raise Invalid("a workspace can use only secrets that are kept for it (secret:…)", where="reference")
    kept = store.secret(tx, workspace, secret_id)
    if kept is None:
        raise NotFound("there is no such secret in this workspace")
    wanted = rules.key_id_of(kept.sealed)
    key = next((one for one in store.data_keys_of(tx, workspace) if one.id == wanted), None)
    if key is None:
        raise Unavailable("the key of a stored secret is gone")
    return rules.open_sealed(rules.unwrap(master.load(settings), key), kept)


def sealed(tx: Transaction, workspace: str) -> dict[str, tuple[Secret, DataKey]]:
    """What opens each secret of a workspace elsewhere, by reference: the secret as it is kept, its wrapped data key."""
    keys = {key.id: key for key in store.data_keys_of(tx, workspace)}
    found = {
        one.reference: (one, keys.get(rules.key_id_of(one.sealed))) for one in store.secrets_of(tx, workspace)
    }
    return {reference: (secret, key) for reference, (secret, key) in found.items() if key is not None}


def sealing_key(settings: Settings) -> MasterKey:
    """What `actions.keep` seals with. Reads a file: ask before the transaction begins. Raises Invalid, Unavailable."""
    return master.load(settings)


def names(tx: Transaction, workspace: str) -> list[tuple[str, str]]:
    """Reference and name of each secret that the workspace keeps; never a value."""
    return [(kept.reference, kept.name) for kept in store.secrets_of(tx, workspace)]
