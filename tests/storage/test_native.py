"""What is written in the Native format is what the store reads back, on the embedded engine."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.storage import native
from holdfast.storage.columns import UNFIT, Columns

TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=300) | st.sampled_from(
    ("", "a" * 127, "a" * 128, "é" * 70, "b" * 20_000)
)
MONEY = native.nullable(native.decimals(15), Decimal(0))
COLUMNS: tuple[tuple[native.Column, st.SearchStrategy[Any]], ...] = (
    (native.Column("text", "String", native.texts), TEXTS),
    (native.Column("word", "String", native.texts), st.sampled_from(("", "a", "b"))),
    (native.Column("flag", "Bool", native.flags), st.booleans()),
    (native.Column("number", "Int64", native.numbers("q")), st.integers(-(2**63), 2**63 - 1)),
    (
        native.Column("maybe", "Nullable(UInt64)", native.nullable(native.numbers("Q"), 0)),
        st.none() | st.integers(0, 2**64 - 1),
    ),
    (
        native.Column("money", "Nullable(Decimal(38, 15))", MONEY),
        st.none() | st.decimals(-(10**20), 10**20, places=15),
    ),
    (native.Column("list", "Array(String)", native.arrays(native.texts)), st.lists(TEXTS, max_size=4)),
)
NAMES = ["place", *(column.name for column, _ in COLUMNS)]
TABLE = (
    "CREATE TABLE things (place UInt32, text String, word LowCardinality(String), flag Bool, number Int64,"
    " maybe Nullable(UInt64), money Nullable(Decimal(38, 15)), list Array(LowCardinality(String)))"
    " ENGINE = MergeTree ORDER BY place"
)
PLACE = native.Column("place", "UInt32", native.numbers("I"))
ROWS = st.lists(st.tuples(*(values for _, values in COLUMNS)), min_size=1, max_size=5)


@pytest.fixture(scope="module")
def columns(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Columns]:
    opened = Columns(f"chdb://{tmp_path_factory.mktemp('native') / 'columns'}")
    opened.upkeep(TABLE)
    yield opened
    opened.close()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ROWS, min_size=1, max_size=3))
def test_what_is_sent_is_read_back(columns: Columns, blocks: list[Sequence[tuple[Any, ...]]]) -> None:
    columns.upkeep("TRUNCATE TABLE things")
    sent, place = [], 0
    for rows in blocks:
        body = native.column(PLACE, range(place, place + len(rows)))
        for (column, _), values in zip(COLUMNS, zip(*rows, strict=True), strict=True):
            body += native.column(column, values)
        sent.append(native.block(len(NAMES), len(rows), body))
        place += len(rows)
    columns.insert_blocks("things", NAMES, sent)
    found = columns.everywhere(f"SELECT {', '.join(NAMES[1:])} FROM things ORDER BY place")
    assert found == [row for rows in blocks for row in rows]


@pytest.mark.parametrize(
    ("write", "good", "bad"),
    [
        (native.texts, "a", "\ud800"),
        (native.texts, "a", None),
        (native.numbers("q"), 1, 2**63),
        (native.numbers("I"), 1, -1),
        (native.numbers("q"), 1, "1"),
        (native.decimals(15), Decimal(1), Decimal(10) ** 40),
        (native.decimals(15), Decimal(1), Decimal("NaN")),
        (native.decimals(15), Decimal(1), Decimal("1e-16")),
        (native.flags, True, "yes"),
    ],
)
def test_a_value_that_does_not_fit_is_an_error(write: native.Write, good: Any, bad: Any) -> None:
    for values in ([bad], [good, bad], [bad, bad]):
        with pytest.raises(UNFIT):
            write(values)
