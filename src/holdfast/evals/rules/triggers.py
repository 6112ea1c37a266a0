"""When a run begins by itself: the next time of a schedule, and what is new since the last look."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from holdfast.evals.states import Trigger

MOST_SEEN = 1000
"""Marks that are remembered; the oldest are forgotten, and would be news again."""


class News(NamedTuple):
    """A run that is to begin: of which release (empty: as the trigger says), what happened, and the marks that say so."""

    release: str
    because: str
    marks: tuple[str, ...] = ()


def schedule_fault(cron: str, time_zone: str) -> str:
    """What is wrong with a schedule and how to mend it; empty where it is good and will come."""
    try:
        next_due(cron, time_zone, datetime(2026, 1, 1, tzinfo=UTC))
    except CronSimError as error:
        words = str(error).rstrip(".") or "it cannot be read"
        return f"{words}; write five fields: minute hour day month weekday, such as 0 3 * * 1-5"
    except StopIteration:
        return "this day never comes; write five fields: minute hour day month weekday, such as 0 3 * * 1-5"
    return ""


def next_due(cron: str, time_zone: str, after: datetime) -> datetime:
    """The first instant (UTC) after `after` at which a cron expression is due by the wall clock of a time zone
    (IANA name). A time that a change of clocks skips is due right after it, one that comes twice is due once.

    Raises CronSimError, and StopIteration for a day that never comes.
    """
    if len(cron.split()) != 5:
        raise CronSimError("a schedule has five fields")
    return next(CronSim(cron, after.astimezone(ZoneInfo(time_zone)))).astimezone(UTC)


def explained(cron: str) -> str:
    """A schedule in words: `At 03:00 on Monday through Friday`."""
    return CronSim(cron, datetime(2026, 1, 1, tzinfo=UTC)).explain()


def remembered(seen: Sequence[str], found: Iterable[str]) -> tuple[str, ...]:
    """What is known after a look, the latest last."""
    return (*seen, *sorted({*found} - {*seen}))[-MOST_SEEN:]


def news(kind: Trigger, seen: Sequence[str], found: Mapping[str, str]) -> list[News]:
    """The runs that a look calls for. `found`: mark → what it stands for in words; of CHANGE, the release's name.

    Another release is asked by its name, each in a run of its own. New models or settings make one run, however many.
    """
    fresh = {mark: said for mark, said in found.items() if mark not in seen}
    if not fresh:
        return []
    if kind is Trigger.CHANGE:
        return [
            News(name, f"the release {name} answers the route anew", (mark,))
            for mark, name in sorted(fresh.items(), key=lambda one: one[1])
        ]
    names = ", ".join(sorted({*fresh.values()})[:5]) + (", …" if len({*fresh.values()}) > 5 else "")
    what = "answers came from" if kind is Trigger.MODEL else "retrieval changed:"
    return [News("", f"{what} {names}, not seen before", tuple(fresh))]
