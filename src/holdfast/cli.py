"""The command line: thin commands over the rooms' verbs. Heavy imports happen inside the command that needs them."""

from __future__ import annotations

import gc
import logging
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from holdfast.cli_changes import apply, changes_app, knowledge_app, releases_app
from holdfast.cli_evals import eval_app, judges_app
from holdfast.cli_feedback import feedback_app
from holdfast.cli_prompts import prompts_app
from holdfast.kernel.errors import HoldfastError

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False, help=__doc__)
key_app = typer.Typer(no_args_is_help=True, help="API keys.")
gateway_app = typer.Typer(no_args_is_help=True, help="The gateway.")
audit_app = typer.Typer(no_args_is_help=True, help="The audit log.")
member_app = typer.Typer(no_args_is_help=True, help="Members.")
app.add_typer(key_app, name="key")
app.add_typer(member_app, name="member")
app.add_typer(audit_app, name="audit")
app.add_typer(gateway_app, name="gateway")
suites_app = typer.Typer(no_args_is_help=True, help="Suites of evals.")
app.add_typer(suites_app, name="suites")
app.add_typer(eval_app, name="eval")
app.add_typer(judges_app, name="judges")
app.add_typer(feedback_app, name="feedback")
app.add_typer(changes_app, name="changes")
app.add_typer(releases_app, name="releases")
app.add_typer(knowledge_app, name="knowledge")
app.add_typer(prompts_app, name="prompts")
app.command("apply")(apply)

Data = Annotated[Path, typer.Option("--data", help="Folder of the embedded stores.")]
Port = Annotated[int, typer.Option("--port", help="Pages, API and OTLP/HTTP.")]
DEFAULT_DATA = Path("data")


def _settings(data: Path | None, **given: Any) -> Any:
    from holdfast.platform.settings import Settings

    values = {name: value for name, value in given.items() if value is not None}
    if data is not None:
        values["data"] = data
    return Settings(**values)


@app.command()
def serve(
    data: Data = DEFAULT_DATA,
    port: Port = 8400,
    host: Annotated[
        str | None, typer.Option(help="Address to bind to; 127.0.0.1 unless told otherwise.")
    ] = None,
    gateway_port: Annotated[int | None, typer.Option(help="Port of the gateway.")] = None,
    grpc_port: Annotated[int | None, typer.Option(help="OTLP/gRPC (4317); 0 switches it off.")] = None,
) -> None:
    """Serve the core: pages, API, OTLP."""
    gc.disable()  # what is loaded stays: to look through it for circles takes a quarter of the start
    from holdfast.app import Core, run

    gc.enable()
    settings = _settings(data, port=port, host=host, gateway_port=gateway_port, grpc_port=grpc_port)
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )

    logging.getLogger("alembic").setLevel(logging.WARNING)

    def started(core: Core) -> None:
        print(f"holdfast: ready at {settings.base_url}", flush=True)

    run(settings, started, grpc_required=grpc_port is not None)


@app.command()
def worker(data: Data = DEFAULT_DATA) -> None:
    """Run the jobs apart from `serve`, on stores that both share."""
    from holdfast.app import work

    settings = _settings(data)
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("alembic").setLevel(logging.WARNING)
    work(settings, lambda: print("holdfast: the worker is ready", flush=True))


@app.command()
def migrate(data: Data = DEFAULT_DATA) -> None:
    """Bring both stores to the form that this version needs, and say what was done."""
    from holdfast.commands import migrate_stores

    print(migrate_stores(_settings(data)))


@app.command()
def up(
    data: Data = DEFAULT_DATA,
    port: Port = 8400,
    host: Annotated[
        str | None, typer.Option(help="Address to bind to; 127.0.0.1 unless told otherwise.")
    ] = None,
    gateway_port: Annotated[int | None, typer.Option(help="Port of the gateway.")] = None,
    grpc_port: Annotated[int | None, typer.Option(help="OTLP/gRPC (4317); 0 switches it off.")] = None,
    demo: Annotated[
        bool, typer.Option("--demo", help="With a real local model and a sample application.")
    ] = False,
) -> None:
    """Start everything on this machine, and stop it all with Ctrl-C."""
    from holdfast.supervisor import supervise

    settings = _settings(data, port=port, host=host, gateway_port=gateway_port, grpc_port=grpc_port)
    sys.exit(supervise(settings, demo=demo, grpc_given=grpc_port is not None))


