"""`holdfast gateway apply` and `show`: the operator's way to a workspace's configuration."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import Any

import httpx2
import yaml

from holdfast.commands import CLI, only_workspace, open_database, refused, running
from holdfast.gateway import actions
from holdfast.gateway.reads import applied as reads
from holdfast.kernel.context import Context
from holdfast.kernel.errors import HoldfastError, Invalid, Unavailable
from holdfast.kernel.time import iso, utc_now
from holdfast.platform.settings import Settings
from holdfast.platform.tenancy import reads as tenancy
from holdfast.storage.sql import Database, Transaction

PATH = "/api/v1/gateway"


def apply(
    settings: Settings, file: Path, workspace: str, note: str, expected: int | None, *, dry_run: bool
) -> str:
    """Puts a file in force, or with `dry_run` says what it would change. Returns what to tell.

    Raises Invalid with every fault on a line of its own, Conflict, NotFound, Unavailable.
    """
    text = _read(file)
    slug = only_workspace(settings, workspace)
    client = running(settings)
    if client is None:
        told = _apply_here(settings, text, slug, note, expected, dry_run=dry_run)
    else:
        with closing(client):
            told = _ask_to_apply(client, text, slug, note, expected, dry_run=dry_run)
    return _said(told, slug, dry_run=dry_run)


def show(settings: Settings, workspace: str, version: int | None) -> str:
    """A version as YAML that can be applied again, after a comment that names it. Raises NotFound."""
    slug = only_workspace(settings, workspace)
    with closing(open_database(settings)) as database, database.reading() as tx:
        ctx = _context(tx, slug)
        found = reads.current(ctx, tx) if version is None else reads.version(ctx, tx, version)
    if found is None:
        return f"# workspace {slug} has no configuration of the gateway yet"
    note = f": {found.note}" if found.note else ""
    head = f"# workspace {slug}, version {found.version}, {iso(found.applied_at)}, {found.applied_by}{note}"
    lines = [" ".join(head.split())]
    lines += [f"# release {name}: {release}" for name, release in found.release_ids.items()]
    body = yaml.safe_dump(dict(found.document), sort_keys=False, allow_unicode=True)
    return "\n".join([*lines, body.rstrip()])


def explain(settings: Settings, workspace: str, asked: dict[str, str]) -> str:
    """What a request would resolve to, for people to read. Raises Unavailable, Invalid, NotFound."""
    slug = only_workspace(settings, workspace)
    client = running(settings)
    if client is None:
        raise Unavailable("no core runs on this data folder; start it with holdfast up or holdfast serve")
    with closing(client):
        answer = client.post(f"{PATH}/explain", json=asked, headers={"x-holdfast-workspace": slug})
    if answer.status_code != 200:
        raise refused(answer)
    return _explained(answer.json(), slug)


def _explained(told: dict[str, Any], slug: str) -> str:
    lines = [f"workspace {slug}, version {told['version']} of its configuration"]
    if told["refused"]:
        return "\n".join([*lines, f"  refused: {told['refused']}"])
    lines += [f"  {step}" for step in told["steps"]]
    if told["release"]:
        lines.append(f"  release id {told['release_id']}")
    said = [f"{name} {value}" for name, value in told["dimensions"].items() if value]
    if said:
        lines.append("  recorded as " + ", ".join(said))
    for number, one in enumerate(told["chain"], 1):
        words = [f"{one['upstream']} ({one['provider']})", one["model"]]
        words += ["said in " + one["dialect"]] if one["translated"] else []
        words += [] if one["priced"] else ["no price known: hard budgets refuse it"]
        lines.append(f"  {number}. " + ", ".join(words))
    return "\n".join(lines + [f"  counts against: {one}" for one in told["budgets"]])


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise Invalid(f"{file} cannot be read: {error.strerror}", where="file") from error


def _apply_here(
    settings: Settings, text: bytes, slug: str, note: str, expected: int | None, *, dry_run: bool
) -> dict[str, Any]:
    """The same as the core answers, where none runs."""
    try:
        judged = actions.judge(settings, text)
        with closing(open_database(settings)) as database:
            return _done(database, judged, slug, note, expected, dry_run=dry_run)
    except Invalid as error:
        raise _faults([{"where": where, "reason": what} for where, what in error.errors], error) from error


def _done(
    database: Database, judged: actions.Judged, slug: str, note: str, expected: int | None, *, dry_run: bool
) -> dict[str, Any]:
    with database.transaction() as tx:
        ctx = _context(tx, slug)
        if dry_run:
            found = actions.check(ctx, tx, judged)
            if found.faults:
                raise actions.refusal(found.faults)
            number, changed, warnings = found.version, found.changes, found.warnings
        else:
            made = actions.apply(ctx, tx, judged, expected_version=expected, note=note)
            number, changed, warnings = made.version.version, made.changes, made.warnings
    return {
        "version": number,
        "changes": [{"where": one.where, "what": one.what, "fields": one.fields} for one in changed],
        "warnings": [{"where": one.where, "reason": one.what} for one in warnings],
    }


def _ask_to_apply(
    client: httpx2.Client, text: bytes, slug: str, note: str, expected: int | None, *, dry_run: bool
) -> dict[str, Any]:
    headers = {"x-holdfast-workspace": slug, "content-type": "application/yaml"}
    if dry_run:
        answer = client.post(f"{PATH}/check", content=text, headers=headers)
    else:
        params: dict[str, Any] = {"note": note}
        if expected is not None:
            params["expected_version"] = expected
        answer = client.put(PATH, content=text, headers=headers, params=params)
    told: dict[str, Any] = answer.json() if answer.status_code in (200, 422) else {}
    if told.get("errors"):
        raise _faults(told["errors"], refused(answer))
    if answer.status_code != 200:
        raise refused(answer)
    return told


def _faults(errors: list[dict[str, Any]], otherwise: HoldfastError) -> HoldfastError:
    if not errors:
        return otherwise
    lines = [f"  {one['where']}: {one['reason']}" for one in errors]
    return Invalid("\n".join(["the configuration cannot be used; nothing was changed", *lines]))


def _said(told: dict[str, Any], slug: str, *, dry_run: bool) -> str:
    if not told["changes"]:
        lines = [f"nothing differs from version {told['version']}, which is in force in workspace {slug}"]
    elif dry_run:
        lines = [f"version {told['version']} is in force in workspace {slug}; this would change:"]
    else:
        lines = [f"version {told['version']} is in force in workspace {slug}"]
    for one in told["changes"]:
        fields = f" ({', '.join(one['fields'])})" if one["fields"] else ""
        lines.append(f"  {one['what']:<8} {one['where']}{fields}")
    lines += [f"  warning: {one['where']}: {one['reason']}" for one in told["warnings"]]
    return "\n".join(lines)


def _context(tx: Transaction, slug: str) -> Context:
    return Context(tenancy.workspace_by_slug(tx, slug).id, CLI, utc_now())
