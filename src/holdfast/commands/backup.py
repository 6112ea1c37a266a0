"""`holdfast backup` and `holdfast restore`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import ExitStack, nullcontext
from pathlib import Path

from holdfast import backups
from holdfast.commands import running
from holdfast.commands.exporting import streamed, write
from holdfast.kernel.errors import NotFound
from holdfast.platform.settings import Settings
from holdfast.storage.backup import check_embedded


def write_backup(settings: Settings, out: Path) -> str:
    """Writes a backup beside `out`, then puts it in its place. Returns what to tell.

    Raises Invalid where a store is a server, NotFound where there is nothing to back up, Conflict, Unavailable.
    """
    check_embedded(settings.columns, settings.sql)
    if not (settings.data / "holdfast.db").exists():
        raise NotFound(f"there is no Holdfast data in {settings.data.resolve()}: give its folder with --data")
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        with ExitStack() as stack:
            write(part, _chunks(settings, stack))
        size = part.stat().st_size
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return f"backup of {settings.data.resolve()} written to {out} ({size / 1e6:.1f} MB); it holds keys: keep it safe"


def read_backup(settings: Settings, source: Path) -> str:
    """Restores into an empty folder. Returns what to tell. Raises Conflict, Invalid (see `backups.restore`)."""
    manifest = backups.restore(source, settings)
    rows = ", ".join(f"{count} {table}" for table, count in manifest["rows"].items() if table != "migrations")
    return (
        f"restored the backup of {manifest['made_at']} (Holdfast {manifest['holdfast']}) into"
        f" {settings.data.resolve()}: {len(manifest['files'])} files, each verified; rows: {rows}"
    )


def _chunks(settings: Settings, stack: ExitStack) -> Iterable[bytes]:
    client = running(settings)
    if client is not None:
        stack.callback(client.close)
        return streamed(client, "/local/backup")
    from holdfast.app import open_services

    services = open_services(settings)
    stack.callback(services.database.close)
    stack.callback(services.columns.close)
    return backups.chunks(settings, services.database, services.columns, nullcontext())
