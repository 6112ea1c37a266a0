"""Stored buckets of calls by the minute, the hour and the day: made from deduplicated calls, replaced by version.

A bucket's rows carry the version of the run that made them; `rollup_buckets` says which version holds. Rows of another
version are never read, and are swept up later. Minutes are made of calls, hours of minutes, days of hours; wide hours,
which keep more dimensions, of calls. What changed since is found by when calls were written (`received_at`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from holdfast.storage.columns import Columns, Select
from holdfast.telemetry.rules.cover import NS, Level
from holdfast.telemetry.store.calls import MODEL
from holdfast.telemetry.store.figures import MAPS, NARROW, SUMS, WIDE

MINUTE, HOUR, DAY = Level("minute", 60), Level("hour", 3600), Level("day", 86_400)
WIDE_HOUR, WIDE_DAY = Level("hour_wide", 3600), Level("day_wide", 86_400)
NARROW_LEVELS = (DAY, HOUR, MINUTE)
WIDE_LEVELS = (WIDE_DAY, WIDE_HOUR)
MADE_OF: dict[Level, Level | None] = {
    MINUTE: None,
    HOUR: MINUTE,
    DAY: HOUR,
    WIDE_HOUR: None,
    WIDE_DAY: WIDE_HOUR,
}
"""What each kind of bucket is made of, in the order in which they are made; None: of calls."""
SETTLE_MS = 30_000
"""How long after its `received_at` a call may become visible; one that took half of this is written once more."""
AT_ONCE = 2000
"""Buckets of one statement."""


@dataclass(frozen=True, slots=True)
class State:
    """How far the stored buckets go: calls written by `received_ms` are in them, and buckets that end by `closed` exist.

    Both are Unix milliseconds.
    """

    received_ms: int
    closed_ms: int


NOTHING = State(0, 0)


@dataclass(frozen=True, slots=True)
class Touched:
    """A minute of a workspace that holds calls: its start (Unix seconds), when the last was written, how many rows."""

    workspace: str
    minute: int
    last_ms: int
    rows: int


def state(columns: Columns) -> State:
    """How far the stored buckets go."""
    rows = dict(columns.everywhere("SELECT name, argMax(value, version) FROM rollup_state GROUP BY name"))
    return State(int(rows.get("received_ms", 0)), int(rows.get("closed_ms", 0)))


def put_state(columns: Columns, now: State, version: int) -> None:
    """Notes how far the stored buckets go."""
    values = [now.received_ms, now.closed_ms]
    columns.insert(
        "rollup_state", ["name", "value", "version"], [["received_ms", "closed_ms"], values, [version] * 2]
    )


_MINUTES = "toUnixTimestamp(toStartOfMinute(started_at))"


def written_since(columns: Columns, received_ms: int) -> list[Touched]:
    """Minutes with calls that were written after an instant; the rows are those written since."""
    rows = columns.everywhere(
        f"SELECT workspace, {_MINUTES} AS minute, toUnixTimestamp64Milli(max(received_at)), count() FROM calls"
        " WHERE received_at > fromUnixTimestamp64Milli({ms:Int64}, 'UTC')"
        " GROUP BY workspace, minute ORDER BY workspace, minute",
        {"ms": received_ms},
    )
    return [Touched(str(w), int(minute), int(last), int(n)) for w, minute, last, n in rows]


def with_calls(columns: Columns, level: Level, start: int, end: int) -> dict[str, list[int]]:
    """By workspace, the buckets of a level that hold calls which began between two instants (Unix seconds)."""
    rows = columns.everywhere(
        f"SELECT DISTINCT workspace, toUnixTimestamp({_bucket(level, 'started_at')}) FROM calls"
        " WHERE started_at >= fromUnixTimestamp64Nano({from:Int64}, 'UTC')"
        " AND started_at < fromUnixTimestamp64Nano({to:Int64}, 'UTC')",
        {"from": start * NS, "to": end * NS},
    )
    found: dict[str, list[int]] = {}
    for workspace, bucket in rows:
        found.setdefault(str(workspace), []).append(int(bucket))
    return found


def changed_minutes(
    columns: Columns, workspace: str, received_ms: int, start_ns: int, end_ns: int
) -> list[int]:
    """Starts (Unix nanoseconds) of the minutes of a window with calls that were written after an instant."""
    query = Select(
        "calls",
        [f"DISTINCT {_MINUTES} AS minute"],
        [
            "received_at > fromUnixTimestamp64Milli({ms:Int64}, 'UTC')",
            "started_at >= fromUnixTimestamp64Nano({from:Int64}, 'UTC')",
            "started_at < fromUnixTimestamp64Nano({to:Int64}, 'UTC')",
        ],
        {"ms": received_ms, "from": start_ns - 60 * NS, "to": end_ns},
    )
    return [int(row[0]) * NS for row in columns.rows(workspace, query)]


_KEPT = (*SUMS, *(name for one in MAPS.values() for name in (one.keys, one.counts)))


def make(columns: Columns, workspace: str, level: Level, buckets: Sequence[int], version: int) -> None:
    """Makes some buckets (their starts, Unix seconds, in order) anew and lets them hold in place of earlier ones."""
    for at in range(0, len(buckets), AT_ONCE):
        some = list(buckets[at : at + AT_ONCE])
        source = MADE_OF[level]
        made = _from_calls(level) if source is None else _from_buckets(level, source)
        params = {
            "buckets": some,
            "version": version,
            "from": some[0],
            "to": some[-1] + level.seconds,
            "made": level.cuboid,
            "source": source.cuboid if source else "",
        }
        columns.fill(workspace, made, params)
        n = len(some)
        names = ["workspace", "cuboid", "bucket", "version"]
        columns.insert("rollup_buckets", names, [[workspace] * n, [level.cuboid] * n, some, [version] * n])


def _dimensions(level: Level) -> tuple[str, ...]:
    return (*(WIDE if level in WIDE_LEVELS else NARROW), "cost_currency")


_SETTINGS = (
    " SETTINGS max_threads = 1, max_insert_threads = 1, do_not_merge_across_partitions_select_final = 1"
)


def _statement(level: Level, read: Iterable[str], source: str, keys: Iterable[str]) -> str:
    into = ("workspace", "cuboid", "bucket", "version", *_dimensions(level), *_KEPT, "expires_at")
    return f"INSERT INTO rollups ({', '.join(into)}) SELECT {', '.join(read)} {source} GROUP BY {', '.join(keys)}{_SETTINGS}"


def _bucket(level: Level, column: str) -> str:
    return f"toStartOf{'Hour' if level.seconds == 3600 else 'Day' if level.seconds == 86_400 else 'Minute'}({column})"


def _from_calls(level: Level) -> str:
    dimensions = _dimensions(level)
    bucket = _bucket(level, "started_at")
    read = ["workspace", "{made:String}", f"{bucket} AS at_bucket", "{version:UInt64}"]
    read += [f"{MODEL} AS d_model" if name == "model" else name for name in dimensions]
    read += SUMS.values()
    for name, one in MAPS.items():
        key = f"[{one.key}]" if "arrayJoin" not in one.key else "finish_reasons"
        ones = f"arrayMap(x -> toUInt64(1), {key})"
        read += [f"(sumMapIf({key}, {ones}, {one.where}) AS m_{name}).1", f"m_{name}.2"]
    read.append("max(calls.expires_at)")
    source = (
        "FROM calls FINAL WHERE workspace = {workspace:String}"
        " AND started_at >= fromUnixTimestamp64Nano({from:Int64} * 1000000000, 'UTC')"
        " AND started_at < fromUnixTimestamp64Nano({to:Int64} * 1000000000, 'UTC')"
        f" AND toUnixTimestamp({bucket}) IN {{buckets:Array(UInt32)}}"
    )
    keys = ["workspace", "at_bucket", *("d_model" if name == "model" else name for name in dimensions)]
    return _statement(level, read, source, keys)


def _from_buckets(level: Level, source: Level) -> str:
    dimensions = _dimensions(level)
    bucket = _bucket(level, "bucket")
    read = ["workspace", "{made:String}", f"{bucket} AS at_bucket", "{version:UInt64}", *dimensions]
    read += [f"sum(rollups.{name})" for name in SUMS]
    for name, one in MAPS.items():
        read += [f"(sumMap(rollups.{one.keys}, rollups.{one.counts}) AS m_{name}).1", f"m_{name}.2"]
    read.append("max(rollups.expires_at)")
    rows = (
        "FROM rollups WHERE workspace = {workspace:String} AND cuboid = {source:String}"
        " AND bucket >= toDateTime({from:Int64}, 'UTC') AND bucket < toDateTime({to:Int64}, 'UTC')"
        f" AND toUnixTimestamp({bucket}) IN {{buckets:Array(UInt32)}}"
        f" AND {holding('{source:String}', '{from:Int64}', '{to:Int64}')}"
    )
    return _statement(level, read, rows, ["workspace", "at_bucket", *dimensions])


def holding(cuboid: str, start: str, end: str) -> str:
    """A condition that a row is of the version that holds for its bucket; bounds are Unix seconds, as SQL."""
    return (
        "(bucket, version) IN (SELECT bucket, max(version) FROM rollup_buckets WHERE workspace = {workspace:String}"
        f" AND cuboid = {cuboid} AND bucket >= toDateTime({start}, 'UTC') AND bucket < toDateTime({end}, 'UTC')"
        " GROUP BY bucket)"
    )


def sweep(columns: Columns, workspace: str, before: int) -> None:
    """Removes rows of buckets that were made before an instant (Unix ns) and hold no more."""
    columns.change(
        workspace,
        "ALTER TABLE rollups DELETE WHERE workspace = {workspace:String} AND version < {before:UInt64}"
        " AND (cuboid, bucket, version) NOT IN (SELECT cuboid, bucket, max(version) FROM rollup_buckets"
        " WHERE workspace = {workspace:String} GROUP BY cuboid, bucket)",
        {"before": before},
    )


def superseded(columns: Columns) -> dict[str, tuple[int, int]]:
    """By workspace, how many rows of buckets there are, and how many of them hold no more."""
    rows: list[tuple[Any, ...]] = columns.everywhere(
        "SELECT workspace, count(), countIf((workspace, cuboid, bucket, version) NOT IN"
        " (SELECT workspace, cuboid, bucket, max(version) FROM rollup_buckets"
        " GROUP BY workspace, cuboid, bucket)) FROM rollups GROUP BY workspace"
    )
    return {str(workspace): (int(all_of), int(old)) for workspace, all_of, old in rows}
