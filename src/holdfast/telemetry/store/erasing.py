"""Rows of a person: found, written again without what names the person, and the old ones destroyed.

A changed row is inserted with a higher commit number before the old one is deleted, so that a crash between the two
loses nothing. What deletes names keys and commit numbers alone: the text of such a statement stays on disk.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from holdfast.storage.columns import Columns, Select
from holdfast.telemetry.rules.erasing import Subject
from holdfast.telemetry.rules.holds import Hold
from holdfast.telemetry.store import rows
from holdfast.telemetry.store.retention import TABLES, held

SIZE = 1000
Change = Callable[[dict[str, Any]], dict[str, Any]]


@dataclass(frozen=True, slots=True)
class Rewritten:
    """A table: the key by which rows are replaced, its commit number, the columns that hold free text."""

    table: str
    key: str
    version: str
    texts: tuple[str, ...]
    written: str = ""  # when a row was written, which stored figures go by


SPANS = Rewritten(
    "spans",
    "trace_id",
    "sequence",
    ("content", "attributes", "resource", "events", "links", "status_message", "name"),
)
CALLS = Rewritten("calls", "trace_id", "version", ("user", "session", "tenant", "parameters"), "received_at")
OPERATIONS = Rewritten(
    "operations", "trace_id", "version", ("user", "session", "tenant", "tool", "data_source"), "received_at"
)
LOGS = Rewritten("log_records", "toString(key)", "sequence", ("content", "attributes", "resource"))
EVALUATIONS = Rewritten("evaluations", "toString(key)", "sequence", ("explanation",))
METRICS = Rewritten("metric_points", "toString(key)", "sequence", ("attributes", "resource"))
ALL = (SPANS, CALLS, OPERATIONS, LOGS, EVALUATIONS, METRICS)


def _user(column: str, subject: Subject) -> tuple[str, dict[str, Any]]:
    if "@" in subject.text:
        return f"lowerUTF8({column}) = {{subject:String}}", {"subject": subject.text.lower()}
    return f"{column} = {{subject:String}}", {"subject": subject.text}


def traces_of(columns: Columns, workspace: str, subject: Subject) -> tuple[list[str], list[str]]:
    """Every trace in which the person is the user, or whose session is one of theirs; and those sessions.

    Of a session that several users share, the traces that name another user are not theirs.
    """
    mine, params = _user("user", subject)
    traces: set[str] = set()
    sessions: set[str] = set()
    for table in ("spans", "calls"):
        query = Select(table, ["DISTINCT trace_id", "session"], [mine], params)
        for trace_id, session in columns.rows(workspace, query):
            traces.add(trace_id)
            sessions.add(session)
    query = Select("log_records", ["DISTINCT trace_id"], [mine, "trace_id != ''"], params)
    traces |= {row[0] for row in columns.rows(workspace, query)}
    for some in batched_list(sorted(traces)):
        query = Select("spans", ["DISTINCT session"], ["trace_id IN {keys:Array(String)}"], {"keys": some})
        sessions |= {row[0] for row in columns.rows(workspace, query)}
    sessions.discard("")
    for some in batched_list(sorted(sessions)):
        query = Select(
            "spans",
            ["trace_id"],
            ["session IN {keys:Array(String)}"],
            {**params, "keys": some},
            group_by=["trace_id"],
            having=[f"countIf(user != '' AND NOT ({mine})) = 0"],
        )
        traces |= {row[0] for row in columns.rows(workspace, query)}
    return sorted(traces), sorted(sessions)


def keys_of(
    columns: Columns, workspace: str, told: Rewritten, subject: Subject, traces: Sequence[str]
) -> list[str]:
    """Keys of further rows to be written again: of the person's traces, of theirs without trace, or mentioning them."""
    found: set[str] = set()
    if told not in (SPANS, CALLS, OPERATIONS, METRICS):
        for some in batched_list(traces):
            query = Select(
                told.table, [f"DISTINCT {told.key}"], ["trace_id IN {keys:Array(String)}"], {"keys": some}
            )
            found |= {row[0] for row in columns.rows(workspace, query)}
    if told is LOGS:
        mine, params = _user("user", subject)
        query = Select(told.table, [f"DISTINCT {told.key}"], [mine], params)
        found |= {row[0] for row in columns.rows(workspace, query)}
    if subject.telling:
        params = {f"form{number}": form for number, form in enumerate(subject.forms)}
        either = " OR ".join(
            f"positionCaseInsensitiveUTF8({column}, {{{name}:String}}) > 0"
            for column in told.texts
            for name in params
        )
        query = Select(told.table, [f"DISTINCT {told.key}"], [either], params)
        found |= {row[0] for row in columns.rows(workspace, query)}
    return sorted(found)


def rewrite(
    columns: Columns,
    workspace: str,
    told: Rewritten,
    keys: Sequence[str],
    sequence: int,
    now_ms: int,
    change: Change,
) -> int:
    """Writes all rows of some keys again as `change` makes them, and destroys the old ones; returns how many.

    `now_ms` (Unix milliseconds) is when that is: stored figures of the calls are then made anew.
    """
    done = 0
    for some in batched_list(keys):
        where, params = [f"{told.key} IN {{keys:Array(String)}}"], {"keys": some}
        made = [change(row) for row in rows.read(columns, workspace, told.table, where, params)]
        number = max([sequence, *(row[told.version] + 1 for row in made)])
        for row in made:
            row[told.version] = number
            if told.written:
                row[told.written] = now_ms
        rows.write(columns, told.table, made)
        columns.change(
            workspace,
            f"ALTER TABLE {told.table} DELETE WHERE workspace = {{workspace:String}} AND {where[0]}"
            f" AND {told.version} < {{sequence:UInt64}}",
            {**params, "sequence": number},
        )
        done += len(made)
    return done


def holding(
    columns: Columns, workspace: str, holds: Sequence[Hold], chosen: Sequence[tuple[Rewritten, Sequence[str]]]
) -> Hold | None:
    """The first hold that covers any of the chosen rows; None where none does."""
    at = {kept.table: kept for kept in TABLES}
    for hold in holds:
        for told, keys in chosen:
            clause, params = held(at[told.table], [hold])
            for some in batched_list(keys):
                where = [f"{told.key} IN {{keys:Array(String)}}", clause]
                query = Select(told.table, ["count()"], where, {**params, "keys": some})
                if columns.rows(workspace, query)[0][0]:
                    return hold
    return None


def batched_list(keys: Sequence[str]) -> Iterator[list[str]]:
    """Keys in lists short enough for one statement."""
    for start in range(0, len(keys), SIZE):
        yield list(keys[start : start + SIZE])
