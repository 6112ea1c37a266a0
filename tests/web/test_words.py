"""How values read: units always, unknown never as zero, nothing that is there rounds to nothing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.web import render, words

NOW = datetime(2026, 11, 21, 20, 14, 3, tzinfo=UTC)


@pytest.mark.parametrize(
    ("ms", "text"),
    [
        (0, "0 ms"), (0.83, "0.8 ms"), (812, "812 ms"), (999.6, "1.00 s"), (1240, "1.24 s"), (59_990, "59.99 s"),
        (59_996, "1 m 00 s"), (123_000, "2 m 03 s"), (3_599_700, "1 h 00 m"), (3_900_000, "1 h 05 m"), (-5, "−5 ms"),
    ],
)  # fmt: skip
def test_duration(ms: float, text: str) -> None:
    assert words.duration(ms) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [(0, "0"), (1234, "1,234"), (999_999, "999,999"), (1_240_000, "1.2 M"), (3.4e9, "3.4 B")],
)
def test_count(value: float, text: str) -> None:
    assert words.count(value) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "$0.00"), ("0.002355", "$0.0024"), ("0.00000000123", "$0.0000000012"), ("0.0153", "$0.0153"),
        ("0.9999", "$1.00"), ("1.2", "$1.20"), ("1234.5", "$1,234.50"), ("-0.5", "−$0.5000"),
    ],
)  # fmt: skip
def test_money(amount: str, text: str) -> None:
    assert words.money(Decimal(amount)) == text


def test_money_of_another_currency() -> None:
    assert words.money(Decimal("12.5"), "EUR") == "€12.50"
    assert words.money(Decimal("12.5"), "SEK") == "SEK 12.50"


@given(st.decimals("0.000000000001", "1000000", allow_nan=False, allow_infinity=False))
def test_what_costs_something_never_reads_as_nothing(amount: Decimal) -> None:
    assert any(digit in "123456789" for digit in words.money(amount))


@pytest.mark.parametrize(
    ("ratio", "text"),
    [
        (0, "0.0 %"),
        (0.0312, "3.1 %"),
        (0.5, "50 %"),
        (0.0004, "<0.1 %"),
        (0.99999, ">99.9 %"),
        (1, "100.0 %"),
        (0.993, "99.3 %"),
    ],
)
def test_percent(ratio: float, text: str) -> None:
    assert words.percent(ratio) == text


@pytest.mark.parametrize(
    ("gap", "text"),
    [
        (timedelta(seconds=3), "just now"), (timedelta(seconds=50), "1 min ago"), (timedelta(hours=5), "5 h ago"),
        (timedelta(days=12), "12 days ago"), (timedelta(minutes=-4), "in 4 min"), (timedelta(seconds=-5), "in a moment"),
    ],
)  # fmt: skip
def test_ago(gap: timedelta, text: str) -> None:
    assert words.ago(NOW - gap, NOW) == text


def test_moments_are_as_short_as_their_distance_allows() -> None:
    assert words.moment(NOW - timedelta(minutes=5), NOW) == "20:09:03"
    assert words.moment(NOW - timedelta(days=1), NOW) == "20 Nov 20:14"
    assert words.moment(NOW - timedelta(days=400), NOW) == "17 Oct 2025 20:14"
    assert words.exact(NOW) == "2026-11-21 20:14:03.000 UTC"


@pytest.mark.parametrize(
    "shown",
    [
        render.count(None),
        render.duration(None),
        render.percent(None),
        render.money(None),
        render.byte_size(None),
    ],
)
def test_unknown_says_so_and_why(shown: str) -> None:
    assert "unknown" in shown and 'title="Unknown. ' in shown
    assert "0" not in shown


def test_unknown_money_gives_its_reason() -> None:
    assert "No price for &lt;x&gt;." in render.money(None, "USD", "No price for <x>.")


def test_sizes() -> None:
    assert [str(render.byte_size(n)) for n in (812, 1200, 3_400_000, 2_000_000_000)] == [
        "812 B",
        "1.2 KB",
        "3.4 MB",
        "2.0 GB",
    ]


def test_data_cannot_end_its_script() -> None:
    assert "</script" not in render.data({"label": "</script><script>alert(1)</script>"})
