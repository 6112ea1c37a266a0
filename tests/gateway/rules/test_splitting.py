"""Splits: as weighted, the same everywhere, and a change of weights moves only to or from the variant it is about."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from holdfast.gateway.model import Variant
from holdfast.gateway.rules.splitting import chosen

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
