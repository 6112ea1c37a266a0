"""What the commands of the command line do. While a core runs on the folder, they ask it through its own socket."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import httpx2

from holdfast.kernel.context import Actor, Context
from holdfast.kernel.errors import HoldfastError, Invalid, Unavailable
from holdfast.kernel.time import utc_now
from holdfast.platform.access import rules as access_rules
from holdfast.platform.access.actions import keys as access
from holdfast.platform.access.actions import links
from holdfast.platform.audit.wiring import verify_command
from holdfast.platform.settings import Settings
from holdfast.platform.tenancy import actions as tenancy
from holdfast.platform.tenancy import reads as tenancy_reads
from holdfast.storage.columns import Columns
from holdfast.storage.migrate import migrate
from holdfast.storage.sql import Database

CLI = Actor("cli", "cli", "Command line")
INSTANCE = "instance"


def open_database(settings: Settings) -> Database:
    """The control store, migrated; a running core does not mind. What is made is its owner's alone."""
    os.umask(0o077)
    settings.data.mkdir(parents=True, exist_ok=True)
    database = Database(settings.sql)
    migrate(database)
    return database


def migrate_stores(settings: Settings) -> str:
    """Migrates both stores; says what was done. Raises Conflict while a core has an embedded call store open."""
    os.umask(0o077)
    settings.data.mkdir(parents=True, exist_ok=True)
    database = Database(settings.sql)
    try:
        revisions = migrate(database)
    finally:
        database.close()
    columns = Columns(settings.columns)
    columns.close()
    lines = [f"control store: {one}" for one in revisions] or ["control store: nothing to do"]
    lines += [f"call store: {one}" for one in columns.migrated] or ["call store: nothing to do"]
    return "\n".join(lines)


def create_key(settings: Settings, workspace: str, scopes: str, name: str) -> str:
    """Makes a key; returns its text. Raises Invalid."""
    wanted = access_rules.parse_scopes(scopes)
    database = open_database(settings)
    try:
        with database.transaction() as tx:
            now = utc_now()
            found = tenancy.ensure_workspace(Context("", CLI, now), tx, workspace)
            _, text = access.create_key(Context(found.id, CLI, now), tx, name, wanted)
        return text
    finally:
        database.close()


def first_link(settings: Settings, workspace: str) -> str | None:
    """The one-time link of the very first start; None once somebody can sign in. Makes the workspace where missing."""
    database = open_database(settings)
    try:
        with database.transaction() as tx:
            now = utc_now()
            found = tenancy.ensure_workspace(Context("", CLI, now), tx, workspace)
            return links.first_sign_in_link(
                Context(found.id, CLI, now), tx, settings, email="admin@localhost", workspaces=[found.id]
            )
    finally:
        database.close()


def member_link(settings: Settings, email: str) -> str:
    """A fresh one-time link for a member. Raises NotFound, Denied."""
    database = open_database(settings)
    try:
        with database.transaction() as tx:
            return links.sign_in_link(Context(INSTANCE, CLI, utc_now()), tx, settings, email)
    finally:
        database.close()


def verify_audit(settings: Settings, vkeys: list[str], against: list[Path]) -> tuple[int, str]:
    """Exit code and text of the check of the whole audit log."""
    database = open_database(settings)
    try:
        return verify_command(database, settings.data / "keys", vkeys, against)
    finally:
        database.close()


def running(settings: Settings) -> httpx2.Client | None:
    """A client of the core that runs on this data folder; None where none does."""
    path = settings.data.resolve() / "core.sock"
    if not path.exists():
        return None
    client = httpx2.Client(
        transport=httpx2.HTTPTransport(uds=str(path)), base_url="http://core", timeout=httpx2.Timeout(600)
    )
    try:
        client.get("/healthz")
    except httpx2.TransportError:
        client.close()
        return None
    return client


def only_workspace(settings: Settings, slug: str) -> str:
    """The short name given, or that of the only workspace there is. Raises Invalid."""
    if slug:
        return slug
    database = open_database(settings)
    try:
        with database.reading() as tx:
            found = [workspace.slug for workspace in tenancy_reads.all_workspaces(tx)]
    finally:
        database.close()
    if len(found) != 1:
        raise Invalid(
            f"say which workspace with --workspace: {', '.join(found) or 'there is none yet'}",
            where="workspace",
        )
    return found[0]


def refused(response: Any) -> HoldfastError:
    """What the core's refusal says, in its own words."""
    try:
        detail = str(response.json()["detail"])
    except (ValueError, KeyError, TypeError):
        detail = response.text[:400]
    return Unavailable(f"the core answered {response.status_code}: {detail}")
