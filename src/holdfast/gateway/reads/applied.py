"""What a workspace has applied."""

from __future__ import annotations

from holdfast.gateway import governing, store
from holdfast.gateway.model import Version
from holdfast.kernel.context import Context
from holdfast.kernel.errors import NotFound
from holdfast.storage.sql import Transaction


def current(ctx: Context, tx: Transaction) -> Version | None:
    """The configuration as it was applied last; None before the first."""
    return store.latest(tx, ctx.workspace)


def in_force(ctx: Context, tx: Transaction) -> Version | None:
    """The configuration that gateways live by: as applied, and over it what was decided for governed routes."""
    return governing.in_force(ctx, tx)


def version(ctx: Context, tx: Transaction, number: int) -> Version:
    """One version, whether in force or not. Raises NotFound."""
    found = store.version(tx, ctx.workspace, number)
    if found is None:
        raise NotFound("there is no such version of the gateway's configuration in this workspace")
    return found


def versions(ctx: Context, tx: Transaction, before: int | None = None, limit: int = 50) -> list[Version]:
    """The latest first; those below the version `before` where it is given."""
    return store.versions(tx, ctx.workspace, before, limit)
