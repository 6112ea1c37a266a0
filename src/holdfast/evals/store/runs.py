"""Tables of runs, and every query on them. What was answered is never changed; only a person's grade comes later."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
import sqlalchemy as sa

from holdfast.evals.model import Answer, Bars, Grade
from holdfast.evals.states import ACTIVE, Graded, Progress, Run, RunState, Trigger
from holdfast.storage.sql import Instant, Transaction, metadata

runs = sa.Table(
    "eval_runs",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("suite", sa.String(100), nullable=False),
    sa.Column("version", sa.BigInteger, nullable=False),
    sa.Column("suite_hash", sa.String(64), nullable=False),
    sa.Column("route", sa.String(200), nullable=False),
    sa.Column("release", sa.String(200), nullable=False),
    sa.Column("release_id", sa.String(40), nullable=False),
    sa.Column("model", sa.String(300), nullable=False),
    sa.Column("baseline", sa.String(40), nullable=False),
    sa.Column("bars", sa.Text, nullable=False),  # JSON of model.Bars
    sa.Column("cases", sa.Integer, nullable=False),
    sa.Column("seed", sa.BigInteger),
    sa.Column("concurrency", sa.Integer, nullable=False),
    sa.Column("max_cost", sa.String(60)),  # a decimal
    sa.Column("reuse", sa.Boolean, nullable=False),
    sa.Column("trigger", sa.String(20), nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("created_by", sa.String(200), nullable=False),
    sa.Column("because", sa.Text, nullable=False),
    sa.Column("state", sa.String(20), nullable=False, index=True),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("started_at", Instant),
    sa.Column("finished_at", Instant),
    sa.Column("verdict", sa.Text, nullable=False),  # JSON of model.Verdict
    sa.Index(None, "workspace", "created_at"),
)

trials = sa.Table(
    "eval_trials",
    metadata,
    sa.Column("run", sa.String(40), sa.ForeignKey("eval_runs.id"), primary_key=True),
    sa.Column("case", sa.String(200), primary_key=True),
    sa.Column("repeat", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("case_hash", sa.String(64), nullable=False),
    sa.Column("question", sa.String(40), nullable=False),  # empty: never used again
    sa.Column("answer", sa.Text, nullable=False),  # JSON of model.Answer
    sa.Column("grades", sa.Text, nullable=False),  # JSON of model.Grade
    sa.Column("score", sa.Float),
    sa.Column("passed", sa.Boolean),
    sa.Column("cost", sa.String(60)),  # a decimal in USD, the judges' included; none: unknown
    sa.Column("reused", sa.Boolean, nullable=False),
    sa.Column("ended_at", Instant, nullable=False),
    sa.Index(None, "workspace", "question"),
)

_DECODE_ANSWER = msgspec.json.Decoder(Answer)
_DECODE_GRADES = msgspec.json.Decoder(tuple[Grade, ...])
_ENCODE = msgspec.json.Encoder(decimal_format="string")


def _run(row: Any) -> Run:
    values = {name: getattr(row, name) for name in Run.__dataclass_fields__}
    values["bars"] = msgspec.json.decode(row.bars, type=Bars)
    values["max_cost"] = None if row.max_cost is None else Decimal(row.max_cost)
    values["state"], values["trigger"] = RunState(row.state), Trigger(row.trigger)
    return Run(**values)


def _values(run: Run) -> dict[str, Any]:
    values = {name: getattr(run, name) for name in Run.__dataclass_fields__}
    values["bars"] = msgspec.json.encode(run.bars).decode()
    values["max_cost"] = None if run.max_cost is None else format(run.max_cost, "f")
    values["state"], values["trigger"] = run.state.value, run.trigger.value
    return values


def add(tx: Transaction, run: Run) -> None:
    """A fresh run."""
    tx.execute(runs.insert().values(**_values(run)))


def get(tx: Transaction, workspace: str, id: str) -> Run | None:
    """One run of the workspace."""
    row = tx.execute(tx.select(runs, workspace).where(runs.c.id == id)).one_or_none()
    return None if row is None else _run(row)


def listed(
    tx: Transaction, workspace: str, suite: str | None = None, before: datetime | None = None, limit: int = 50
) -> list[Run]:
    """Runs of the workspace, the latest first."""
    statement = tx.select(runs, workspace)
    if suite is not None:
        statement = statement.where(runs.c.suite == suite)
    if before is not None:
        statement = statement.where(runs.c.created_at < before)
    statement = statement.order_by(runs.c.created_at.desc(), runs.c.id.desc()).limit(limit)
    return [_run(row) for row in tx.execute(statement)]


def held_against(tx: Transaction, run: Run, limit: int) -> list[Run]:
    """Runs with a verdict that have this one for their baseline, the latest first."""
    statement = tx.select(runs, run.workspace).where(runs.c.baseline == run.id, runs.c.verdict != "")
    return [
        _run(row) for row in tx.execute(statement.order_by(runs.c.created_at.desc(), runs.c.id).limit(limit))
    ]


def active(tx: Transaction) -> list[Run]:
    """Runs of all workspaces that are not over, the oldest first."""
    states = sorted(state.value for state in ACTIVE)
    statement = sa.select(runs).where(runs.c.state.in_(states)).order_by(runs.c.created_at, runs.c.id)
    return [_run(row) for row in tx.execute(statement)]


def change(tx: Transaction, run: str, since: frozenset[RunState], **values: Any) -> bool:
    """Changes a run that is in one of these states; whether it was."""
    plain = {name: value.value if isinstance(value, RunState) else value for name, value in values.items()}
    states = [state.value for state in since]
    statement = runs.update().where(runs.c.id == run, runs.c.state.in_(states)).values(**plain)
    return bool(tx.execute(statement).rowcount)


def rework(tx: Transaction, run: Run, verdict: str) -> None:
    """Another verdict on a run that is over, as people have graded since."""
    statement = runs.update().where(runs.c.workspace == run.workspace, runs.c.id == run.id)
    tx.execute(statement.values(verdict=verdict))


def keep(tx: Transaction, run: Run, graded: Graded, question: str, cost: Decimal | None) -> bool:
    """Keeps an answer, once; whether it was not there yet."""
    values = {
        "run": run.id,
        "case": graded.case,
        "repeat": graded.repeat,
        "workspace": run.workspace,
        "case_hash": graded.case_hash,
        "question": question,
        "answer": _ENCODE.encode(graded.answer).decode(),
        "grades": _ENCODE.encode(graded.grades).decode(),
        "score": graded.score,
        "passed": graded.passed,
        "cost": None if cost is None else format(cost, "f"),
        "reused": graded.reused,
        "ended_at": graded.ended_at,
    }
    return tx.insert_new(trials, values, key=["run", "case", "repeat"])


def regrade(tx: Transaction, run: Run, graded: Graded) -> None:
    """What a person's grade makes of an answer that is kept: its grades, score and pass."""
    statement = trials.update().where(
        trials.c.workspace == run.workspace,
        trials.c.run == run.id,
        trials.c.case == graded.case,
        trials.c.repeat == graded.repeat,
    )
    grades = _ENCODE.encode(graded.grades).decode()
    tx.execute(statement.values(grades=grades, score=graded.score, passed=graded.passed))


