"""What the operator's own references stand for: env:, file:, vault:. Needs no store, so the gateway asks here too."""

from __future__ import annotations

import re
from pathlib import Path

import httpx2

from holdfast.kernel.errors import Invalid, NotFound, Unavailable
from holdfast.platform import outbound
from holdfast.platform.secrets import rules
from holdfast.platform.settings import Settings, environment_variable

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
