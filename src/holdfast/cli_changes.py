"""The commands `holdfast apply`, `changes …`, `releases …`, `knowledge …`: what they do is in `commands.changes`."""

from __future__ import annotations

import json as written
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from holdfast.cli_evals import DEFAULT_DATA, Data, Key, Url, Workspace, where

changes_app = typer.Typer(no_args_is_help=True, help="Changes: from draft to completed.")
releases_app = typer.Typer(no_args_is_help=True, help="Releases as files.")
knowledge_app = typer.Typer(no_args_is_help=True, help="Manifests of knowledge bases.")
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
Change = Annotated[str, typer.Argument(help="Its id (chg_…).")]
Reason = Annotated[str, typer.Option(help="Why; on the audit log.")]


def _print(found: Any, lines: Any, json: bool) -> None:
    print(written.dumps(found, indent=2) if json else "\n".join(lines))


def apply(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder with YAML of each route.")],
    plan: Annotated[bool, typer.Option("--plan", help="Say what would be done, and do nothing.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Apply without asking.")] = False,
    beside: Annotated[
        bool, typer.Option("--beside", help="Also where another change of a route is open.")
    ] = False,
    submit: Annotated[bool, typer.Option("--submit", help="Submit what is proposed.")] = False,
    json: Json = False,
    workspace: Workspace = "",
    data: Data = DEFAULT_DATA,
    url: Url = "",
    key: Key = "",
) -> None:
    """Propose what files say of releases. Without --yes a plan alone: exit code 0 no difference, 2 differs, 1 an error."""
    from holdfast.commands import changes

    core = where(data, workspace, url, key)
    files = changes.collected(folder)
    found = changes.planned(core, files)
    if plan or not yes or not found["differs"]:
        _print(found, changes.plan_lines(found), json)
        sys.exit(changes.DIFFERS if found["differs"] else 0)
    done = changes.apply(core, files, found["digest"], beside=beside, submit=submit)
    told = [f"{one['id']}: {one['state']}, {one['class']}: {one['title']}" for one in done["changes"]]
    _print(done, [*changes.plan_lines(found), "applied", *told], json)


@releases_app.command("export")
def releases_export(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder to write into.")],
    workspace: Workspace = "",
    data: Data = DEFAULT_DATA,
    url: Url = "",
    key: Key = "",
) -> None:
    """Write what routes serve as files that apply without a difference."""
    from holdfast.commands import changes

    print(changes.export(where(data, workspace, url, key), folder))


@changes_app.command("list")
def changes_list(
    route: Annotated[str, typer.Option(help="Of this route alone.")] = "",
    state: Annotated[list[str] | None, typer.Option(help="In this state; again for each.")] = None,
    json: Json = False,
    workspace: Workspace = "",
    data: Data = DEFAULT_DATA,
    url: Url = "",
    key: Key = "",
) -> None:
    """List changes, the latest first."""
    from holdfast.commands import changes

    params: dict[str, Any] = {"state": state or [], **({"route": route} if route else {})}
    found = changes.listed(where(data, workspace, url, key), params)
    _print(found, [changes.line(one) for one in found] or ["there is no such change"], json)


@changes_app.command("show")
def changes_show(
    change: Change,
    json: Json = False,
    workspace: Workspace = "",
    data: Data = DEFAULT_DATA,
    url: Url = "",
    key: Key = "",
) -> None:
    """Show a change with its evidence, reviews and gate."""
    from holdfast.commands import changes

    found = changes.shown(where(data, workspace, url, key), change)
    _print(found, changes.shown_lines(found), json)


@changes_app.command("propose")
def changes_propose(
    route: Annotated[str, typer.Option(help="The route.")],
    release: Annotated[str, typer.Option(help="Id of a release in the registry (rel_…).")],
    title: Annotated[str, typer.Option(help="In a line.")],
    rationale: Annotated[str, typer.Option(help="Why.")] = "",
    ticket: Annotated[str, typer.Option(help="Under which ticket.")] = "",
    json: Json = False,
    workspace: Workspace = "",
    data: Data = DEFAULT_DATA,
    url: Url = "",
    key: Key = "",
) -> None:
    """Propose a registered release, such as an earlier one; from files with holdfast apply."""
    from holdfast.commands import changes

    wanted = {
        "route": route,
        "release_id": release,
        "title": title,
        "rationale": rationale,
        "ticket": ticket,
    }
    found = changes.propose(where(data, workspace, url, key), wanted)
    _print(found, [changes.line(found)], json)