def answered(tx: Transaction, run: Run) -> set[tuple[str, int]]:
    """(case, repeat) of what is done."""
    statement = tx.select(trials, run.workspace).with_only_columns(trials.c.case, trials.c.repeat)
    return {(row.case, row.repeat) for row in tx.execute(statement.where(trials.c.run == run.id))}


def graded(tx: Transaction, workspace: str, run: str) -> Iterator[Graded]:
    """All answers of a run, by case and repeat."""
    statement = tx.select(trials, workspace).where(trials.c.run == run)
    for row in tx.execute(statement.order_by(trials.c.case, trials.c.repeat)):
        yield _graded(row)


def one(tx: Transaction, workspace: str, run: str, case: str) -> list[Graded]:
    """The answers of a run to one case, by repeat."""
    return few(tx, workspace, run, [case])


def few(tx: Transaction, workspace: str, run: str, cases: Sequence[str]) -> list[Graded]:
    """The answers of a run to some cases, by case and repeat."""
    statement = tx.select(trials, workspace).where(trials.c.run == run, trials.c.case.in_(cases))
    return [_graded(row) for row in tx.execute(statement.order_by(trials.c.case, trials.c.repeat))]


def outcomes(tx: Transaction, workspace: str, run: str) -> Iterator[tuple[str, float | None, bool | None]]:
    """(case, score, passed) of every answer of a run, without what was answered."""
    statement = tx.select(trials, workspace).with_only_columns(trials.c.case, trials.c.score, trials.c.passed)
    for row in tx.execute(statement.where(trials.c.run == run)):
        yield row.case, row.score, row.passed


def earlier(tx: Transaction, workspace: str, question: str, since: datetime) -> Graded | None:
    """The latest answer to the same question that came from asking, and without an error."""
    statement = tx.select(trials, workspace).where(
        trials.c.question == question, trials.c.ended_at >= since, trials.c.reused.is_(False)
    )
    for row in tx.execute(statement.order_by(trials.c.ended_at.desc()).limit(1)):
        found = _graded(row)
        return None if found.answer.error else found
    return None


def progress(tx: Transaction, run: Run) -> Progress:
    """How far it is."""
    return progresses(tx, run.workspace, [run])[run.id]


def progresses(tx: Transaction, workspace: str, of: Sequence[Run]) -> dict[str, Progress]:
    """How far each of them is, by id."""
    columns = (trials.c.run, trials.c.passed, trials.c.reused, trials.c.cost)
    statement = (
        tx.select(trials, workspace)
        .with_only_columns(
            *columns,
            sa.func.count().label("answers"),
            sa.func.min(trials.c.ended_at).label("first_at"),
            sa.func.max(trials.c.ended_at).label("last_at"),
        )
        .where(trials.c.run.in_([run.id for run in of]))
        .group_by(*columns)
    )
    rows: dict[str, list[Any]] = {run.id: [] for run in of}
    for row in tx.execute(statement):
        rows[row.run].append(row)
    return {run.id: _progress(run.trials, rows[run.id]) for run in of}


def _progress(total: int, rows: Sequence[Any]) -> Progress:
    def count(*kept: bool) -> int:
        return sum(row.answers for row, keep in zip(rows, kept, strict=True) if keep)

    return Progress(
        done=sum(row.answers for row in rows),
        total=total,
        passed=count(*(row.passed is True for row in rows)),
        failed=count(*(row.passed is False for row in rows)),
        unknown=count(*(row.passed is None for row in rows)),
        reused=count(*(bool(row.reused) for row in rows)),
        cost=sum((Decimal(row.cost) * row.answers for row in rows if row.cost is not None), Decimal(0)),
        unpriced=count(*(row.cost is None for row in rows)),
        first_at=min((row.first_at for row in rows), default=None),
        last_at=max((row.last_at for row in rows), default=None),
    )


def _graded(row: Any) -> Graded:
    return Graded(
        case=row.case,
        case_hash=row.case_hash,
        repeat=row.repeat,
        answer=_DECODE_ANSWER.decode(row.answer),
        grades=_DECODE_GRADES.decode(row.grades),
        score=row.score,
        passed=row.passed,
        reused=row.reused,
        ended_at=row.ended_at,
    )
