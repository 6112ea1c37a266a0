"""The commands `holdfast eval …` and `holdfast judges …`: their options; what they do is in `commands`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from holdfast.kernel.errors import HoldfastError

eval_app = typer.Typer(no_args_is_help=True, help="Runs of suites.")
ERROR = 3
"""Exit code of `eval run` where there is no verdict because something is wrong."""
Data = Annotated[Path, typer.Option("--data", help="Folder of the embedded stores.")]
Workspace = Annotated[str, typer.Option(help="Workspace (short name); may be left out where there is one.")]
Url = Annotated[str, typer.Option(envvar="HOLDFAST_URL", help="A core elsewhere: its address.")]
Key = Annotated[
    str, typer.Option(envvar="HOLDFAST_API_KEY", help="Its API key, with the scopes read and operate.")
]
DEFAULT_DATA = Path("data")


def where(data: Path, workspace: str, url: str, key: str) -> Any:
    """The core that a command asks."""
    from holdfast.commands.evals import Where
    from holdfast.platform.settings import Settings

    values: dict[str, Any] = {"data": data}
    return Where(Settings(**values), workspace, url, key)


@eval_app.command("run")
def eval_run(
    suite: Annotated[str, typer.Argument(help="The suite.")],
    release: Annotated[
        str, typer.Option(help="A release of the gateway; what answers the route where left out.")
    ] = "",
    model: Annotated[str, typer.Option(help="A model, where there is neither route nor release.")] = "",
    version: Annotated[int | None, typer.Option(help="Of the suite; the latest where left out.")] = None,
    baseline: Annotated[str, typer.Option(help="Id of a run to be held against.")] = "",
    repeats: Annotated[int | None, typer.Option(help="How often each case is asked.")] = None,
    fail_below: Annotated[float | None, typer.Option(help="The least score of the suite, 0 to 1.")] = None,
    margin: Annotated[
        float | None, typer.Option(help="How much lower than the baseline is accepted.")
    ] = None,
    seed: Annotated[int | None, typer.Option(help="Seed for models that take one.")] = None,
    concurrency: Annotated[int, typer.Option(help="Questions at once.")] = 8,
    max_cost: Annotated[str | None, typer.Option(help="USD that the run may cost.")] = None,
    fresh: Annotated[bool, typer.Option("--fresh", help="Ask everything anew.")] = False,
    json: Annotated[str, typer.Option(help="Write the run as JSON here (- for standard output).")] = "",
    junit: Annotated[str, typer.Option(help="Write JUnit XML here.")] = "",
    markdown: Annotated[str, typer.Option(help="Write a Markdown report here.")] = "",
    workspace: Workspace = "",
    data: Data = DEFAULT_DATA,
    url: Url = "",
    key: Key = "",
) -> None:
    """Ask a suite of a release and wait for the verdict. Exit code 0 pass, 1 fail, 2 inconclusive, 3 an error."""
    from holdfast.commands import evals

    wanted = {
        "suite": suite,
        "release": release,
        "model": model,
        "version": version,
        "baseline": baseline,
        "repeats": repeats,
        "least": fail_below,
        "margin": margin,
        "seed": seed,
        "concurrency": concurrency,
        "max_cost": max_cost,
        "reuse": not fresh,
    }
    try:
        code = evals.run(where(data, workspace, url, key), wanted, evals.Files(json, junit, markdown))
    except HoldfastError as error:
        print(f"holdfast: {error.detail}", file=sys.stderr)
        sys.exit(ERROR)
    sys.exit(code)


@eval_app.command("list")
def eval_list(
    suite: Annotated[str, typer.Option(help="Of this suite alone.")] = "",
    workspace: Workspace = "",
    data: Data = DEFAULT_DATA,
    url: Url = "",
    key: Key = "",
) -> None:
    """List the latest runs."""
    from holdfast.commands import evals

    print(evals.listed(where(data, workspace, url, key), suite))


@eval_app.command("report")
def eval_report(
    run: Annotated[str, typer.Argument(help="Id of a run.")],
    format: Annotated[str, typer.Option(help="markdown, junit or json.")] = "markdown",
    workspace: Workspace = "",
    data: Data = DEFAULT_DATA,
    url: Url = "",
    key: Key = "",
) -> None:
    """Print the report of a run."""
    from holdfast.commands import evals

    print(evals.report(where(data, workspace, url, key), run, format).rstrip("\n"))


judges_app = typer.Typer(no_args_is_help=True, help="Judges: models that grade.")


@judges_app.command("list")
def judges_list(workspace: Workspace = "", data: Data = DEFAULT_DATA, url: Url = "", key: Key = "") -> None:
    """List the judges, and how far each agrees with people."""
    from holdfast.commands import judges

    print(judges.listed(where(data, workspace, url, key)))


@judges_app.command("check")
def judges_check(
    judge: Annotated[str, typer.Argument(help="The judge.")],
    workspace: Workspace = "",
    data: Data = DEFAULT_DATA,
    url: Url = "",
    key: Key = "",
) -> None:
    """Ask a judge about its labelled answers, and print how good it is."""
    from holdfast.commands import judges

    code, told = judges.check(where(data, workspace, url, key), judge)
    print(told)
    sys.exit(code)
