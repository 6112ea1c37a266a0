"""Configurations seen in traffic: what each is made of and what was learned to vary (in the control store), and their
calls (in the call store).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from holdfast.storage.columns import Columns, Select
from holdfast.storage.sql import Instant, Transaction, metadata
from holdfast.telemetry.rules.configurations import Parts, Variation, from_json, to_json
from holdfast.telemetry.rules.cover import NS, Piece
from holdfast.telemetry.store.calls import FINAL, CallFilter, where
from holdfast.telemetry.store.metrics import STORED
from holdfast.telemetry.store.rollups import Known
from holdfast.telemetry.store.together import chosen, in_buckets, within

configurations = sa.Table(
    "configurations",
    metadata,
    sa.Column("workspace", sa.String(40), nullable=False),
    sa.Column("id", sa.String(16), nullable=False),
    sa.Column("system", sa.Text, nullable=False),
    sa.Column("route", sa.Text, nullable=False),
    sa.Column("parts", sa.Text, nullable=False),
    sa.Column("folded_into", sa.String(16)),
    sa.Column("recorded_at", Instant, nullable=False),
    sa.PrimaryKeyConstraint("workspace", "id"),
    sa.Index("ix_configurations_workspace_system", "workspace", "system"),
)
variations = sa.Table(
    "configuration_variations",
    metadata,
    sa.Column("workspace", sa.String(40), nullable=False),
    sa.Column("system", sa.Text, nullable=False),
    sa.Column("route", sa.Text, nullable=False),
    sa.Column("templates", sa.Text, nullable=False),
    sa.Column("parameters", sa.Text, nullable=False),
    sa.Column("tools", sa.Boolean, nullable=False),
    sa.PrimaryKeyConstraint("workspace", "system", "route"),
)


@dataclass(frozen=True, slots=True)
class Configuration:
    """A configuration: its parts, and into which other one its calls are to be counted (None: itself)."""

    id: str
    system: str
    route: str
    parts: Parts
    folded_into: str | None
    recorded_at: datetime


def _made(row: Any) -> Configuration:
    return Configuration(
        row.id, row.system, row.route, from_json(json.loads(row.parts)), row.folded_into, row.recorded_at
    )


def of_workspace(tx: Transaction, workspace: str, system: str | None = None) -> list[Configuration]:
    """All configurations of a workspace, or of one of its systems, in the order in which they were recorded."""
    query = tx.select(configurations, workspace).order_by(configurations.c.recorded_at, configurations.c.id)
    if system is not None:
        query = query.where(configurations.c.system == system)
    return [_made(row) for row in tx.execute(query)]


def any_since(tx: Transaction, workspace: str, since: datetime) -> bool:
    """Whether one was recorded at an instant or after it."""
    query = tx.select(configurations, workspace).where(configurations.c.recorded_at >= since).limit(1)
    return tx.execute(query).first() is not None


def put(tx: Transaction, workspace: str, one: Configuration) -> None:
    """Keeps a configuration; one that is there stays as it is."""
    values = {
        "workspace": workspace,
        "id": one.id,
        "system": one.system,
        "route": one.route,
        "parts": json.dumps(to_json(one.parts)),
        "folded_into": one.folded_into,
        "recorded_at": one.recorded_at,
    }
    if tx.execute(_one(tx, workspace, one.id)).first() is None:
        tx.upsert(configurations, values, ["workspace", "id"])


def _one(tx: Transaction, workspace: str, configuration: str) -> sa.Select[Any]:
    return tx.select(configurations, workspace).where(configurations.c.id == configuration)


def fold(tx: Transaction, workspace: str, configuration: str, into: str) -> None:
    """Counts the calls of one configuration as another's from now on."""
    tx.execute(
        sa.update(configurations)
        .where(configurations.c.workspace == workspace, configurations.c.id == configuration)
        .values(folded_into=into)
    )


def folds(tx: Transaction, workspace: str) -> dict[str, str]:
    """Every configuration whose calls are counted as another's → that other."""
    query = tx.select(configurations, workspace).where(configurations.c.folded_into.is_not(None))
    return {row.id: row.folded_into for row in tx.execute(query)}


