"""The job that finds the calls that feedback is about, whichever of the two came first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Literal

from holdfast.feedback.model import Item
from holdfast.feedback.rules import joining
from holdfast.feedback.store import items as store
from holdfast.platform.services import Services
from holdfast.telemetry.model import TimeRange
from holdfast.telemetry.reads import calls

EVERY_SECONDS = 2.0
AT_ONCE = 500
Found = Mapping[tuple[str, str], Sequence[Mapping[str, Any]]]
"""(by what, its value) → the calls."""
_BY: tuple[Literal["id", "response_id", "trace_id", "session"], ...] = (
    "id",
    "response_id",
    "trace_id",
    "session",
)


class Joining:
    """Looks for calls, a batch at a time."""

    def __init__(self, services: Services) -> None:
        self._services = services

    def turn(self) -> int:
        """Looks for what is due; returns how many items were joined."""
        now = self._services.clock()
        with self._services.database.reading() as tx:
            due = store.waiting(tx, now, AT_ONCE)
        if not due:
            return 0
        by_workspace: dict[str, list[Item]] = defaultdict(list)
        for item, _ in due:
            by_workspace[item.workspace].append(item)
        found = {workspace: self._found(workspace, items) for workspace, items in by_workspace.items()}
        done = 0
        with self._services.database.transaction() as tx:
            for item, looks in due:
                joined = joining.joined(item, _of(item, found[item.workspace]))
                if joined is None:
                    store.look_again(tx, item, looks + 1, joining.next_look(item, looks, now))
                    continue
                again = not item.call_id and item.joined is None
                store.join(tx, item, joined, now, looks + 1, now + joining.SETTLED if again else None)
                done += item.joined is None
        return done

    def _found(self, workspace: str, items: Sequence[Item]) -> Found:
        times = [joining.within(one) for one in items]
        within = TimeRange(min(one.start for one in times), max(one.end for one in times))
        found: dict[tuple[str, str], list[Mapping[str, Any]]] = defaultdict(list)
        for by in _BY:
            values = sorted({value for one in items if (value := _named(one, by))})
            if not values:
                continue
            for call in calls.named(self._services.columns, workspace, within, by, values):
                found[by, call[by]].append(call)
        return found


def _named(item: Item, by: str) -> str | None:
    """What an item names a call by: its id, else its trace, else its session."""
    if item.call_id:
        return item.call_id if by in ("id", "response_id") else None
    if item.trace_id:
        return item.trace_id if by == "trace_id" else None
    return item.session if by == "session" else None


def _of(item: Item, found: Found) -> Sequence[Mapping[str, Any]]:
    return next((found[by, value] for by in _BY if (value := _named(item, by)) and (by, value) in found), ())
