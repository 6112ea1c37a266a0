"""Which processes may share stores and folders, and who this process is among them."""

from __future__ import annotations

import fcntl
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from holdfast.kernel.errors import Conflict, Invalid
from holdfast.platform.leases import reads
from holdfast.platform.leases.actions import Leases
from holdfast.platform.services import Services
from holdfast.platform.settings import Settings

EMBEDDED, WRITER = "embedded-call-store", "ingest-writer:"


def place(settings: Settings, role: str) -> str:
    """Names this process among those on the same stores. For `serve` it stays the same after a restart."""
    suffix = "" if role == "serve" else f"-{os.getpid()}"
    return f"{socket.gethostname()}:{settings.data.resolve()}:{role}{suffix}"


@contextmanager
def owned(folder: Path) -> Iterator[None]:
    """The data folder is served by this process alone. Raises Conflict where another serves from it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "serve.lock").open("a+") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            handle.seek(0)
            owner = handle.read().strip() or "another process"
            raise Conflict(
                f"the data folder {folder} is in use by process {owner}, which serves from it: stop it, or give each"
                " process a folder of its own with --data; what they share is HOLDFAST_SQL_URL and HOLDFAST_COLUMNS_URL"
            ) from error
        handle.truncate(0)
        handle.write(str(os.getpid()))
        handle.flush()
        yield


def check_worker(settings: Settings) -> None:
    """Raises Invalid where there is nothing that a worker could share."""
    if settings.columns.startswith("chdb://"):
        raise Invalid(
            "a worker shares the call store with `holdfast serve`, and an embedded one (chdb://) belongs to one process:"
            " serve runs the jobs there by itself; name a ClickHouse server in HOLDFAST_COLUMNS_URL to run them apart",
            where="HOLDFAST_COLUMNS_URL",
        )


def open_leases(services: Services, place: str) -> Leases | None:
    """The leases of this process; None where it is alone with embedded stores.

    Raises Conflict where processes with different call stores share one control store.
    """
    columns, database = services.columns, services.database
    if columns.embedded and database.path is not None:
        return None
    with database.reading() as tx:
        now = services.clock()
        live = [
            one
            for prefix in (EMBEDDED, WRITER)
            for one in reads.beginning_with(tx, prefix)
            if one.until > now
        ]
    if not columns.embedded and any(one.name == EMBEDDED for one in live):
        raise _mixed("a process with an embedded call store (chdb://) runs on this control store")
    if columns.embedded and any(one.name != EMBEDDED for one in live):
        raise _mixed("processes with a ClickHouse server as call store run on this control store")
    made = Leases(database, services.clock, place)
    if columns.embedded and not made.have(EMBEDDED):
        made.close()
        raise _mixed("another process with an embedded call store (chdb://) runs on this control store")
    return made


def _mixed(what: str) -> Conflict:
    return Conflict(
        f"{what}: all processes on one control store (HOLDFAST_SQL_URL) use one call store; to run several, give each the"
        " same ClickHouse server in HOLDFAST_COLUMNS_URL, or else each a control store of its own."
        " What ended a moment ago is forgotten after half a minute"
    )
