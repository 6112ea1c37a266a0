"""What imports keep: how far each file has come, vendors' own counting; and what of a batch is there already."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from holdfast.storage.columns import Columns, Select
from holdfast.storage.sql import Instant, Transaction, metadata
from holdfast.telemetry.model import ImportProgress, TimeRange, VendorUsage
from holdfast.telemetry.store.calls import FINAL, MODEL

imports = sa.Table(
    "imports",
    metadata,
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), primary_key=True),
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("changed_at", Instant, nullable=False),
)

vendor_usage = sa.Table(
    "vendor_usage",
    metadata,
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), primary_key=True),
    sa.Column("key", sa.String(64), primary_key=True),
    sa.Column("provider", sa.String(40), nullable=False),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("start_at", Instant, nullable=False),
    sa.Column("end_at", Instant, nullable=False),
    sa.Column("dimensions", sa.Text, nullable=False),  # JSON
    sa.Column("measures", sa.Text, nullable=False),  # JSON: name -> decimal text
    sa.Column("amount", sa.String(60)),  # decimal text: exact on every engine
    sa.Column("currency", sa.String(10)),
    sa.Column("imported_at", Instant, nullable=False),
    sa.Index("ix_vendor_usage_start", "workspace", "start_at"),
)


def progress(tx: Transaction, workspace: str, digest: str) -> ImportProgress | None:
    """That of an import that was not finished."""
    query = tx.select(imports, workspace).where(imports.c.digest == digest)
    row = tx.execute(query).first()
    return None if row is None else ImportProgress(row.digest, row.position, json.loads(row.state))


def put_progress(tx: Transaction, workspace: str, made: ImportProgress, now: datetime) -> None:
    """Keeps how far an import has come."""
    row = {
        "workspace": workspace,
        "digest": made.digest,
        "position": made.position,
        "state": json.dumps(made.state),
        "changed_at": now,
    }
    tx.upsert(imports, row, key=["workspace", "digest"])


def end_progress(tx: Transaction, workspace: str, digest: str) -> None:
    """Forgets an import that is finished: the next one of this file begins at its beginning."""
    tx.execute(imports.delete().where(imports.c.workspace == workspace, imports.c.digest == digest))


def _key(one: VendorUsage) -> str:
    named = [
        one.provider,
        one.kind,
        one.start.isoformat(),
        one.end.isoformat(),
        sorted(one.dimensions.items()),
    ]
    if one.currency:
        named.append(one.currency)
    return hashlib.sha256(json.dumps(named).encode()).hexdigest()


def put_usage(tx: Transaction, workspace: str, rows: Sequence[VendorUsage], now: datetime) -> tuple[int, int]:
    """Keeps rows of vendors' counting; one of the same bucket and dimensions takes the earlier one's place.

    Returns how many are new, and how many changed what was there.
    """
    made = {_key(one): one for one in rows}
    there: dict[str, Any] = {}
    keys = sorted(made)
    for start in range(0, len(keys), 500):
        query = tx.select(vendor_usage, workspace).where(vendor_usage.c.key.in_(keys[start : start + 500]))
        there |= {row.key: row for row in tx.execute(query)}
    changed = 0
    for key, one in made.items():
        measures = json.dumps({name: str(value) for name, value in sorted(one.measures.items())})
        amount = None if one.amount is None else str(one.amount)
        before = there.get(key)
        if before is not None and (before.measures, before.amount) == (measures, amount):
            continue
        changed += before is not None
        row = {
            "workspace": workspace,
            "key": key,
            "provider": one.provider,
            "kind": one.kind,
            "start_at": one.start,
            "end_at": one.end,
            "dimensions": json.dumps(one.dimensions, sort_keys=True),
            "measures": measures,
            "amount": amount,
            "currency": one.currency,
            "imported_at": now,
        }
        tx.upsert(vendor_usage, row, key=["workspace", "key"])
    return len(made) - len(there), changed


def usage(
    tx: Transaction,
    workspace: str,
    within: TimeRange,
    provider: str,
    kind: str,
    limit: int,
    after: tuple[datetime, str] | None,
) -> list[tuple[str, VendorUsage]]:
    """(key, row) of buckets that begin in a time range, by start and key; `after` is the last one seen."""
    c = vendor_usage.c
    query = tx.select(vendor_usage, workspace).where(c.start_at >= within.start, c.start_at < within.end)
    if provider:
        query = query.where(c.provider == provider)
    if kind:
        query = query.where(c.kind == kind)
    if after is not None:
        query = query.where(sa.or_(c.start_at > after[0], sa.and_(c.start_at == after[0], c.key > after[1])))
    found = tx.execute(query.order_by(c.start_at, c.key).limit(limit))
    return [(row.key, _usage(row)) for row in found]


def _usage(row: Any) -> VendorUsage:
    return VendorUsage(
        row.provider,
        row.kind,
        row.start_at,
        row.end_at,
        json.loads(row.dimensions),
        {name: Decimal(text) for name, text in json.loads(row.measures).items()},
        None if row.amount is None else Decimal(row.amount),
        row.currency,
    )


def there(columns: Columns, workspace: str, trace_ids: Sequence[str]) -> set[tuple[str, str]]:
    """(trace id, span id) of what is stored of some traces: spans, and calls whose spans have expired."""
    found: set[tuple[str, str]] = set()
    for table in ("spans", "calls"):
        extra = [] if table == "spans" else ["is_deleted = 0"]
        query = Select(
            table,
            ["trace_id", "span_id"],
            ["trace_id IN {traces:Array(String)}", *extra],
            {"traces": list(trace_ids)},
        )
        found |= {(row[0], row[1]) for row in columns.rows(workspace, query)}
    return found


def unpriced(columns: Columns, workspace: str, scope: str, since: datetime) -> list[tuple[str, str, int]]:
    """(model, why, how many) of calls of a scope that were received since an instant and have no cost."""
    query = Select(
        "calls",
        [f"{MODEL} AS model", "cost_unknown_reason", "count()"],
        [
            "scope = {scope:String}",
            "received_at >= {since:DateTime64(3, 'UTC')}",
            "cost_amount IS NULL",
            "status != 'error'",
        ],
        {"scope": scope, "since": since},
        group_by=["model", "cost_unknown_reason"],
        order_by=["count() DESC", "model"],
        limit=1000,
        final=True,
        settings=FINAL,
    )
    return [(row[0], row[1], int(row[2])) for row in columns.rows(workspace, query)]