def _step(name: str, told: str, decision: str = "") -> None:
    def step(
        change: Change,
        reason: Reason = "",
        json: Json = False,
        workspace: Workspace = "",
        data: Data = DEFAULT_DATA,
        url: Url = "",
        key: Key = "",
    ) -> None:
        from holdfast.commands import changes

        found = changes.act(where(data, workspace, url, key), change, name, reason)
        _print(found, [changes.line(found)], json)

    def review(
        change: Change,
        note: Annotated[str, typer.Option(help="What to say of it; needed to reject.")] = "",
        content: Annotated[
            str, typer.Option(help="The hash of what was read; as it is now where left out.")
        ] = "",
        json: Json = False,
        workspace: Workspace = "",
        data: Data = DEFAULT_DATA,
        url: Url = "",
        key: Key = "",
    ) -> None:
        from holdfast.commands import changes

        found = changes.review(where(data, workspace, url, key), change, decision, note, content)
        _print(found, [f"{change}: {found['decision']} by {found['person']['name']}"], json)

    changes_app.command(name, help=told)(review if decision else step)


_step("submit", "Have its suites run, and ask for reviews.")
_step("approve", "Approve a change of somebody else's.", "approved")
_step("reject", "Reject a change; say why.", "rejected")
_step("advance", "One stage on, before its dwell or samples are there.")
_step("hold", "Have it stand still, with the traffic that it has.")
_step("resume", "Let it go on; its stage begins again.")
_step("withdraw", "Take it back before it served anybody.")


@knowledge_app.command("push")
def knowledge_push(
    source: Annotated[Path, typer.Argument(help="A folder; or CSV or JSON lines: id, hash, source, date.")],
    name: Annotated[str, typer.Option(help="Of the knowledge base.")],
    rationale: Annotated[str, typer.Option(help="Why.")] = "",
    json: Json = False,
    workspace: Workspace = "",
    data: Data = DEFAULT_DATA,
    url: Url = "",
    key: Key = "",
) -> None:
    """Register which documents a knowledge base holds; print the id that a release names as its snapshot."""
    from holdfast.commands import changes

    found = changes.push(where(data, workspace, url, key), source, name, rationale)
    _print(found, [f"{found['id']}  {found['name']}  {found['documents']:,} documents"], json)


@knowledge_app.command("list")
def knowledge_list(
    name: Annotated[str, typer.Option(help="Of this name alone.")] = "",
    json: Json = False,
    workspace: Workspace = "",
    data: Data = DEFAULT_DATA,
    url: Url = "",
    key: Key = "",
) -> None:
    """List manifests, the latest first."""
    from holdfast.commands import changes

    found = changes.manifests(where(data, workspace, url, key), name)
    lines = [f"{it['id']}  {it['created_at']}  {it['name']}  {it['documents']:,} documents" for it in found]
    _print(found, lines or ["there is no manifest yet"], json)


@knowledge_app.command("diff")
def knowledge_diff(
    old: Annotated[str, typer.Argument(help="Id of a manifest (man_…).")],
    new: Annotated[str, typer.Argument(help="Id of another.")],
    json: Json = False,
    workspace: Workspace = "",
    data: Data = DEFAULT_DATA,
    url: Url = "",
    key: Key = "",
) -> None:
    """Print how two manifests differ, in counts and samples."""
    from holdfast.commands import changes

    found = changes.manifest_difference(where(data, workspace, url, key), old, new)
    sorts = ("added", "removed", "changed", "restated")
    lines = [f"{sort}: {found[sort]:,}  {', '.join(found['samples'][sort])}".rstrip() for sort in sorts]
    _print(found, lines, json)
