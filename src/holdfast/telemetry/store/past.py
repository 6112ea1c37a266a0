"""Jobs over past calls, in the control store: what was asked, how far each is, and what came of it."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from holdfast.kernel.time import iso
from holdfast.storage.sql import Instant, Transaction, metadata
from holdfast.telemetry.rules.recount import Amounts, Tally

past_jobs = sa.Table(
    "past_jobs",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("kind", sa.String(10), nullable=False),
    sa.Column("system", sa.String(512), nullable=False),
    sa.Column("from_at", Instant, nullable=False),
    sa.Column("to_at", Instant, nullable=False),
    sa.Column("requested_at", Instant, nullable=False),
    sa.Column("requested_by", sa.String(200), nullable=False),
    sa.Column("total", sa.BigInteger, nullable=False),
    sa.Column("seen", sa.BigInteger, nullable=False),
    sa.Column("position_ns", sa.BigInteger, nullable=False),
    sa.Column("position_id", sa.String(40), nullable=False),
    sa.Column("tally", sa.Text, nullable=False),
    sa.Column("pending", sa.Text, nullable=False),
    sa.Column("finished_at", Instant),
)
MOST = 100


class PastKind(StrEnum):
    """What is done to past calls."""

    PRICE = "price"
    COUNT = "count"


@dataclass(frozen=True, slots=True)
class PastJob:
    """A job over the calls of a window, of one system or (empty text) all.

    `total` and `seen`: calls to be priced, or traces to be counted, and how many are done. `position_ns` (-1: not begun)
    and `position_id` say how far it is. `tally` is what came of it. `pending` is what the next batch makes of its calls,
    noted before they are written: after a crash that batch is written again, and told only once.
    """

    id: str
    workspace: str
    kind: PastKind
    system: str
    from_at: datetime
    to_at: datetime
    requested_at: datetime
    requested_by: str
    total: int
    seen: int = 0
    position_ns: int = -1
    position_id: str = ""
    tally: str = ""
    pending: str = ""
    finished_at: datetime | None = None


def _made(row: Any) -> PastJob:
    return PastJob(**{**row._mapping, "kind": PastKind(row.kind)})


def of_workspace(tx: Transaction, workspace: str, kind: PastKind | None = None) -> list[PastJob]:
    """The jobs of a workspace, of one kind or all, the latest first; at most MOST."""
    query = tx.select(past_jobs, workspace).order_by(past_jobs.c.requested_at.desc(), past_jobs.c.id)
    if kind is not None:
        query = query.where(past_jobs.c.kind == kind.value)
    return [_made(row) for row in tx.execute(query.limit(MOST))]


def unfinished(tx: Transaction, workspace: str | None = None) -> PastJob | None:
    """The oldest job that is not done, of a workspace or of any."""
    query = sa.select(past_jobs).where(past_jobs.c.finished_at.is_(None))
    if workspace is not None:
        query = query.where(past_jobs.c.workspace == workspace)
    row = tx.execute(query.order_by(past_jobs.c.requested_at, past_jobs.c.id).limit(1)).first()
    return None if row is None else _made(row)


def put(tx: Transaction, job: PastJob) -> None:
    """Keeps a job as it is now."""
    values = {column.name: getattr(job, column.name) for column in past_jobs.columns}
    tx.upsert(past_jobs, {**values, "kind": job.kind.value}, ["id"])


def tallied(job: PastJob, more: Tally, seen: int, position_ns: int, position_id: str) -> PastJob:
    """A job after a batch: what came of it is added, and the position is moved on."""
    made = tally(job)
    made.add(more)
    return replace(
        job,
        seen=job.seen + seen,
        tally=text(made),
        pending="",
        position_ns=position_ns,
        position_id=position_id,
    )


def text(made: Tally) -> str:
    """A tally as it is kept."""
    counts = {name: getattr(made, name) for name in ("seen", "changed", "new", "gone", "left")}
    sides = {name: plain(getattr(made, name)) for name in ("before", "after", "difference")}
    return json.dumps(counts | sides)


def plain(amounts: Amounts) -> dict[str, str]:
    """Amounts as decimal text."""
    return {currency: format(amount, "f") for currency, amount in sorted(amounts.items())}


def read(kept: str) -> Tally:
    """A tally from how it is kept; a job of an earlier release knows the difference alone, which counts as `after`."""
    told = json.loads(kept) if kept else {}
    counts = {name: told.get(name, 0) for name in ("seen", "changed", "new", "gone", "left")}
    after = told.get("after", told.get("difference", {}))
    return Tally(**counts, before=_amounts(told.get("before", {})), after=_amounts(after))


def tally(job: PastJob) -> Tally:
    """What came of a job so far."""
    return read(job.tally)


def knows_costs(job: PastJob) -> bool:
    """Whether it is known what the calls cost before and after; jobs of an earlier release noted the difference alone."""
    return not job.tally or "before" in json.loads(job.tally)


def _amounts(told: dict[str, str]) -> Amounts:
    return {currency: Decimal(amount) for currency, amount in told.items()}


def shown(job: PastJob) -> dict[str, Any]:
    """A job as the API and the audit log tell it: amounts are decimal text by currency."""
    made = tally(job)
    known = knows_costs(job)
    told: dict[str, Any] = {
        "id": job.id,
        "from": iso(job.from_at),
        "to": iso(job.to_at),
        "system": job.system or None,
        "requested_at": iso(job.requested_at),
        "requested_by": job.requested_by or None,
        "finished_at": iso(job.finished_at) if job.finished_at else None,
        "seen": job.seen,
        "changed": made.changed,
        "before": plain(made.before) if known else None,
        "after": plain(made.after) if known else None,
        "difference": plain(made.difference),
    }
    if job.kind is PastKind.PRICE:
        return {**told, "calls": job.total}
    same = made.seen - made.changed - made.gone - made.left
    return {
        **told,
        "traces": job.total,
        "calls": made.seen,
        "unchanged": same,
        "new": made.new,
        "gone": made.gone,
        "left": made.left,
    }
