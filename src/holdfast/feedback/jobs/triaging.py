"""A triage worked out: items read, embedded, grouped, their failure modes told, and all of it kept at once.

Nothing is kept before the end but how far it is, so that one that was killed begins again and counts nothing twice.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from datetime import time as day_time
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from holdfast.feedback.model import SAID, Item, Sentiment, Wanted, Words
from holdfast.feedback.reads import items as item_reads
from holdfast.feedback.rules import failures
from holdfast.feedback.rules.failures import Calibration, Mode
from holdfast.feedback.rules.summary import Summary, Told, summary
from holdfast.feedback.rules.triage import week_of
from holdfast.feedback.states import Category, Placed, Triage, TriageState
from holdfast.feedback.store import triage as store
from holdfast.kernel.context import SYSTEM, Context
from holdfast.kernel.ids import new_id
from holdfast.platform.services import Services
from holdfast.storage.columns import Columns
from holdfast.storage.sql import Transaction
from holdfast.telemetry.reads.questions import questions
from holdfast.text import clusters
from holdfast.text.clusters import Clustering
from holdfast.text.embeddings import Embedder
from holdfast.text.languages import detect

if TYPE_CHECKING:
    from holdfast.text.clusters import Vectors

MOST_ITEMS = 100_000
"""Of a longer backlog the latest weeks are taken in that are not more than this."""
SEED = 20_261_123
Tell = Callable[[str, int, int], None]
"""Told of the phase, and how many of how many are done."""


@dataclass(frozen=True, slots=True)
class Backlog:
    """Items in the order of their time, what each asks about, and what people say went wrong."""

    items: Sequence[Item]
    asked: Sequence[str]  # the question where it is known, else the comment
    remarks: Sequence[str]

    @property
    def silent(self) -> list[str]:
        """Ids of items that do not say any more what they are about: they stay where a triage put them."""
        both = zip(self.items, self.asked, strict=True)
        return [one.id for one, asked in both if one.words is Words.ERASED or not asked.strip()]


@dataclass(frozen=True, slots=True)
class Grouped:
    """`place` (n,): where each item's text is among the distinct ones, whose groups these are."""

    clustering: Clustering
    place: Sequence[int]
    same: Sequence[int]  # by distinct text: the first that says the same
    keywords: Sequence[tuple[str, ...]]
    modes: Sequence[Mode]
    scores: Sequence[float]


def work(services: Services, triage: Triage, embedder: Embedder) -> None:
    """Works a triage out from its beginning and keeps it. What it raises, the caller tells."""
    watch = _Watch(services, triage)
    ctx = Context(triage.workspace, SYSTEM, services.clock())
    with services.database.transaction() as tx:
        started = triage.started_at or services.clock()
        if not store.change(tx, triage.id, state=TriageState.RUNNING, started_at=started):
            return
    backlog = _read(services, ctx, triage, watch)
    grouped = group(backlog, embedder, watch)
    watch("keeping", 0, len(backlog.items))
    with services.database.reading() as tx:
        before = store.all_categories(tx, triage.workspace)
        decided = store.decided(tx, triage.workspace)
        looked = store.reviewed(tx, triage.workspace)
        silent = store.places(tx, triage.workspace, backlog.silent)
    calibrated = failures.calibration(
        [one.score for one in looked], [one.said_mode == one.mode for one in looked]
    )
    made, ids = _categories(grouped, before, backlog, services.clock())
    places = [silent.get(one.item, one) for one in _places(backlog, grouped, ids, calibrated)]
    told = _told(backlog, places, decided)
    found = summary(told, triage.week, triage.weeks, calibrated.method, calibrated.confirmed, watch.seconds())
    with services.database.transaction() as tx:
        _keep(tx, triage, made, places, found, services.clock())


def _keep(
    tx: Transaction,
    triage: Triage,
    made: Sequence[Category],
    places: Sequence[Placed],
    found: Summary,
    now: datetime,
) -> None:
    done = {"state": TriageState.DONE, "phase": "done", "finished_at": now}
    counts = {"done": len(places), "total": len(places), "summary": msgspec.json.encode(found).decode()}
    if not store.change(tx, triage.id, **done, **counts):
        return
    for one in made:
        store.keep_category(tx, triage.workspace, one)
    store.place(tx, triage.workspace, places)


def group(backlog: Backlog, embedder: Embedder, tell: Tell) -> Grouped:
    """Embeds every distinct text once, groups what is asked, and tells the failure modes."""
    keys: dict[str, int] = {}
    texts: list[str] = []

    def place(text: str) -> int:
        key = clusters.normalised(text)
        if key not in keys:
            keys[key] = len(texts)
            texts.append(text)
        return keys[key]

    asked = [place(text) for text in backlog.asked]
    remarked = [place(text) for text in backlog.remarks]
    vectors = clusters.embedded(embedder, texts, lambda done, total: tell("embedding", done, total))
    tell("grouping", 0, 1)
    spoken = embedder.embed(failures.phrases())
    distinct = sorted(set(asked))
    at = {one: number for number, one in enumerate(distinct)}
    of_asked = vectors[distinct]
    empty = keys.get("")
    clustering = _grouped(of_asked, at.get(empty) if empty is not None else None)
    tell("grouping", 1, 1)
    same = clusters.same(of_asked, clustering.labels)
    words = clusters.keywords(
        [texts[one] for one in distinct], clustering.labels.tolist(), len(clustering.clusters)
    )
    hints = [_hint(one) for one in backlog.items]
    modes, scores = failures.modes(vectors[remarked], spoken, backlog.remarks, hints)
    return Grouped(clustering, [at[one] for one in asked], same.tolist(), words, modes, scores.tolist())


