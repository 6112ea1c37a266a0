"""Money as the ledger counts it: whole numbers of 10^-12, so that sums are exact and cheap.

A rate is an amount per million tokens; with at most six decimals (all public prices have fewer) one token costs a whole
number of these units and nothing is ever rounded. A finer rate is rounded up, by less than one unit per request.
"""

from __future__ import annotations

from decimal import Context, Decimal

DIGITS = 12
_WIDE = Context(prec=60)


def units(amount: Decimal) -> int:
    """`amount` in units of 10^-12, rounded up where it is finer. Decimal("0.5") -> 500000000000."""
    exact = amount.scaleb(DIGITS, _WIDE)
    whole = int(exact)
    return whole if whole == exact or exact < 0 else whole + 1


def money(count: int) -> Decimal:
    """`count` units of 10^-12 as an amount: 500000000000 -> Decimal("0.500000000000")."""
    return Decimal(count).scaleb(-DIGITS, _WIDE)
