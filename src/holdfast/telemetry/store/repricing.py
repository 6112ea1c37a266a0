"""Pricing the past anew: the jobs, in the control store, and the calls, in the call store."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from holdfast.pricing.model import Charge, Usage
from holdfast.storage.columns import Columns, Select
from holdfast.storage.sql import Instant, Transaction, metadata
from holdfast.telemetry.model import Facts, Kind, TimeRange
from holdfast.telemetry.store import rows
from holdfast.telemetry.store.calls import FINAL, USAGE
from holdfast.telemetry.store.counted import charged
from holdfast.telemetry.store.spans import nanoseconds

repricings = sa.Table(
    "repricings",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("from_at", Instant, nullable=False),
    sa.Column("to_at", Instant, nullable=False),
    sa.Column("requested_at", Instant, nullable=False),
    sa.Column("total", sa.BigInteger, nullable=False),
    sa.Column("seen", sa.BigInteger, nullable=False),
    sa.Column("changed", sa.BigInteger, nullable=False),
    sa.Column("position_ns", sa.BigInteger, nullable=False),
    sa.Column("position_id", sa.String(40), nullable=False),
    sa.Column("difference", sa.Text, nullable=False),
    sa.Column("finished_at", Instant),
)


@dataclass(frozen=True, slots=True)
class Repricing:
    """A job: calls of a window, how many there are, how many were looked at and changed, and how far it is.

    `difference` is by how much amounts changed, by currency.
    """

    id: str
    workspace: str
    from_at: datetime
    to_at: datetime
    requested_at: datetime
    total: int
    seen: int = 0
    changed: int = 0
    position_ns: int = -1
    position_id: str = ""
    difference: str = "{}"
    finished_at: datetime | None = None


def _made(row: Any) -> Repricing:
    return Repricing(**row._mapping)


def of_workspace(tx: Transaction, workspace: str) -> list[Repricing]:
    """The jobs of a workspace, the latest first."""
    query = tx.select(repricings, workspace).order_by(repricings.c.requested_at.desc(), repricings.c.id)
    return [_made(row) for row in tx.execute(query.limit(100))]


def unfinished(tx: Transaction) -> Repricing | None:
    """The oldest job of any workspace that is not done."""
    query = sa.select(repricings).where(repricings.c.finished_at.is_(None))
    row = tx.execute(query.order_by(repricings.c.requested_at, repricings.c.id).limit(1)).first()
    return None if row is None else _made(row)


def put(tx: Transaction, job: Repricing) -> None:
    """Keeps a job as it is now."""
    values = {column.name: getattr(job, column.name) for column in repricings.columns}
    tx.upsert(repricings, values, ["id"])


@dataclass(frozen=True, slots=True)
class Priced:
    """A call with what its price depends on, and what it costs until now."""

    id: str
    trace_id: str
    start_ns: int
    facts: Facts
    charge: Charge


_READ = (
    "id",
    "trace_id",
    "toUnixTimestamp64Nano(started_at) AS start_ns",
    "kind",
    "provider",
    "request_model",
    "response_model",
    "service_tier",
    "cost_amount",
    "cost_currency",
    "cost_source",
    "cost_unknown_reason",
    "price_id",
    *USAGE,
)


def total(columns: Columns, workspace: str, within: TimeRange) -> int:
    """How many calls a window holds."""
    clauses, params = _window(within)
    query = Select("calls", ["count()"], clauses, params, final=True, settings=FINAL)
    return int(columns.rows(workspace, query)[0][0])


def batch(columns: Columns, job: Repricing, size: int) -> list[Priced]:
    """The next calls of a job, in order of start."""
    clauses, params = _window(TimeRange(job.from_at, job.to_at))
    clauses.append(
        "started_at > fromUnixTimestamp64Nano({at:Int64}, 'UTC')"
        " OR (started_at = fromUnixTimestamp64Nano({at:Int64}, 'UTC') AND id > {id:String})"
    )
    params |= {"at": max(job.position_ns, 0), "id": job.position_id}
    query = Select(
        "calls",
        _READ,
        clauses,
        params,
        order_by=["started_at", "id"],
        limit=size,
        final=True,
        settings=FINAL,
    )
    return [_priced(row) for row in columns.dicts(job.workspace, query)]


def _window(within: TimeRange) -> tuple[list[str], dict[str, Any]]:
    clauses = [
        "started_at >= fromUnixTimestamp64Nano({start_ns:Int64}, 'UTC')",
        "started_at < fromUnixTimestamp64Nano({end_ns:Int64}, 'UTC')",
    ]
    return clauses, {"start_ns": nanoseconds(within.start), "end_ns": nanoseconds(within.end)}


def _priced(row: dict[str, Any]) -> Priced:
    facts = Facts(
        Kind(row["kind"]),
        "",
        provider=row["provider"] or None,
        request_model=row["request_model"] or None,
        response_model=row["response_model"] or None,
        service_tier=row["service_tier"] or None,
        usage=Usage(**{bucket: row[name] for name, bucket in USAGE.items()}),
    )
    if row["cost_source"] == "reported":
        facts.reported_cost = row["cost_amount"]
    charge = Charge(
        row["cost_amount"],
        row["cost_currency"],
        row["price_id"] or None,
        None,
        row["cost_source"] or None,
        {},
        row["cost_unknown_reason"] or None,
    )
    return Priced(row["id"], row["trace_id"], row["start_ns"], facts, charge)


def rewrite(columns: Columns, workspace: str, charges: Mapping[tuple[str, int], Charge], now_ms: int) -> None:
    """Writes calls (by id and start) again with other charges; one that was counted again meanwhile stays as it is."""
    if not charges:
        return
    keys: Sequence[tuple[str, int]] = list(charges)
    where = [
        "id IN {ids:Array(String)}",
        "started_at >= fromUnixTimestamp64Nano({first:Int64}, 'UTC')",
        "started_at <= fromUnixTimestamp64Nano({last:Int64}, 'UTC')",
    ]
    params = {
        "ids": [one for one, _ in keys],
        "first": min(start for _, start in keys),
        "last": max(start for _, start in keys),
    }
    found = []
    for row in rows.read(columns, workspace, "calls", where, params):
        charge = charges.get((row["id"], row["started_at"]))
        if charge is not None:
            found.append({**row, **charged(charge), "version": row["version"] + 1, "received_at": now_ms})
    rows.write(columns, "calls", found)


def added(before: str, more: Mapping[str, Any]) -> str:
    """Amounts by currency, as they are kept, with more added to them."""
    known = {currency: Decimal(amount) for currency, amount in json.loads(before).items()}
    for currency, amount in more.items():
        known[currency] = known.get(currency, Decimal(0)) + amount
    return json.dumps({currency: format(amount, "f") for currency, amount in known.items() if amount})
