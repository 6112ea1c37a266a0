"""Answers on coverage: how far a map is, what it found, and the score that its traffic gives the latest run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import msgspec
import numpy as np

from holdfast.evals.rules import coverage as rules
from holdfast.evals.rules.coverage import Found, Headline, Ref
from holdfast.evals.states import UNMAPPED, CoverageMap, MapState, Run, RunState
from holdfast.evals.store import coverage as store
from holdfast.evals.store import runs as run_store
from holdfast.evals.store import suites as suite_store
from holdfast.kernel.context import Context
from holdfast.kernel.errors import NotFound
from holdfast.storage.columns import Columns
from holdfast.storage.sql import Transaction
from holdfast.telemetry.reads.questions import questions

LOOKED_BACK = 50
"""Runs among which the latest that is done is sought."""


@dataclass(frozen=True, slots=True)
class Standing:
    """How coverage of a suite stands: the map that is under way, the latest that is done, why the newest failed.

    `scores` are the mean scores of groups by their number, of the run's cases that are as they were when they were mapped.
    """

    active: CoverageMap | None
    last: CoverageMap | None
    failed: str
    found: Found | None
    run: Run | None
    headline: Headline | None
    scores: dict[int, float]


def standing(ctx: Context, tx: Transaction, suite: str) -> Standing:
    """Of a suite. Raises NotFound."""
    if suite_store.head(tx, ctx.workspace, suite) is None:
        raise NotFound("there is no such suite in this workspace")
    newest = next(iter(store.latest(tx, ctx.workspace, suite)), None)
    last = next(iter(store.latest(tx, ctx.workspace, suite, MapState.DONE)), None)
    found = msgspec.json.decode(last.found, type=Found) if last else None
    run = _latest_run(ctx, tx, suite) if found else None
    headline, scores = _scored(ctx, tx, found, run) if found and run else (None, {})
    failed = newest.note if newest and newest.state is MapState.FAILED else ""
    return Standing(store.active_of(tx, ctx.workspace, suite), last, failed, found, run, headline, scores)


def left(one: CoverageMap, ctx: Context) -> timedelta | None:
    """An estimate of the time that embedding, which takes nearly all of it, still takes. None where nothing can be said."""
    if one.state not in UNMAPPED or one.phase != "embedding" or not one.done or one.started_at is None:
        return None
    return (ctx.now - one.started_at) / one.done * (one.total - one.done)


def asked(columns: Columns, workspace: str, refs: Sequence[Ref]) -> list[tuple[Ref, str]]:
    """What was asked in some calls, read now from where calls are kept; without those that are not kept any more.

    Whoever shows it records that it was opened.
    """
    told = dict(questions(columns, workspace, [(one.trace, one.call) for one in refs]))
    return [(one, told[one.trace, one.call]) for one in refs if (one.trace, one.call) in told]


def _latest_run(ctx: Context, tx: Transaction, suite: str) -> Run | None:
    runs = run_store.listed(tx, ctx.workspace, suite, None, LOOKED_BACK)
    return next((one for one in runs if one.state is RunState.DONE), None)


def _scored(
    ctx: Context, tx: Transaction, found: Found, run: Run
) -> tuple[Headline | None, dict[int, float]]:
    suite = suite_store.suite(tx, ctx.workspace, run.suite, run.version)
    assert suite is not None, "a version that a run names is never removed"
    asked_as = {case.id: case for case in suite.cases}
    trials: dict[str, list[float]] = {}
    for case, score, _ in run_store.outcomes(tx, ctx.workspace, run.id):
        if score is not None:
            trials.setdefault(case, []).append(score)
    means = {case: float(np.mean(each)) for case, each in trials.items()}
    by_group = {
        group.number: [
            (asked_as[held.id].family or held.id, means[held.id])
            for held in group.cases
            if held.id in means and held.id in asked_as and asked_as[held.id].hash == held.hash
        ]
        for group in found.groups
    }
    plain = float(np.mean(list(means.values()))) if means else None
    scores = {number: float(np.mean([one for _, one in each])) for number, each in by_group.items() if each}
    return rules.headline(by_group, found, plain), scores
