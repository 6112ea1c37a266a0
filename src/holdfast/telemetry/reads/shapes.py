"""Calls and traces as the API and exports show them: unknown is null, money is text, times are ISO 8601."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any

import msgspec

from holdfast.kernel.time import iso
from holdfast.telemetry.store.calls import USAGE


def call_json(row: dict[str, Any]) -> dict[str, Any]:
    """A call as the API shows it: unknown is null, money is text, times are ISO 8601."""
    start_ns = row["start_ns"]
    shown: dict[str, Any] = {"id": row["id"], "trace_id": row["trace_id"], "span_id": row["span_id"]}
    shown["started_at"] = iso(instant(start_ns))
    shown["duration_ms"] = row["duration_ns"] / 1e6
    for name in (
        "system",
        "environment",
        "route",
        "agent",
        "tenant",
        "user",
        "session",
        "release",
        "feature",
    ):
        shown[name] = row[name] or None
    for name in ("provider", "request_model", "response_model", "operation", "response_id", "service_tier"):
        shown[name] = row[name] or None
    shown |= {
        "kind": row["kind"],
        "status": row["status"],
        "error_class": row["error_class"] or None,
        "error_type": row["error_type"] or None,
        "streaming": row["streaming"],
        "ttft_ms": row["ttft_ms"],
    }
    for name in USAGE:
        shown[name] = row[name]
    shown |= {
        "cost_amount": None if row["cost_amount"] is None else format(row["cost_amount"].normalize(), "f"),
        "cost_currency": row["cost_currency"] or None,
        "cost_parts": json.loads(row["cost_parts"]) if row["cost_parts"] else None,
        "cost_source": row["cost_source"] or None,
        "cost_unknown_reason": row["cost_unknown_reason"] or None,
        "price_id": row["price_id"] or None,
        "price_effective_from": iso(aware(row["price_effective_from"]))
        if row["price_effective_from"]
        else None,
        "finish_reasons": list(row["finish_reasons"]),
        "refusal": row["refusal"],
        "cache_hit": row["cache_hit"],
        "resends": row["resends"],
        "parameters": json.loads(row["parameters"]) if row["parameters"] else {},
        "convention": row["convention"] or None,
        "provenance": json.loads(row["provenance"]) if row["provenance"] else {},
        "quality": list(row["quality"]),
        "observations": list(row["observations"]),
        "sample": row["sample"],
        "attempt": row["attempt"],
        "configuration": row["configuration"] or None,
    }
    return shown


def instant(nanoseconds: int) -> datetime:
    """A UTC instant of Unix nanoseconds, to the microsecond."""
    return datetime.fromtimestamp(nanoseconds // 10**9, UTC).replace(microsecond=nanoseconds // 1000 % 10**6)


def aware(value: datetime) -> datetime:
    """The store's naive UTC time as an aware one."""
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def json_lines(rows: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    """One JSON object a line."""
    for row in rows:
        yield msgspec.json.encode(row) + b"\n"


def safe_cell(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula (OWASP: CSV injection); lists and objects become JSON."""
    if value is None or isinstance(value, bool | int | float):
        return value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return "'" + text if text[:1] in ("=", "+", "-", "@", "\t", "\r", "\n") else text


def csv_row(values: Iterable[Any]) -> bytes:
    """One line of RFC 4180 in UTF-8."""
    buffer = io.StringIO()
    csv.writer(buffer, lineterminator="\r\n").writerow([safe_cell(value) for value in values])
    return buffer.getvalue().encode()


def csv_lines(rows: Iterable[dict[str, Any]]) -> Iterator[bytes]:
    """A header and a line for each row."""
    for number, row in enumerate(rows):
        if number == 0:
            yield csv_row(row)
        yield csv_row(row.values())
