"""The most that one request can cost, before it is sent: what a hard budget sets aside.

Whatever bucket the vendor puts a token into (uncached, read from or written to a cache for five minutes or an hour, audio),
it pays at most the dearest rate of the dearest band that the input can reach; likewise each token of output.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from decimal import Context, Decimal, Inexact
from typing import NamedTuple

from holdfast.gateway.rules.inputs import Input, Unbounded
from holdfast.pricing.model import Rates
from holdfast.pricing.rules.charge import REQUEST

_EXACT = Context(prec=60, traps=[Inexact])
_ZERO = Decimal(0)


class Bound(NamedTuple):
    """At most these tokens, at most this amount, in `currency`."""

    tokens_in: int
    tokens_out: int
    amount: Decimal
    currency: str = "USD"


def bound(
    read: Input | Unbounded, max_output: int | None, rates: Rates | None, *, choices: int = 1
) -> Bound | Unbounded:
    """The most that one try at one target costs: `read` tokens in, `choices` answers of `max_output` tokens.

    `rates` are the target's (None: it has no price); `max_output` includes reasoning, as vendors count it. Unbounded,
    with the reason, where the input is, where no maximum is named for a model that writes, and where plain input or
    output has no rate. Another bucket without a rate makes a charge unknown, and what is unknown settles at the bound.
    """
    if isinstance(read, Unbounded):
        return read
    if rates is None:
        return Unbounded("the model has no price")
    if max_output is None and rates.needs_output:
        return Unbounded("no maximum output is named")
    out = (max_output or 0) * max(choices, 1) + read.predicted
    dearest_in = dearest_out = fee = _ZERO
    for band in rates.bands[: bisect_left(rates.thresholds, read.tokens) + 1]:
        if "input_uncached" not in band:
            return Unbounded(f"{rates.price_ids[0]} has no rate for input")
        if rates.needs_output and "output" not in band:
            return Unbounded(f"{rates.price_ids[0]} has no rate for output")
        rate_in, rate_out, band_fee = _dearest(band)
        if rate_in > dearest_in:
            dearest_in = rate_in
        if rate_out > dearest_out:
            dearest_out = rate_out
        if band_fee > fee:
            fee = band_fee
    total = _EXACT.add(_EXACT.multiply(dearest_in, read.tokens), _EXACT.multiply(dearest_out, out))
    return Bound(read.tokens, out, _EXACT.scaleb(_EXACT.add(total, fee), -6), rates.currency)


def over_chain(tries: Sequence[Bound | Unbounded], billed: int) -> Bound | Unbounded:
    """The most that a request costs which may be tried at each of `tries`' targets and billed up to `billed` times.

    Unbounded where one of them is, or where they are priced in different currencies.
    """
    bounds = [one for one in tries if isinstance(one, Bound)]
    if len(bounds) < len(tries):
        return next(one for one in tries if isinstance(one, Unbounded))
    if not bounds:
        return Unbounded("there is nowhere to send it")
    currencies = sorted({one.currency for one in bounds})
    if len(currencies) > 1:
        return Unbounded(f"its targets are priced in {' and '.join(currencies)}")
    times = max(billed, 1)
    return Bound(
        max(one.tokens_in for one in bounds) * times,
        max(one.tokens_out for one in bounds) * times,
        _EXACT.multiply(max(one.amount for one in bounds), times),
        currencies[0],
    )


def _dearest(band: Mapping[str, Decimal]) -> tuple[Decimal, Decimal, Decimal]:
    """The highest rate of a band for a token of input, of output, and its fee per request; 0 where it has none."""
    rate_in = rate_out = fee = _ZERO
    for bucket, rate in band.items():
        if bucket.startswith("output"):
            if rate > rate_out:
                rate_out = rate
        elif bucket == REQUEST:
            fee = rate
        elif rate > rate_in:  # input_…, cache_read_audio
            rate_in = rate
    return rate_in, rate_out, fee