@key_app.command("create")
def key_create(
    workspace: Annotated[str, typer.Option(help="Workspace (short name); made where missing.")],
    scopes: Annotated[str, typer.Option(help="Comma-separated: ingest gateway read content operate admin.")],
    data: Data = DEFAULT_DATA,
    name: Annotated[str, typer.Option(help="What the key is for.")] = "command line",
) -> None:
    """Make an API key and print it. It is shown this once."""
    from holdfast.commands import create_key

    print(create_key(_settings(data), workspace, scopes, name))


@member_app.command("link")
def member_link(
    email: Annotated[str, typer.Option(help="E-mail address of the member.")],
    data: Data = DEFAULT_DATA,
    port: Port = 8400,
) -> None:
    """Print a one-time sign-in link for a member; earlier links of theirs are void."""
    from holdfast.commands import member_link as make_link

    print(make_link(_settings(data, port=port), email))


@app.command()
def export(
    out: Annotated[Path, typer.Option(help="File to write.")],
    what: Annotated[
        Literal["calls", "operations", "spans", "metrics", "logs", "evaluations", "audit"],
        typer.Option(help="What to export."),
    ] = "calls",
    format: Annotated[Literal["csv", "jsonl", "parquet"], typer.Option(help="File format.")] = "parquet",
    workspace: Annotated[
        str, typer.Option(help="Workspace (short name); may be left out where there is one.")
    ] = "",
    data: Data = DEFAULT_DATA,
) -> None:
    """Write data to a file in an open format; works while the server runs."""
    from holdfast.commands import exporting

    print(exporting.export(_settings(data), what, workspace, format, out))


@app.command("import")
def import_(
    source: Annotated[
        Literal["langfuse", "litellm", "openai", "anthropic", "jsonl"],
        typer.Argument(help="Whose export it is."),
    ],
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="Export files, also gzip.")],
    workspace: Annotated[
        str,
        typer.Option(help="Workspace (short name), made where missing; may be left out where there is one."),
    ] = "",
    system: Annotated[str, typer.Option(help="AI system of all records (short name).")] = "",
    environment: Annotated[str, typer.Option(help="Environment of all records.")] = "",
    mapping: Annotated[
        Path | None, typer.Option(help="YAML file that says where records hold what; for jsonl.")
    ] = None,
    at: Annotated[str, typer.Option(help="Instant of records that state none (2026-11-20T08:00:00Z).")] = "",
    report: Annotated[Path | None, typer.Option(help="File to write the report to (JSON).")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Read and report; store nothing.")] = False,
    data: Data = DEFAULT_DATA,
) -> None:
    """Bring in months of calls from another product's export files; run it again to go on where it was."""
    from holdfast.commands import importing

    wanted = importing.wanted_of(source, files, system, environment, at, mapping, dry_run=dry_run)
    tell = importing.line_teller(sys.stderr)
    code, text = importing.import_history(_settings(data), wanted, workspace, report, tell)
    print(text)
    sys.exit(code)


@audit_app.command("verify")
def audit_verify(
    data: Data = DEFAULT_DATA,
    vkey: Annotated[
        list[str] | None, typer.Option(help="Public key kept elsewhere; may be repeated.")
    ] = None,
    against: Annotated[
        list[Path] | None, typer.Option(help="Stream or export file that the log must continue.")
    ] = None,
) -> None:
    """Recompute the whole audit log and its checkpoints; exit code 1 names the place that does not fit."""
    from holdfast.commands import verify_audit

    code, text = verify_audit(_settings(data), vkey or [], against or [])
    print(text)
    sys.exit(code)


Workspace = Annotated[str, typer.Option(help="Workspace (short name); may be left out where there is one.")]


@app.command()
def rollback(
    subject: Annotated[str, typer.Argument(metavar="ROUTE|CHANGE", help="A route, or a change (chg_…).")],
    reason: Annotated[str, typer.Option(help="Why; on the audit log.")],
    workspace: Workspace = "",
    data: Data = DEFAULT_DATA,
) -> None:
    """Take traffic off a change at once, and tell every gateway; no core need run, and nobody is asked."""
    from holdfast.commands.rollback import roll_back

    status, told = roll_back(_settings(data), subject, reason, workspace)
    print(told)
    raise typer.Exit(status)


