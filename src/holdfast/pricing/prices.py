"""Prices: the list of the genai-prices library, with a workspace's own price book on top.

The library takes about 200 µs for a call, so its price is looked up once per model, service tier, day and
time of day, kept in the common form (`Rates`), and the sum is done here. Tests hold the results equal to the
library's. Nothing is fetched: prices are those of the installed version, which every price id names.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from functools import lru_cache

import genai_prices
from genai_prices.data_snapshot import find_provider_by_id, get_snapshot
from genai_prices.types import ConditionalPrice, ModelInfo, ModelPrice, Provider, TieredPrices

from holdfast.kernel.errors import Invalid
from holdfast.pricing.model import Charge, PriceBookEntry, PriceQuery, Rates
from holdfast.pricing.rules.book import candidates, effective, entry_rates
from holdfast.pricing.rules.charge import NO_USAGE, REQUEST, charge, unknown
from holdfast.pricing.rules.tiers import canonical_provider, canonical_tier

_BUCKET_OF = (
    ("input_mtok", "input_uncached"),
    ("cache_read_mtok", "input_cache_read"),
    ("cache_write_mtok", "input_cache_write"),
    ("cache_write_5m_mtok", "input_cache_write_5m"),
    ("cache_write_1h_mtok", "input_cache_write_1h"),
    ("input_audio_mtok", "input_audio"),
    ("input_image_mtok", "input_image"),
    ("cache_audio_read_mtok", "cache_read_audio"),
    ("output_mtok", "output"),
    ("output_reasoning_mtok", "output_reasoning"),
    ("output_audio_mtok", "output_audio"),
    ("output_image_mtok", "output_image"),
)
_NAME_LIMIT = 300
_PATH_NAMES = ("aws", "google")
"""Providers that also name a model by its path: `publishers/google/models/…`, `arn:aws:bedrock:…/…`."""
_MIDNIGHT = time(0)


@dataclass(frozen=True, eq=False, slots=True)
class _Listed:
    """A model of the list. `changes` are the UTC times of day at which its price may change."""

    provider: Provider
    model: ModelInfo
    changes: tuple[time, ...]


class Pricer:
    """Prices calls. Owns bounded caches, so make one and keep it; safe to use from several threads."""

    def __init__(self, cache_size: int = 4096) -> None:
        """Loads the list, which takes about a second. `cache_size` bounds each of the three caches."""
        self._providers = get_snapshot().providers
        self._version = genai_prices.__version__
        self._listed = lru_cache(cache_size)(self._find)
        self._dated = lru_cache(cache_size)(self._rates)
        self._booked = lru_cache(cache_size)(_book_candidates)

    def price_call(self, query: PriceQuery, book: Sequence[PriceBookEntry] = ()) -> Charge:
        """The charge by the workspace's price book where an entry holds at that instant, else by the list.

        Pass the book as a tuple, the same one from call to call: then matching is cached. Raises Invalid when
        `query.at` has no time zone.
        """
        if book:
            at = _utc(query.at)
            key = book if isinstance(book, tuple) else tuple(book)
            found = self._booked(_Same(key), query.provider, query.model, query.service_tier)
            for entry, rates in found:
                if effective((entry,), at) is not None:
                    return charge(query.usage, rates)
        return self.list_price(query)

    def rates(
        self,
        provider: str | None,
        model: str,
        at: datetime,
        base_url: str | None = None,
        book: Sequence[PriceBookEntry] = (),
        tier: str | None = None,
    ) -> Rates | None:
        """What the model's tokens cost at an instant: by the book, else by the list; None: unknown, also where the service
        `tier` (None: standard) has no price of its own.

        As `price_call` finds them. Raises Invalid when `at` has no time zone.
        """
        at = _utc(at)
        entry = effective(candidates(book, provider, model, tier), at)
        if entry is not None:
            return entry_rates(entry)
        listed = self._listed(provider, base_url, model)
        if isinstance(listed, str):
            return None
        rates = self._dated(listed, tier, at.toordinal(), _segment(listed, at))
        return None if isinstance(rates, str) else rates

    def list_price(self, query: PriceQuery) -> Charge:
        """The charge by the provider's published price at the request's instant.

        A base URL that the list knows names the provider, whatever the client library called itself; without
        either, the model's name does. The amount is None, with the reason, for an unknown provider or model,
        a service tier without a price of its own (the standard price would be a lie), or usage that is
        unknown or impossible. Raises Invalid when `query.at` has no time zone.
        """
        at = _utc(query.at)
        usage = query.usage
        if usage.input_total is None and usage.output is None:
            return unknown(NO_USAGE)
        if query.model is None:
            return unknown("model unknown")
        listed = self._listed(query.provider, query.base_url, query.model)
        if isinstance(listed, str):
            return unknown(listed)
        rates = self._dated(listed, query.service_tier, at.toordinal(), _segment(listed, at))
        return unknown(rates) if isinstance(rates, str) else charge(usage, rates)

    def _find(self, provider: str | None, base_url: str | None, model: str) -> _Listed | str:
        """The listed model, or why there is none. (The library's own look-up keeps every miss forever.)"""
        if max(len(model), len(provider or ""), len(base_url or "")) > _NAME_LIMIT:
            return "model unknown: its name is too long"
        host, model = self._provider(provider, base_url, model.lower())
        if host is None:
            return f"no price list for provider {provider!r}" if provider else f"unknown model {model!r}"
        found = host.find_model(model, all_providers=self._providers)
        if found is None and host.id in _PATH_NAMES and "/" in model:
            found = host.find_model(model.rpartition("/")[2], all_providers=self._providers)
        if found is None:
            return f"unknown model {model!r} of {host.id}"
        return _Listed(host, found, _changes(found))

    def _provider(
        self, provider: str | None, base_url: str | None, model: str
    ) -> tuple[Provider | None, str]:
        if base_url:
            for known in self._providers:
                if re.match(known.api_pattern, base_url):
                    return known, model
        name = canonical_provider(provider) if provider else None
        if name in (None, "litellm") and "/" in model:
            prefix, rest = model.split("/", 1)
            found = find_provider_by_id(self._providers, canonical_provider(prefix))
            if found is not None:
                return found, rest
        if name is not None:
            return find_provider_by_id(self._providers, name), model
        for known in self._providers:
            if known.model_match is not None and known.model_match.is_match(model):
                return known, model
        return None, model

    def _rates(self, listed: _Listed, tier: str | None, day: int, segment: int) -> Rates | str:
        """The model's price in one stretch of one UTC day in which it cannot change."""
        at = datetime.combine(date.fromordinal(day), listed.changes[segment], UTC)
        tier = canonical_tier(tier)
        price, started, hours = _standard(listed.model, at)
        if tier is not None:
            # A fallback model belongs to another provider, whose tiers say nothing of this one's.
            own = any(listed.model is model for model in listed.provider.models)
            context = dict.fromkeys(("processing", "service_tier", "speed"), tier)
            starts = [
                _start(variant.constraint)
                for variant in (listed.model.price_variants or () if own else ())
                if (variant.constraint is None or variant.constraint.active(at))
                and all(context.get(key) == value for key, value in variant.when.items())
            ]
            if not starts:
                return f"no price for service tier {tier} of {listed.provider.id}/{listed.model.id} then"
            price = listed.model.get_prices(at, context)
            started = max((start for start in (*starts, started) if start is not None), default=None)
        stem = f"genai-prices@{self._version}:{listed.provider.id}/{listed.model.id}"
        marks = [started.isoformat() if started else None, hours, tier]
        return _common_form(price, listed.model, ":".join([stem, *(mark for mark in marks if mark)]), started)


class _Same:
    """A book as a cache key: the same object, not an equal one, and kept alive while it is a key."""

    __slots__ = ("book",)

    def __init__(self, book: tuple[PriceBookEntry, ...]) -> None:
        self.book = book

    def __hash__(self) -> int:
        return id(self.book)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Same) and other.book is self.book


