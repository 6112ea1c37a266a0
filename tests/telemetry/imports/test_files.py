"""From bytes to records: every form, pieces at a time, and files that are broken."""

from __future__ import annotations

import gzip
import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.telemetry.imports import files
from holdfast.telemetry.imports.files import Broken
from telemetry.imports.made import lines, records

ROWS = [{"id": str(number), "text": "é" * number, "n": {"a": [number, None, 0.5]}} for number in range(40)]


def values(found: list[tuple[int, Any]]) -> list[Any]:
    return [value for _, value in found]


@pytest.mark.parametrize(
    ("body", "name"),
    [
        (lines(*ROWS), "a.jsonl"),
        (lines(*ROWS), "a.json"),
        (b"\xef\xbb\xbf" + lines(*ROWS), "a.jsonl"),
        (lines(*ROWS).replace(b"\n", b"\r\n\r\n"), "a.jsonl"),
        (json.dumps(ROWS).encode(), "a.json"),
        (json.dumps(ROWS, indent=2).encode(), "a.json"),
        (json.dumps({"data": ROWS, "meta": {"page": 1}}).encode(), "a.json"),
        (json.dumps({"object": "list", "data": ROWS, "has_more": False}, indent=1).encode(), "a.json"),
        (gzip.compress(lines(*ROWS)), "a.jsonl.gz"),
        (gzip.compress(json.dumps(ROWS).encode()), "a"),
    ],
)
def test_every_form_of_json(body: bytes, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert values(records(body, name)) == ROWS
    monkeypatch.setattr(files, "PIECE", 64)  # records larger than a piece
    assert values(records(body, name)) == ROWS


def test_one_object_is_one_record() -> None:
    assert values(records(json.dumps(ROWS[3], indent=2).encode(), "a.json")) == [ROWS[3]]
    trace = {"id": "t", "timestamp": "2026-03-01T10:00:00Z", "observations": [{"id": "o"}]}
    assert values(records(json.dumps(trace, indent=2).encode(), "a.json")) == [trace]


def test_csv_with_commas_semicolons_and_lines_inside() -> None:
    body = 'id,text\n1,"a, ""b""\nc"\n2,é\n'
    assert values(records(body.encode(), "a.csv")) == [
        {"id": "1", "text": 'a, "b"\nc'},
        {"id": "2", "text": "é"},
    ]
    assert (
        values(records(body.replace(",", ";", 1).replace("1,", "1;").replace("2,", "2;").encode(), "a.csv"))[
            1
        ]["id"]
        == "2"
    )
    assert values(records(b"id,text\n1,'=SUM(A1)\n", "a.csv")) == [{"id": "1", "text": "=SUM(A1)"}]


def test_money_is_read_as_it_is_written() -> None:
    for body in (b'{"v": 0.1}\n{"v": 0.06150000000000001}\n', b'[{"v": 0.1}, {"v": 0.06150000000000001}]'):
        assert [row["v"] for row in values(records(body, exact=True))] == [
            Decimal("0.1"),
            Decimal("0.06150000000000001"),
        ]


@pytest.mark.parametrize(
    ("body", "name", "kept", "word"),
    [
        (lines(*ROWS[:2]) + b"{oh no}\n" + lines(ROWS[2]), "a.jsonl", 3, "JSON"),
        (lines(*ROWS[:3]) + b'{"id": "cut of', "a.jsonl", 3, "JSON"),
        (b'{"id": 1}\n{"id": "\xff\xfe"}\n{"id": 2}\n', "a.jsonl", 2, "UTF-8"),
        (b'[{"id": 1}, {"id": "\xff\xfe"}, {"id": 2}]', "a.json", 2, "UTF-8"),
        (b'[{"id": 1}, {"id": oh}, {"id": 2}]', "a.json", 2, "JSON"),
        (json.dumps(ROWS).encode()[:-30], "a.json", len(ROWS) - 1, "cut off"),
        (gzip.compress(lines(*ROWS) * 99)[:-40], "a.jsonl.gz", None, "cut off"),
        (b"id,text\n1,a\n2,b,c\n3,d\n", "a.csv", 2, "3 cells"),
        (b"id,text\n1,\xff\n3,d\n", "a.csv", 1, "UTF-8"),
        (b"just some words\n", "a.txt", 0, "no JSON"),
        (b"\x00\x01\x02\x03" * 50, "a.bin", 0, "no JSON"),
    ],
)
def test_what_is_broken_is_told_and_the_rest_is_read(
    body: bytes, name: str, kept: int | None, word: str
) -> None:
    found = values(records(body, name))
    broken = [value for value in found if isinstance(value, Broken)]
    assert len(broken) == 1 and word in broken[0].reason
    assert kept is None or len(found) - 1 == kept


def test_an_empty_file_has_no_records() -> None:
    assert records(b"") == [] and records(b"\n\n") == [] and records(b"[]") == []


@settings(max_examples=150, deadline=None)
@given(st.binary(max_size=300), st.integers(0, 400), st.sampled_from(["a.jsonl", "a.json", "a.csv", "a.gz"]))
def test_no_bytes_at_all_stop_the_reading(noise: bytes, place: int, name: str) -> None:
    whole = json.dumps(ROWS[:8]).encode() if name == "a.json" else lines(*ROWS[:8])
    for body in (noise, whole[:place], whole[:place] + noise + whole[place:]):
        found = records(body, name)
        numbers = [number for number, _ in found]
        assert numbers == sorted(numbers)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 7), st.binary(min_size=1, max_size=20).filter(lambda noise: b"\n" not in noise))
def test_a_spoiled_line_costs_itself_alone(spoiled: int, noise: bytes) -> None:
    rows = lines(*ROWS[:8]).splitlines()
    rows[spoiled] = b"{" + noise
    found = dict(records(b"\n".join(rows), "a.jsonl"))
    assert [found[number + 1] for number in range(8) if number != spoiled] == [
        row for number, row in enumerate(ROWS[:8]) if number != spoiled
    ]
