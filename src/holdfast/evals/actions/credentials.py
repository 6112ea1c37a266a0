"""Credentials of graders that are services: kept encrypted for a workspace, each good for one host."""

from __future__ import annotations

import re
from dataclasses import dataclass

from holdfast.kernel.context import Context
from holdfast.kernel.errors import Invalid, NotFound
from holdfast.platform.secrets import actions as secrets
from holdfast.platform.secrets import reads as kept
from holdfast.platform.secrets.model import MasterKey
from holdfast.platform.settings import Settings
from holdfast.storage.sql import Transaction

PREFIX = "grader/"
_NAME = re.compile(r"[A-Za-z0-9._-]{1,60}")
_HOST = re.compile(r"[a-z0-9.:-]{1,120}")


@dataclass(frozen=True, slots=True)
class Credential:
    """A name that suites use, and the one host that it is sent to; never the value."""

    name: str
    host: str


def keep(ctx: Context, tx: Transaction, master: MasterKey, name: str, host: str, text: str) -> Credential:
    """Keeps one, in place of the one with this name. Raises Invalid."""
    if not text or any(ord(one) < 32 or ord(one) > 126 for one in text):
        raise Invalid("a credential is one line of ASCII", where="value")
    if not _NAME.fullmatch(name):
        raise Invalid("a name is letters, digits and . _ -, 60 characters at most", where="name")
    if not _HOST.fullmatch(host):
        raise Invalid("name the host that the grader's url names, such as graders.example.org", where="host")
    made = Credential(name, host)
    for id, old in _found(ctx.workspace, tx):
        if old.name == name and old != made:
            secrets.remove(ctx, tx, id)
    secrets.keep(ctx, tx, master, f"{PREFIX}{name}@{host}", text)
    return made


def remove(ctx: Context, tx: Transaction, name: str) -> None:
    """Forgets one. Raises NotFound."""
    for id, one in _found(ctx.workspace, tx):
        if one.name == name:
            secrets.remove(ctx, tx, id)
            return
    raise NotFound("there is no such credential in this workspace")


def listed(ctx: Context, tx: Transaction) -> list[Credential]:
    """Those of the workspace, by name."""
    return sorted((one for _, one in _found(ctx.workspace, tx)), key=lambda one: one.name)


def value(tx: Transaction, settings: Settings, workspace: str, name: str, host: str) -> str:
    """What a grader at a host is sent. Raises NotFound where there is none, or it is for another host."""
    for id, one in _found(workspace, tx):
        if one == Credential(name, host):
            return kept.workspace_secret(tx, settings, workspace, f"secret:{id}")
    raise NotFound(f"there is no credential {name} for {host} in this workspace")


def _found(workspace: str, tx: Transaction) -> list[tuple[str, Credential]]:
    """Ids of secrets, and what they are."""
    found = []
    for reference, name in kept.names(tx, workspace):
        if name.startswith(PREFIX):
            own, _, host = name.removeprefix(PREFIX).partition("@")
            found.append((reference.partition(":")[2], Credential(own, host)))
    return found
