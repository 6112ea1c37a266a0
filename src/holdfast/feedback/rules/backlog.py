"""A backlog in a file, CSV or JSON lines, read into items: every fault with its line, or all of the items."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from holdfast.feedback.model import Item, Source
from holdfast.feedback.rules import said
from holdfast.kernel.errors import Invalid
from holdfast.kernel.time import parse_instant

MOST_ROWS = 500_000
MOST_FAULTS = 1000
FIELDS = (
    "id", "call_id", "trace_id", "session", "rating", "score", "label", "comment", "correction", "used", "author",
    "created_at", "metadata",
)  # fmt: skip
OURS = frozenset(
    ("source", "sentiment", "received_at", "signal", "confidence", "words", "same_as", "call", "handled",
     "handled_by", "handled_at")
)  # fmt: skip
"""What an export of ours says besides: worked out anew here."""
_THUMBS = {
    "1": 1, "+1": 1, "1.0": 1, "up": 1, "thumb up": 1, "thumbs up": 1, "thumbs_up": 1, "positive": 1, "good": 1,
    "like": 1, "true": 1, "👍": 1,
    "-1": -1, "-1.0": -1, "down": -1, "thumb down": -1, "thumbs down": -1, "thumbs_down": -1, "negative": -1,
    "bad": -1, "dislike": -1, "false": -1, "👎": -1,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Form:
    """How a file is written. `columns`: our field → theirs. `scale`: scores run from 1 to this; None: from 0 to 1."""

    format: str  # csv or jsonl
    columns: Mapping[str, str]
    scale: int | None = None


@dataclass(frozen=True, slots=True)
class Backlog:
    """What a file holds. `behaviour`: rows of an export that were computed, which are left out."""

    items: tuple[Item, ...]
    rows: int
    behaviour: int


class _Fault(Exception):
    def __init__(self, field: str, words: str) -> None:
        super().__init__(words)
        self.field, self.words = field, words


def read(name: str, text: str, form: Form, workspace: str, now: datetime) -> Backlog:
    """The items of a file. Raises Invalid with every fault as `name:line`, and then nothing of it is to be kept."""
    _check(form)
    faults: list[tuple[str, str]] = []
    items: dict[str, Item] = {}
    rows = behaviour = 0
    for line, row in _rows(name, text, form, faults):
        rows += 1
        if rows > MOST_ROWS:
            raise Invalid(f"a file has at most {MOST_ROWS:,} rows; send it in parts", where=name)
        if row.get("source") == Source.IMPLICIT.value:
            behaviour += 1
            continue
        try:
            item = _item(row, form, workspace, now)
        except _Fault as fault:
            faults.append((f"{name}:{line}", f"{fault.field}: {fault.words}"))
            continue
        faults += [
            (f"{name}:{line}", f"{where}: {words}" if where else words) for where, words in said.faults(item)
        ]
        known = items.get(item.id)
        if known is not None and said.digest(known) != said.digest(item):
            faults.append(
                (
                    f"{name}:{line}",
                    f"id: another row of this file has the id {item.id} and says something else",
                )
            )
        items.setdefault(item.id, item)
    if faults:
        raise _refusal(faults)
    if not items and not behaviour:
        raise Invalid("there is no row in this file", where=name)
    return Backlog(tuple(items.values()), rows, behaviour)


def _refusal(faults: list[tuple[str, str]]) -> Invalid:
    told = faults[:MOST_FAULTS]
    if len(faults) > len(told):
        told.append(("", f"and {len(faults) - len(told):,} more; mend these first"))
    head = "; ".join(f"{where}: {words}" for where, words in told[:3])
    more = f"; and {len(faults) - 3:,} more" if len(faults) > 3 else ""
    return Invalid(f"nothing was kept: {head}{more}", where=told[0][0], errors=tuple(told))


def _check(form: Form) -> None:
    unknown = sorted(set(form.columns) - set(FIELDS))
    if unknown:
        raise Invalid(
            f"there is no field {unknown[0][:60]!r}; there are {', '.join(FIELDS)}", where="columns"
        )
    if form.scale is not None and not 2 <= form.scale <= 100:
        raise Invalid("a scale runs from 1 to between 2 and 100", where="scale")


def _rows(
    name: str, text: str, form: Form, faults: list[tuple[str, str]]
) -> Iterator[tuple[int, dict[str, Any]]]:
    """(line, row), lines counted from 1; a row is our fields, and what is left is metadata."""
    if form.format == "csv":
        csv.field_size_limit(1 << 20)
        reader = csv.DictReader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
        try:
            if reader.fieldnames is None:
                return
            missing = [theirs for theirs in form.columns.values() if theirs not in reader.fieldnames]
            if missing:
                raise Invalid(f"the file has no column {missing[0][:60]!r}", where=f"{name}:1")
            before = reader.line_num + 1
            for row in reader:
                if None in row:
                    faults.append(
                        (f"{name}:{before}", "it has more cells than the first line; quote cells with commas")
                    )
                else:
                    yield before, {key: value for key, value in row.items() if value not in ("", None)}
                before = reader.line_num + 1
        except csv.Error as error:
            faults.append(
                (f"{name}:{reader.line_num}", f"it is no CSV ({error}); write quotes twice inside of quotes")
            )
        return
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            faults.append((f"{name}:{number}", f"it is no JSON ({error}); write one object a line"))
            continue
        if not isinstance(row, dict):
            faults.append((f"{name}:{number}", "it is no object; write one object a line"))
            continue
        yield number, {key: value for key, value in row.items() if value is not None}


def _item(row: Mapping[str, Any], form: Form, workspace: str, now: datetime) -> Item:
    theirs = {field: form.columns.get(field, field) for field in FIELDS}
    told = {field: row[name] for field, name in theirs.items() if name in row}
    rest = {name: value for name, value in row.items() if name not in theirs.values() and name not in OURS}
    made = Item(
        id="",
        workspace=workspace,
        source=Source.IMPORT,
        call_id=_text(told, "call_id"),
        trace_id=(_text(told, "trace_id") or "").lower() or None,
        session=_text(told, "session"),
        rating=_rating(told),
        score=_score(told, form),
        label=_text(told, "label"),
        comment=_text(told, "comment"),
        correction=_text(told, "correction"),
        used=_text(told, "used"),
        author=_text(told, "author"),
        created_at=_instant(told, now),
        received_at=now,
        metadata={**_metadata(told), **rest},
    )
    dated = told.get("created_at") or ""
    name = (
        _text(told, "id") or "bl_" + hashlib.sha256(f"{said.digest(made)}{dated}".encode()).hexdigest()[:32]
    )
    return Item(**{**{one: getattr(made, one) for one in Item.__dataclass_fields__}, "id": name})


def _text(told: Mapping[str, Any], field: str) -> str | None:
    value = told.get(field)
    if value is None:
        return None
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        raise _Fault(field, "write it as text")
    return str(value).strip() or None


def _rating(told: Mapping[str, Any]) -> int | None:
    value = told.get("rating")
    if value is None or value == "":
        return None
    found = _THUMBS.get(str(value).strip().casefold())
    if found is None:
        raise _Fault(
            "rating",
            f"{str(value)[:40]!r} is no thumb; write 1 or -1 (up or down), or use score with a scale",
        )
    return found


def _score(told: Mapping[str, Any], form: Form) -> float | None:
    value = told.get("score")
    if value is None or value == "":
        return None
    try:
        number = float(value)
    except (TypeError, ValueError):
        raise _Fault("score", f"{str(value)[:40]!r} is no number") from None
    if form.scale is None:
        return number
    if not 1 <= number <= form.scale:
        raise _Fault("score", f"{number:g} is not on the scale from 1 to {form.scale}")
    return (number - 1) / (form.scale - 1)


def _instant(told: Mapping[str, Any], now: datetime) -> datetime:
    value = told.get("created_at")
    if value is None or value == "":
        return now
    try:
        return parse_instant(str(value), "created_at")
    except Invalid as error:
        raise _Fault("created_at", error.detail) from None


def _metadata(told: Mapping[str, Any]) -> dict[str, Any]:
    value = told.get("metadata", {})
    if isinstance(value, str):
        try:
            value = json.loads(value)
        except ValueError:
            raise _Fault("metadata", "write it as a JSON object") from None
    if not isinstance(value, dict):
        raise _Fault("metadata", "write it as a JSON object")
    return value
