"""Table of suites, and every query on it. A version that was kept is never changed."""

from __future__ import annotations

from typing import Any

import msgspec
import sqlalchemy as sa

from holdfast.evals.model import KeptSuite, Suite
from holdfast.storage.sql import Instant, Transaction, metadata

suites = sa.Table(
    "eval_suites",
    metadata,
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), primary_key=True),
    sa.Column("name", sa.String(100), primary_key=True),
    sa.Column("version", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("description", sa.Text, nullable=False),
    sa.Column("system", sa.String(200), nullable=False),
    sa.Column("route", sa.String(200), nullable=False),
    sa.Column("cases", sa.Integer, nullable=False),
    sa.Column("holdouts", sa.Integer, nullable=False),
    sa.Column("critical", sa.Integer, nullable=False),
    sa.Column("review_on", sa.Date),  # the first day on which a case is to be reviewed
    sa.Column("document", sa.Text, nullable=False),  # JSON of model.Suite
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("author", sa.String(200), nullable=False),
    sa.Column("note", sa.Text, nullable=False),
)
_HEAD = [column for column in suites.c if column.name != "document"]


def add(tx: Transaction, made: KeptSuite, suite: Suite) -> bool:
    """False where the workspace has this version of it already."""
    values = {name: getattr(made, name) for name in KeptSuite.__dataclass_fields__}
    values["document"] = msgspec.json.encode(suite).decode()
    return tx.insert_new(suites, values, key=["workspace", "name", "version"])


def _kept(row: Any) -> KeptSuite:
    return KeptSuite(**{name: getattr(row, name) for name in KeptSuite.__dataclass_fields__})


def head(tx: Transaction, workspace: str, name: str, version: int | None = None) -> KeptSuite | None:
    """A version without what it says; the latest where none is named."""
    return next(iter(heads(tx, workspace, name, version, limit=1)), None)


def heads(
    tx: Transaction,
    workspace: str,
    name: str,
    version: int | None = None,
    before: int | None = None,
    limit: int = 50,
) -> list[KeptSuite]:
    """Versions of a suite, the latest first; that one alone, or those below `before`, where given."""
    statement = tx.select(suites, workspace).with_only_columns(*_HEAD).where(suites.c.name == name)
    if version is not None:
        statement = statement.where(suites.c.version == version)
    if before is not None:
        statement = statement.where(suites.c.version < before)
    statement = statement.order_by(suites.c.version.desc()).limit(limit)
    return [_kept(row) for row in tx.execute(statement)]


def suite(tx: Transaction, workspace: str, name: str, version: int) -> Suite | None:
    """What a version says."""
    statement = tx.select(suites, workspace).with_only_columns(suites.c.document)
    statement = statement.where(suites.c.name == name, suites.c.version == version)
    text = tx.execute(statement).scalar_one_or_none()
    return None if text is None else msgspec.json.decode(text, type=Suite)


def latest(tx: Transaction, workspace: str) -> list[KeptSuite]:
    """The latest version of every suite, by name."""
    newest = (
        tx.select(suites, workspace)
        .with_only_columns(suites.c.name, sa.func.max(suites.c.version).label("version"))
        .group_by(suites.c.name)
        .subquery()
    )
    same = sa.and_(suites.c.name == newest.c.name, suites.c.version == newest.c.version)
    statement = tx.select(suites, workspace).with_only_columns(*_HEAD).join(newest, same)
    return [_kept(row) for row in tx.execute(statement.order_by(suites.c.name))]