def _book_candidates(
    book: _Same, provider: str | None, model: str | None, tier: str | None
) -> tuple[tuple[PriceBookEntry, Rates], ...]:
    ranked = candidates(book.book, provider, model, tier)
    return tuple((entry, entry_rates(entry)) for entry in ranked)


def _utc(at: datetime) -> datetime:
    if at.tzinfo is UTC:
        return at
    if at.tzinfo is None:
        raise Invalid("the request's instant needs its time zone", where="at")
    return at.astimezone(UTC)


def _segment(listed: _Listed, at: datetime) -> int:
    """In which stretch of the day, between possible changes, an instant is."""
    return bisect_right(listed.changes, at.time()) - 1 if len(listed.changes) > 1 else 0


def _start(constraint: object) -> date | None:
    return getattr(constraint, "start_date", None)


def _changes(model: ModelInfo) -> tuple[time, ...]:
    """The UTC times of day at which some price of the model begins or ends."""
    conditions: list[object] = [variant.constraint for variant in model.price_variants or ()]
    if not isinstance(model.prices, ModelPrice):
        conditions += [price.constraint for price in model.prices]
    times = {_MIDNIGHT}
    for condition in conditions:
        for name in ("start_time", "end_time"):
            moment: time | None = getattr(condition, name, None)
            if moment is not None:
                aware = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
                times.add((datetime.combine(date(2000, 1, 2), aware).astimezone(UTC)).time())
    return tuple(sorted(times))


