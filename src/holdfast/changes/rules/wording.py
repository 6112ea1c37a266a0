"""Measures and their differences in plain words, for people who decide by them."""

from __future__ import annotations

import math
from decimal import Decimal

from holdfast.changes.rules.sequential import Sample

SHARE = "%"
"""The unit of shares of calls. Any other stands behind the number as it is: "ms", "USD", or nothing."""


def amount(unit: str, value: float) -> str:
    """Such as "4.1 %", "1,240 ms", "0.00312 USD": shares to a tenth of a point, all else to three digits."""
    if unit == SHARE:
        return f"{value:.1%}".replace("%", " %")
    return f"{_digits(value)} {unit}".rstrip()


def against(unit: str, candidate: Sample, baseline: Sample | None) -> str:
    """Such as "4.1 % of 1,020 calls against 2.0 % of 9,180"; for amounts "1,240 ms over 1,020 calls against …"."""
    of = "of" if unit == SHARE else "over"
    said = f"{amount(unit, candidate.mean)} {of} {candidate.n:,} call{'s' * (candidate.n != 1)}"
    return f"{said} against {amount(unit, baseline.mean)} {of} {baseline.n:,}" if baseline else said


def apart(unit: str, lower: float, upper: float, *, up: str = "worse", down: str = "better") -> str:
    """Such as "between 0.6 and 3.6 points worse", "between 12 ms better and 31 ms worse"."""
    if not (math.isfinite(lower) and math.isfinite(upper)):
        return "too little to say how far apart"
    low, high = difference(unit, abs(lower)), difference(unit, abs(upper))
    if lower >= 0:
        return f"between {_without_unit(low)} and {high} {up}"
    if upper <= 0:
        return f"between {_without_unit(high)} and {low} {down}"
    return f"between {low} {down} and {high} {up}"


def difference(unit: str, value: float) -> str:
    """Such as "0.6 points" between shares, "12 ms" between amounts."""
    return f"{value * 100:.1f} points" if unit == SHARE else amount(unit, value)


def _without_unit(said: str) -> str:
    return said.partition(" ")[0]


def _digits(value: float) -> str:
    return format(Decimal(f"{value:.3g}"), ",f")
