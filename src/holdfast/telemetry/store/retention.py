"""When stored rows expire: kept in step with the data policies and legal holds, and made true on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from holdfast.platform.tenancy.model import DataPolicy
from holdfast.storage.columns import Columns, Select
from holdfast.telemetry.rules.holds import FAR, Hold
from holdfast.telemetry.store.spans import nanoseconds

_DAY = 86_400


@dataclass(frozen=True, slots=True)
class Kept:
    """A table: the time of its rows, what expires by which days of the policy, and what tells whose a row is."""

    table: str
    at: str
    expiries: tuple[tuple[str, str], ...]
    traced: bool = True
    user: bool = False


TABLES = (
    Kept("spans", "started_at", (("expires_at", "span_days"), ("content_expires_at", "content_days"))),
    Kept("calls", "started_at", (("expires_at", "call_days"),)),
    Kept("operations", "started_at", (("expires_at", "call_days"),)),
    Kept("metric_points", "at", (("expires_at", "span_days"),), traced=False),
    Kept(
        "log_records", "at", (("expires_at", "span_days"), ("content_expires_at", "content_days")), user=True
    ),
    Kept("evaluations", "at", (("expires_at", "span_days"),)),
)


def held(kept: Kept, holds: Sequence[Hold]) -> tuple[str, dict[str, Any]]:
    """SQL that says whether a row is under a hold. No user's name is in it: statements of changes stay on disk."""
    clauses: list[str] = []
    params: dict[str, Any] = {}
    for number, hold in enumerate(holds):
        if hold.user and not kept.traced:
            continue
        parts = [
            f"{kept.at} >= fromUnixTimestamp64Nano({{from{number}:Int64}}, 'UTC')",
            f"{kept.at} < fromUnixTimestamp64Nano({{to{number}:Int64}}, 'UTC')",
        ]
        params |= {f"from{number}": _bounded(hold.from_at), f"to{number}": _bounded(hold.to_at)}
        if hold.system:
            parts.append(f"system = {{system{number}:String}}")
            params[f"system{number}"] = hold.system
        if hold.user:
            whose = (
                "trace_id IN (SELECT trace_id FROM held_traces WHERE workspace = {workspace:String}"
                f" AND hold = {{hold{number}:String}})"
            )
            params[f"hold{number}"] = hold.id
            if kept.user:
                whose += f" OR hex(SHA256(concat({{hold{number}:String}}, user))) = {{user{number}:String}}"
                params[f"user{number}"] = hashlib.sha256((hold.id + hold.user).encode()).hexdigest().upper()
            parts.append(f"({whose})")
        clauses.append("(" + " AND ".join(parts) + ")")
    return " OR ".join(clauses) or "false", params


def _bounded(instant: Any) -> int:
    return max(min(nanoseconds(instant), 2**63 - 1), 0)


def _expected(
    kept: Kept, days: str, policies: Mapping[str, DataPolicy], holds: Sequence[Hold]
) -> tuple[str, dict[str, Any]]:
    clause, params = held(kept, holds)
    own = getattr(policies[""], days)
    choices = []
    for number, (system, policy) in enumerate(sorted(policies.items())):
        if system and getattr(policy, days) != own:
            choices += [f"system = {{policy{number}:String}}", str(int(getattr(policy, days)))]
            params[f"policy{number}"] = system
    chosen = f"multiIf({', '.join([*choices, str(int(own))])})" if choices else str(int(own))
    begun = f"intDiv(toUnixTimestamp64Nano({kept.at}), 1000000000)"
    return f"if({clause}, {FAR}, least({begun} + {chosen} * {_DAY}, {FAR}))", params


def align(
    columns: Columns, workspace: str, policies: Mapping[str, DataPolicy], holds: Sequence[Hold]
) -> dict[str, int]:
    """Sets the expiry of every stored row to what policies (by system, "" for the workspace) and active holds say.

    Returns how many rows changed, by table. Content that has expired already does not come back.
    """
    changed: dict[str, int] = {}
    for kept in TABLES:
        params: dict[str, Any] = {}
        sets, wrong = [], []
        for column, days in kept.expiries:
            expected, more = _expected(kept, days, policies, holds)
            params |= more
            sets.append(f"{column} = toDateTime({expected}, 'UTC')")
            wrong.append(f"toUnixTimestamp({column}) != {expected}")
        where = " OR ".join(wrong)
        count = int(columns.rows(workspace, Select(kept.table, ["count()"], [where], params))[0][0])
        if count:
            columns.change(
                workspace,
                f"ALTER TABLE {kept.table} UPDATE {', '.join(sets)}"
                f" WHERE workspace = {{workspace:String}} AND ({where})",
                params,
            )
            changed[kept.table] = count
    return changed


def note_held(columns: Columns, workspace: str, hold: Hold) -> None:
    """Notes which traces a hold on a user covers: every trace, and every session, in which the user appears."""
    params = {"user": hold.user, "hold": hold.id, "workspace": workspace}
    traces, sessions = (
        " OR ".join(
            f"{column} IN (SELECT {column} FROM {table} WHERE workspace = {{workspace:String}}"
            " AND user = {user:String})"
            for table in ("spans", "calls")
        )
        for column in ("trace_id", "session")
    )
    columns.fill(
        workspace,
        "INSERT INTO held_traces (workspace, hold, trace_id) SELECT DISTINCT {workspace:String}, {hold:String},"
        " trace_id FROM (SELECT trace_id FROM spans WHERE workspace = {workspace:String}"
        f" AND ({traces} OR (session != '' AND ({sessions})))"
        " UNION DISTINCT SELECT trace_id FROM log_records WHERE workspace = {workspace:String}"
        " AND user = {user:String} AND trace_id != '')"
        " WHERE trace_id NOT IN (SELECT trace_id FROM held_traces WHERE workspace = {workspace:String}"
        " AND hold = {hold:String})",
        params,
    )


def forget_held(columns: Columns, workspace: str, hold: str) -> None:
    """Forgets the traces of a hold that is released."""
    columns.change(
        workspace,
        "ALTER TABLE held_traces DELETE WHERE workspace = {workspace:String} AND hold = {hold:String}",
        {"hold": hold},
    )


def expire(columns: Columns) -> int:
    """Takes off the disk whatever has expired; returns how many parts of tables were worked on."""
    done = 0
    for kept in TABLES:
        due = ["expires_at <= now()"]
        if len(kept.expiries) > 1:
            due.append("(content != '' AND content_expires_at <= now())")
        found = columns.everywhere(
            f"SELECT DISTINCT _partition_id FROM {kept.table} WHERE {' OR '.join(due)}"
        )
        for (partition,) in found:
            columns.upkeep(
                f"ALTER TABLE {kept.table} MATERIALIZE TTL IN PARTITION ID '{partition}'"
                " SETTINGS mutations_sync = 2"
            )
            done += 1
    return done