def _grouped(vectors: Vectors, empty: int | None) -> Clustering:
    """Groups of all but the text that says nothing."""
    rng = np.random.default_rng(SEED)
    if empty is None:
        return clusters.cluster(vectors, rng)
    rest = np.delete(np.arange(len(vectors)), empty)
    found = clusters.cluster(vectors[rest], rng)
    labels = np.full(len(vectors), clusters.UNCLUSTERED, dtype=np.int64)
    sure = np.zeros(len(vectors), dtype=np.float32)
    labels[rest], sure[rest] = found.labels, found.confidence
    moved = tuple(replace(one, medoid=int(rest[one.medoid])) for one in found.clusters)
    return Clustering(moved, labels, sure)


def _hint(item: Item) -> Mode | None:
    found = failures.hint(item.label)
    return Mode.WRONG if found is None and item.correction and not item.comment else found


def _read(services: Services, ctx: Context, triage: Triage, tell: Tell) -> Backlog:
    start = datetime.combine(triage.week - timedelta(weeks=triage.weeks - 1), day_time(), UTC)
    wanted = Wanted(
        start=start,
        sources=SAID,
        sentiments=(Sentiment.NEGATIVE, Sentiment.UNKNOWN),
    )
    found: list[Item] = []
    with services.database.reading() as tx:
        total = item_reads.count(ctx, tx, wanted)
        for one in item_reads.iterate(ctx, tx, wanted):
            found.append(one)
            if not len(found) % 2000:
                tell("reading", len(found), total)
    found = found[-MOST_ITEMS:]
    known = _questions(services.columns, triage.workspace, found)
    asked = []
    for one in found:
        told = one.metadata.get("question")
        question = told if isinstance(told, str) and told.strip() else known.get(one.id, "")
        asked.append(question or one.comment or one.correction or "")
    return Backlog(found, asked, [one.comment or "" for one in found])


def _questions(columns: Columns, workspace: str, items: Sequence[Item]) -> dict[str, str]:
    calls = {
        one.id: (one.joined.trace_id, one.joined.call_id)
        for one in items
        if one.joined is not None and one.joined.trace_id and one.joined.call_id
    }
    if not calls:
        return {}
    told = dict(questions(columns, workspace, sorted(set(calls.values()))))
    return {id: told[call] for id, call in calls.items() if call in told}


def _categories(
    grouped: Grouped, before: Sequence[Category], backlog: Backlog, now: datetime
) -> tuple[list[Category], list[str]]:
    """Categories as they are now, and the id of each group: last time's where it is the same one."""
    found = grouped.clustering.clusters
    first: dict[int, str] = {}
    for item, place in zip(backlog.items, grouped.place, strict=True):
        first.setdefault(place, item.id)
    none = np.empty((0, 384), dtype=np.float32)
    old = np.stack([one.centroid for one in before]) if before else none
    now_at = np.stack([one.centroid for one in found]) if found else none
    made, ids = [], []
    for one, words, earlier in zip(found, grouped.keywords, clusters.matched(old, now_at), strict=True):
        name = ", ".join(words)[:200] or "without words of its own"
        known = before[earlier] if earlier is not None else None
        category = Category(
            id=known.id if known else new_id("cat"),
            name=known.name if known and known.named_by else name,
            named_by=known.named_by if known else "",
            keywords=words,
            centroid=one.centroid,
            medoid=first[one.medoid],
            made_at=known.made_at if known else now,
            seen_at=now,
        )
        made.append(category)
        ids.append(category.id)
    return made, ids


def _places(backlog: Backlog, grouped: Grouped, ids: Sequence[str], calibrated: Calibration) -> list[Placed]:
    sure = calibrated.of(np.asarray(grouped.scores, dtype=float))
    firsts: dict[tuple[int, Mode], str] = {}
    found = []
    for row, item in enumerate(backlog.items):
        place, mode = grouped.place[row], grouped.modes[row]
        label = int(grouped.clustering.labels[place])
        speaks = bool(backlog.asked[row].strip())
        first = firsts.setdefault((grouped.same[place], mode), item.id) if speaks else item.id
        found.append(
            Placed(
                item=item.id,
                category=ids[label] if label >= 0 else None,
                sureness=float(grouped.clustering.confidence[place]),
                mode=mode.value,
                score=grouped.scores[row],
                confidence=float(sure[row]) if calibrated.method else None,
                first=item.same_as or first,
                week=week_of(item.created_at),
            )
        )
    return found


def _told(backlog: Backlog, places: Sequence[Placed], decided: dict[str, Placed]) -> list[Told]:
    made = []
    for item, place, text in zip(backlog.items, places, backlog.asked, strict=True):
        said = decided.get(item.id)
        category, mode = said.holds if said else place.holds
        values = {"language": detect(text) or ""}
        if item.joined is not None:
            values |= {name: getattr(item.joined, name) or "" for name in ("release", "model", "route")}
        made.append(Told(category or "", mode, place.first != item.id, place.week, values))
    return made


class _Watch:
    """Keeps how far a triage is, once a second, and what each phase took."""

    def __init__(self, services: Services, triage: Triage) -> None:
        self._services, self._triage = services, triage
        self._began: dict[str, float] = {}
        self._kept = 0.0

    def __call__(self, phase: str, done: int, total: int) -> None:
        now = time.monotonic()
        fresh = phase not in self._began
        self._began.setdefault(phase, now)
        if not fresh and now - self._kept < 1:
            return
        self._kept = now
        with self._services.database.transaction() as tx:
            store.change(tx, self._triage.id, phase=phase, done=done, total=total)

    def seconds(self) -> dict[str, float]:
        """By phase, so far."""
        names, starts = list(self._began), [*self._began.values(), time.monotonic()]
        return {name: round(starts[at + 1] - starts[at], 2) for at, name in enumerate(names)}
