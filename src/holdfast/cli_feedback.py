"""The commands `holdfast feedback …`: their options; what they do is in `commands`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from holdfast.cli_evals import DEFAULT_DATA, Data, Key, Url, Workspace, where

feedback_app = typer.Typer(no_args_is_help=True, help="Feedback: a backlog, links, triage.")


def _settings(data: Path) -> Any:
    from holdfast.platform.settings import Settings

    values: dict[str, Any] = {"data": data}
    return Settings(**values)


@feedback_app.command("import")
def feedback_import(
    file: Annotated[Path, typer.Argument(help="CSV with a first line of names, or JSON lines.")],
    format: Annotated[str, typer.Option(help="csv or jsonl; by the file's ending where left out.")] = "",
    column: Annotated[
        list[str] | None, typer.Option(help="Our field = their column, such as comment=text; again for each.")
    ] = None,
    scale: Annotated[
        int | None, typer.Option(help="Scores run from 1 to this; from 0 to 1 where left out.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Check it; keep nothing.")] = False,
    workspace: Workspace = "",
    data: Data = DEFAULT_DATA,
) -> None:
    """Take a backlog in, all or nothing, and print what to do about it. Taken in again, it is kept once."""
    from holdfast.commands import backlog

    print(backlog.imported(_settings(data), file, format, column or [], scale, workspace, dry_run=dry_run))


@feedback_app.command("link-key")
def feedback_link_key(
    name: Annotated[str, typer.Argument(help="What it is for.")],
    origin: Annotated[
        list[str] | None,
        typer.Option(help="A site that may show the widget, as https://shop.example; again for each."),
    ] = None,
    workspace: Workspace = "",
    data: Data = DEFAULT_DATA,
) -> None:
    """Make a key that signs links."""
    from holdfast.commands import backlog

    print(backlog.link_key(_settings(data), name, origin or [], workspace))


@feedback_app.command("link")
def feedback_link(
    call: Annotated[str, typer.Option(help="Id of the call (x-holdfast-call-id).")] = "",
    trace: Annotated[str, typer.Option(help="Id of its trace.")] = "",
    days: Annotated[float, typer.Option(help="How long it holds.")] = 30.0,
    key: Annotated[str, typer.Option(help="Id of the key that signs; the newest where left out.")] = "",
    workspace: Workspace = "",
    data: Data = DEFAULT_DATA,
) -> None:
    """Print a link by which whoever has it gives feedback on one call."""
    from holdfast.commands import backlog

    print(backlog.link(_settings(data), call, trace, days, key, workspace))


@feedback_app.command("triage")
def feedback_triage(
    weeks: Annotated[int, typer.Option(help="How many weeks back items are taken in.")] = 12,
    workspace: Workspace = "",
    data: Data = DEFAULT_DATA,
    url: Url = "",
    key: Key = "",
) -> None:
    """Group the feedback by what it asks about and what went wrong; shows how far it is."""
    from holdfast.commands import feedback

    print(feedback.triage(where(data, workspace, url, key), weeks))
