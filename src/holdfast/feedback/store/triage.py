"""Tables of triage, and every query on them. What a person decided is never overwritten by a triage."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import sqlalchemy as sa

from holdfast.feedback.model import Wanted
from holdfast.feedback.states import ACTIVE, Category, Placed, Triage, TriageState
from holdfast.feedback.store.items import items, matching
from holdfast.storage.sql import Instant, Transaction, metadata

triages = sa.Table(
    "feedback_triages",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("week", sa.Date, nullable=False),
    sa.Column("weeks", sa.Integer, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("created_by", sa.String(200), nullable=False),
    sa.Column("state", sa.String(20), nullable=False, index=True),
    sa.Column("phase", sa.String(40), nullable=False),
    sa.Column("done", sa.BigInteger, nullable=False),
    sa.Column("total", sa.BigInteger, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("started_at", Instant),
    sa.Column("finished_at", Instant),
    sa.Column("summary", sa.Text, nullable=False),  # JSON of rules.summary.Summary
    sa.Index(None, "workspace", "created_at"),
)

categories = sa.Table(
    "feedback_categories",
    metadata,
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), primary_key=True),
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("named_by", sa.String(200), nullable=False),
    sa.Column("keywords", sa.Text, nullable=False),  # JSON
    sa.Column("centroid", sa.LargeBinary, nullable=False),  # float16
    sa.Column("medoid", sa.String(100), nullable=False),
    sa.Column("made_at", Instant, nullable=False),
    sa.Column("seen_at", Instant, nullable=False),
)

placed = sa.Table(
    "feedback_placed",
    metadata,
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), primary_key=True),
    sa.Column("item", sa.String(100), primary_key=True),
    sa.Column("category", sa.String(40)),
    sa.Column("sureness", sa.Float, nullable=False),
    sa.Column("mode", sa.String(20), nullable=False),
    sa.Column("score", sa.Float, nullable=False),
    sa.Column("confidence", sa.Float),
    sa.Column("first", sa.String(100), nullable=False),
    sa.Column("week", sa.Date, nullable=False),
    sa.Column("said_category", sa.String(40)),
    sa.Column("said_mode", sa.String(20)),
    sa.Column("said_by", sa.String(200)),
    sa.Column("said_at", Instant),
    sa.Index(None, "workspace", "said_by", "score"),
    sa.Index(None, "workspace", "first"),
)
_PLACES = ("category", "sureness", "mode", "score", "confidence", "first", "week")
_AT_ONCE = 5000


def _triage(row: Any) -> Triage:
    values = {name: getattr(row, name) for name in Triage.__dataclass_fields__}
    return Triage(**{**values, "state": TriageState(row.state)})


def add(tx: Transaction, triage: Triage) -> None:
    """A fresh pass."""
    values = {name: getattr(triage, name) for name in Triage.__dataclass_fields__}
    tx.execute(triages.insert().values(**{**values, "state": triage.state.value}))


def one(tx: Transaction, workspace: str, id: str) -> Triage | None:
    """One pass of the workspace."""
    row = tx.execute(tx.select(triages, workspace).where(triages.c.id == id)).one_or_none()
    return None if row is None else _triage(row)


def latest(
    tx: Transaction, workspace: str, limit: int = 20, state: TriageState | None = None
) -> list[Triage]:
    """Passes of the workspace, the latest first."""
    statement = tx.select(triages, workspace)
    if state is not None:
        statement = statement.where(triages.c.state == state.value)
    statement = statement.order_by(triages.c.created_at.desc(), triages.c.id.desc()).limit(limit)
    return [_triage(row) for row in tx.execute(statement)]


def active(tx: Transaction, workspace: str | None = None) -> list[Triage]:
    """Passes that are not over, the oldest first; of every workspace where none is named."""
    statement = sa.select(triages) if workspace is None else tx.select(triages, workspace)
    statement = statement.where(triages.c.state.in_(sorted(one.value for one in ACTIVE)))
    return [_triage(row) for row in tx.execute(statement.order_by(triages.c.created_at, triages.c.id))]


def change(tx: Transaction, id: str, **values: Any) -> bool:
    """Changes a pass that is not over; whether it was not."""
    plain = {name: one.value if isinstance(one, TriageState) else one for name, one in values.items()}
    states = sorted(one.value for one in ACTIVE)
    statement = triages.update().where(triages.c.id == id, triages.c.state.in_(states)).values(**plain)
    return bool(tx.execute(statement).rowcount)


def _category(row: Any) -> Category:
    return Category(
        id=row.id,
        name=row.name,
        named_by=row.named_by,
        keywords=tuple(json.loads(row.keywords)),
        centroid=np.frombuffer(row.centroid, dtype=np.float16).astype(np.float32),
        medoid=row.medoid,
        made_at=row.made_at,
        seen_at=row.seen_at,
    )


def all_categories(tx: Transaction, workspace: str) -> list[Category]:
    """Every category that a triage ever made, the oldest first."""
    statement = tx.select(categories, workspace).order_by(categories.c.made_at, categories.c.id)
    return [_category(row) for row in tx.execute(statement)]


def keep_category(tx: Transaction, workspace: str, one: Category) -> None:
    """Adds a category, or renews one."""
    values = {
        "workspace": workspace,
        "id": one.id,
        "name": one.name,
        "named_by": one.named_by,
        "keywords": json.dumps(one.keywords, ensure_ascii=False),
        "centroid": one.centroid.astype(np.float16).tobytes(),
        "medoid": one.medoid,
        "made_at": one.made_at,
        "seen_at": one.seen_at,
    }
    tx.upsert(categories, values, ["workspace", "id"])


def rename(tx: Transaction, workspace: str, id: str, name: str, by: str) -> bool:
    """Calls a category what a person calls it; whether there is one."""
    statement = categories.update().where(categories.c.workspace == workspace, categories.c.id == id)
    return bool(tx.execute(statement.values(name=name, named_by=by)).rowcount)


def place(tx: Transaction, workspace: str, every: Sequence[Placed]) -> None:
    """Puts items where a triage found them; what a person said of one stays."""
    known = set(tx.execute(tx.select(placed, workspace).with_only_columns(placed.c.item)).scalars())
    rows = [
        {"workspace": workspace, "item": one.item} | {name: getattr(one, name) for name in _PLACES}
        for one in every
    ]
    fresh = [row for row in rows if row["item"] not in known]
    for start in range(0, len(fresh), _AT_ONCE):
        tx.execute(placed.insert(), fresh[start : start + _AT_ONCE])
    again = [{"at_" + name: value for name, value in row.items()} for row in rows if row["item"] in known]
    if again:
        statement = (
            placed.update()
            .where(
                placed.c.workspace == sa.bindparam("at_workspace"), placed.c.item == sa.bindparam("at_item")
            )
            .values({name: sa.bindparam("at_" + name) for name in _PLACES})
        )
        for start in range(0, len(again), _AT_ONCE):
            tx.execute(statement, again[start : start + _AT_ONCE])


def _placed(row: Any) -> Placed:
    return Placed(**{name: getattr(row, name) for name in Placed.__dataclass_fields__})


def place_of(tx: Transaction, workspace: str, item: str) -> Placed | None:
    """Where an item was put."""
    row = tx.execute(tx.select(placed, workspace).where(placed.c.item == item)).one_or_none()
    return None if row is None else _placed(row)


def places(tx: Transaction, workspace: str, ids: Sequence[str]) -> dict[str, Placed]:
    """Where these items were put, by id; those that were never triaged are left out."""
    found: dict[str, Placed] = {}
    for start in range(0, len(ids), _AT_ONCE):
        some = ids[start : start + _AT_ONCE]
        for row in tx.execute(tx.select(placed, workspace).where(placed.c.item.in_(some))):
            found[row.item] = _placed(row)
    return found


def reviewed(tx: Transaction, workspace: str) -> list[Placed]:
    """Every item on which a person decided, copies left out."""
    statement = tx.select(placed, workspace).where(
        placed.c.said_by.is_not(None), placed.c.item == placed.c.first
    )
    return [_placed(row) for row in tx.execute(statement)]


def decided(tx: Transaction, workspace: str) -> dict[str, Placed]:
    """By item, every one on which a person decided, copies among them."""
    statement = tx.select(placed, workspace).where(placed.c.said_by.is_not(None))
    return {row.item: _placed(row) for row in tx.execute(statement)}


def unsure(
    tx: Transaction, workspace: str, limit: int, *, category: str | None = None, mode: str | None = None
) -> list[Placed]:
    """Items that nobody has looked at, copies left out, those of the least score first."""
    statement = tx.select(placed, workspace).where(
        placed.c.said_by.is_(None), placed.c.item == placed.c.first
    )
    if category is not None:
        statement = statement.where(placed.c.category == category)
    if mode is not None:
        statement = statement.where(placed.c.mode == mode)
    statement = statement.order_by(placed.c.score, placed.c.item).limit(limit)
    return [_placed(row) for row in tx.execute(statement)]


def copies(tx: Transaction, workspace: str, firsts: Sequence[str]) -> dict[str, int]:
    """How many items say the same as each of these, itself among them."""
    statement = tx.select(placed, workspace).with_only_columns(placed.c.first, sa.func.count().label("told"))
    statement = statement.where(placed.c.first.in_(firsts)).group_by(placed.c.first)
    return {row.first: int(row.told) for row in tx.execute(statement)}


def say(tx: Transaction, workspace: str, first: str, said: Mapping[str, Any], at: datetime) -> int:
    """What a person decided of an item, for all that say the same; how many these are."""
    statement = placed.update().where(
        placed.c.workspace == workspace, sa.or_(placed.c.first == first, placed.c.item == first)
    )
    return int(tx.execute(statement.values(**said, said_at=at)).rowcount)


def counted(
    tx: Transaction, workspace: str, wanted: Wanted, *, category: str | None = None, mode: str | None = None
) -> int:
    """How many items of a filter were triaged; of a category or with a failure mode, as a person said or else a triage."""
    statement = tx.select(placed, workspace).with_only_columns(sa.func.count())
    same = sa.and_(items.c.workspace == placed.c.workspace, items.c.id == placed.c.item)
    statement = statement.join(items, same).where(*matching(wanted))
    for column, said, value in (
        (placed.c.category, placed.c.said_category, category),
        (placed.c.mode, placed.c.said_mode, mode),
    ):
        if value is not None:
            statement = statement.where(sa.case((placed.c.said_by.is_not(None), said), else_=column) == value)
    return int(tx.execute(statement).scalar_one())


def groups(tx: Transaction, workspace: str) -> dict[str, str]:
    """Item → the name of its category, as a person said or else a triage; of those that have one."""
    names = {one.id: one.name for one in all_categories(tx, workspace)}
    columns = (placed.c.item, placed.c.category, placed.c.said_category, placed.c.said_by)
    found = {}
    for row in tx.execute(tx.select(placed, workspace).with_only_columns(*columns)):
        name = names.get((row.said_category if row.said_by is not None else row.category) or "")
        if name:
            found[row.item] = name
    return found


def due(tx: Transaction, before: datetime) -> list[str]:
    """Workspaces whose latest pass was made before an instant, or that have feedback and none."""
    last = (
        sa.select(triages.c.workspace, sa.func.max(triages.c.created_at).label("at"))
        .group_by(triages.c.workspace)
        .subquery()
    )
    statement = (
        sa.select(items.c.workspace)
        .distinct()
        .outerjoin(last, last.c.workspace == items.c.workspace)
        .where(sa.or_(last.c.at.is_(None), last.c.at < before))
    )
    return sorted(tx.execute(statement).scalars())
