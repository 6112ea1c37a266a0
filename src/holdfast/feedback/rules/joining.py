"""Which call an item is about, and when it is looked for again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from holdfast.feedback.model import Item, Joined
from holdfast.telemetry.model import TimeRange

BEFORE = timedelta(days=90)
"""How long before the feedback its call may have been."""
AFTER = timedelta(hours=1)
"""How far the clocks of the two may be apart."""
GIVEN_UP = timedelta(days=14)
"""For how long a call is looked for."""
SETTLED = timedelta(minutes=10)
"""After so long a trace or a session is looked at once more: the rest of it may have come."""
_FIRST = timedelta(seconds=3)
_LONGEST = timedelta(hours=6)
_FACTS = ("system", "environment", "route", "release")


def within(item: Item) -> TimeRange:
    """When its call can have begun."""
    return TimeRange(item.created_at - BEFORE, item.created_at + AFTER)


def next_look(item: Item, looks: int, now: datetime) -> datetime | None:
    """When to look again after so many looks in vain: twice as long each time; None: no more."""
    if now - item.received_at > GIVEN_UP:
        return None
    return now + min(_FIRST * (1 << min(looks, 20)), _LONGEST)


def joined(item: Item, calls: Sequence[Mapping[str, Any]]) -> Joined | None:
    """What these calls, found by what the item names, say of it; None where they are none.

    Of one call its facts; of several, where the item names no single one, what all of them agree on.
    """
    if item.trace_id:
        calls = [one for one in calls if one["trace_id"] == item.trace_id]
    if not calls:
        return None
    if item.call_id and len(calls) > 1:
        calls = [max(calls, key=lambda one: one["started_at"])]
    single = calls[0] if len(calls) == 1 else None
    facts = {name: agreed([one[name] for one in calls]) for name in _FACTS}
    return Joined(
        call_id=single["id"] if single else None,
        trace_id=agreed([one["trace_id"] for one in calls]),
        session=agreed([one["session"] for one in calls]),
        model=agreed([one["response_model"] or one["request_model"] for one in calls]),
        at=min(datetime.fromisoformat(one["started_at"]) for one in calls),
        **facts,
    )


def agreed(values: Sequence[str | None]) -> str | None:
    """The one value that all have; None where they differ or one is unknown."""
    return values[0] if len(set(values)) == 1 else None
