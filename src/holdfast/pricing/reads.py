"""Answers of pricing, for doors and other rooms: the price book, the pricer, the cutting of raw usage."""

from __future__ import annotations

from holdfast.kernel.context import Context
from holdfast.pricing import store
from holdfast.pricing.model import PriceBookEntry
from holdfast.pricing.prices import Pricer
from holdfast.pricing.rules.book import own_rates
from holdfast.pricing.rules.charge import BUCKETS, reported
from holdfast.pricing.rules.tiers import canonical_provider, canonical_tier
from holdfast.pricing.rules.usage import (
    check,
    from_totals,
    partition_anthropic,
    partition_gemini,
    partition_openai,
)
from holdfast.storage.sql import Transaction

__all__ = [
    "BUCKETS",
    "Pricer",
    "all_entries",
    "canonical_provider",
    "canonical_tier",
    "check",
    "from_totals",
    "own_rates",
    "partition_anthropic",
    "partition_gemini",
    "partition_openai",
    "price_book",
    "reported",
]


def price_book(ctx: Context, tx: Transaction) -> tuple[PriceBookEntry, ...]:
    """The workspace's living entries, as `Pricer.price_call` takes them. Keep it until the book changes."""
    return tuple(store.entries_of(tx, ctx.workspace))


def all_entries(ctx: Context, tx: Transaction) -> list[PriceBookEntry]:
    """The whole book with what was retired, by provider, model and beginning."""
    return store.entries_of(tx, ctx.workspace, retired=True)
