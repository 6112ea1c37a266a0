"""The workspace's own prices: which entry holds for a call, and which entries can be accepted."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal

from holdfast.kernel.errors import Invalid
from holdfast.pricing.model import PriceBookEntry, Rates
from holdfast.pricing.rules.charge import BUCKETS
from holdfast.pricing.rules.tiers import canonical_provider, canonical_tier

ANY_TIER = "*"
_CURRENCY = re.compile(r"[A-Z]{3}")
_RATE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,12})?")
_NAME_LIMIT = 200
_NOTE_LIMIT = 2000


def candidates(
    entries: Iterable[PriceBookEntry], provider: str | None, model: str | None, tier: str | None
) -> list[PriceBookEntry]:
    """The entries that speak of this provider, model and service tier at any time, the best first.

    Best is: the exact model before a prefix, a longer prefix before a shorter, a named tier before `*`, then
    the latest `effective_from`, then the latest made. Retired entries are left out.
    """
    if provider is None or model is None:
        return []
    provider, tier, model = canonical_provider(provider), canonical_tier(tier), model.lower()
    found = [
        entry
        for entry in entries
        if entry.retired_at is None
        and canonical_provider(entry.provider) == provider
        and _covers_model(entry.model_pattern.lower(), model)
        and (entry.service_tier == ANY_TIER or canonical_tier(entry.service_tier) == tier)
    ]
    return sorted(found, key=_rank, reverse=True)


def _rank(entry: PriceBookEntry) -> tuple[bool, int, bool, datetime, str]:
    pattern = entry.model_pattern
    exact = not pattern.endswith("*")
    return exact, len(pattern), entry.service_tier != ANY_TIER, entry.effective_from, entry.id


def _covers_model(pattern: str, model: str) -> bool:
    return model.startswith(pattern[:-1]) if pattern.endswith("*") else model == pattern


def effective(ranked: Sequence[PriceBookEntry], at: datetime) -> PriceBookEntry | None:
    """The first of `candidates` that is in force at the instant."""
    for entry in ranked:
        if entry.effective_from <= at and (entry.effective_to is None or at < entry.effective_to):
            return entry
    return None


def entry_rates(entry: PriceBookEntry) -> Rates:
    """An entry in the common form. A bucket without a rate of its own counts at its parent's rate.

    So an entry with input and output alone prices cached tokens and audio as input, reasoning as output;
    5-minute and 1-hour writes fall back to the cache write's rate, then to input.
    """
    return own_rates(
        entry.rates, entry.currency, "price-book", f"price-book:{entry.id}", entry.effective_from
    )


def own_rates(
    given: Mapping[str, Decimal], currency: str, source: str, price_id: str, since: datetime | None = None
) -> Rates:
    """Rates by bucket in the common form, completed as `entry_rates` says."""
    rates = dict(given)
    if "input_cache_write" not in rates and "input_cache_write_5m" in rates:
        rates["input_cache_write"] = rates["input_cache_write_5m"]
    rates.setdefault("input_cache_write_1h", rates.get("input_cache_write", rates["input_uncached"]))
    if "input_audio" in rates and "input_cache_read" in rates:
        rates.setdefault("cache_read_audio", rates["input_cache_read"])
    return Rates(
        currency=currency,
        source=source,
        effective_from=since,
        thresholds=(),
        bands=(rates,),
        price_ids=(price_id,),
        needs_output="output" in rates,
    )


def accept_rates(raw: Mapping[str, object]) -> dict[str, Decimal]:
    """Rates as given at a door (decimal strings or Decimals per million tokens), checked.

    Raises Invalid, naming the bucket, for an unknown bucket or anything that is not a plain amount.
    """
    rates: dict[str, Decimal] = {}
    for bucket, value in raw.items():
        where = f"rates.{bucket[:60]}"
        if bucket not in BUCKETS:
            raise Invalid(f"there is no such bucket; the buckets are {', '.join(BUCKETS)}", where=where)
        text = format(value, "f") if isinstance(value, Decimal) else value
        if not isinstance(text, str) or not _RATE.fullmatch(text):
            raise Invalid(
                'write the amount per million tokens as text, such as "2.50", not negative', where=where
            )
        rates[bucket] = Decimal(text)
    if "input_uncached" not in rates:
        raise Invalid("a price needs at least the rate for uncached input", where="rates.input_uncached")
    return rates


def check_entry(entry: PriceBookEntry) -> None:
    """Raises Invalid, naming the field, for an entry that could not price anything or would surprise."""
    for field, limit in (("provider", _NAME_LIMIT), ("model_pattern", _NAME_LIMIT), ("note", _NOTE_LIMIT)):
        if len(getattr(entry, field)) > limit:
            raise Invalid(f"at most {limit} characters", where=field)
    if not entry.provider.strip():
        raise Invalid("name the provider, such as openai", where="provider")
    if not entry.model_pattern.strip("* "):
        raise Invalid("name the model, or the beginning of its name followed by *", where="model_pattern")
    if "*" in entry.model_pattern[:-1]:
        raise Invalid("* may only stand at the end", where="model_pattern")
    if not _CURRENCY.fullmatch(entry.currency):
        raise Invalid("write the currency as its ISO 4217 code, such as USD", where="currency")
    if entry.service_tier is not None and not 0 < len(entry.service_tier) <= 40:
        raise Invalid("name the tier, such as batch, or * for any", where="service_tier")
    for field in ("effective_from", "effective_to"):
        instant = getattr(entry, field)
        if instant is not None and instant.tzinfo is None:
            raise Invalid("an instant needs its time zone", where=field)
    if entry.effective_to is not None and entry.effective_to <= entry.effective_from:
        raise Invalid("the end must come after the beginning", where="effective_to")


def same_ground(one: PriceBookEntry, other: PriceBookEntry) -> bool:
    """Whether two living entries begin at one instant for the same provider, model pattern and tier."""
    return (
        one.retired_at is None
        and other.retired_at is None
        and one.effective_from == other.effective_from
        and canonical_provider(one.provider) == canonical_provider(other.provider)
        and one.model_pattern.lower() == other.model_pattern.lower()
        and canonical_tier(one.service_tier) == canonical_tier(other.service_tier)
    )
