"""The workspace's own prices: which entry holds, what it makes, and what is not accepted."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.kernel.errors import Invalid
from holdfast.pricing.model import PriceBookEntry, PriceQuery, Usage
from holdfast.pricing.prices import Pricer
from holdfast.pricing.rules import book as rules
from holdfast.pricing.rules.charge import BUCKETS, charge, reported

AT = datetime(2026, 11, 20, tzinfo=UTC)
DAY = timedelta(days=1)
PRICER = Pricer()


def entry(id_: str, model: str, rate: str = "1", **more: Any) -> PriceBookEntry:
    rates = {"input_uncached": Decimal(rate), "output": Decimal(rate)}
    return replace(PriceBookEntry(id_, "openai", model, "USD", rates, AT - 10 * DAY), **more)


def chosen(*entries: PriceBookEntry, at: datetime = AT, model: str = "gpt-5", **more: Any) -> str | None:
    query = PriceQuery("openai", model, Usage(10, output=10), at, **more)
    return PRICER.price_call(query, entries).price_id


def test_the_book_comes_before_the_list() -> None:
    query = PriceQuery("openai", "gpt-5", Usage(1_000_000, output=0), AT)
    ours = PRICER.price_call(query, (entry("a", "gpt-5", "0.5", currency="EUR"),))
    assert (ours.amount, ours.currency, ours.source) == (Decimal("0.5"), "EUR", "price-book")
    assert ours.effective_from == AT - 10 * DAY
    assert PRICER.price_call(query, ()).source == "genai-prices"


def test_the_book_prices_what_the_list_does_not_know() -> None:
    assert chosen(entry("own", "our-llama*"), model="our-llama-70b") == "price-book:own"


def test_most_specific_then_latest() -> None:
    wide, narrow, exact = entry("wide", "gpt*"), entry("narrow", "gpt-5*"), entry("exact", "gpt-5")
    later = entry("later", "gpt-5", effective_from=AT - DAY)
    assert chosen(wide, exact, narrow) == "price-book:exact"
    assert chosen(narrow, wide) == "price-book:narrow"
    assert chosen(later, exact) == "price-book:later"
    assert chosen(later, exact, at=AT - 2 * DAY) == "price-book:exact"


def test_in_force_is_half_open() -> None:
    ends = entry("ends", "gpt-5", effective_to=AT)
    assert chosen(ends, at=AT - timedelta(microseconds=1)) == "price-book:ends"
    assert str(chosen(ends, at=AT)).startswith("genai-prices")
    assert chosen(ends, at=AT - 10 * DAY) == "price-book:ends"
    assert str(chosen(ends, at=AT - 11 * DAY)).startswith("genai-prices")


def test_retired_entries_and_other_models_price_nothing() -> None:
    assert str(chosen(entry("old", "gpt-5", retired_at=AT))).startswith("genai-prices")
    assert str(chosen(entry("other", "gpt-5-mini"))).startswith("genai-prices")
    assert str(chosen(entry("other", "gpt-5", provider="azure"))).startswith("genai-prices")


def test_service_tiers_of_entries() -> None:
    standard, batch, any_tier = (
        entry("standard", "gpt-5"),
        entry("batch", "gpt-5", service_tier="batch"),
        entry("any", "gpt-5", service_tier="*"),
    )
    everything = (standard, batch, any_tier)
    assert chosen(*everything) == "price-book:standard"
    assert chosen(*everything, service_tier="default") == "price-book:standard"
    assert chosen(*everything, service_tier="batch") == "price-book:batch"
    assert chosen(*everything, service_tier="flex") == "price-book:any"
    assert str(chosen(standard, service_tier="batch")).startswith("genai-prices")


def test_provider_names_are_brought_together() -> None:
    azure = entry("azure", "gpt-5", provider="azure")
    query = PriceQuery("azure.ai.openai", "gpt-5", Usage(1, output=1), AT)
    assert PRICER.price_call(query, (azure,)).price_id == "price-book:azure"


def test_a_new_book_is_seen_at_once() -> None:
    assert chosen(entry("one", "gpt-5")) == "price-book:one"
    assert chosen(entry("two", "gpt-5")) == "price-book:two"


def test_buckets_without_a_rate_fall_to_their_parent() -> None:
    rates = rules.entry_rates(entry("a", "m", "2"))
    usage = Usage(10, 20, 30, input_cache_write_1h=30, output=5, output_reasoning=5, input_audio=7)
    assert charge(usage, rates).amount == Decimal("0.00013")
    cached = rules.entry_rates(
        replace(
            entry("a", "m"),
            rates={
                "input_uncached": Decimal(10),
                "input_cache_write": Decimal(20),
                "input_cache_read": Decimal(1),
                "input_audio": Decimal(100),
                "output": Decimal(0),
            },
        )
    )
    parts = charge(Usage(10, 10, 10, 5, 5, 0, input_audio=8, cache_read_audio=3), cached).parts
    micro = Decimal("0.000001")
    assert parts == {
        "input_uncached": 5 * 10 * micro,
        "input_cache_read": 7 * micro,
        "cache_read_audio": 3 * micro,
        "input_audio": 5 * 100 * micro,
        "input_cache_write": 5 * 20 * micro,
        "input_cache_write_1h": 5 * 20 * micro,
    }


def test_an_unreported_overlap_is_unknown() -> None:
    rates = rules.entry_rates(
        replace(
            entry("a", "m"),
            rates={bucket: Decimal(1) for bucket in ("input_uncached", "input_cache_read", "input_audio")},
        )
    )
    charged = charge(Usage(10, 10, output=0, input_audio=8), rates)
    assert charged.amount is None
    assert "read from the cache is unknown" in str(charged.unknown_reason)


def test_a_reported_cost_is_only_used_when_asked() -> None:
    assert reported(Decimal("0.01")).source == "reported"
    assert PRICER.price_call(PriceQuery("nobody", "m", Usage(1, output=1), AT)).amount is None


rate = st.decimals(min_value=0, max_value=Decimal("999999999"), places=12)
tokens = st.integers(0, 10**12)


@given(
    rates=st.dictionaries(st.sampled_from(BUCKETS), rate),
    base=rate,
    usage=st.tuples(tokens, st.just(0), tokens, tokens).map(lambda n: Usage(*n[:3], output=n[3])),
)
def test_parts_sum_exactly_to_the_amount(rates: dict[str, Decimal], base: Decimal, usage: Usage) -> None:
    whole = replace(entry("a", "m"), rates={**rates, "input_uncached": base, "output": base})
    charged = charge(usage, rules.entry_rates(whole))
    assert charged.amount is not None
    assert charged.amount >= 0
    total = Decimal(0)
    for part in charged.parts.values():
        total = Context(prec=80).add(total, part)
    assert total == charged.amount


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"provider": " "}, "provider"),
        ({"provider": "p" * 201}, "provider"),
        ({"model_pattern": "*"}, "model_pattern"),
        ({"model_pattern": "g*t"}, "model_pattern"),
        ({"currency": "usd"}, "currency"),
        ({"service_tier": ""}, "service_tier"),
        ({"effective_from": datetime(2026, 1, 1)}, "effective_from"),  # noqa: DTZ001
        ({"effective_to": AT - 20 * DAY}, "effective_to"),
        ({"note": "n" * 2001}, "note"),
    ],
)
def test_entries_that_are_not_accepted(change: dict[str, Any], where: str) -> None:
    rules.check_entry(entry("a", "gpt-5*"))
    with pytest.raises(Invalid) as refused:
        rules.check_entry(replace(entry("a", "gpt-5"), **change))
    assert refused.value.where == where


@pytest.mark.parametrize(
    ("raw", "where"),
    [
        ({"tokens": "1"}, "rates.tokens"),
        ({"input_uncached": 1.5}, "rates.input_uncached"),
        ({"input_uncached": "-1"}, "rates.input_uncached"),
        ({"input_uncached": "1e9"}, "rates.input_uncached"),
        ({"input_uncached": "NaN"}, "rates.input_uncached"),
        ({"input_uncached": "٣"}, "rates.input_uncached"),
        ({"output": "1"}, "rates.input_uncached"),
    ],
)
def test_rates_that_are_not_accepted(raw: dict[str, object], where: str) -> None:
    with pytest.raises(Invalid) as refused:
        rules.accept_rates(raw)
    assert refused.value.where == where


def test_rates_that_are_accepted() -> None:
    assert rules.accept_rates({"input_uncached": "2.50", "output": Decimal("1E+1")}) == {
        "input_uncached": Decimal("2.5"),
        "output": Decimal(10),
    }
