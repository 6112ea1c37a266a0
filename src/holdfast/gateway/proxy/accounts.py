"""What one process tells of its budgets and limits: the fullest, and those that people must hear of.

Only what requests touched since the last time is looked at again, so that telling costs little however many accounts there
are. After a restart it begins with all that the ledger remembers; nothing that must be told is lost with the process.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from heapq import nlargest
from itertools import islice
from typing import NamedTuple

from holdfast.gateway.limits.ledger import Ledger
from holdfast.gateway.rules.amounts import money
from holdfast.gateway.rules.reservations import Ceiling, Entry, Key, Kind, Standing
from holdfast.gateway.rules.scopes import LimitBook
from holdfast.gateway.states import BudgetState, LimitState

_BUDGET = Kind.BUDGET
SHOWN = 20
"""Budgets, and limits, that are told of each workspace."""
KEPT = 5 * SHOWN
AT_ONCE = 5000
"""Accounts that are looked at in one go: the requests of this process wait meanwhile."""
EVENTS = 100
"""Of those that people must hear of, how many are told at once, drawn anew each time."""
REMEMBERED = 86_400.0
"""Seconds after its window for which an event is told."""
QUIET = 60.0
"""Seconds after which a limit that nothing was asked of is not told any more."""


class Told(NamedTuple):
    """What goes into `states.State` under the same names."""

    budgets: tuple[BudgetState, ...]
    limits: tuple[LimitState, ...]
    cut: tuple[str, ...]
    events: tuple[BudgetState, ...]


class Accounts:
    """Follows the accounts of one ledger. For its event loop alone."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._touched: set[Key] = {one.key for one in ledger.standings() if one.kind is Kind.BUDGET}
        self._books: Mapping[str, LimitBook] = {}
        self._fullest: dict[str, dict[Key, BudgetState]] = {}
        self._ceilings: dict[tuple[str, str], tuple[Ceiling, float]] = {}
        self._dropped: set[str] = set()
        self._events: dict[Key, BudgetState] = {}

    def met(self, entries: Iterable[Entry], ceilings: Iterable[Ceiling]) -> None:
        """A request counts against these."""
        for entry in entries:
            if entry.kind is _BUDGET:
                self._touched.add((entry.budget, entry.value, entry.window))
        for one in ceilings:
            self._ceilings[one.limit, one.value] = one, 0.0

    def told(self, books: Mapping[str, LimitBook], now: float) -> Told:
        """As of `now` (Unix seconds), under the budgets and limits that `books` (by workspace) say."""
        for workspace, book in books.items():
            if self._books.get(workspace) is not book:  # other amounts, other lifts
                self._touched.update(self._fullest.get(workspace, ()))
        self._books = books
        for key in list(islice(self._touched, AT_ONCE)):
            self._look(key, now)
        for workspace in [one for one in self._fullest if one not in books]:
            del self._fullest[workspace]
        at = datetime.fromtimestamp(now, UTC)
        budgets: list[BudgetState] = []
        cut = set(self._dropped)
        for workspace, found in self._fullest.items():
            kept = self._fullest[workspace] = {key: one for key, one in found.items() if one.ends > at}
            if len(kept) > SHOWN:
                cut.add(workspace)
            budgets += nlargest(SHOWN, kept.values(), key=_share)
        limits: list[LimitState] = []
        for workspace, used in self._limits(now).items():
            if len(used) > SHOWN:
                cut.add(workspace)
            limits += nlargest(SHOWN, used, key=_used)
        return Told(tuple(budgets), tuple(limits), tuple(sorted(cut)), self._some_events(now))

    def _look(self, key: Key, now: float) -> None:
        workspace = key[0].partition("/")[0]
        standing, book = self._ledger.standing(key), self._books.get(workspace)
        found = _state(workspace, standing, book, now) if standing is not None and book is not None else None
        fullest = self._fullest.setdefault(workspace, {})
        if found is None or standing is None:
            self._touched.discard(key)
            fullest.pop(key, None)
            return
        if not standing.reserved:
            self._touched.discard(key)  # else it changes once more when that is settled
        if found.event is not None:
            self._events[key] = found
        fullest[key] = found
        if len(fullest) > 2 * KEPT:
            self._dropped.add(workspace)
            top = nlargest(KEPT, fullest.items(), key=lambda item: _share(item[1]))
            self._fullest[workspace] = dict(top)

    def _some_events(self, now: float) -> tuple[BudgetState, ...]:
        oldest = datetime.fromtimestamp(now - REMEMBERED, UTC)
        self._events = {key: one for key, one in self._events.items() if one.ends > oldest}
        found = list(self._events.values())
        if len(found) <= EVENTS:
            return tuple(found)
        return tuple(random.sample(found, EVENTS))

    def _limits(self, now: float) -> dict[str, list[LimitState]]:
        by_workspace: dict[str, list[LimitState]] = {}
        for key, (ceiling, last) in list(self._ceilings.items()):
            counted = self._ledger.metered(ceiling, now)
            if counted is not None and any(counted):
                self._ceilings[key] = ceiling, now
                workspace = ceiling.limit.partition("/")[0]
                if workspace in self._books and ceiling.same_tool_calls is None:
                    by_workspace.setdefault(workspace, []).append(_limit(workspace, ceiling, counted))
            elif last < now - QUIET:
                del self._ceilings[key]
        return by_workspace


def _state(workspace: str, standing: Standing, book: LimitBook, now: float) -> BudgetState | None:
    again = book.again(standing, datetime.fromtimestamp(now, UTC))
    if again is None:
        return None
    entry, period = again
    return BudgetState(
        workspace=workspace,
        budget=entry.budget,
        scope=entry.scope,
        value=entry.value,
        period=period,
        window=entry.window,
        ends=datetime.fromtimestamp(entry.ends, UTC),
        hard=entry.hard,
        currency=entry.currency,
        amount=money(entry.cap),
        spent=money(standing.spent),
        reserved=money(standing.reserved),
        elsewhere=money(standing.elsewhere),
        closed=standing.closed,
        lifted=entry.lifted or entry.extra > 0,
    )


def _share(one: BudgetState) -> float:
    return float((one.spent + one.reserved + one.elsewhere) / one.amount) if one.amount else 1.0


def _limit(workspace: str, ceiling: Ceiling, counted: tuple[int, int, int]) -> LimitState:
    requests, tokens, running = counted
    return LimitState(
        workspace=workspace,
        limit=ceiling.limit,
        scope=ceiling.scope,
        value=ceiling.value,
        requests=requests,
        tokens=tokens,
        running=running,
        requests_per_minute=ceiling.requests_per_minute,
        tokens_per_minute=ceiling.tokens_per_minute,
        concurrency=ceiling.concurrency,
    )


def _used(one: LimitState) -> float:
    """The highest share of any of its figures."""
    pairs = (
        (one.requests, one.requests_per_minute),
        (one.tokens, one.tokens_per_minute),
        (one.running, one.concurrency),
    )
    return max((count / most for count, most in pairs if most), default=0.0)
