"""Nouns of pricing: the usage partition, and a charge that says where its price came from.

What is made once or more for every call is a NamedTuple: it is made in a fifth of the time of a frozen dataclass.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Literal, NamedTuple


class Usage(NamedTuple):
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
        if self.input_uncached is None and self.input_cache_read is None and self.input_cache_write is None:
            return None
        return (self.input_uncached or 0) + (self.input_cache_read or 0) + (self.input_cache_write or 0)


class PriceQuery(NamedTuple):
    """What must be known to price a call. `at` is the request's instant, always given."""

    provider: str | None
    model: str | None
    usage: Usage
    at: datetime
    service_tier: str | None = None  # batch, flex, priority, standard … as served
    base_url: str | None = None


class Charge(NamedTuple):
    """What a call costs, or why that is unknown. `amount` is None when unknown, never zero instead.

    `parts` gives the amount per bucket. `source` is genai-prices, price-book, reported or gateway.
    """

    amount: Decimal | None
    currency: str
    price_id: str | None
    effective_from: datetime | None
    source: str | None
    parts: dict[str, Decimal]
    unknown_reason: str | None = None


@dataclass(frozen=True, slots=True)
class Impossible:
    """Something that a usage object cannot truthfully say. `code` is a data-quality event's name."""

    side: Literal["input", "output"]
    code: str
    detail: str


class Partition(NamedTuple):
    """A provider's raw usage object in exclusive buckets, with what was wrong with it.

    Where a part exceeds the whole, that side of the usage is None (refused), not a guess.
    """

    usage: Usage
    problems: tuple[Impossible, ...] = ()


@dataclass(frozen=True, slots=True)
class PriceBookEntry:
    """One price of a workspace's own: what this model costs here, from when, and who says so.

    `model_pattern` is a model's exact name, or a prefix that ends in `*`. `rates` are amounts per million
    tokens by bucket (names of `Usage` fields). `effective_to` is exclusive; None is open. `service_tier` None
    means standard service, `*` any tier. A retired entry prices nothing any more.
    """

    id: str
    provider: str
    model_pattern: str
    currency: str
    rates: Mapping[str, Decimal]
    effective_from: datetime
    effective_to: datetime | None = None
    service_tier: str | None = None
    note: str = ""
    created_at: datetime | None = None
    created_by: str | None = None
    retired_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Rates:
    """What one model's tokens cost: the common form of a list price and of a price book entry.

    `bands[i]` are amounts per million tokens by bucket; band i holds where the input total is over
    `thresholds[i - 1]`. A threshold moves the whole request, not only the tokens above it. `price_ids` run
    parallel to `bands`. `needs_output` is False for models that write nothing, such as embeddings.
    """

    currency: str
    source: str
    effective_from: datetime | None
    thresholds: tuple[int, ...]
    bands: tuple[Mapping[str, Decimal], ...]
    price_ids: tuple[str, ...]
    needs_output: bool = True
