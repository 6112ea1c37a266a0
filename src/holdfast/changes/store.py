"""Tables of changes, and every query on them. Steps, reviews and policies are added and never changed."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

import msgspec
import sqlalchemy as sa

from holdfast.changes.model import Change, Evidence, Freeze, GateRun, PolicyVersion, Review, State
from holdfast.storage.sql import Instant, Transaction, metadata

changes = sa.Table(
    "changes",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("system", sa.String(200), nullable=False),
    sa.Column("route", sa.String(120), nullable=False),
    sa.Column("candidate", sa.String(40), nullable=False),
    sa.Column("state", sa.String(20), nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("updated_at", Instant, nullable=False),
    sa.Column("whole", sa.Text, nullable=False),  # JSON of model.Change
    sa.Index(None, "workspace", "created_at"),
    sa.Index(None, "state"),
)

evidence = sa.Table(
    "change_evidence",
    metadata,
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), primary_key=True),
    sa.Column("change", sa.String(40), primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("whole", sa.Text, nullable=False),  # JSON of model.Evidence
)

reviews = sa.Table(
    "change_reviews",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("change", sa.String(40), nullable=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("whole", sa.Text, nullable=False),  # JSON of model.Review
    sa.Index(None, "workspace", "change"),
)

gates = sa.Table(
    "change_gates",
    metadata,
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), primary_key=True),
    sa.Column("change", sa.String(40), primary_key=True),
    sa.Column("content", sa.String(64), primary_key=True),
    sa.Column("suite", sa.String(100), primary_key=True),
    sa.Column("whole", sa.Text, nullable=False),  # JSON of model.GateRun
)

policies = sa.Table(
    "change_policies",
    metadata,
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), primary_key=True),
    sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("whole", sa.Text, nullable=False),  # JSON of model.PolicyVersion
)

freezes = sa.Table(
    "change_freezes",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("begins_at", Instant, nullable=False),
    sa.Column("ends_at", Instant),
    sa.Column("whole", sa.Text, nullable=False),  # JSON of model.Freeze
    sa.Index(None, "workspace", "begins_at"),
)

_change = msgspec.json.Decoder(Change).decode
_evidence = msgspec.json.Decoder(Evidence).decode
_review = msgspec.json.Decoder(Review).decode
_gate = msgspec.json.Decoder(GateRun).decode
_policy = msgspec.json.Decoder(PolicyVersion).decode
_freeze = msgspec.json.Decoder(Freeze).decode


def _whole(value: Any) -> str:
    return msgspec.json.encode(value).decode()


def _columns(one: Change) -> dict[str, Any]:
    return {
        "workspace": one.workspace,
        "system": one.system,
        "route": one.route,
        "candidate": one.candidate,
        "state": one.state.value,
        "version": one.version,
        "created_at": one.created_at,
        "updated_at": one.updated_at,
        "whole": _whole(one),
    }


def add(tx: Transaction, one: Change) -> None:
    tx.execute(changes.insert().values(id=one.id, **_columns(one)))


def put(tx: Transaction, one: Change) -> bool:
    """In the place of the version before it; False where another came between."""
    statement = changes.update().where(
        changes.c.id == one.id, changes.c.workspace == one.workspace, changes.c.version == one.version - 1
    )
    return bool(tx.execute(statement.values(**_columns(one))).rowcount)


def get(tx: Transaction, workspace: str, id: str) -> Change | None:
    row = tx.execute(tx.select(changes, workspace).where(changes.c.id == id)).one_or_none()
    return None if row is None else _change(row.whole)


def listed(
    tx: Transaction,
    workspace: str,
    *,
    states: Collection[State] | None = None,
    route: str | None = None,
    before: datetime | None = None,
    limit: int = 100,
) -> list[Change]:
    """The latest made first."""
    statement = tx.select(changes, workspace)
    if states is not None:
        statement = statement.where(changes.c.state.in_([one.value for one in states]))
    if route is not None:
        statement = statement.where(changes.c.route == route)
    if before is not None:
        statement = statement.where(changes.c.created_at < before)
    statement = statement.order_by(changes.c.created_at.desc(), changes.c.id.desc()).limit(limit)
    return [_change(row.whole) for row in tx.execute(statement)]


def in_states(tx: Transaction, states: Collection[State]) -> list[tuple[str, str]]:
    """(workspace, id) of changes of all workspaces, the oldest first: for the job that looks at each."""
    own = changes.c
    statement = sa.select(own.workspace, own.id).where(own.state.in_([one.value for one in states]))
    return [(row.workspace, row.id) for row in tx.execute(statement.order_by(own.created_at, own.id))]


def add_evidence(tx: Transaction, one: Evidence) -> None:
    values = {"workspace": one.workspace, "change": one.change, "number": one.number, "whole": _whole(one)}
    tx.execute(evidence.insert().values(**values))


def evidence_of(tx: Transaction, workspace: str, change: str) -> list[Evidence]:
    """All steps, the first first."""
    statement = tx.select(evidence, workspace).where(evidence.c.change == change).order_by(evidence.c.number)
    return [_evidence(row.whole) for row in tx.execute(statement)]


def steps(tx: Transaction, workspace: str, change: str) -> int:
    """How many steps it has made."""
    own = evidence.c
    statement = sa.select(sa.func.count()).where(own.workspace == workspace, own.change == change)
    return int(tx.execute(statement).scalar_one())


def add_review(tx: Transaction, one: Review) -> None:
    values = {"id": one.id, "workspace": one.workspace, "change": one.change, "at": one.at}
    tx.execute(reviews.insert().values(**values, whole=_whole(one)))


def reviews_of(tx: Transaction, workspace: str, change: str) -> list[Review]:
    """The first first."""
    statement = tx.select(reviews, workspace).where(reviews.c.change == change)
    return [_review(row.whole) for row in tx.execute(statement.order_by(reviews.c.at, reviews.c.id))]


def put_gate(tx: Transaction, one: GateRun) -> None:
    values = {"workspace": one.workspace, "change": one.change, "content": one.content, "suite": one.suite}
    tx.upsert(gates, {**values, "whole": _whole(one)}, key=["workspace", "change", "content", "suite"])


def gates_of(tx: Transaction, workspace: str, change: str, content: str) -> list[GateRun]:
    """Of the content that is given, by the suites' names."""
    statement = tx.select(gates, workspace).where(gates.c.change == change, gates.c.content == content)
    return [_gate(row.whole) for row in tx.execute(statement.order_by(gates.c.suite))]