@gateway_app.command("serve")
def gateway_serve(
    data: Data = DEFAULT_DATA,
    gateway_port: Annotated[
        int | None, typer.Option(help="Port of the gateway; 8401 unless told otherwise.")
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="Address to bind to; 127.0.0.1 unless told otherwise.")
    ] = None,
) -> None:
    """Serve the gateway: LLM traffic in, to upstreams, recorded. It goes on while the core is away."""
    from holdfast.gateway.proxy.master import Master

    settings = _settings(data, host=host, gateway_port=gateway_port)
    logging.basicConfig(
        level=settings.log_level.upper(), format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("httpx2").setLevel(logging.WARNING)
    where = f"http://{settings.host}:{settings.gateway_port}"
    Master(settings, lambda: print(f"holdfast: the gateway is ready at {where}", flush=True)).run()


@gateway_app.command("apply")
def gateway_apply(
    file: Annotated[Path, typer.Argument(help="The whole configuration, YAML or JSON.")],
    workspace: Workspace = "",
    note: Annotated[str, typer.Option(help="Why; kept with the version and its releases.")] = "",
    expected_version: Annotated[
        int | None, typer.Option(help="Only in place of this version (0: of none).")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would change and what is wrong; change nothing.")
    ] = False,
    data: Data = DEFAULT_DATA,
) -> None:
    """Put a workspace's gateway configuration in force, whole; running gateways take it up within seconds."""
    from holdfast.commands import gateway

    print(gateway.apply(_settings(data), file, workspace, note, expected_version, dry_run=dry_run))


@gateway_app.command("explain")
def gateway_explain(
    model: Annotated[str, typer.Option(help="The model that the request names.")],
    data: Data = DEFAULT_DATA,
    workspace: Annotated[str, typer.Option(help="Slug; may be left out where there is only one.")] = "",
    key: Annotated[str, typer.Option(help="The id of the key that it comes with (key_…).")] = "",
    route: Annotated[str, typer.Option(help="The route that it names.")] = "",
    dialect: Annotated[str, typer.Option(help="openai, anthropic or gemini.")] = "openai",
    say: Annotated[
        list[str] | None, typer.Option(help="What it says of itself, like tenant=acme; may be repeated.")
    ] = None,
) -> None:
    """Say what a request would resolve to, step by step; nothing is sent."""
    from holdfast.commands import gateway

    asked = {"model": model, "key": key, "route": route, "dialect": dialect}
    for one in say or ():
        name, _, value = one.partition("=")
        asked[name] = value
    print(gateway.explain(_settings(data), workspace, asked))


@gateway_app.command("show")
def gateway_show(
    workspace: Workspace = "",
    version: Annotated[int | None, typer.Option(help="A version; the one in force where left out.")] = None,
    data: Data = DEFAULT_DATA,
) -> None:
    """Print a workspace's gateway configuration as YAML."""
    from holdfast.commands import gateway

    print(gateway.show(_settings(data), workspace, version))


@gateway_app.command("lift")
def gateway_lift(
    scope: Annotated[
        str, typer.Option(help="workspace, system, tenant, user, key, route, agent, model or run.")
    ],
    reason: Annotated[str, typer.Option(help="Why; on the audit log.")],
    person: Annotated[str, typer.Option(help="Who answers for it; on the audit log.")],
    value: Annotated[str, typer.Option(help="Of the scope, like a tenant; every one where left out.")] = "",
    minutes: Annotated[int, typer.Option(help="How long; at most 1440.")] = 60,
    extra: Annotated[str, typer.Option(help="Only so much above the budget; else whatever is spent.")] = "",
    limits: Annotated[bool, typer.Option("--limits", help="Lift limits instead of hard budgets.")] = False,
    workspace: Workspace = "",
    data: Data = DEFAULT_DATA,
) -> None:
    """Break-glass: let requests pass a hard budget, or limits, for a while. Gateways hear of it within seconds."""
    from holdfast.commands import lifts as commands

    print(
        commands.lift(
            _settings(data),
            workspace,
            scope=scope,
            value=value,
            minutes=minutes,
            person=person,
            reason=reason,
            extra=extra,
            limits=limits,
        )
    )


@gateway_app.command("lifts")
def gateway_lifts(workspace: Workspace = "", data: Data = DEFAULT_DATA) -> None:
    """List what is lifted now."""
    from holdfast.commands import lifts as commands

    print(commands.lifts(_settings(data), workspace))


@gateway_app.command("unlift")
def gateway_unlift(
    lift: Annotated[str, typer.Argument(help="The id of a lift (lift_…).")],
    workspace: Workspace = "",
    data: Data = DEFAULT_DATA,
) -> None:
    """End a lift before its time."""
    from holdfast.commands import lifts as commands

    print(commands.unlift(_settings(data), workspace, lift))


@suites_app.command("apply")
def suites_apply(
    paths: Annotated[list[Path], typer.Argument(metavar="PATH...", help="Folders, or files of suites.")],
    workspace: Workspace = "",
    note: Annotated[str, typer.Option(help="Why; kept with the versions.")] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would change and what is wrong; change nothing.")
    ] = False,
    data: Data = DEFAULT_DATA,
) -> None:
    """Put suites in force, each as its next version, all or none; print how they differ."""
    from holdfast.commands import suites

    print(suites.apply(_settings(data), paths, workspace, note, dry_run=dry_run))


