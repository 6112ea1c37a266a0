"""What one gateway knows of a workspace's shared budgets: its place among the others."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import msgspec

from holdfast.gateway.limits.counters import Heard
from holdfast.gateway.limits.ledger import Ledger
from holdfast.gateway.rules.leases import rounded_up
from holdfast.gateway.rules.reservations import Ceiling, Entry, Key, Kind, Reservation

KEPT = 86_400.0
"""Seconds for which what others held is remembered after a window."""


class Row(NamedTuple):
    """What one call says of one account. `need`: units of the ledger that are lacking; `give`: the lease from now on."""

    entry: Entry
    need: int = 0
    give: int | None = None
    closed: bool = False

    def least(self, ledger: Ledger) -> int:
        """What this gateway must be counted with: its lease, or what it used where that is more."""
        standing = ledger.standing(self.entry.key)
        if standing is None:
            return 0
        return rounded_up(max(standing.lease or 0, standing.spent + standing.reserved), self.entry.kind)


class Place:
    """One workspace. `others`: account → end of its window, gateway → what it was granted when last heard of."""

    def __init__(self, workspace: str) -> None:
        self.workspace = workspace
        self.lock = asyncio.Lock()
        self.entries: dict[Key, Entry] = {}
        self.touched: dict[Key, float] = {}
        self.wanted: dict[Key, float] = {}
        self.dry: dict[
            Key, tuple[float, int]
        ] = {}  # so much was not to be had; not to be asked for again before
        self.others: dict[str, tuple[float, Mapping[str, int]]] = {}
        self.roster: frozenset[str] = frozenset()
        self.alive = 1
        self.lends = False
        self.changed = False
        self._parted: dict[Ceiling, Ceiling] = {}

    @staticmethod
    def name(key: Key) -> str:
        """What the counter knows an account by; who is counted in it cannot be read from it."""
        return blake2b("\0".join(key).encode(errors="replace"), digest_size=16).hexdigest()

    def is_dry(self, short: Sequence[tuple[Entry, int]], now: float) -> bool:
        """Whether as little as this was refused a moment ago for one of these."""
        for entry, need in short:
            until, refused = self.dry.get(entry.key, (0.0, 0))
            if until > now and need >= refused:
                return True
        return False

    def forget(self, key: Key) -> None:
        for known in (self.entries, self.touched, self.wanted, self.dry):
            known.pop(key, None)

    def heard(self, heard: Heard) -> None:
        """Who is there, and whether anything is lent."""
        self.changed = self.changed or heard.roster != self.roster
        self.roster = heard.roster
        self.lends = heard.lends
        if heard.alive != self.alive:
            self.alive = heard.alive
            self._parted.clear()

    def learn(self, entry: Entry, held: Mapping[str, int]) -> int:
        """What others hold of an account, in all."""
        name = self.name(entry.key)
        if held and self.others.get(name) != (entry.ends, held):
            self.others[name] = entry.ends, held
            self.changed = True
        return sum(held.values())

    def known(
        self, ledger: Ledger, gateway: str, now: float
    ) -> list[tuple[str, float, list[tuple[str, int]]]]:
        """All that this gateway can say of open windows: account, end, and what each gateway was granted of it."""
        found = {name: (ends, dict(held)) for name, (ends, held) in self.others.items()}
        for standing in ledger.standings():
            if standing.key[0].partition("/")[0] == self.workspace and standing.ends > now:
                mine = max(standing.lease or 0, standing.spent + standing.reserved)
                _, held = found.setdefault(self.name(standing.key), (standing.ends, {}))
                held[gateway] = rounded_up(mine, standing.kind)
        return [(name, ends, list(held.items())) for name, (ends, held) in found.items()]

    def parted(self, asked: Reservation) -> Reservation:
        """The request under this gateway's share of its rates and concurrency."""
        if self.alive == 1 or not asked.ceilings:
            return asked
        return asked._replace(ceilings=tuple(self._share(one) for one in asked.ceilings))

    def _share(self, ceiling: Ceiling) -> Ceiling:
        found = self._parted.get(ceiling)
        if found is None:
            if len(self._parted) > 10_000:
                self._parted.clear()
            found = self._parted[ceiling] = ceiling._replace(
                requests_per_minute=_part(ceiling.requests_per_minute, self.alive),
                tokens_per_minute=_part(ceiling.tokens_per_minute, self.alive),
                concurrency=_part(ceiling.concurrency, self.alive),
            )
        return found


def _part(limit: int | None, gateways: int) -> int | None:
    return None if limit is None else max(limit // gateways, min(limit, 1))


def load(file: Path, ledger: Ledger) -> dict[str, Place]:
    """The places that `save` wrote, and one for each workspace of which the ledger holds a lease."""
    places: dict[str, Place] = {}
    if file.exists():
        for workspace, roster, others in msgspec.msgpack.decode(file.read_bytes()):
            place = places[workspace] = Place(workspace)
            place.roster = frozenset(roster)
            place.others = {name: (ends, held) for name, (ends, held) in others.items()}
    for standing in ledger.standings():
        if standing.lease is not None:
            workspace = standing.key[0].partition("/")[0]
            place = places.setdefault(workspace, Place(workspace))
            budget, value, window = standing.key
            entry = Entry(budget, standing.scope, value, window, 0, standing.ends, True, Kind(standing.kind))
            place.entries[standing.key] = entry
    return places


def save(file: Path, places: Mapping[str, Place], now: float) -> None:
    """Keeps what is known of the others, where it changed; a kill leaves the old or the new."""
    if not any(place.changed for place in places.values()):
        return
    for place in places.values():
        place.others = {name: one for name, one in place.others.items() if one[0] > now - KEPT}
    told = [(place.workspace, sorted(place.roster), place.others) for place in places.values()]
    made = file.with_suffix(".new")
    made.write_bytes(msgspec.msgpack.encode(told))
    made.rename(file)
    for place in places.values():
        place.changed = False