def add_policy(tx: Transaction, one: PolicyVersion) -> bool:
    """False where the workspace has this version already."""
    values = {"workspace": one.workspace, "version": one.version, "whole": _whole(one)}
    return tx.insert_new(policies, values, key=["workspace", "version"])


def policy(tx: Transaction, workspace: str) -> PolicyVersion | None:
    """The one in force."""
    statement = tx.select(policies, workspace).order_by(policies.c.version.desc()).limit(1)
    row = tx.execute(statement).one_or_none()
    return None if row is None else _policy(row.whole)


def add_freeze(tx: Transaction, one: Freeze) -> None:
    values = {"id": one.id, "workspace": one.workspace, "begins_at": one.begins_at, "ends_at": one.ends_at}
    tx.execute(freezes.insert().values(**values, whole=_whole(one)))


def put_freeze(tx: Transaction, one: Freeze) -> None:
    statement = freezes.update().where(freezes.c.id == one.id, freezes.c.workspace == one.workspace)
    tx.execute(statement.values(ends_at=one.ends_at, whole=_whole(one)))


def freeze(tx: Transaction, workspace: str, id: str) -> Freeze | None:
    row = tx.execute(tx.select(freezes, workspace).where(freezes.c.id == id)).one_or_none()
    return None if row is None else _freeze(row.whole)


def freezes_of(tx: Transaction, workspace: str, after: datetime) -> list[Freeze]:
    """Those that have not ended at an instant, what begins first first."""
    own = freezes.c
    statement = tx.select(freezes, workspace).where(sa.or_(own.ends_at.is_(None), own.ends_at > after))
    return [_freeze(row.whole) for row in tx.execute(statement.order_by(own.begins_at, own.id))]
