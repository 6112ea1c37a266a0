"""Verbs: have a lease, keep it while the process lives, give it back.

Instants are the processes' own: their clocks have to agree to within seconds (NTP), which a lease of half a minute bears.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta

from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.time import Clock
from holdfast.platform.leases import store
from holdfast.platform.leases.model import Lease
from holdfast.storage.sql import Database, Transaction

log = logging.getLogger("holdfast.leases")
SECONDS = 30.0


def take(
    tx: Transaction,
    name: str,
    holder: str,
    now: datetime,
    seconds: float = SECONDS,
    value: int = 0,
    *,
    new_only: bool = False,
) -> bool:
    """Takes or keeps a lease. False where another has it; `new_only`: or where there was one."""
    lease = Lease(name, holder, now + timedelta(seconds=seconds), value)
    return store.take(tx, lease, now, new_only=new_only)


def renew(tx: Transaction, lease: Lease, now: datetime, seconds: float = SECONDS) -> bool:
    """Keeps a lease, with its value. False where another has it by now, or nobody."""
    return store.renew(tx, replace(lease, until=now + timedelta(seconds=seconds)))


def give_back(tx: Transaction, name: str, holder: str) -> None:
    """Ends a lease, where the holder still has it."""
    store.give_back(tx, name, holder)


class Leases:
    """The leases of one process: taken when asked for, renewed by a thread until `close`, then given back.

    A holder that cannot reach the control store counts a lease as lost before another may take it.
    """

    def __init__(self, database: Database, clock: Clock, holder: str, seconds: float = SECONDS) -> None:
        self._database = database
        self._clock = clock
        self._holder = holder
        self._seconds = seconds
        self._held: dict[str, float] = {}  # name → when it runs out here, on the monotonic clock
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="leases", daemon=True)
        self._thread.start()

    def have(self, name: str) -> bool:
        """Whether this process has the lease, or gets it now. Raises Unavailable."""
        with self._lock:
            if self._held.get(name, 0.0) > time.monotonic():
                return True
            return self._take(name)

    def alone(self, name: str, run: Callable[[], object]) -> Callable[[], object]:
        """`run`, which does nothing while another process has the lease."""
        return lambda: run() if self.have(name) else None

    def renew(self) -> None:
        """Renews what is held; forgets what another has by now. Raises Unavailable."""
        with self._lock:
            for name in list(self._held):
                if not self._take(name):
                    log.warning("another process has taken over: %s", name)

    def close(self) -> None:
        """Ends the renewing and gives everything back."""
        self._stop.set()
        self._thread.join()
        with self._lock:
            try:
                with self._database.transaction() as tx:
                    for name in self._held:
                        store.give_back(tx, name, self._holder)
            except HoldfastError as error:
                log.warning("leases run out by themselves: %s", error.detail)
            self._held.clear()

    def _take(self, name: str) -> bool:
        begun = time.monotonic()
        with self._database.transaction() as tx:
            taken = take(tx, name, self._holder, self._clock(), self._seconds)
        if taken:
            self._held[name] = begun + self._seconds * 0.8
        else:
            self._held.pop(name, None)
        return taken

    def _run(self) -> None:
        while not self._stop.wait(self._seconds / 3):
            try:
                self.renew()
            except HoldfastError as error:
                log.warning("leases could not be renewed: %s", error.detail)
