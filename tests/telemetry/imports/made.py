"""Export files in memory, and what a reader makes of them."""

from __future__ import annotations

import io
import json
from typing import Any

from holdfast.telemetry.conventions.reading import read_facts
from holdfast.telemetry.imports import files, shelf
from holdfast.telemetry.imports.reader import Item, Reader, Told
from holdfast.telemetry.model import Facts, Span, VendorUsage

TOLD = Told("hr", "", 0)


def records(body: bytes, name: str = "export.jsonl", *, exact: bool = False) -> list[tuple[int, Any]]:
    """The records of a file."""
    return list(files.open_file(io.BytesIO(body), name, exact=exact).records)


def read(source: str, *rows: Any, told: Told = TOLD, mapping: Any = None) -> tuple[list[Item], Reader]:
    """What records become, and the reader with its tally."""
    reading = shelf.reader(source, told, mapping)
    return [item for row in rows for item in shelf.items(reading, row)], reading


def one(source: str, row: Any, **more: Any) -> Span:
    """The one span that a record becomes."""
    [item], _ = read(source, row, **more)
    assert isinstance(item, Span), item
    return item


def facts(span: Span) -> Facts:
    """What the conventions read of an imported span."""
    return read_facts(span)


def buckets(items: list[Item]) -> list[VendorUsage]:
    """The rows of a vendor's counting among items."""
    return [item for item in items if isinstance(item, VendorUsage)]


def lines(*rows: Any) -> bytes:
    """JSON lines."""
    return b"".join(json.dumps(row).encode() + b"\n" for row in rows)
