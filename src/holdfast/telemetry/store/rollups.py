"""Stored buckets of calls by the minute, the hour and the day: made from deduplicated calls, replaced by version.

A bucket's rows carry the version of the turn that made them. `rollup_state` names the last turn that was finished, and
`rollup_superseded` the earlier versions of buckets that were made again: a row holds where its version is no later than
that turn's and is not superseded by then. Rows that do not hold are never read, and are swept up later. Minutes are made
of calls, hours of minutes, days of hours; wide hours, which keep more dimensions, of calls; hours and days by system,
which keep few, of the others. What changed since is found by when calls were written (`received_at`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from holdfast.storage.columns import Columns, Select
from holdfast.telemetry.rules.cover import NS, Level, Piece
from holdfast.telemetry.store.calls import MODEL
from holdfast.telemetry.store.figures import BY_SYSTEM, MAPS, NARROW, SUMS, WIDE, counts_of_calls

MINUTE, HOUR, DAY = Level("minute", 60), Level("hour", 3600), Level("day", 86_400)
SYSTEM_HOUR, SYSTEM_DAY = Level("hour_system", 3600), Level("day_system", 86_400)
WIDE_HOUR, WIDE_DAY = Level("hour_wide", 3600), Level("day_wide", 86_400)
SYSTEM_LEVELS = (SYSTEM_DAY, SYSTEM_HOUR, MINUTE)
NARROW_LEVELS = (DAY, HOUR, MINUTE)
WIDE_LEVELS = (WIDE_DAY, WIDE_HOUR)
MADE_OF: dict[Level, Level | None] = {
    MINUTE: None,
    HOUR: MINUTE,
    DAY: HOUR,
    SYSTEM_HOUR: HOUR,
    SYSTEM_DAY: SYSTEM_HOUR,
    WIDE_HOUR: None,
    WIDE_DAY: WIDE_HOUR,
}
"""What each kind of bucket is made of, in the order in which they are made; None: of calls."""
SETTLE_MS = 30_000
"""How long after its `received_at` a call may become visible; one that took half of this is written once more."""
KNOWN_SECONDS = 20.0
"""How long a reader goes by what it knew: what was made since is read from calls meanwhile, so the answer is the same."""
_KNOWN = "stored figures of "
MOST_LISTED = 200
AT_ONCE = 2000
"""Buckets of one statement."""
TURNS_LOOKED_BACK = 200
"""What was read this many turns ago is read anew, whether something changed or not."""
_ANY = "*"
"""In `remade`, in place of each workspace: of a turn that did not say what it made."""


@dataclass(frozen=True, slots=True)
class State:
    """How far the stored buckets go: calls written by `received_ms` are in them, and buckets that end by `closed` exist.

    Both are Unix milliseconds. `version` is that of the last finished turn. What lies between two versions of `void`
    was written by turns that were never finished: of a process that was killed, or lost its turn to another. `remade`
    says from where on (Unix seconds) the turn made buckets, by workspace.
    """

    version: int
    received_ms: int
    closed_ms: int
    void: tuple[tuple[int, int], ...] = ()
    remade: Mapping[str, int] = field(default_factory=dict)


NOTHING = State(0, 0, 0)


@dataclass(frozen=True, slots=True)
class Known:
    """What a reader knows of a workspace's stored buckets: their state, and which versions are superseded.

    Of those: cuboid, start (Unix seconds) and version; None where they are more than a query should list. `turns` are
    the last ones: their version, and from where on (Unix seconds) they made buckets of this workspace, if any.
    """

    state: State
    superseded: tuple[tuple[str, int, int], ...] | None = ()
    turns: tuple[tuple[int, int | None], ...] = ()

    def stands(self, version: int, end: int) -> bool:
        """Whether stored buckets that end by an instant (Unix ns) are what they were in the state of a version."""
        since = [made for turn, made in self.turns if turn > version]
        return any(turn == version for turn, _ in self.turns) and all(
            made is None or end <= made * NS for made in since
        )

    def holding(self, pieces: Sequence[Piece]) -> str:
        """A condition that a row of `rollups` in some pieces of a window holds."""
        if self.superseded is None:
            return holding(self.state)
        spans = [(piece.cuboid, piece.start // NS, piece.end // NS) for piece in pieces]
        old: dict[str, list[str]] = {}
        for cuboid, bucket, version in self.superseded:
            if any(cuboid == name and start <= bucket < end for name, start, end in spans):
                old.setdefault(cuboid, []).append(f"({bucket}, {version})")
        listed = "".join(  # plain numbers: the engine plans with any expression in them four times as long
            f" AND NOT (cuboid = '{cuboid}' AND (toUnixTimestamp(bucket), version) IN ({', '.join(some)}))"
            for cuboid, some in old.items()
        )
        return f"{_finished('version', self.state)}{listed}"


def state(columns: Columns) -> State:
    """How far the stored buckets go."""
    return next(iter(_states(columns, 1)), NOTHING)


def _states(columns: Columns, most: int) -> list[State]:
    """The states that the last turns left, the latest first."""
    rows = columns.everywhere(
        "SELECT version, received_ms, closed_ms, void, remade FROM rollup_state"
        f" ORDER BY version DESC LIMIT {int(most)}"
    )
    return [
        State(
            int(version),
            int(received_ms),
            int(closed_ms),
            tuple(zip(map(int, void[::2]), map(int, void[1::2]), strict=True)),
            {str(workspace): int(start) for workspace, start in remade.items()},
        )
        for version, received_ms, closed_ms, void, remade in rows
    ]


def known(columns: Columns, workspace: str) -> Known:
    """What is known of a workspace's stored buckets, not long ago: what held then can still be read."""

    def read() -> Known:
        states = _states(columns, TURNS_LOOKED_BACK)
        at = states[0] if states else NOTHING
        query = Select(
            "rollup_superseded",
            ["toString(cuboid)", "toUnixTimestamp(bucket)", "version"],
            [_finished("by", at)],
            limit=MOST_LISTED + 1,
        )
        old = [(str(cuboid), int(bucket), int(v)) for cuboid, bucket, v in columns.rows(workspace, query)]
        turns = tuple((one.version, one.remade.get(workspace, one.remade.get(_ANY))) for one in states)
        return Known(at, tuple(old) if len(old) <= MOST_LISTED else None, turns)

    return columns.lately(f"{_KNOWN}{workspace}", KNOWN_SECONDS, read)


