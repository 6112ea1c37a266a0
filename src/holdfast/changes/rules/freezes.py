"""Whether a change may start or go on now, as far as freezes and change windows say, and from when on it may.

Nothing here is asked of a rollback: that is allowed at every instant.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from holdfast.changes.model import Freeze
from holdfast.changes.rules.windows import LOOK_AHEAD, Windows, is_open, next_opening


def blocks(
    freezes: Collection[Freeze], windows: Windows, system: str, at: datetime, *, emergency: bool = False
) -> str:
    """Why no change of a system may start or go on at an aware instant, and from when on it may; '' where it may.

    An emergency passes windows, and of freezes those alone that let emergencies pass. A rollback never asks: neither freezes
    nor windows stand in its way.
    """
    asked = _asked(freezes, system, emergency=emergency)
    said = [_frozen(one, windows.zone) for one in _holding(asked, at)]
    if not emergency and not is_open(windows, at):
        said.append("the change window is closed")
    if not said:
        return ""
    opens = next_start(freezes, windows, system, at, emergency=emergency)
    if opens is not None:
        said.append(f"it may go on from {_words(opens, windows.zone)}")
    elif any(one.ends_at is None for one in asked):
        said.append("it may go on after the freeze that has no end is lifted")
    else:
        said.append(f"no opening is within {LOOK_AHEAD.days} days")
    return "; ".join(said)


def next_start(
    freezes: Collection[Freeze], windows: Windows, system: str, at: datetime, *, emergency: bool = False
) -> datetime | None:
    """The first instant from `at` on at which nothing blocks, in UTC, as freezes and windows are known now.

    None where a freeze lasts until it is lifted, and where no window opens within `LOOK_AHEAD` after the freezes.
    """
    asked = _asked(freezes, system, emergency=emergency)
    instant = at.astimezone(UTC)
    while True:
        held = _holding(asked, instant)
        ends = [one.ends_at for one in held if one.ends_at is not None]
        if len(ends) < len(held):
            return None
        if held:
            instant = max(ends)
            continue
        opens = instant if emergency else next_opening(windows, instant)
        if opens is None or opens == instant:
            return opens
        instant = opens


def _asked(freezes: Collection[Freeze], system: str, *, emergency: bool) -> tuple[Freeze, ...]:
    """The freezes that are meant for a change of a system, whenever they hold."""
    return tuple(
        one
        for one in freezes
        if (not one.systems or system in one.systems) and not (emergency and one.lets_emergencies)
    )


def _holding(freezes: Collection[Freeze], at: datetime) -> tuple[Freeze, ...]:
    return tuple(one for one in freezes if one.begins_at <= at and (one.ends_at is None or at < one.ends_at))


def _frozen(freeze: Freeze, zone: str) -> str:
    of = "this system" if freeze.systems else "every system"
    until = "it is lifted" if freeze.ends_at is None else _words(freeze.ends_at, zone)
    return f"a freeze of {of} holds until {until}: {freeze.reason}"


def _words(instant: datetime, zone: str) -> str:
    """`2026-11-23 08:00 UTC (2026-11-23 09:00 in Europe/Berlin)`."""
    said = f"{instant.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
    local = f"{instant.astimezone(ZoneInfo(zone)):%Y-%m-%d %H:%M}"
    return said if zone == "UTC" else f"{said} ({local} in {zone})"
