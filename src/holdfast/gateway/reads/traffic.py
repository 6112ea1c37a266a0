"""What was decided for governed routes, now and before."""

from __future__ import annotations

from datetime import datetime

from holdfast.gateway import governing, store
from holdfast.gateway.model import Governed, Guardrail, Release
from holdfast.kernel.context import Context
from holdfast.storage.sql import Transaction


def governed(ctx: Context, tx: Transaction) -> dict[str, Governed]:
    """What is in force of each governed route, by route."""
    return store.governed(tx, ctx.workspace)


def decided(ctx: Context, tx: Transaction, route: str, limit: int = 100) -> list[Governed]:
    """All that was decided for a route, the latest first."""
    return store.decided(tx, ctx.workspace, route, limit)


def decided_at(ctx: Context, tx: Transaction, route: str, at: datetime) -> Governed | None:
    """What was decided for a route as of an instant; None where it was not governed."""
    return store.decided_at(tx, ctx.workspace, route, at)


def content(ctx: Context, tx: Transaction, release_id: str) -> tuple[Release, dict[str, Guardrail]]:
    """A release of the registry as the gateway has it, and its guardrails by name. Raises NotFound, Invalid."""
    release, guardrails = governing.content(ctx, tx, release_id)
    return release, dict(guardrails)