def put_state(columns: Columns, now: State) -> None:
    """Notes how far the stored buckets go: from here on, what the turn of this version made holds."""
    void = [version for pair in now.void for version in pair]
    names = ["version", "received_ms", "closed_ms", "void", "remade"]
    values = [now.version, now.received_ms, now.closed_ms, void, dict(now.remade)]
    columns.insert("rollup_state", names, [[value] for value in values])
    columns.forget(_KNOWN)


_MINUTES = "toUnixTimestamp(toStartOfMinute(started_at))"


def written_between(columns: Columns, after_ms: int, until_ms: int) -> dict[str, set[int]]:
    """By workspace, the minutes (Unix seconds) with calls that were written after one instant and by another."""
    return _by_workspace(
        columns,
        _MINUTES,
        "received_at > fromUnixTimestamp64Milli({from:Int64}, 'UTC')"
        " AND received_at <= fromUnixTimestamp64Milli({to:Int64}, 'UTC')",
        after_ms,
        until_ms,
    )


def with_calls(columns: Columns, level: Level, start: int, end: int) -> dict[str, set[int]]:
    """By workspace, the buckets of a level that hold calls which began between two instants (Unix seconds)."""
    return _by_workspace(
        columns,
        f"toUnixTimestamp({_bucket(level, 'started_at')})",
        "started_at >= fromUnixTimestamp64Nano({from:Int64}, 'UTC')"
        " AND started_at < fromUnixTimestamp64Nano({to:Int64}, 'UTC')",
        start * NS,
        end * NS,
    )


def _by_workspace(columns: Columns, what: str, where: str, start: int, end: int) -> dict[str, set[int]]:
    sql = f"SELECT DISTINCT workspace, {what} FROM calls WHERE {where}"
    found: dict[str, set[int]] = {}
    for workspace, one in columns.everywhere(sql, {"from": start, "to": end}):
        found.setdefault(str(workspace), set()).add(int(one))
    return found


def changed_minutes(columns: Columns, workspace: str, received_ms: int) -> list[int]:
    """Starts (Unix nanoseconds) of the minutes with calls that were written after an instant (Unix milliseconds)."""
    query = Select(
        "calls",
        [f"DISTINCT {_MINUTES} AS minute"],
        ["received_at > fromUnixTimestamp64Milli({ms:Int64}, 'UTC')"],
        {"ms": received_ms},
    )
    return [int(row[0]) * NS for row in columns.rows(workspace, query)]


_KEPT = (*SUMS, *(name for one in MAPS.values() for name in (one.keys, one.counts)))


