"""Answers on two releases that are compared: what is known of their answers, and how an A/B comparison stands."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from holdfast.changes.model import Change
from holdfast.changes.rules.declared import Comparison, compare, planned
from holdfast.changes.rules.measuring import Quality, Seen
from holdfast.changes.rules.policy import ABPolicy, ClassPolicy
from holdfast.evals.reads import review_releases
from holdfast.feedback.reads import rates
from holdfast.kernel.context import SYSTEM, Context
from holdfast.storage.columns import Columns
from holdfast.storage.sql import Database
from holdfast.telemetry.model import TimeRange
from holdfast.telemetry.reads import compared

WITHOUT = "evaluation"
"""The environment of questions that suites ask: no traffic of anybody."""
WEEK = timedelta(days=7)


def judged(
    database: Database, change: Change, releases: Sequence[str], within: TimeRange, now: datetime
) -> dict[str, Quality]:
    """What review, judges and people say of releases on the change's route, of calls that began in a time range."""
    ctx, span = Context(change.workspace, SYSTEM, now), (within.start, within.end)
    with database.reading() as tx:
        reviewed = review_releases.by_release(ctx, tx, change.route, releases, *span)
        said = rates.by_release(ctx, tx, change.route, releases, *span)
    return {
        name: Quality(one.flagged, one.refused, said.get(name, (0, 0)), one.grades)
        for name, one in reviewed.items()
    }


def comparison(
    columns: Columns,
    database: Database,
    change: Change,
    policy: ClassPolicy,
    baseline: Seen,
    candidate: Seen,
    now: datetime,
) -> Comparison | None:
    """How the declared comparison stands; None where the policy declares none. Raises Unavailable."""
    if policy.ab is None:
        return None
    plan = plan_of(columns, database, change, policy.ab, 1 - policy.confidence, change.since, now)
    return compare(policy.ab, 1 - policy.confidence, baseline, candidate, plan)


def plan_of(
    columns: Columns,
    database: Database,
    change: Change,
    ab: ABPolicy,
    alpha: float,
    until: datetime,
    now: datetime,
) -> int | None:
    """Calls of both together that the comparison takes, by the baseline's week before an instant; None where that tells
    nothing. Raises Unavailable.
    """
    within = TimeRange(until - WEEK, until)
    one = [change.baseline]
    sums = compared.sums(columns, change.workspace, change.route, one, within, WITHOUT)
    before = Seen(sums.get(change.baseline), judged(database, change, one, within, now)[change.baseline])
    return planned(ab, alpha, before)
