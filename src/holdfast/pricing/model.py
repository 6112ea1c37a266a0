"""Nouns of pricing: the usage partition, and a charge that says where its price came from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one call in exclusive buckets; None is unknown, 0 is a real zero.

    input total  = input_uncached + input_cache_read + input_cache_write
    output total = output, of which output_reasoning is a subset
    input_cache_write splits by time to live: write_5m, write_1h (subsets; the rest has no stated TTL)
    input_audio, input_image, cache_read_audio, output_audio, output_image are subsets by modality.
    """

    input_uncached: int | None = None
    input_cache_read: int | None = None
    input_cache_write: int | None = None
    input_cache_write_5m: int | None = None
    input_cache_write_1h: int | None = None
    output: int | None = None
    output_reasoning: int | None = None
    input_audio: int | None = None
    input_image: int | None = None
    cache_read_audio: int | None = None
    output_audio: int | None = None
    output_image: int | None = None

    @property
    def input_total(self) -> int | None:
        """Sum of the known input buckets; None when nothing of the input is known."""
        known = [
            n for n in (self.input_uncached, self.input_cache_read, self.input_cache_write) if n is not None
        ]
        return sum(known) if known else None


@dataclass(frozen=True, slots=True)
class PriceQuery:
    """What must be known to price a call. `at` is the request's instant, always given."""

    provider: str | None
    model: str | None
    usage: Usage
    at: datetime
    service_tier: str | None = None  # batch, flex, priority, standard … as served
    base_url: str | None = None


@dataclass(frozen=True, slots=True)
class Charge:
    """What a call costs, or why that is unknown. `amount` is None when unknown, never zero instead.

    `parts` gives the amount per bucket. `source` is genai-prices, price-book or reported.
    """

    amount: Decimal | None
    currency: str
    price_id: str | None
    effective_from: datetime | None
    source: str | None
    parts: dict[str, Decimal]
    unknown_reason: str | None = None
