"""Which configuration each counted call ran under. One for a process; what it learns is kept in the control store."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict, deque
from collections.abc import Iterable
from dataclasses import dataclass, field

from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.time import Clock
from holdfast.storage.sql import Database
from holdfast.telemetry.model import RETRIEVAL, Facts
from holdfast.telemetry.rules.configurations import (
    RECENT,
    Parts,
    Variation,
    canonical,
    identity,
    learned,
    parts_of,
)
from holdfast.telemetry.store import configurations as store
from holdfast.telemetry.store.configurations import Configuration

log = logging.getLogger("holdfast.configurations")

MOST_FAMILIES = 5_000
MOST_KNOWN = 2_000
"""Configurations of a family that are remembered; of one that was forgotten the store is asked again."""
MOST_WAITING = 10_000

Family = tuple[str, str]
"""System and route (or the agent where there is no route); empty text where a call does not say."""


@dataclass(slots=True)
class Seen:
    """What is known of a family."""

    variation: Variation
    known: OrderedDict[Parts, str] = field(default_factory=OrderedDict)
    recent: deque[Parts] = field(default_factory=lambda: deque(maxlen=RECENT))


def _lent(parameter: str) -> bool:
    return parameter.startswith(RETRIEVAL)


class Configurations:
    """Names the configuration of calls, in the order in which they come. Threads may share it."""

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._families: OrderedDict[tuple[str, Family], Seen] = OrderedDict()
        self._waiting: list[tuple[str, Configuration]] = []
        self._folded: list[tuple[str, Family, Variation, list[tuple[str, str]]]] = []
        self._same: dict[tuple[int, ...], tuple[int, ...]] = {}
        self._one = threading.Lock()

    def of(self, workspace: str, facts: Facts, *, failed: bool) -> str:
        """The configuration of a call; empty where it failed and its span says too little."""
        if failed and facts.instructions is None and all(map(_lent, facts.parameters)):
            return ""
        with self._one:
            return self._of(workspace, facts)

    def named(self, workspace: str, facts: Facts, *, failed: bool) -> str:
        """Like `of` for a call of the past, which says nothing of what varies among the calls of now."""
        if failed and facts.instructions is None and not facts.parameters:
            return ""
        with self._one:
            family = (facts.system or "", facts.route or facts.agent or "")
            seen = self._seen(workspace, family)
            parts = canonical(parts_of(facts), seen.variation)
            return seen.known.get(parts) or self._new(workspace, family, seen, parts)

    def folded(self, workspace: str, ids: Iterable[str]) -> dict[str, str]:
        """Of some configurations, into which other each was folded in the end; those that were not are left out."""
        with self._database.reading() as tx:
            into = store.folds(tx, workspace)
        found = {}
        for one in ids:
            last, steps = one, 0
            while last in into and steps < len(into):
                last, steps = into[last], steps + 1
            if last != one:
                found[one] = last
        return found

    def _of(self, workspace: str, facts: Facts) -> str:
        if facts.instructions:
            facts.instructions = self._shared(facts.instructions)
        family = (facts.system or "", facts.route or facts.agent or "")
        seen = self._seen(workspace, family)
        parts = canonical(parts_of(facts), seen.variation)
        seen.recent.append(parts)
        named = seen.known.get(parts)
        if named is not None:
            return named
        varies = learned(seen.recent, seen.variation)
        if varies != seen.variation:
            parts = self._fold(workspace, family, seen, varies, parts)
            named = seen.known.get(parts)
            if named is not None:
                return named
        return self._new(workspace, family, seen, parts)

    def keep(self) -> None:
        """Writes what is new to the control store; where that cannot be done now it is done the next time."""
        with self._one:
            self._keep()

    def _keep(self) -> None:
        if not self._waiting and not self._folded:
            return
        try:
            with self._database.transaction() as tx:
                for workspace, one in self._waiting:
                    store.put(tx, workspace, one)
                for workspace, family, varies, folds in self._folded:
                    store.put_variation(tx, workspace, family, varies)
                    for gone, into in folds:
                        store.fold(tx, workspace, gone, into)
        except HoldfastError as error:
            log.warning("configurations are written later: %s", error)
            del self._waiting[:-MOST_WAITING]
            return
        self._waiting.clear()
        self._folded.clear()

    def _new(self, workspace: str, family: Family, seen: Seen, parts: Parts) -> str:
        named = seen.known[parts] = identity(family, parts)
        if len(seen.known) > MOST_KNOWN:
            seen.known.popitem(last=False)
        self._waiting.append((workspace, Configuration(named, *family, parts, None, self._clock())))
        return named

    def _fold(self, workspace: str, family: Family, seen: Seen, varies: Variation, parts: Parts) -> Parts:
        """From now on what varies is left out; what was named apart for it alone is counted as one."""
        folds = []
        known: OrderedDict[Parts, str] = OrderedDict()
        for before, named in seen.known.items():
            after = canonical(before, varies)
            if after == before:
                known[before] = named
                continue
            into = known.get(after)
            if into is None:
                into = known[after] = identity(family, after)
                self._waiting.append((workspace, Configuration(into, *family, after, None, self._clock())))
            folds.append((named, into))
        seen.variation, seen.known = varies, known
        for number, one in enumerate(seen.recent):
            seen.recent[number] = canonical(one, varies)
        self._folded.append((workspace, family, varies, folds))
        return canonical(parts, varies)

    def _seen(self, workspace: str, family: Family) -> Seen:
        key = (workspace, family)
        seen = self._families.get(key)
        if seen is None:
            self._keep()
            with self._database.reading() as tx:
                seen = Seen(store.variation(tx, workspace, family))
            self._families[key] = seen
            if len(self._families) > MOST_FAMILIES:
                self._families.popitem(last=False)
        else:
            self._families.move_to_end(key)
        return seen

    def _shared(self, instructions: tuple[int, ...]) -> tuple[int, ...]:
        """One tuple for all that are equal: a prompt's fingerprints come with every call."""
        if len(self._same) > MOST_WAITING:
            self._same.clear()
        return self._same.setdefault(instructions, instructions)
