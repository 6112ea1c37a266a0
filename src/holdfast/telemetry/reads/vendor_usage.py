"""Vendors' own counting beside ours: buckets of usage and costs as their reports state them."""

from __future__ import annotations

from datetime import datetime

from holdfast.kernel.context import Context
from holdfast.storage.sql import Transaction
from holdfast.telemetry.model import TimeRange, VendorUsage
from holdfast.telemetry.store import imports as store


def vendor_usage(
    ctx: Context,
    tx: Transaction,
    within: TimeRange,
    *,
    provider: str = "",
    kind: str = "",
    limit: int = 1000,
    after: tuple[datetime, str] | None = None,
) -> list[tuple[str, VendorUsage]]:
    """(key, row) of the buckets that begin in a time range, by start; `kind` is usage, cost or empty for both.

    Only rows grouped by the same dimensions can be added up. `after` is start and key of the last one seen.
    """
    return store.usage(tx, ctx.workspace, within, provider, kind, limit, after)
