"""`holdfast export`: everything in open formats, from a running core or straight from the stores."""

from __future__ import annotations

import contextlib
import csv
import os
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import httpx2

from holdfast.commands import CLI, only_workspace, open_database, refused, running
from holdfast.kernel.context import Context
from holdfast.kernel.errors import Invalid, Unavailable
from holdfast.kernel.time import utc_now
from holdfast.platform.audit import reads as audit
from holdfast.platform.settings import Settings
from holdfast.platform.tenancy import reads as tenancy


def export(settings: Settings, what: str, workspace: str, format_name: str, out: Path) -> str:
    """Writes an export beside `out` and then puts it in its place. Returns what to tell: rows and path.

    Raises Invalid, NotFound, Conflict, Unavailable; `out` is then as it was.
    """
    slug = only_workspace(settings, workspace)
    part = out.with_name(f".{out.name}.{os.getpid()}.part")
    try:
        with ExitStack() as stack:
            write(part, _chunks(settings, stack, what, slug, format_name))
        rows = count_rows(part, format_name)
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)
    return f"{rows} {what} of workspace {slug} written to {out}"


def write(path: Path, chunks: Iterable[bytes]) -> None:
    """Writes a file that only its owner may read, synced. Raises Invalid where it cannot be written."""
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            for chunk in chunks:
                file.write(chunk)
            file.flush()
            os.fsync(file.fileno())
    except OSError as error:
        raise Invalid(
            f"{path.parent / path.name} cannot be written: {error.strerror}", where="out"
        ) from error


def streamed(client: httpx2.Client, url: str, slug: str = "") -> Iterator[bytes]:
    """The body of a running core's answer. Raises what the core says, and Unavailable where it stops midway."""
    try:
        with client.stream("GET", url, headers={"x-holdfast-workspace": slug}) as response:
            if response.status_code >= 400:
                response.read()
                raise refused(response)
            yield from response.iter_raw(1 << 20)
    except httpx2.TransportError as error:
        raise Unavailable(f"the core stopped answering: {error}") from error


def count_rows(path: Path, format_name: str) -> int:
    """How many rows an export has."""
    if format_name == "parquet":
        from pyarrow import parquet  # type: ignore[import-untyped]

        return int(parquet.read_metadata(path).num_rows)
    if format_name == "jsonl":
        with path.open("rb") as file:
            return sum(1 for _ in file)
    with path.open(encoding="utf-8", newline="") as text:
        csv.field_size_limit(1 << 30)
        return max(sum(1 for _ in csv.reader(text)) - 1, 0)


def _chunks(settings: Settings, stack: ExitStack, what: str, slug: str, format_name: str) -> Iterable[bytes]:
    if what == "audit":
        return _audit(settings, slug, format_name)
    client = running(settings)
    if client is not None:
        stack.callback(client.close)
        return streamed(client, f"/api/v1/exports/{what}?format={format_name}", slug)
    from holdfast.app import open_services
    from holdfast.telemetry import actions
    from holdfast.telemetry.reads import exports

    services = open_services(settings)
    stack.callback(services.database.close)
    stack.callback(services.columns.close)
    with services.database.reading() as tx:
        found = tenancy.workspace_by_slug(tx, slug)
    made = exports.export(
        services.columns, found.id, what, format_name, settings.data.resolve() / "tmp", content=True
    )
    with services.database.transaction() as tx:
        actions.export(Context(found.id, CLI, utc_now()), tx, what, format_name, content=True)
    return made


def _audit(settings: Settings, slug: str, format_name: str) -> Iterator[bytes]:
    if format_name != "jsonl":
        raise Invalid(
            "the audit log is exported with --format jsonl, which anybody can verify by the public key",
            where="format",
        )
    database = open_database(settings)
    with contextlib.closing(database), database.reading() as tx:
        found = tenancy.workspace_by_slug(tx, slug)
        ctx = Context(found.id, CLI, utc_now())
        for line in audit.export_lines(ctx, tx):
            yield line.encode() + b"\n"