def variation(tx: Transaction, workspace: str, family: tuple[str, str]) -> Variation:
    """What varies in a family; nothing where that is not known."""
    query = tx.select(variations, workspace).where(
        variations.c.system == family[0], variations.c.route == family[1]
    )
    row = tx.execute(query).first()
    if row is None:
        return Variation()
    templates = tuple(tuple(int(one, 16) for one in template) for template in json.loads(row.templates))
    return Variation(templates, frozenset(json.loads(row.parameters)), bool(row.tools))


def put_variation(tx: Transaction, workspace: str, family: tuple[str, str], varies: Variation) -> None:
    """Keeps what varies in a family."""
    values = {
        "workspace": workspace,
        "system": family[0],
        "route": family[1],
        "templates": json.dumps([[f"{one:x}" for one in template] for template in varies.templates]),
        "parameters": json.dumps(sorted(varies.parameters)),
        "tools": varies.tools,
    }
    tx.upsert(variations, values, ["workspace", "system", "route"])


@dataclass(frozen=True, slots=True)
class Life:
    """The calls of a configuration that one model answered, within a window: how many, and the first and the last.

    Instants are Unix nanoseconds; the model is empty where no answer came.
    """

    configuration: str
    model: str
    calls: int
    first_ns: int
    first_trace: str
    first_call: str
    last_ns: int


@dataclass(frozen=True, slots=True)
class Stored:
    """What stored hours tell of a life: its calls, and the hours (Unix seconds) of its first and last ones."""

    configuration: str
    model: str
    calls: int
    first_hour: int
    last_hour: int


def stored(
    columns: Columns, workspace: str, filters: CallFilter, pieces: Sequence[Piece], known: Known
) -> list[Stored]:
    """What the stored hours of some pieces of a window tell of the configurations in them."""
    clauses, params = chosen(filters)
    clauses.append(in_buckets(pieces, params, "c"))
    figures = []
    for rows, calls in (("responded_rows", "responded"), ("rows - responded_rows", "calls - responded")):
        hour = f"(toUnixTimestamp(bucket), {rows} > 0)"
        figures += [f"sum({rows})", f"sum({calls})", f"minIf{hour}", f"maxIf{hour}"]
    query = Select(
        "rollups",
        ["toString(configuration) AS named", "toString(model) AS answered", *figures],
        [*clauses, known.holding(pieces), "configuration != ''"],
        params,
        group_by=["named", "answered"],
        settings=STORED,
    )
    found = []
    for named, model, *told in columns.rows(workspace, query):
        for answered, (rows, calls, first, last) in ((str(model), told[:4]), ("", told[4:])):
            if rows:
                found.append(Stored(str(named), answered, int(calls), int(first), int(last)))
    return found


def lives(
    columns: Columns, workspace: str, filters: CallFilter, pieces: Sequence[Piece], told: Sequence[Stored]
) -> list[Life]:
    """The lives of the configurations among the calls of a filter, the earliest first.

    `told` is what stored hours tell; calls are read of the pieces that these do not cover, and of the hours in which a
    life began or ended.
    """
    hours = sorted({hour for one in told for hour in (one.first_hour, one.last_hour)})
    whole: list[Piece] = []
    for hour in hours:
        begins = whole.pop().start if whole and whole[-1].end == hour * NS else hour * NS
        whole.append(Piece("", begins, (hour + 3600) * NS))
    clauses, params = where(filters)
    covered = within(pieces, params, "read") if pieces else "0"
    clauses.append(within([*pieces, *whole], params, "span"))
    query = Select(
        "calls",
        [
            "toString(configuration) AS named",
            "toString(response_model) AS answered",
            f"countIf(NOT attempt AND ({covered}))",
            "toUnixTimestamp64Nano(min(started_at)) AS first_ns",
            "argMin((trace_id, id), started_at) AS first_call",
            "toUnixTimestamp64Nano(max(started_at))",
        ],
        [*clauses, "configuration != ''"],
        params,
        group_by=["named", "answered"],
        order_by=["first_ns", "named", "answered"],
        limit=5000,
        final=True,
        settings=FINAL,
    )
    counted: dict[tuple[str, str], int] = {}
    for one in told:
        key = one.configuration, one.model
        counted[key] = counted.get(key, 0) + one.calls
    return [
        Life(
            str(named),
            str(model),
            int(calls) + counted.get((str(named), str(model)), 0),
            int(first),
            str(call[0]),
            str(call[1]),
            int(last),
        )
        for named, model, calls, first, call, last in columns.rows(workspace, query)
    ]
