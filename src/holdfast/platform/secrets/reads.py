"""Answers of secrets: what a reference stands for.

    env:NAME            a variable of the process            operator's settings only
    file:/path          a file, without its last newline     operator's settings only
    vault:path#field    HashiCorp Vault, KV version 2        operator's settings only
    secret:id           kept here, encrypted                 a workspace's own

What users of a workspace enter may name only `secret:` of that workspace: with `env:` or `file:` an admin of one
workspace could read the machine. Text without one of these prefixes is not a reference. Errors never hold a value.
"""

from __future__ import annotations

import re
from pathlib import Path

import httpx2

from holdfast.kernel.errors import Invalid, NotFound, Unavailable
from holdfast.platform import outbound
from holdfast.platform.secrets import master, rules, store
from holdfast.platform.secrets.model import DataKey, MasterKey, Secret
from holdfast.platform.settings import Settings, environment_variable
from holdfast.storage.sql import Transaction

_SCHEMES = ("env:", "file:", "vault:", "secret:")
_VAULT = re.compile(r"([A-Za-z0-9_.-]+)/([A-Za-z0-9_./ -]+)#([A-Za-z0-9_.-]+)")


def is_reference(text: str) -> bool:
    """Whether the text names a secret instead of being one."""
    return text.startswith(_SCHEMES)


def operator_secret(settings: Settings, text: str) -> str:
    """What a setting stands for: the text itself, or what it refers to by env:, file: or vault:.

    Raises NotFound, Invalid, Unavailable; none of them repeats a value.
    """
    kind, _, rest = text.partition(":")
    if not is_reference(text):
        return text
    if kind == "env":
        value = environment_variable(rest)
        if value is None:
            raise NotFound("the variable that a secret refers to is not set", where=text)
        return value
    if kind == "file":
        return _file(text, Path(rest))
    if kind == "vault":
        return _vault(settings, text, rest)
    raise Invalid("a secret kept for a workspace cannot be used in the settings of the process", where=text)


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


def _file(reference: str, path: Path) -> str:
    if not path.is_absolute():
        raise Invalid("a secret's file is given by its whole path", where=reference)
    try:
        with path.open("rb") as file:
            raw = file.read(rules.MAX_SECRET + 1)
        if len(raw) > rules.MAX_SECRET:
            raise Invalid("a secret has at most 64 KiB", where=reference)
        return raw.decode().removesuffix("\n").removesuffix("\r")
    except UnicodeDecodeError:
        raise Invalid("a secret's file holds UTF-8 text", where=reference) from None
    except OSError:
        raise Unavailable("the file that a secret refers to cannot be read", where=reference) from None


def _vault(settings: Settings, reference: str, rest: str) -> str:
    """Vault's HTTP API, KV version 2: GET /v1/<mount>/data/<path>."""
    found = _VAULT.fullmatch(rest)
    if found is None or ".." in rest:
        raise Invalid("write it like vault:mount/path#field", where=reference)
    if not settings.vault_address:
        raise Invalid("a vault: reference needs HOLDFAST_VAULT_ADDRESS", where=reference)
    mount, path, field = found.groups()
    token = settings.vault_token.get_secret_value()
    if token.startswith("vault:"):
        raise Invalid("Vault's own token cannot be in Vault", where="HOLDFAST_VAULT_TOKEN")
    headers = {"x-vault-token": operator_secret(settings, token), "x-vault-request": "true"}
    url = f"{settings.vault_address.rstrip('/')}/v1/{mount}/data/{path}"
    try:
        with outbound.client(settings) as http:
            answer = http.get(url, headers=headers)
    except httpx2.HTTPError:
        raise Unavailable("Vault does not answer", where=reference, retry_after=10) from None
    if answer.status_code == 404:
        raise NotFound("Vault has no such secret", where=reference)
    if answer.status_code != 200:
        raise Unavailable(f"Vault answered {answer.status_code}", where=reference, retry_after=10)
    try:
        value = answer.json()["data"]["data"][field]
    except (ValueError, KeyError, TypeError):
        raise NotFound("Vault's secret has no such field", where=reference) from None
    if not isinstance(value, str):
        raise Invalid("the field in Vault is not text", where=reference)
    return value
