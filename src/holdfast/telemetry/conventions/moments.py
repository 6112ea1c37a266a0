"""Instants as people and programs write them into metadata."""

from __future__ import annotations

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import isfinite
from typing import Any, Final

FIRST: Final = 315_532_800
LAST: Final = 7_258_118_400
"""1980 and 2200 in Unix seconds: what lies outside is no time at which anything was changed."""


def instant(value: Any) -> int | None:
    """Unix nanoseconds (to the millisecond) of ISO 8601 (no zone: UTC), an HTTP date, Unix seconds or milliseconds.

    None for anything else.
    """
    if isinstance(value, str):
        seconds = _of_text(value.strip())
    elif isinstance(value, int | float) and not isinstance(value, bool) and isfinite(value):
        seconds = value / 1000 if abs(value) >= 1e11 else float(value)
    else:
        return None
    return None if seconds is None or not FIRST <= seconds < LAST else round(seconds * 1000) * 1_000_000


def _of_text(text: str) -> float | None:
    if not 8 <= len(text) <= 40:
        return None
    try:
        at = parsedate_to_datetime(text) if text[:1].isalpha() else datetime.fromisoformat(text)
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()
    except (ValueError, TypeError, OverflowError):
        return None
