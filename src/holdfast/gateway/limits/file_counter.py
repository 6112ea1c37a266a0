"""A file as the counter of shared budgets, for the workers of one machine where there is no Redis.

One log, appended to under a lock that the kernel lets go of when its holder dies. Each worker keeps what the log says in
memory and, when it has the lock, first reads what the others appended since. A record that a kill tore is cut off by the
next to come. Nothing is synced: a killed worker loses nothing; after a power cut each worker tells of its own lease again
when it first asks, so only what one that has not asked yet had taken in the last seconds before is unknown.

It always lends. A worker that never comes back keeps its lease until the window ends, as with Redis.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from struct import Struct
from typing import Any
from zlib import crc32

import msgspec

from holdfast.gateway.limits.counters import Ask, Heard, Known, Told
from holdfast.gateway.limits.journal import frames
from holdfast.gateway.rules.leases import lease
from holdfast.kernel.errors import Unavailable

REWRITE_AT = 4 * 1024 * 1024
"""Bytes after which the log is written anew with only what still counts."""
ALIVE = 5.0
WANTED = 3.0
KEPT = 86_400.0
"""Seconds for which an account is kept after its window, and a worker is expected after it last spoke."""
AWAY = 1.0

GRANTED, CLOSED, SEEN, LEFT = range(4)
_HEAD = Struct(">II")
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder().decode


class _Pooled:
    """One account: what each worker has been granted of it."""

    __slots__ = ("closed", "ends", "held", "wanted")

    def __init__(self, ends: float) -> None:
        self.ends = ends
        self.held: dict[str, int] = {}
        self.closed = False
        self.wanted = 0.0


class FileCounter:
    """`folder` is shared by all workers; `gateway` is this one's name, the same after a restart.

    Raises Unavailable where the folder cannot be used; `ask` raises nothing. The lock is held for microseconds, so it is
    waited for.
    """

    def __init__(self, folder: Path, gateway: str, clock: Callable[[], float]) -> None:
        self._gateway = gateway
        self._clock = clock
        self._path = folder / "leases"
        self._log = -1
        self._read = 0
        self._accounts: dict[str, _Pooled] = {}
        self._seen: dict[str, float] = {}
        self.away = False
        self.retry_at = 0.0
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(folder / "leases.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise Unavailable(f"the shared budgets in {folder} cannot be read: {error.strerror}") from error

    async def ask(
        self, workspace: str, roster: Sequence[str], asks: Sequence[Ask], known: Known
    ) -> Heard | None:
        """As `Counter.ask`. The log remembers, so `roster` and `known` are not needed."""
        try:
            with self._locked():
                return self._answer(workspace, asks)
        except OSError:
            self.away = True
            self.retry_at = self._clock() + AWAY
            return None

    async def leave(self, workspace: str) -> None:
        """As `Counter.leave`, of all workspaces: a worker serves them all or none."""
        try:
            with self._locked():
                self._append([(LEFT, self._gateway)])
        except OSError:
            self.away = True

    def close(self) -> None:
        """Lets go of the files."""
        for file in (self._log, self._lock):
            if file >= 0:
                os.close(file)
        self._log = self._lock = -1

    @contextmanager
    def _locked(self) -> Iterator[None]:
        fcntl.flock(self._lock, fcntl.LOCK_EX)
        try:
            self._catch_up()
            yield
            self.away = False
            self.retry_at = 0.0
        finally:
            fcntl.flock(self._lock, fcntl.LOCK_UN)

    def _catch_up(self) -> None:
        """Reads what others appended, all of it where the log was written anew; cuts off what a kill tore."""
        if self._log < 0 or not self._path.exists() or os.fstat(self._log).st_ino != self._path.stat().st_ino:
            if self._log >= 0:
                os.close(self._log)
            self._log = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            self._read = 0
            self._accounts.clear()
            self._seen.clear()
        size = os.fstat(self._log).st_size
        if size > self._read:
            found, torn = frames(os.pread(self._log, size - self._read, self._read))
            for record in found:
                for event in _decode(record):
                    self._repeat(event)
            self._read = size - torn
            if torn:
                os.ftruncate(self._log, self._read)

    def _repeat(self, event: Sequence[Any]) -> None:
        what, *rest = event
        if what == GRANTED:
            name, ends, gateway, granted, wanted = rest
            account = self._account(name, ends)
            account.ends = max(account.ends, ends)
            account.wanted = max(account.wanted, wanted)
            account.held[gateway] = granted
        elif what == CLOSED:
            self._account(rest[0], rest[1]).closed = True
        elif what == SEEN:
            self._seen[rest[0]] = rest[1]
        elif what == LEFT:
            self._seen.pop(rest[0], None)

    def _account(self, name: str, ends: float) -> _Pooled:
        found = self._accounts.get(name)
        if found is None:
            found = self._accounts[name] = _Pooled(ends)
        return found

    def _answer(self, workspace: str, asks: Sequence[Ask]) -> Heard:
        now = self._clock()
        events: list[tuple[Any, ...]] = []
        if self._seen.get(self._gateway, 0.0) < now - ALIVE / 5:
            events.append((SEEN, self._gateway, now))
        alive = sum(1 for name, at in self._seen.items() if at > now - ALIVE and name != self._gateway) + 1
        told = []
        for one in asks:
            name = f"{workspace}/{one.name}"
            account = self._accounts.get(name) or _Pooled(one.ends)
            held = account.held.get(self._gateway, 0)
            others = {gateway: count for gateway, count in account.held.items() if gateway != self._gateway}
            mine = max(held if one.give is None else one.give, one.least)
            remaining = one.cap - sum(others.values()) - mine
            more = lease(one.need, remaining, alive)
            wanted = account.wanted
            told.append(Told(mine + more, others, account.closed or one.closed, 0 <= now - wanted < WANTED))
            if one.need and not more:
                wanted = now
            if mine + more != held or name not in self._accounts or wanted != account.wanted:
                events.append((GRANTED, name, one.ends, self._gateway, mine + more, wanted))
            if one.closed and not account.closed:
                events.append((CLOSED, name, one.ends))
        self._append(events)
        roster = frozenset(name for name, at in self._seen.items() if at > now - KEPT)
        return Heard(True, alive, roster, tuple(told))

    def _append(self, events: list[tuple[Any, ...]]) -> None:
        """Writes first, then takes over what was written; an OSError leaves both as they were."""
        if not events:
            return
        record = _encode(events)
        data = _HEAD.pack(len(record), crc32(record)) + record
        if os.write(self._log, data) != len(data):
            os.ftruncate(self._log, self._read)
            raise OSError("the disk is full")
        self._read += len(data)
        for event in events:
            self._repeat(event)
        if self._read > REWRITE_AT:
            self._rewrite()

    def _rewrite(self) -> None:
        """Puts a log in place that says only what still counts; the others notice that it is another file."""
        now = self._clock()
        events: list[tuple[Any, ...]] = [(SEEN, *one) for one in self._seen.items() if one[1] > now - KEPT]
        for name, account in self._accounts.items():
            if account.ends > now - KEPT:
                for gateway, count in account.held.items():
                    events.append((GRANTED, name, account.ends, gateway, count, account.wanted))
                if account.closed:
                    events.append((CLOSED, name, account.ends))
        record = _encode(events)
        made = self._path.with_suffix(".new")
        made.write_bytes(_HEAD.pack(len(record), crc32(record)) + record)
        made.rename(self._path)
        self._catch_up()
