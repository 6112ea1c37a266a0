"""The job that reads sessions for what behaviour says. How far it has come is kept; a signal seen twice is kept once."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import lru_cache

from holdfast.feedback.actions import items as actions
from holdfast.feedback.model import Item, Signal, Source
from holdfast.feedback.reads import turns as reads
from holdfast.feedback.rules import implicit as rules
from holdfast.feedback.rules.implicit import Seen
from holdfast.feedback.store import items as store
from holdfast.feedback.store import walks
from holdfast.kernel.context import SYSTEM, Context
from holdfast.kernel.errors import Unavailable
from holdfast.platform.services import Services
from holdfast.platform.tenancy import reads as tenancy
from holdfast.telemetry.model import TimeRange
from holdfast.telemetry.reads import calls
from holdfast.text.embeddings import Embedder

log = logging.getLogger("holdfast.feedback")
EVERY_SECONDS = 60.0
BEGINNING = timedelta(days=1)
"""How far back it looks when it first comes to a workspace."""
SLICE = timedelta(hours=1)
MOST_SLICES = 24
BACK = timedelta(days=1)
"""How long before a slice the sessions in it may have begun."""
SESSIONS, EDITS = "sessions", "edits"
VERSION = "1"


class Implicit:
    """Walks through sessions that are over, and through what was used in place of answers."""

    def __init__(self, services: Services, embedder: Embedder | None = None) -> None:
        self._services = services
        self._embedder = embedder or Embedder()

    def turn(self) -> int:
        """Goes on in every workspace; returns how many signals are new."""
        with self._services.database.reading() as tx:
            every = [one.id for one in tenancy.all_workspaces(tx)]
        return sum(self._sessions(one) + self._edits(one) for one in every)

    def _ctx(self, workspace: str) -> Context:
        return Context(workspace, SYSTEM, self._services.clock())

    def _sessions(self, workspace: str) -> int:
        ctx = self._ctx(workspace)
        over = ctx.now - rules.QUIET
        with self._services.database.reading() as tx:
            at = walks.place(tx, workspace, SESSIONS) or over - BEGINNING
        done = 0
        for _ in range(MOST_SLICES):
            if at >= over:
                break
            end = min(at + SLICE, over)
            items = self._seen(ctx, TimeRange(at, end))
            with self._services.database.transaction() as tx:
                added = actions.add(ctx, tx, items, revise=True)
                walks.put(tx, workspace, SESSIONS, end)
            done += sum(one.became is actions.Became.ADDED for one in added)
            at = end
        return done

    def _seen(self, ctx: Context, within: TimeRange) -> list[Item]:
        columns = self._services.columns
        found: dict[str, Item] = {}
        long = TimeRange(within.start - BACK, ctx.now + timedelta(minutes=1))
        for session in calls.sessions(columns, ctx.workspace, within):
            turns = reads.turns(columns, ctx.workspace, session, long)
            for seen in rules.signals(turns, ctx.now, self._alike):
                item = _item(ctx, session, seen)
                found[item.id] = item
        return list(found.values())

    def _alike(self, one: str, two: str) -> float | None:
        try:
            return _cosine(self._embedder, one, two)
        except Unavailable:  # the model is not installed: words must do
            return None

    def _edits(self, workspace: str) -> int:
        ctx = self._ctx(workspace)
        with self._services.database.reading() as tx:
            at = walks.place(tx, workspace, EDITS)
            due = store.used_since(tx, workspace, at, limit=1000)  # more than are joined at once
        made: list[Item] = []
        for one, _ in due:
            if one.joined is None or one.joined.call_id is None or one.joined.trace_id is None:
                continue
            said = reads.answer(self._services.columns, workspace, one.joined.trace_id, one.joined.call_id)
            used = one.used or one.correction
            if said and used:
                made.append(_edit(ctx, one, rules.edit_distance(said, used)))
        if not due:
            return 0
        with self._services.database.transaction() as tx:
            added = actions.add(ctx, tx, made, revise=True)
            walks.put(tx, workspace, EDITS, due[-1][1])
        return sum(one.became is actions.Became.ADDED for one in added)


@lru_cache(maxsize=4096)
def _cosine(embedder: Embedder, one: str, two: str) -> float:
    first, second = embedder.embed([one, two])
    return float(first @ second)


def _id(*parts: str) -> str:
    return "im_" + hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]


def _item(ctx: Context, session: str, seen: Seen) -> Item:
    turn = seen.turn
    return _made(
        ctx,
        _id(seen.signal.value, turn.trace_id, turn.call_id),
        seen.signal,
        seen.confidence,
        turn.ended_at,
        (turn.call_id, turn.trace_id, session),
        {"why": seen.why, "rule": VERSION},
    )


def _edit(ctx: Context, of: Item, distance: float) -> Item:
    assert of.joined is not None
    about = (of.joined.call_id or "", of.joined.trace_id or "", of.joined.session or "")
    told = {"distance": round(distance, 4), "of": of.id, "rule": VERSION}
    made = _made(ctx, _id(Signal.EDIT.value, of.id), Signal.EDIT, 1.0, of.created_at, about, told)
    return replace(made, score=round(1 - distance, 4))


def _made(
    ctx: Context,
    id: str,
    signal: Signal,
    confidence: float,
    at: datetime,
    about: Sequence[str],
    told: dict[str, object],
) -> Item:
    call, trace, session = about
    return Item(
        id=id,
        workspace=ctx.workspace,
        source=Source.IMPLICIT,
        call_id=call or None,
        trace_id=trace or None,
        session=session or None,
        rating=None,
        score=None,
        label=None,
        comment=None,
        correction=None,
        used=None,
        author=None,
        created_at=at,
        received_at=ctx.now,
        metadata=told,
        signal=signal,
        confidence=confidence,
    )
