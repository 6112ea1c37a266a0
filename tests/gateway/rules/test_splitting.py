"""Splits: as weighted, the same everywhere, and a change of weights moves only to or from the variant it is about."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.gateway.model import Dimensions, Route, Variant
from holdfast.gateway.rules.splitting import chosen, sticky_key

KEYS = [f"session-{number}" for number in range(2000)]


def split(**weights: int) -> dict[str, str]:
    variants = [Variant(release=name, weight=weight) for name, weight in weights.items()]
    return {key: found.release for key in KEYS if (found := chosen(variants, key)) is not None}


@given(st.integers(1, 99))
def test_shares_are_as_weighted(percent: int) -> None:
    share = sum(release == "new" for release in split(old=100 - percent, new=percent).values()) / len(KEYS)
    assert abs(share - percent / 100) < 0.05


def test_ramping_moves_nobody_but_to_the_variant_that_grows() -> None:
    before = split(old=90, other=20, new=10)
    for step in (30, 100, 1000):
        after = split(old=90, other=20, new=step)
        moved = {(before[key], after[key]) for key in KEYS if before[key] != after[key]}
        assert moved
        assert all(to == "new" for _, to in moved)
        before = after


def test_nobody_goes_where_there_is_no_weight() -> None:
    assert set(split(old=5, new=0).values()) == {"old"}
    assert split(old=0) == {}


@pytest.mark.parametrize(
    ("route", "unit", "weights", "release"),
    [
        ("support", {"session": "s-1"}, {"old": 90, "new": 10}, "old"),
        ("support", {"session": "s-1"}, {"old": 50, "new": 50}, "old"),
        ("support", {"tenant": "acme"}, {"old": 90, "new": 10}, "old"),
        ("support", {"tenant": "acme"}, {"old": 50, "new": 50}, "new"),
        ("support", {}, {"old": 50, "new": 50}, "new"),
        ("search", {}, {"old": 50, "new": 50}, "old"),
        ("support", {"session": "s-1"}, {"a": 2, "b": 3, "c": 5}, "a"),
        ("support", {"user": "zoë"}, {"a": 2, "b": 3, "c": 5}, "b"),
        ("support", {"tenant": "acme"}, {"a": 2, "b": 3, "c": 5}, "c"),
        ("search", {"tenant": "acme"}, {"a": 2, "b": 3, "c": 5}, "b"),
        ("search", {"user": "zoë", "tenant": "acme"}, {"a": 2, "b": 3, "c": 5}, "b"),
        ("search", {}, {"a": 2, "b": 3, "c": 5}, "c"),
    ],
)
def test_who_takes_what_is_for_ever(
    route: str, unit: dict[str, str], weights: dict[str, int], release: str
) -> None:
    """Literals: another hash, or another key for it, would move users in the middle of a rollout."""
    key = sticky_key(route, Route(), Dimensions(**unit), "call-1")
    found = chosen([Variant(release=name, weight=weight) for name, weight in weights.items()], key)
    assert found is not None and found.release == release


def test_all_assignments_together_are_for_ever() -> None:
    assert [
        list(split(old=90, new=10).values()).count("new"),
        list(split(a=2, b=3, c=5).values()).count("c"),
    ] == [
        185,
        998,
    ]


@pytest.fixture
def ranges(shared_data: Path) -> list[Any]:
    """GrowthBook's published cases of bucket ranges: name, [variations, coverage, weights], the ranges."""
    file = shared_data / "growthbook" / "cases.json"
    if not file.is_file():
        pytest.skip("GrowthBook's cases are not here (../shared/data/growthbook)")
    return json.loads(file.read_text())["getBucketRange"]  # type: ignore[no-any-return]


def test_growthbooks_ranges_are_shares_here(ranges: list[Any]) -> None:
    """A variation's range is its share of all users; whom no range covers stay where they are, with "rest".

    Which user has which variation can't agree (their cases of `hash` and `chooseVariation`): the hash is another. Shares
    must, and that covering more users moves none from one variation to another.
    """
    assert len(ranges) == 13
    for name, _, expected in ranges:
        parts = {f"v{number}": round((end - start) * 10_000) for number, (start, end) in enumerate(expected)}
        covered = sum(parts.values())
        full = split(**parts, rest=10_000 - covered)
        for arm, weight in parts.items():
            assert list(full.values()).count(arm) / len(KEYS) == pytest.approx(weight / 10_000, abs=0.04), (
                name
            )
        for percent in (10, 50):
            some = {arm: weight * percent // 100 for arm, weight in parts.items()}
            less = split(**some, rest=10_000 - sum(some.values()))
            moved = {(less[key], full[key]) for key in KEYS if less[key] != full[key]}
            assert all(was == "rest" and now != "rest" for was, now in moved), (name, percent)
            assert moved or not covered, (name, percent)
