"""Records: canonical text, commitments, and what an entry must agree on."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from hashlib import sha256

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.kernel.errors import Invalid, TooLarge
from holdfast.platform.audit.model import AuditRecord
from holdfast.platform.audit.rules import exports, records

AT = datetime(2026, 11, 20, 12, 0, 0, 250, tzinfo=UTC)
RECORD = AuditRecord(
    "ws_1", 0, AT, "member", "m1", "Ann", "key.created", "key:1", "ok", {"b": 1, "a": [True, None]}
)
SALT = bytes(range(32))

anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(st.characters()),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters()), inner, max_size=4),
    max_leaves=12,
)


class Colour(StrEnum):
    RED = "red"


def test_the_text_is_canonical_json() -> None:
    assert records.write_record(RECORD) == (
        '{"action":"key.created","actor":{"id":"m1","kind":"member","name":"Ann"},"at":"2026-11-20T12:00:00.000250Z",'
        '"details":{"a":[true,null],"b":1},"index":0,"outcome":"ok","subject":"key:1","v":1,"workspace":"ws_1"}'
    )


def test_the_leaf_is_the_salted_commitment() -> None:
    text = records.write_record(RECORD)
    data = sha256(SALT + text.encode()).digest()
    assert records.commit(text, SALT) == sha256(b"\x00" + data).digest()
    assert records.commit(text, bytes(32)) != records.commit(text, SALT)


@given(st.dictionaries(st.text(st.characters()), anything, max_size=5))
def test_any_details_survive_keeping_and_shipping(details: dict[str, object]) -> None:
    entry = records.entry_of(replace(RECORD, details=details), SALT)
    assert records.fault(entry) is None
    assert exports.read_line(exports.as_line(entry)) == entry
    assert "\n" not in exports.as_line(entry)


def test_python_values_become_json() -> None:
    east = timezone(timedelta(hours=2))
    values = {"money": Decimal("1.10"), "at": AT.astimezone(east), "set": {"b", "a"}, "colour": Colour.RED}
    values |= {"big": 2**53, "nan": float("nan"), "pair": (1, 2), "lone": "a\ud800b", 3: "three"}  # type: ignore[dict-item]
    assert records.plain(values) == {
        "money": "1.10",
        "at": "2026-11-20T12:00:00.000250Z",
        "set": ["a", "b"],
        "colour": "red",
        "big": "9007199254740992",
        "nan": "nan",
        "pair": [1, 2],
        "lone": "a�b",
        "3": "three",
    }


def test_what_cannot_be_kept_is_refused() -> None:
    with pytest.raises(Invalid, match="object cannot be kept"):
        records.write_record(replace(RECORD, details={"x": object()}))
    with pytest.raises(TooLarge, match="256 KiB"):
        records.write_record(replace(RECORD, details={"x": "y" * 300_000}))


def test_text_that_is_not_canonical_is_refused() -> None:
    text = records.write_record(RECORD)
    assert records.read_record(text) == RECORD
    value = json.loads(text)
    for wrong in (
        json.dumps(value),
        json.dumps(value | {"more": 1}),
        text.replace('"index":0', '"index":0.5'),
        text.replace(".000250Z", ".00025Z"),
        text.replace('"v":1', '"v":2'),
        text[:-1],
        "[]",
        "1" * 5000,
        "[" * 5000,
    ):
        with pytest.raises(Invalid):
            records.read_record(wrong)


def test_a_name_cannot_forge_a_line() -> None:
    assert records.one_line("a\nb\x00\x1b[31m\u202ec d") == "a�b��[31m�c d"


@pytest.mark.parametrize(
    "line", ["", "{}", "null", "[]", '{"kind":"entry"}', '{"kind":"x"}', '{"kind":"checkpoint"}']
)
def test_a_line_that_is_none_of_ours_is_refused(line: str) -> None:
    with pytest.raises(Invalid, match="not a line of an audit log"):
        exports.read_line(line)


@given(st.text())
def test_no_line_makes_the_reader_fail_otherwise(line: str) -> None:
    with pytest.raises(Invalid):
        exports.read_line(line)
