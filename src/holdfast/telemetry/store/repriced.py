"""Calls of the past as their price needs them, and written again with another charge."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from holdfast.pricing.model import Charge, Usage
from holdfast.storage.columns import Columns, Select
from holdfast.telemetry.model import Facts, Kind, TimeRange
from holdfast.telemetry.store import rows
from holdfast.telemetry.store.calls import FINAL, USAGE
from holdfast.telemetry.store.counted import charged
from holdfast.telemetry.store.past import PastJob
from holdfast.telemetry.store.spans import nanoseconds


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


def total(columns: Columns, workspace: str, within: TimeRange, system: str) -> int:
    """How many calls of a system (empty: of all) a window holds."""
    clauses, params = _window(within, system)
    query = Select("calls", ["count()"], clauses, params, final=True, settings=FINAL)
    return int(columns.rows(workspace, query)[0][0])


def batch(columns: Columns, job: PastJob, size: int) -> list[Priced]:
    """The next calls of a job, in order of start."""
    clauses, params = _window(TimeRange(job.from_at, job.to_at), job.system)
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


def _window(within: TimeRange, system: str) -> tuple[list[str], dict[str, Any]]:
    clauses = [
        "started_at >= fromUnixTimestamp64Nano({start_ns:Int64}, 'UTC')",
        "started_at < fromUnixTimestamp64Nano({end_ns:Int64}, 'UTC')",
    ]
    params: dict[str, Any] = {"start_ns": nanoseconds(within.start), "end_ns": nanoseconds(within.end)}
    if system:
        clauses.append("system = {system:String}")
        params["system"] = system
    return clauses, params


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
    if row["cost_source"] in ("reported", "gateway"):
        facts.reported_cost = row["cost_amount"]
    if row["cost_source"] == "gateway":
        facts.provenance["reported_cost"] = "holdfast.cost"
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
