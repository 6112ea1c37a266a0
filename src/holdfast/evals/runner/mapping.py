"""The job that maps coverage: what calls ask, grouped and held against a suite's cases, on demand and then each week.

Nothing is kept before the end but how far it is, so that a map that was killed begins again and is kept once.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import msgspec
import numpy as np

from holdfast.evals.actions import coverage as actions
from holdfast.evals.model import Case
from holdfast.evals.rules import coverage as rules
from holdfast.evals.rules.case_words import asked
from holdfast.evals.rules.coverage import Found, HeldCase, Ref
from holdfast.evals.runner.asking import ENVIRONMENT
from holdfast.evals.states import CoverageMap, MapState
from holdfast.evals.store import coverage as store
from holdfast.evals.store import suites as suite_store
from holdfast.kernel.context import SYSTEM, Context
from holdfast.kernel.errors import NotFound
from holdfast.platform.services import Services
from holdfast.telemetry.model import TimeRange
from holdfast.telemetry.reads.draws import draw
from holdfast.telemetry.reads.questions import questions
from holdfast.text import clusters
from holdfast.text.embeddings import Embedder

log = logging.getLogger("holdfast.evals")
EVERY_SECONDS = 1.0
EVERY = timedelta(days=7)
LOOK_EVERY = timedelta(minutes=10)
TRIES = 3
FAILED = "something unforeseen happened; what is in the log of the core says more"
MOST_CALLS = 5_000
"""Calls that are drawn. The share of a group of 1 in 100 is then known to about a quarter of itself."""
SEED = 20_261_123
AT_ONCE = 500
"""Calls whose content is read together."""
Tell = Callable[[str, int, int], None]
"""Told of the phase, and how many of how many are done."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What calls (n,) ask: where each is, of which system and environment, and in which words."""

    refs: Sequence[Ref]
    places: Sequence[str]
    texts: Sequence[str]


class Maps:
    """Works on one map at a time. One that a killed process left begins again, up to TRIES times in this one."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._embedder = Embedder()
        self._tries: dict[str, int] = {}
        self._looked = services.clock() - LOOK_EVERY

    def turn(self) -> int:
        """Works on what is asked for and what is due; how many maps that were."""
        now = self._services.clock()
        if now - self._looked >= LOOK_EVERY:
            self._looked = now
            self._ask_due()
        with self._services.database.reading() as tx:
            waiting = store.active(tx)
        for one in waiting:
            try:
                work(self._services, one, self._embedder)
            except Exception:
                log.exception("the map of coverage %s was interrupted", one.id)
                self._tries[one.id] = self._tries.get(one.id, 0) + 1
                if self._tries[one.id] >= TRIES:
                    with self._services.database.transaction() as tx:
                        store.change(
                            tx, one.id, state=MapState.FAILED, note=FAILED, finished_at=self._services.clock()
                        )
        return len(waiting)

    def _ask_due(self) -> None:
        now = self._services.clock()
        with self._services.database.reading() as tx:
            due = store.due(tx, now - EVERY)
        for workspace, suite in due:
            try:
                with self._services.database.transaction() as tx:
                    actions.ask(Context(workspace, SYSTEM, now), tx, suite)
            except NotFound:
                log.warning("the suite %s is gone, and is not mapped anew", suite)


def work(services: Services, one: CoverageMap, embedder: Embedder) -> None:
    """Works a map out from its beginning and keeps it. What it raises, the caller tells."""
    watch = _Watch(services, one)
    with services.database.transaction() as tx:
        head = suite_store.head(tx, one.workspace, one.suite)
        suite = suite_store.suite(tx, one.workspace, one.suite, head.version) if head else None
        values = {"version": head.version if head else 0, "started_at": one.started_at or services.clock()}
        if not store.change(tx, one.id, state=MapState.RUNNING, **values):
            return
    assert suite is not None, "a suite that a map names is never removed"
    watch("reading", 0, 1)
    within = TimeRange(one.start, one.end)
    drawn = draw(
        services.columns,
        one.workspace,
        within,
        MOST_CALLS,
        system=suite.system,
        route=suite.route,
        without=ENVIRONMENT,
        seed=SEED,
    )
    places = {(call.trace_id, call.id): _place(call.system, call.environment) for call in drawn.calls}
    told = []
    calls = sorted(places)
    for at in range(0, len(calls), AT_ONCE):
        told += list(questions(services.columns, one.workspace, calls[at : at + AT_ONCE]))
        watch("reading", at, len(calls))
    kept = Asked(
        [Ref(*call) for call, _ in told], [places[call] for call, _ in told], [text for _, text in told]
    )
    traffic = {_place(*place): count for place, count in drawn.counts.items()}
    found = mapped(kept, traffic, len(drawn.calls), suite.cases, embedder, watch)
    with services.database.transaction() as tx:
        store.change(
            tx,
            one.id,
            state=MapState.DONE,
            phase="done",
            done=len(kept.texts),
            total=len(kept.texts),
            finished_at=services.clock(),
            found=msgspec.json.encode(found).decode(),
        )


def mapped(
    kept: Asked, traffic: dict[str, int], drawn: int, cases: Sequence[Case], embedder: Embedder, tell: Tell
) -> Found:
    """What the map shows, from what calls ask; each different text is embedded once."""
    keys: dict[str, int] = {}
    texts: list[str] = []
    place = []
    for text in kept.texts:
        key = clusters.normalised(text)
        if key not in keys:
            keys[key] = len(texts)
            texts.append(text)
        place.append(keys[key])
    speaking = [case for case in cases if asked(case).strip()]
    silent = [case for case in cases if not asked(case).strip()]
    told = [*texts, *(asked(case) for case in speaking)]
    vectors = clusters.embedded(embedder, told, lambda done, total: tell("embedding", done, total))
    tell("grouping", 0, 1)
    spoken, of_cases = vectors[: len(texts)], vectors[len(texts) :]
    times = np.bincount(np.asarray(place, dtype=np.int64), minlength=len(texts))
    grouping = rules.grouped(spoken, times.tolist(), of_cases, np.random.default_rng(SEED))
    words = clusters.keywords(texts, grouping.labels.tolist(), len(grouping.clusters))
    weights, blind = rules.weights_of(kept.places, traffic)
    found = rules.told(
        grouping,
        spoken,
        np.asarray(place, dtype=np.int64),
        kept.refs,
        weights,
        words,
        [HeldCase(case.id, case.hash) for case in speaking],
        traffic=sum(traffic.values()),
        drawn=drawn,
        blind=blind,
    )
    apart = (*found.apart, *(HeldCase(case.id, case.hash) for case in silent))
    tell("keeping", 0, 1)
    return replace(found, cases=len(cases), apart=apart)


def _place(system: str, environment: str) -> str:
    return f"{system}\0{environment}"


class _Watch:
    """Keeps how far a map is, once a second."""

    def __init__(self, services: Services, one: CoverageMap) -> None:
        self._services, self._map = services, one
        self._phase, self._kept = "", 0.0

    def __call__(self, phase: str, done: int, total: int) -> None:
        now = time.monotonic()
        if phase == self._phase and now - self._kept < 1:
            return
        self._phase, self._kept = phase, now
        with self._services.database.transaction() as tx:
            store.change(tx, self._map.id, phase=phase, done=done, total=total)