def make(
    columns: Columns, workspace: str, level: Level, buckets: Sequence[int], known: State, now: State
) -> None:
    """Makes some buckets (their starts, Unix seconds, in order) anew, in place of what held in the state known.

    They hold once `now`, the state that is being made, is put.
    """
    for at in range(0, len(buckets), AT_ONCE):
        some = list(buckets[at : at + AT_ONCE])
        source = MADE_OF[level]
        params = {
            "buckets": some,
            "version": now.version,
            "from": some[0],
            "to": some[-1] + level.seconds,
            "made": level.cuboid,
            "source": source.cuboid if source else "",
        }
        if known.version:
            columns.fill(workspace, _superseding(known), params)
        made = _from_calls(level) if source is None else _from_buckets(level, source, now)
        columns.fill(workspace, made, params)


def _superseding(known: State) -> str:
    return (
        "INSERT INTO rollup_superseded (workspace, cuboid, bucket, version, by)"
        " SELECT DISTINCT workspace, cuboid, bucket, version, {version:UInt64} FROM rollups"
        " WHERE workspace = {workspace:String} AND cuboid = {made:String}"
        " AND bucket >= toDateTime({from:Int64}, 'UTC') AND bucket < toDateTime({to:Int64}, 'UTC')"
        f" AND toUnixTimestamp(bucket) IN {{buckets:Array(UInt32)}} AND {holding(known)}"
    )


def _dimensions(level: Level) -> tuple[str, ...]:
    if level in WIDE_LEVELS:
        return (*WIDE, "cost_currency")
    return (*(BY_SYSTEM if level in (SYSTEM_HOUR, SYSTEM_DAY) else NARROW), "cost_currency")


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
    for name in MAPS:
        read += [f"({counts_of_calls(name)}).1", f"m_{name}.2"]
    read.append("max(calls.expires_at)")
    source = (
        "FROM calls FINAL WHERE workspace = {workspace:String}"
        " AND started_at >= fromUnixTimestamp64Nano({from:Int64} * 1000000000, 'UTC')"
        " AND started_at < fromUnixTimestamp64Nano({to:Int64} * 1000000000, 'UTC')"
        f" AND toUnixTimestamp({bucket}) IN {{buckets:Array(UInt32)}}"
    )
    keys = ["workspace", "at_bucket", *("d_model" if name == "model" else name for name in dimensions)]
    return _statement(level, read, source, keys)


def _from_buckets(level: Level, source: Level, now: State) -> str:
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
        f" AND {holding(now)}"
    )
    return _statement(level, read, rows, ["workspace", "at_bucket", *dimensions])


def holding(at: State) -> str:
    """A condition that a row of `rollups` holds in a state."""
    return (
        f"{_finished('version', at)} AND (cuboid, bucket, version) NOT IN (SELECT cuboid, bucket, version"
        f" FROM rollup_superseded WHERE workspace = {{workspace:String}} AND {_finished('by', at)})"
    )


def _finished(column: str, at: State) -> str:
    void = (f" AND NOT ({column} > {int(low)} AND {column} < {int(high)})" for low, high in at.void)
    return f"{column} <= {int(at.version)}{''.join(void)}"


def _fallen(at: State, before: str) -> str:
    """A condition that a row of `rollups` has not held since an instant, nor ever will."""
    void = (
        f"(version > {int(low)} AND version < {int(high)} AND version < {before}) OR "
        for low, high in at.void
    )
    return (
        f"({''.join(void)}(cuboid, bucket, version) IN (SELECT cuboid, bucket, version FROM rollup_superseded"
        f" WHERE workspace = {{workspace:String}} AND {_finished('by', at)} AND by < {before}))"
    )


def sweep(columns: Columns, workspace: str, at: State, before: int) -> None:
    """Removes rows of buckets that have not held since an instant (Unix ns): nobody reads by a state from before it."""
    mine = "WHERE workspace = {workspace:String}"
    fallen = _fallen(at, "{before:UInt64}")
    columns.change(workspace, f"ALTER TABLE rollups DELETE {mine} AND {fallen}", {"before": before})
    columns.change(
        workspace,
        f"ALTER TABLE rollup_superseded DELETE {mine} AND by <= {int(at.version)} AND by < {{before:UInt64}}",
        {"before": before},
    )


def forget_states(columns: Columns, at: State) -> None:
    """Removes the states before this one."""
    columns.upkeep(
        f"ALTER TABLE rollup_state DELETE WHERE version < {int(at.version)} SETTINGS mutations_sync = 2"
    )


def fallen(columns: Columns, at: State, before: int) -> dict[str, tuple[int, int]]:
    """By workspace, how many rows of buckets there are, and how many of them `sweep` would remove."""
    rows: list[tuple[Any, ...]] = columns.everywhere(
        "SELECT workspace, count() FROM rollups GROUP BY workspace"
    )
    found = {}
    for workspace, all_of in rows:
        old = columns.rows(str(workspace), Select("rollups", ["count()"], [_fallen(at, str(int(before)))]))
        found[str(workspace)] = (int(all_of), int(old[0][0]))
    return found
