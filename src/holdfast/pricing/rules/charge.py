"""The exact sum: usage times rates, part by part, in Decimal.

How it is cut into exclusive parts: a bucket that has a rate of its own is taken out of the next larger bucket
that has one, so that each token is paid for once. Per-million rates divide by a power of ten, so no part is
ever rounded and the parts sum exactly to the amount.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from decimal import Context, Decimal, Inexact

from holdfast.pricing.model import Charge, Rates, Usage
from holdfast.pricing.rules.usage import check

REQUEST = "request"
"""The bucket of a fixed fee per request: its rate is per million requests, its count always 1."""

BUCKETS = (
    "input_uncached",
    "input_cache_read",
    "input_cache_write",
    "input_cache_write_5m",
    "input_cache_write_1h",
    "input_audio",
    "input_image",
    "cache_read_audio",
    "output",
    "output_reasoning",
    "output_audio",
    "output_image",
)
"""Every bucket that can have a rate, named as in `Usage`."""

NO_USAGE = "usage unknown"
_ZERO = Decimal(0)
_EXACT = Context(prec=60, traps=[Inexact])
"""Raises rather than rounds. One for all threads: all that changes in it are flags that nobody reads."""
TTL_ASSUMED = ":write-ttl-assumed-5m"
"""Ends the price id where cache writes did not state their time to live and it makes a difference."""


def unknown(reason: str, rates: Rates | None = None) -> Charge:
    """A charge whose amount is not known, and why."""
    if rates is None:
        return Charge(None, "USD", None, None, None, {}, reason)
    return Charge(None, rates.currency, rates.price_ids[0], rates.effective_from, rates.source, {}, reason)


def reported(amount: Decimal, currency: str = "USD", *, source: str = "reported") -> Charge:
    """What the application or provider said that the call cost (or the gateway: its `source`), taken at its word."""
    return Charge(amount, currency, None, None, source, {})


def charge(usage: Usage, rates: Rates) -> Charge:
    """What `usage` costs at `rates`: exact, in parts that sum to the amount; parts of nothing are left out.

    The amount is None, with the reason, where input or output is unknown but needed, where the usage is
    impossible, where a bucket with tokens in it has no rate, or where two overlapping parts are given without
    their overlap. Modalities that are not reported count at their parent's rate.
    """
    total = usage.input_total
    reason = _missing(usage, total, rates)
    if reason is not None:
        return unknown(reason, rates)
    band = bisect_left(rates.thresholds, total or 0)
    priced = rates.bands[band]
    counts = _exclusive(usage, total or 0, priced)
    if isinstance(counts, str):
        return unknown(counts, rates)
    exact = _EXACT
    amount = _ZERO
    parts: dict[str, Decimal] = {}
    for bucket, count in counts:
        if count:
            rate = priced.get(bucket)
            if rate is None:
                return unknown(f"{rates.price_ids[band]} has no rate for {bucket}", rates)
            part = parts[bucket] = exact.scaleb(exact.multiply(rate, count), -6)
            amount = exact.add(amount, part)
    price_id = rates.price_ids[band]
    if "input_cache_write" in parts and priced.get("input_cache_write_1h") != priced["input_cache_write"]:
        price_id += TTL_ASSUMED
    return Charge(amount, rates.currency, price_id, rates.effective_from, rates.source, parts)


def _missing(usage: Usage, total: int | None, rates: Rates) -> str | None:
    """Why `usage` cannot be priced at all, or None."""
    if total is None and usage.output is None:
        return NO_USAGE
    wrong = check(usage)
    if wrong:
        return f"usage impossible: {wrong[0].detail}"
    if usage.input_uncached is None:
        return "input usage unknown"
    if usage.output is None and rates.needs_output:
        return "output usage unknown"
    if usage.input_cache_write is None and (usage.input_cache_write_5m or usage.input_cache_write_1h):
        return "cache writes are split by time to live, but their total is unknown"
    return None


def _exclusive(usage: Usage, total: int, priced: Mapping[str, Decimal]) -> list[tuple[str, int]] | str:
    """Tokens per bucket, each token once: in the most specific of the buckets that have a rate."""
    read = usage.input_cache_read or 0
    write = usage.input_cache_write or 0
    counts: list[tuple[str, int]] = []
    taken = 0
    if write:
        split = _writes(usage, write, priced)
        if isinstance(split, str):
            return split
        counts += split
        taken += sum(count for _, count in split)
    audio = image = read_audio = 0
    if usage.input_audio or usage.input_image:
        audio = (usage.input_audio or 0) if "input_audio" in priced else 0
        image = (usage.input_image or 0) if "input_image" in priced else 0
        if read and "input_cache_read" in priced and (image or (audio and usage.cache_read_audio is None)):
            return "how many of the image or audio tokens were read from the cache is unknown"
        read_audio = (usage.cache_read_audio or 0) if "cache_read_audio" in priced else 0
        audio -= min(audio, read_audio)
    read = read - read_audio if "input_cache_read" in priced else 0
    taken += read + read_audio + audio + image
    if taken > total:
        return "usage impossible: cached and multimodal input together exceed the input"
    counts += [
        ("input_uncached", total - taken),
        ("input_cache_read", read),
        ("cache_read_audio", read_audio),
        ("input_audio", audio),
        ("input_image", image),
    ]
    outputs = _outputs(usage, priced)
    if isinstance(outputs, str):
        return outputs
    counts += outputs
    if REQUEST in priced:
        counts.append((REQUEST, 1))
    return counts


def _outputs(usage: Usage, priced: Mapping[str, Decimal]) -> list[tuple[str, int]] | str:
    output = usage.output or 0
    counts: list[tuple[str, int]] = []
    if usage.output_reasoning or usage.output_audio or usage.output_image:
        for bucket in ("output_reasoning", "output_audio", "output_image"):
            if bucket in priced:
                count = getattr(usage, bucket) or 0
                output -= count
                counts.append((bucket, count))
        if output < 0:
            return "usage impossible: the priced parts of the output exceed it"
    counts.append(("output", output))
    return counts


def _writes(usage: Usage, write: int, priced: Mapping[str, Decimal]) -> list[tuple[str, int]] | str:
    """Cache writes by time to live. A write that states none is a 5-minute write, Anthropic's default."""
    one_hour = usage.input_cache_write_1h or 0
    five_minutes = usage.input_cache_write_5m or 0
    if one_hour and "input_cache_write_1h" not in priced:
        return "no price for cache writes with a time to live of 1 hour"
    counts = [("input_cache_write_1h", one_hour)]
    if "input_cache_write_5m" in priced:
        counts.append(("input_cache_write_5m", five_minutes))
        write -= five_minutes
    if "input_cache_write" in priced:
        counts.append(("input_cache_write", write - one_hour))
    return counts
