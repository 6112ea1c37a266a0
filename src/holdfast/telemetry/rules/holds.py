"""Legal holds: what they cover."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

FAR = 2**32 - 1
"""The last second that the call store's DateTime can hold (2106): what is held does not expire before."""


@dataclass(frozen=True, slots=True)
class Hold:
    """A duty to keep: records of a system (empty: all) and a user (empty: all) that began from `from_at` until `to_at`."""

    id: str
    workspace: str
    reason: str
    system: str
    user: str
    from_at: datetime
    to_at: datetime
    created_at: datetime
    released_at: datetime | None = None


def covers(hold: Hold, system: str, user: str, start_ns: int) -> bool:
    """Whether an active hold covers a record by what the record itself says."""
    return (
        hold.released_at is None
        and hold.system in ("", system)
        and hold.user in ("", user)
        and hold.from_at.timestamp() * 1e9 <= start_ns < hold.to_at.timestamp() * 1e9
    )
