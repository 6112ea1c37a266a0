"""Time is UTC instants. A clock is a value that is passed in, so that a test can hold it still."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

from holdfast.kernel.errors import Invalid

Clock = Callable[[], datetime]
YEARS = (1900, 2200)
"""What stores can hold; an instant outside is a slip of the pen."""


def utc_now() -> datetime:
    """The wall clock, as an aware UTC instant."""
    return datetime.now(UTC)


def parse_instant(text: str, where: str) -> datetime:
    """An ISO 8601 instant with its zone (`2026-11-20T08:00:00Z`). Raises Invalid, naming `where`."""
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise Invalid(
            f"{text[:40]!r} is not an instant; write it like 2026-11-20T08:00:00Z", where=where
        ) from error
    if instant.tzinfo is None:
        raise Invalid(f"{text[:40]!r} has no time zone; add Z for UTC", where=where)
    if not YEARS[0] <= instant.year <= YEARS[1]:
        raise Invalid(f"{text[:40]!r} is not between the years {YEARS[0]} and {YEARS[1]}", where=where)
    return instant.astimezone(UTC)


def iso(instant: datetime) -> str:
    """`2026-11-20T08:00:00.123456Z`."""
    return instant.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