def _standard(model: ModelInfo, at: datetime) -> tuple[ModelPrice, date | None, str | None]:
    """The standard price at an instant, the date that it began on, and its hours where it has some.

    The last condition that holds wins; where none does, the first price: the library's rule.
    """
    if isinstance(model.prices, ModelPrice):
        return model.prices, None, None
    chosen: ConditionalPrice = model.prices[0]
    for price in reversed(model.prices):
        if price.constraint is None or price.constraint.active(at):
            chosen = price
            break
    began: time | None = getattr(chosen.constraint, "start_time", None)
    ended: time | None = getattr(chosen.constraint, "end_time", None)
    hours = f"{began:%H%M}-{ended:%H%M}" if began is not None and ended is not None else None
    return chosen.prices, _start(chosen.constraint), hours


def _common_form(price: ModelPrice, model: ModelInfo, price_id: str, started: date | None) -> Rates | str:
    values: dict[str, Decimal | TieredPrices] = {}
    for key, bucket in _BUCKET_OF:
        value = getattr(price, key, None)
        if value is not None:
            values[bucket] = value
    fee = getattr(price, "requests_kcount", None)
    if isinstance(fee, Decimal):
        values[REQUEST] = fee * 1000
    if not values and not getattr(price, "__dict__", None) and model.id.endswith(":free"):
        values = {"input_uncached": Decimal(0), "output": Decimal(0)}
    if "input_uncached" not in values:
        return f"{price_id} has no price for tokens"
    if "input_cache_write" in values and "input_cache_write_1h" in values:
        values.setdefault("input_cache_write_5m", values["input_cache_write"])
    thresholds = sorted(
        {tier.start for value in values.values() if isinstance(value, TieredPrices) for tier in value.tiers}
    )
    # `embed` models may carry an output price by the list's habit, but write nothing.
    return Rates(
        currency="USD",
        source="genai-prices",
        effective_from=datetime(started.year, started.month, started.day, tzinfo=UTC) if started else None,
        thresholds=tuple(thresholds),
        bands=tuple(
            {bucket: _at(value, over) for bucket, value in values.items()} for over in (-1, *thresholds)
        ),
        price_ids=(price_id, *(f"{price_id}:over-{start}" for start in thresholds)),
        needs_output="output" in values and "embed" not in model.id.lower(),
    )


def _at(value: Decimal | TieredPrices, over: int) -> Decimal:
    """The price where the input total is more than `over` tokens."""
    if isinstance(value, Decimal):
        return value
    held = value.base
    for tier in value.tiers:
        if over >= tier.start:
            held = tier.price
    return held
