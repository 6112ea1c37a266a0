"""`holdfast feedback`: a backlog taken in from a file, and links that need no log-in. Works while the server runs."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

from holdfast.commands import CLI, only_workspace, open_database
from holdfast.feedback.actions import backlog, links
from holdfast.feedback.actions.taking import Taking
from holdfast.kernel.context import Context
from holdfast.kernel.errors import Invalid
from holdfast.kernel.time import iso, utc_now
from holdfast.platform.settings import Settings
from holdfast.platform.tenancy import reads as tenancy
from holdfast.storage.sql import Database

LARGEST = 1 << 30


def imported(
    settings: Settings,
    file: Path,
    form: str,
    columns: list[str],
    scale: int | None,
    workspace: str,
    *,
    dry_run: bool,
) -> str:
    """Takes a file in; returns what to tell. Raises Invalid with every fault on a line of its own, Conflict."""
    try:
        if file.stat().st_size > LARGEST:
            raise Invalid(f"{file} is larger than 1 GiB; split it", where="file")
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise Invalid(f"{file} cannot be read as UTF-8: {error}", where="file") from error
    chosen = form or {".csv": "csv"}.get(file.suffix.lower(), "jsonl")
    if chosen not in ("csv", "jsonl"):
        raise Invalid("a backlog is csv or jsonl", where="format")
    named = dict(one.partition("=")[::2] for one in columns)
    with _working(settings, workspace) as (ctx, database):
        try:
            read = backlog.read(ctx, file.name, text, chosen, named, scale)
        except Invalid as error:
            lines = [f"  {where}: {what}" if where else f"  {what}" for where, what in error.errors]
            raise Invalid("\n".join(["this backlog cannot be used; nothing was kept", *lines])) from error
        taking = Taking(settings, database)
        done = backlog.take(taking, ctx, read, file=file.name, dry_run=dry_run, tell=_tell)
        with database.reading() as tx:
            steps = backlog.planned(ctx, tx)
    verb = "would be added" if dry_run else "added"
    lines = [
        f"{done.rows:,} rows: {done.added:,} {verb}, {done.known:,} there before, {done.copies:,} say the same as another"
    ]
    if done.behaviour:
        lines.append(f"{done.behaviour:,} rows of computed behaviour were left out")
    if steps:
        lines.append("what to do about all that is open, the heaviest first:")
    for number, one in enumerate(steps, 1):
        owner = one.owner or "unknown: name one"
        lines.append(
            f"  {number}. {one.group or '(not sorted)'}: {one.items:,} items, severity {one.severity:.2f}; "
            f"owner {owner}; {one.next}"
        )
    return "\n".join(lines)


def _tell(done: int, total: int) -> None:
    end = "\n" if done == total else ""
    print(f"\r{done:,} of {total:,} ({done / total:.0%})", end=end, file=sys.stderr, flush=True)


def link_key(settings: Settings, name: str, origins: list[str], workspace: str) -> str:
    """Makes a key for links. Raises Invalid."""
    with _working(settings, workspace) as (ctx, database), database.transaction() as tx:
        made = links.add_key(ctx, tx, name, tuple(origins))
    return f"{made.id}: signs links from now on; revoke it to end them all"


def link(settings: Settings, call: str, trace: str, days: float, key: str, workspace: str) -> str:
    """A link for one call. Raises Invalid, NotFound."""
    with _working(settings, workspace) as (ctx, database), database.reading() as tx:
        token, until = links.sign(
            ctx,
            tx,
            settings,
            call_id=call or None,
            trace_id=trace.lower() or None,
            life=timedelta(days=days),
            key=key,
        )
    return f"{settings.base_url}/f/{token}\nholds until {iso(until)}"


@contextmanager
def _working(settings: Settings, workspace: str) -> Iterator[tuple[Context, Database]]:
    slug = only_workspace(settings, workspace)
    with closing(open_database(settings)) as database:
        with database.reading() as tx:
            found = tenancy.workspace_by_slug(tx, slug).id
        yield Context(found, CLI, utc_now()), database
