"""Counting where several processes write to one call store: what the store holds of a trace is looked up, not remembered.

A process that has stored spans reads which spans their traces have by now, makes the calls of those, and stores them with
a version that grows with what was seen (`rules.versions`). Then it looks at the calls that the store has of the trace:

- one of a lower version that its own view does not make was made by somebody who saw less: it is taken away;
- one of a higher version was made by somebody who saw more: the trace is read and counted again.

Whoever looks last sees what all others wrote, so in the end the calls are those of the whole trace. All rows of a trace
lie on one shard, where what one read sees contains what every earlier read saw.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from holdfast.storage.columns import Columns
from holdfast.telemetry.ingest.seen import SeenTraces
from holdfast.telemetry.rules.versions import version
from holdfast.telemetry.store import counted, spans

Key = tuple[str, str]
"""A workspace and a trace id."""
SIZE = 2000
HOUR_NS = 3600 * 10**9
MONTH_NS = 32 * 24 * HOUR_NS
DAY_NS = 24 * HOUR_NS
LOOK_BACK_NS = 8 * DAY_NS
WINDOW_NS = 10 * 60 * 10**9
STEP_NS = 60 * 10**9
MOST_TURNS = 6


class View(NamedTuple):
    """What is seen of a trace: commit number by span id, between which starts its calls may lie, whether all is our own.

    `replaced` is a span that came more than once, if there is one: calls may have been made of an earlier form of it.
    """

    commits: Mapping[str, int]
    first_ns: int
    last_ns: int
    plain: bool
    replaced: str

    @property
    def version(self) -> int:
        return version(self.commits.values())


class Older:
    """Which traces may have spans from before the last few minutes, so that the others need a look at recent parts alone.

    The ids of all commits before `since` are in a filter, whoever made them; it is kept up a minute at a time. A commit
    is on disk long before WINDOW_NS has passed since it got its number, or it has failed.
    """

    def __init__(self, columns: Columns, window_ns: int = WINDOW_NS) -> None:
        self._columns = columns
        self._window_ns = window_ns
        self._seen = SeenTraces()
        self._before_ns = 0
        self.since = 0

    def keep_up(self, now_ns: int) -> None:
        """Brings the filter up to date."""
        end = now_ns - self._window_ns
        if end - self.since < STEP_NS and self.since:
            return
        first = self.since
        if not first:
            first = end - LOOK_BACK_NS
            instant = datetime.fromtimestamp(first / 1e9, UTC) + timedelta(days=1)
            if spans.any_received_before(self._columns, instant):
                self._before_ns = first + DAY_NS
        self._seen.add_all(spans.trace_probes_between(self._columns, first, end))
        self.since = end

    def may_have(self, trace_id: str, start_ns: int) -> bool:
        """Whether there may be older spans of a trace, one of whose spans begins at `start_ns`."""
        return start_ns < self._before_ns or trace_id in self._seen


def views(columns: Columns, keys: Iterable[Key], writer: int, since: int = 0) -> dict[Key, View]:
    """What the store holds now of some traces; see `spans.present`."""
    found: dict[Key, View] = {}
    for workspace, trace_ids in by_workspace(keys).items():
        for trace_id, present in spans.present(columns, workspace, trace_ids, writer, since).items():
            found[workspace, trace_id] = View(
                present.commits, present.first_ns, present.last_ns, present.own, present.replaced
            )
    return found


class Verdict(NamedTuple):
    """What is to be done after calls (or operations) were stored: those to take away (with their start), and the traces
    to count again."""

    superseded: dict[Key, list[tuple[str, int]]]
    again: list[Key]


def look_back(
    columns: Columns, seen: Mapping[Key, View], made: Mapping[Key, Mapping[str, int]], table: str = "calls"
) -> Verdict:
    """Compares what the store has of some traces with the calls (id → start) that were just made of what was seen.

    `table` is where they are: calls, or operations, to which the same applies.

    A call begins where its span does. Traces of which every row is this process' own are looked for within an hour of
    what is there; in all others within a month, because of a span that was replaced by one with another start the
    older row is gone only where both begin in one month.
    """
    superseded: dict[Key, list[tuple[str, int]]] = {}
    again: list[Key] = []
    for plain, margin in ((True, HOUR_NS), (False, MONTH_NS)):
        some = [key for key in made if seen[key].plain is plain]
        for workspace, trace_ids in by_workspace(some).items():
            around = [seen[workspace, trace_id] for trace_id in trace_ids]
            within = (min(v.first_ns for v in around) - margin, max(v.last_ns for v in around) + margin)
            for trace_id, rows in counted.standing(columns, workspace, trace_ids, within, table).items():
                key = (workspace, trace_id)
                own = seen[key].version
                if any(row.version > own for row in rows):
                    again.append(key)
                old = [(r.id, r.start_ns) for r in rows if r.live and r.version <= own]
                gone = [(id, start) for id, start in old if made[key].get(id) != start]
                if gone:
                    superseded[key] = gone
    return Verdict(superseded, again)


def by_workspace(keys: Iterable[Key]) -> dict[str, Sequence[str]]:
    """Trace ids by workspace."""
    found: dict[str, list[str]] = {}
    for workspace, trace_id in keys:
        found.setdefault(workspace, []).append(trace_id)
    return dict(found)
