"""No usage within a bound's tokens ever costs more than the bound."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.gateway.rules.amounts import money, units
from holdfast.gateway.rules.bound import Bound, bound, over_chain
from holdfast.gateway.rules.counting import estimate
from holdfast.gateway.rules.inputs import Input, Unbounded
from holdfast.pricing.model import Rates, Usage
from holdfast.pricing.rules.charge import BUCKETS, REQUEST, charge

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The machine may be busy with other tests."""

RATE = st.decimals(min_value=0, max_value=200, places=4)


def rates(*bands: dict[str, str], thresholds: tuple[int, ...] = (), needs_output: bool = True) -> Rates:
    priced = tuple({bucket: Decimal(rate) for bucket, rate in band.items()} for band in bands)
    return Rates(
        "USD", "test", None, thresholds, priced, tuple(f"p{i}" for i in range(len(bands))), needs_output
    )


@st.composite
def some_rates(draw: st.DrawFn) -> Rates:
    thresholds = tuple(sorted(draw(st.sets(st.integers(1, 5_000), max_size=2))))
    bands = []
    for _ in range(len(thresholds) + 1):
        optional = draw(st.dictionaries(st.sampled_from((*BUCKETS, REQUEST)), RATE))
        bands.append({"input_uncached": draw(RATE), "output": draw(RATE), **optional})
    return Rates("USD", "test", None, thresholds, tuple(bands), tuple(str(i) for i in range(len(bands))))


@st.composite
def some_usage(draw: st.DrawFn, tokens_in: int, tokens_out: int) -> Usage:
    """Any sound usage of at most these tokens, with or without the parts that providers report."""
    total = draw(st.integers(0, tokens_in))
    read = draw(st.integers(0, total))
    write = draw(st.integers(0, total - read))
    one_hour = draw(st.integers(0, write))
    audio = draw(st.integers(0, total))
    output = draw(st.integers(0, tokens_out))
    reasoning = draw(st.integers(0, output))
    some = st.booleans()
    return Usage(
        input_uncached=total - read - write,
        input_cache_read=read,
        input_cache_write=write,
        input_cache_write_5m=write - one_hour if draw(some) else None,
        input_cache_write_1h=one_hour if draw(some) else None,
        input_audio=audio if draw(some) else None,
        cache_read_audio=draw(st.integers(0, min(read, audio))) if draw(some) else None,
        input_image=draw(st.integers(0, total - audio)) if draw(some) else None,
        output=output,
        output_reasoning=reasoning if draw(some) else None,
        output_audio=draw(st.integers(0, output - reasoning)) if draw(some) else None,
    )


@settings(max_examples=400, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(some_rates(), st.integers(0, 8_000), st.integers(0, 2_000), st.integers(1, 3), st.data())
def test_no_usage_within_the_bound_costs_more(
    priced: Rates, tokens_in: int, max_output: int, choices: int, data: st.DataObject
) -> None:
    most = bound(Input(tokens_in), max_output, priced, choices=choices)
    assert isinstance(most, Bound)
    usage = data.draw(some_usage(most.tokens_in, most.tokens_out))
    cost = charge(usage, priced).amount
    if cost is not None:  # unknown costs are settled at the bound
        assert cost <= most.amount


def test_the_bound_is_reached_by_what_costs_most() -> None:
    priced = rates(
        {"input_uncached": "3", "input_cache_write": "3.75", "input_cache_write_1h": "6", "output": "15"}
    )
    most = bound(Input(1_000), 100, priced, choices=2)
    assert most == Bound(1_000, 200, Decimal("0.009"))
    usage = Usage(input_uncached=0, input_cache_write=1_000, input_cache_write_1h=1_000, output=200)
    assert charge(usage, priced).amount == Decimal("0.009")


def test_a_dearer_band_counts_from_where_the_input_can_reach_it() -> None:
    priced = rates(
        {"input_uncached": "1", "output": "2", REQUEST: "5000"},
        {"input_uncached": "2", "output": "3"},
        thresholds=(100,),
    )
    assert bound(Input(100), 10, priced) == Bound(100, 10, Decimal("0.00512"))
    assert bound(Input(101), 10, priced) == Bound(101, 10, Decimal("0.005232"))


@pytest.mark.parametrize(
    ("read", "output", "priced", "reason"),
    [
        (Unbounded("a file"), 10, rates({"input_uncached": "1", "output": "1"}), "a file"),
        (Input(1), 10, None, "the model has no price"),
        (Input(1), None, rates({"input_uncached": "1", "output": "1"}), "no maximum output is named"),
        (Input(1), 10, rates({"output": "1"}), "p0 has no rate for input"),
        (Input(1), 10, rates({"input_uncached": "1"}), "p0 has no rate for output"),
    ],
)
def test_what_cannot_be_bounded_says_why(
    read: Input | Unbounded, output: int | None, priced: Rates | None, reason: str
) -> None:
    assert bound(read, output, priced) == Unbounded(reason)


def test_an_embedding_needs_no_maximum() -> None:
    priced = rates({"input_uncached": "0.02"}, needs_output=False)
    assert bound(Input(1_000_000), None, priced) == Bound(1_000_000, 0, Decimal("0.02"))


def test_a_chain_may_be_billed_at_its_dearest_target_each_time() -> None:
    cheap, dear = Bound(10, 5, Decimal(1)), Bound(20, 1, Decimal(3))
    assert over_chain([cheap, dear], 2) == Bound(40, 10, Decimal(6))
    assert over_chain([cheap, Unbounded("no price")], 1) == Unbounded("no price")
    assert over_chain([cheap, cheap._replace(currency="EUR")], 1) == Unbounded(
        "its targets are priced in EUR and USD"
    )
    assert isinstance(over_chain([], 1), Unbounded)


@UNHURRIED
@given(
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.integers(0, 10**5),
)
def test_an_estimate_never_exceeds_the_bound(
    sent: int, came: int, most_in: int, most_out: int, unseen: int
) -> None:
    usage = estimate(
        input_bytes=sent, output_bytes=came, tokens_in=most_in, tokens_out=most_out, unseen=unseen
    )
    assert (usage.input_uncached or 0) <= most_in
    assert (usage.output or 0) <= most_out
    assert charge(usage, rates({"input_uncached": "1", "output": "1"})).amount is not None


def test_an_estimate_takes_the_providers_input_at_its_word() -> None:
    usage = estimate(input_bytes=9, output_bytes=10, tokens_in=100, tokens_out=100, input_tokens=77)
    assert usage == Usage(input_uncached=77, output=4)


@UNHURRIED
@given(st.decimals(min_value=0, max_value=10**9, places=12))
def test_amounts_of_twelve_decimals_are_kept_exactly(amount: Decimal) -> None:
    assert money(units(amount)) == amount


def test_finer_amounts_are_rounded_up() -> None:
    assert units(Decimal("0.0000000000001")) == 1
