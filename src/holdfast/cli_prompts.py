"""The commands `holdfast prompts import …`: what they do is in `commands.prompts`."""

from __future__ import annotations

import json as written
from pathlib import Path
from typing import Annotated, Any

import typer

from holdfast.cli_evals import DEFAULT_DATA, Data, Key, Url, Workspace, where

prompts_app = typer.Typer(no_args_is_help=True, help="Prompts.")
import_app = typer.Typer(no_args_is_help=True, help="Histories of prompts from elsewhere.")
prompts_app.add_typer(import_app, name="import")
DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would be added, and add nothing.")]
Role = Annotated[str, typer.Option(help="Role of the message that a text becomes.")]
Json = Annotated[bool, typer.Option("--json", help="Print JSON.")]
File = Annotated[Path, typer.Option("--file", help="The file.")]


def _send(core: Any, histories: Any, source: str, dry: bool, json: bool) -> None:
    from holdfast.commands import prompts

    found = prompts.sent(core, histories, source, dry=dry)
    print(written.dumps(found, indent=2) if json else "\n".join(prompts.lines(found, dry)))


@import_app.command("git")
def import_git(
    path: Annotated[str, typer.Option(help="The prompt's file, from the repository's root.")],
    repository: Annotated[Path, typer.Option(help="Folder of the repository.")] = Path(),
    name: Annotated[str, typer.Option(help="Name here; the path without its suffix where left out.")] = "",
    role: Role = "system",
    dry_run: DryRun = False,
    json: Json = False,
    workspace: Workspace = "",
    data: Data = DEFAULT_DATA,
    url: Url = "",
    key: Key = "",
) -> None:
    """Import a file's commits as versions of a prompt, the oldest first."""
    from holdfast.commands import prompts

    histories = prompts.from_git(repository, path, name, role)
    _send(where(data, workspace, url, key), histories, f"git:{path}", dry_run, json)


@import_app.command("langfuse")
def import_langfuse(
    file: File,
    role: Role = "system",
    dry_run: DryRun = False,
    json: Json = False,
    workspace: Workspace = "",
    data: Data = DEFAULT_DATA,
    url: Url = "",
    key: Key = "",
) -> None:
    """Import prompt versions exported from Langfuse as JSON or JSON lines."""
    from holdfast.commands import prompt_sources, prompts

    histories = prompt_sources.from_langfuse(prompts.read(file), role)
    _send(where(data, workspace, url, key), histories, "langfuse", dry_run, json)


@import_app.command("csv")
def import_csv(
    file: File,
    role: Role = "system",
    dry_run: DryRun = False,
    json: Json = False,
    workspace: Workspace = "",
    data: Data = DEFAULT_DATA,
    url: Url = "",
    key: Key = "",
) -> None:
    """Import versions from CSV: name, prompt, author, date, rationale, ticket; the oldest first."""
    from holdfast.commands import prompt_sources, prompts

    histories = prompt_sources.from_csv(prompts.read(file), role)
    _send(where(data, workspace, url, key), histories, "csv", dry_run, json)
