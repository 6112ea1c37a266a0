"""Table of what people say of the answers of runs, and every query on it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from holdfast.storage.sql import Instant, Transaction, metadata

labels = sa.Table(
    "eval_labels",
    metadata,
    sa.Column("run", sa.String(40), sa.ForeignKey("eval_runs.id"), primary_key=True),
    sa.Column("case", sa.String(200), primary_key=True),
    sa.Column("repeat", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("expectation", sa.String(200), primary_key=True),
    sa.Column("person", sa.String(200), primary_key=True),
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("score", sa.Float),  # none: the person cannot tell
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
)


@dataclass(frozen=True, slots=True)
class HumanGrade:
    """What a person says of an answer, for one expectation. `score` 0 to 1; None: it cannot be told."""

    case: str
    repeat: int
    expectation: str
    person: str
    score: float | None
    note: str
    at: datetime


def keep(tx: Transaction, workspace: str, run: str, grade: HumanGrade) -> None:
    """Keeps it; who says another thing later corrects their own."""
    values = {name: getattr(grade, name) for name in HumanGrade.__dataclass_fields__}
    values |= {"workspace": workspace, "run": run}
    tx.upsert(labels, values, key=["run", "case", "repeat", "expectation", "person"])


def of_run(tx: Transaction, workspace: str, run: str) -> list[HumanGrade]:
    """All of a run, the earliest first."""
    statement = tx.select(labels, workspace).where(labels.c.run == run).order_by(labels.c.at, labels.c.person)
    fields = HumanGrade.__dataclass_fields__
    return [HumanGrade(**{name: getattr(row, name) for name in fields}) for row in tx.execute(statement)]
