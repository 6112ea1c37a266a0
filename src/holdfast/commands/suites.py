"""`holdfast suites`: suites of evals applied from files, shown, compared and re-baselined. Works while the server runs."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from holdfast.commands import CLI, only_workspace, open_database
from holdfast.evals.actions import imports, judges
from holdfast.evals.actions import suites as actions
from holdfast.evals.actions.files import collected
from holdfast.evals.actions.judges import AppliedJudge
from holdfast.evals.actions.suites import Applied
from holdfast.evals.reads import suites as reads
from holdfast.evals.reads.suites import Compared
from holdfast.kernel.context import Context
from holdfast.kernel.errors import Invalid
from holdfast.kernel.time import iso, utc_now
from holdfast.platform.settings import Settings
from holdfast.platform.tenancy import reads as tenancy
from holdfast.storage.sql import Transaction

MOST_LINES = 400
"""Lines of a difference that are printed for one suite."""


def apply(settings: Settings, paths: list[Path], workspace: str, note: str, *, dry_run: bool) -> str:
    """Puts suites in force, all or none, or with `dry_run` says what that would change. Returns what to tell.

    Raises Invalid with every fault on a line of its own, Conflict, NotFound.
    """
    slug = only_workspace(settings, workspace)
    with _working(settings, slug) as (ctx, tx):
        known = judges.kinds(ctx, tx)
    judged = actions.judge(collected(paths), known)
    if judged.faults:
        error = actions.refusal(judged.faults)
        lines = [f"  {where}: {what}" if where else f"  {what}" for where, what in error.errors]
        raise Invalid("\n".join(["these files cannot be used; nothing was changed", *lines]))
    with _working(settings, slug, writing=not dry_run) as (ctx, tx):
        if dry_run:
            told = judges.planned(ctx, tx, judged.judges)
            done = actions.check(ctx, tx, judged.suites, holdouts=True)
        else:
            told = judges.apply(ctx, tx, judged.judges, note=note)
            done = actions.apply(ctx, tx, judged.suites, holdouts=True, note=note)
    lines = [_judge_said(one, slug, dry_run=dry_run) for one in told]
    return "\n".join([*lines, *(line for one in done for line in _said(one, slug, dry_run=dry_run))])


def _judge_said(one: AppliedJudge, slug: str, *, dry_run: bool) -> str:
    if not one.changed:
        return f"judge {one.name}: nothing differs from version {one.version}, in force in workspace {slug}"
    verb = "would be" if dry_run else "is"
    grades = "" if one.asks_changed else "; what it asks is the same, so its grades stand"
    return (
        f"judge {one.name}: version {one.version} {verb} in force in workspace {slug}, {one.labels} human labels, "
        f"hash {one.hash[:12]}{grades}"
    )


def _said(one: Applied, slug: str, *, dry_run: bool) -> Iterator[str]:
    if not one.changed:
        yield f"{one.name}: nothing differs from version {one.version}, in force in workspace {slug}"
        return
    verb = "would be" if dry_run else "is"
    yield f"{one.name}: version {one.version} {verb} in force in workspace {slug}, hash {one.hash[:12]}"
    yield from (f"  {line}" for line in _bounded(one))


def _bounded(found: Compared | Applied) -> Iterator[str]:
    for number, line in enumerate(found.difference.lines()):
        if number == MOST_LINES:
            yield f"… {len(found.difference.cases):,} cases differ; the rest is not shown"
            return
        yield line


def listed(settings: Settings, workspace: str) -> str:
    """A line for each suite."""
    with _working(settings, only_workspace(settings, workspace)) as (ctx, tx):
        found = reads.latest(ctx, tx)
    lines = [
        f"{one.name}  version {one.version}  {one.cases:,} cases  {one.hash[:12]}  {iso(one.created_at)}"
        for one in found
    ]
    return "\n".join(lines) or "there is no suite yet; apply one with holdfast suites apply"


def show(settings: Settings, workspace: str, name: str, version: int | None) -> str:
    """A version as YAML that can be applied again, after a comment that names it. Raises NotFound."""
    with _working(settings, only_workspace(settings, workspace)) as (ctx, tx):
        return reads.exported(ctx, tx, name, version, holdouts=True).decode().rstrip("\n")


def diff(settings: Settings, workspace: str, name: str, before: int | None, after: int | None) -> str:
    """How two versions differ. Raises NotFound."""
    with _working(settings, only_workspace(settings, workspace)) as (ctx, tx):
        found = reads.compared(ctx, tx, name, before, after, holdouts=True)
    old = found.before.version if found.before else 0
    head = f"{name}: version {old} → {found.after.version}, {found.difference.same:,} cases are the same"
    return "\n".join([head, *(f"  {line}" for line in _bounded(found))])


def rebaseline(
    settings: Settings, workspace: str, name: str, author: str, review_on: str, file: Path | None, note: str
) -> str:
    """An expert answers for a suite's ground truth anew. Raises Invalid, NotFound, Conflict."""
    try:
        until = dt.date.fromisoformat(review_on)
    except ValueError:
        raise Invalid("--review-on is a day, written 2027-01-31", where="review_on") from None
    revised = None
    if file is not None:
        with _working(settings, only_workspace(settings, workspace)) as (ctx, tx):
            known = judges.kinds(ctx, tx)
        judged = actions.read_whole(collected([file]), known)
        if judged.judges or len(judged.suites) != 1:
            raise Invalid("name the one file of the suite", where="file")
        revised = judged.suites[0]
    slug = only_workspace(settings, workspace)
    with _working(settings, slug, writing=True) as (ctx, tx):
        done = actions.rebaseline(ctx, tx, name, author=author, review_on=until, revised=revised, note=note)
    return (
        f"{name}: version {done.version} is in force in workspace {slug}, answered for by {author} "
        f"until {until.isoformat()}; hash {done.hash[:12]}"
    )


def imported(file: Path, form: str, out: Path, name: str, grader: str, columns: list[str]) -> tuple[int, str]:
    """Writes another tool's suite in our form, for review. Exit code (1: nothing converted) and what to tell.

    Raises Invalid.
    """
    named = dict(one.partition("=")[::2] for one in columns)
    (text,) = collected([file]).values()
    found, written = imports.imported(form, file.as_posix(), text, name=name, grader=grader, columns=named)
    lines = [f"  left out: {imports.told(one)}" for one in found.left]
    if found.suite is None:
        return 1, "\n".join(["nothing converted; no file was written", *lines])
    try:
        out.write_bytes(written)
    except OSError as error:
        raise Invalid(f"{out} cannot be written: {error.strerror}", where="out") from error
    head = f"cases in {out}: {len(found.suite.cases):,}; look through it, then: holdfast suites apply {out}"
    return 0, "\n".join([head, *lines])


@contextmanager
def _working(
    settings: Settings, slug: str, *, writing: bool = False
) -> Iterator[tuple[Context, Transaction]]:
    with closing(open_database(settings)) as database:
        transaction = database.transaction() if writing else database.reading()
        with transaction as tx:
            yield Context(tenancy.workspace_by_slug(tx, slug).id, CLI, utc_now()), tx
