"""How values are written for people: units always, unknown said as unknown. Pure functions; the filters wrap them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal

_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "JPY": "¥"}
_STEPS = ((1_000_000_000, "B"), (1_000_000, "M"))


def count(value: int | float) -> str:
    """1234 → 1,234; from a million on 1.2 M, 3.4 B."""
    for size, sign in _STEPS:
        if abs(value) >= size:
            return f"{value / size:.1f} {sign}"
    return f"{value:,.0f}"


def duration(ms: float) -> str:
    """Milliseconds in words: 0.8 ms, 812 ms, 1.24 s, 2 m 03 s, 1 h 05 m."""
    if ms < 0:
        return f"−{duration(-ms)}"
    if ms < 10:
        return f"{ms:.1f}".rstrip("0").rstrip(".") + " ms"
    if ms < 999.5:
        return f"{ms:.0f} ms"
    if ms < 59_995:
        return f"{ms / 1000:.2f} s"
    seconds = round(ms / 1000)
    if seconds < 3600:
        return f"{seconds // 60} m {seconds % 60:02d} s"
    minutes = seconds // 60
    return f"{minutes // 60:,} h {minutes % 60:02d} m"


def money(amount: Decimal, currency: str = "USD") -> str:
    """An amount with its sign or code, as many digits as it takes to tell it from nothing: $0.0024, $1.20, $1,234.50.

    Under one cent two significant digits are kept; a real zero is $0.00. The exact figure belongs beside it.
    """
    sign = _SIGNS.get(currency, f"{currency} ")
    minus, size = ("−", -amount) if amount < 0 else ("", amount)
    if size == 0 or size >= Decimal("0.995"):
        digits = Decimal("0.01")
    elif size >= Decimal("0.01"):
        digits = Decimal("0.0001")
    else:
        digits = Decimal(1).scaleb(size.adjusted() - 1)
    return f"{minus}{sign}{size.quantize(digits, ROUND_HALF_EVEN):,f}"


def percent(ratio: float) -> str:
    """0.0312 → 3.1 %. What is more than nothing never reads as 0, what is less than all never as 100."""
    value = ratio * 100
    if 0 < value < 0.1:
        return "<0.1 %"
    if 99.9 < value < 100:
        return ">99.9 %"
    return f"{value:.1f} %" if value < 10 or value > 90 else f"{value:.0f} %"


def moment(instant: datetime, now: datetime) -> str:
    """An instant in UTC as short as its distance allows: 20:14:03 today, 20 Nov 20:14 this year, else with the year."""
    at, today = instant.astimezone(UTC), now.astimezone(UTC)
    if at.date() == today.date():
        return at.strftime("%H:%M:%S")
    if at.year == today.year:
        return f"{at.day} {at.strftime('%b %H:%M')}"
    return f"{at.day} {at.strftime('%b %Y %H:%M')}"


def exact(instant: datetime) -> str:
    """2026-11-21 20:14:03.123 UTC."""
    return instant.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S.%f")[:-3] + " UTC"


def ago(instant: datetime, now: datetime) -> str:
    """just now, 3 min ago, 5 h ago, 12 days ago; in 4 min for what is to come."""
    gap = now - instant
    size = abs(gap)
    if size < timedelta(seconds=45):
        return "just now" if gap >= timedelta(0) else "in a moment"
    minutes = round(size / timedelta(minutes=1))
    if minutes < 60:
        words = f"{max(minutes, 1)} min"
    elif minutes < 48 * 60:
        words = f"{round(minutes / 60)} h"
    else:
        words = f"{round(minutes / 1440)} days"
    return f"{words} ago" if gap > timedelta(0) else f"in {words}"