SuiteName = Annotated[str, typer.Argument(help="The suite.")]


@suites_app.command("list")
def suites_list(workspace: Workspace = "", data: Data = DEFAULT_DATA) -> None:
    """List a workspace's suites."""
    from holdfast.commands import suites

    print(suites.listed(_settings(data), workspace))


@suites_app.command("show")
def suites_show(
    name: SuiteName,
    version: Annotated[int | None, typer.Option(help="A version; the latest where left out.")] = None,
    workspace: Workspace = "",
    data: Data = DEFAULT_DATA,
) -> None:
    """Print a suite as YAML that can be applied again."""
    from holdfast.commands import suites

    print(suites.show(_settings(data), workspace, name, version))


@suites_app.command("diff")
def suites_diff(
    name: SuiteName,
    before: Annotated[
        int | None, typer.Option("--from", help="A version; the one before where left out.")
    ] = None,
    after: Annotated[int | None, typer.Option("--to", help="A version; the latest where left out.")] = None,
    workspace: Workspace = "",
    data: Data = DEFAULT_DATA,
) -> None:
    """Print how two versions of a suite differ."""
    from holdfast.commands import suites

    print(suites.diff(_settings(data), workspace, name, before, after))


@suites_app.command("rebaseline")
def suites_rebaseline(
    name: SuiteName,
    author: Annotated[str, typer.Option(help="The expert who answers for the ground truth.")],
    review_on: Annotated[str, typer.Option(help="The next review (2027-01-31).")],
    file: Annotated[
        Path | None, typer.Option(help="The suite as the expert has corrected it; as it is where left out.")
    ] = None,
    note: Annotated[str, typer.Option(help="Why; on the audit log.")] = "",
    workspace: Workspace = "",
    data: Data = DEFAULT_DATA,
) -> None:
    """Have an expert answer for a suite's ground truth anew; on the audit log with the hashes before and after."""
    from holdfast.commands import suites

    print(suites.rebaseline(_settings(data), workspace, name, author, review_on, file, note))


@suites_app.command("import")
def suites_import(
    file: Annotated[Path, typer.Argument(help="Another tool's suite or data set.")],
    format: Annotated[
        Literal["promptfoo", "openai", "langfuse", "langsmith", "csv", "jsonl"],
        typer.Option(help="Whose it is, or what kind of file."),
    ],
    out: Annotated[Path, typer.Option(help="File to write, for review (.yaml).")],
    name: Annotated[str, typer.Option(help="Of the suite; the file's where left out.")] = "",
    grader: Annotated[
        str, typer.Option(help="For given answers: normalised, exact, contains or similarity.")
    ] = "normalised",
    column: Annotated[
        list[str] | None, typer.Option(help="Our field = their column, like prompt=Frage; may be repeated.")
    ] = None,
) -> None:
    """Write another tool's suite in our form, and list what did not convert; exit code 1 where nothing did."""
    from holdfast.commands import suites

    code, text = suites.imported(file, format, out, name, grader, column or [])
    print(text)
    sys.exit(code)


@app.command()
def doctor(data: Data = DEFAULT_DATA, port: Port = 8400) -> None:
    """Check this machine, the data folder, the stores and the ports; say how to mend what is wrong."""
    from holdfast.commands.doctor import examine

    code, text = examine(_settings(data, port=port))
    print(text)
    sys.exit(code)


@app.command()
def backup(
    out: Annotated[Path, typer.Option(help="File to write (.tar).")], data: Data = DEFAULT_DATA
) -> None:
    """Write SQL, columns and keys as they are at one moment; works while the server runs."""
    from holdfast.commands.backup import write_backup

    print(write_backup(_settings(data), out))


@app.command()
def restore(
    source: Annotated[Path, typer.Option("--from", help="File that `backup` wrote.")],
    data: Data = DEFAULT_DATA,
) -> None:
    """Put a backup into an empty data folder."""
    from holdfast.commands.backup import read_backup

    print(read_backup(_settings(data), source))


def main() -> None:
    """Runs a command; what Holdfast raises on purpose becomes one line and exit code 1."""
    try:
        app()
    except HoldfastError as error:
        print(f"holdfast: {error.detail}", file=sys.stderr)
        sys.exit(1)
