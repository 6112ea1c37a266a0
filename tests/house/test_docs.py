"""The reference names all that can be set, called, asked for or met; and what documents name exists."""

from __future__ import annotations

import ast
import inspect
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import pytest
import typer
from setup import reference

from holdfast.app import make_api
from holdfast.cli import app as cli
from holdfast.kernel.time import utc_now
from holdfast.platform.access.model import Role, Scope
from holdfast.platform.services import Services
from holdfast.platform.settings import Settings
from holdfast.telemetry.conventions.shelf import TABLE
from holdfast.telemetry.model import ErrorClass, Kind
from holdfast.telemetry.reads.shapes import call_json
from holdfast.telemetry.receiver.grpc import SERVICES
from holdfast.telemetry.receiver.http import CODES, PATHS
from holdfast.telemetry.rules.quality import SENTENCES

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCE = ROOT / "src" / "holdfast"
REFERENCE = ROOT / "docs" / "reference"


def page(name: str) -> str:
    return (REFERENCE / name).read_text(encoding="utf-8")


def missing(wanted: Iterable[str], text: str) -> list[str]:
    """What a page does not name. Names stand in backticks, so that `port` is not found in `support`."""
    named = set(re.findall(r"`([^`\n]+)`", text))
    return sorted(set(wanted) - named)


def test_a_name_that_is_not_there_is_missed() -> None:
    assert missing(["HOLDFAST_PORT", "HOLDFAST_HUE"], "| `HOLDFAST_PORT` | HOLDFAST_HUE |") == [
        "HOLDFAST_HUE"
    ]


def test_every_setting_is_documented() -> None:
    variables = [f"HOLDFAST_{name.upper()}" for name in Settings.model_fields]
    assert missing(variables, page("settings.md")) == []


@pytest.mark.parametrize("name", reference.TABLES)
def test_written_tables_are_as_the_code_would_write_them(name: str) -> None:
    file, make = reference.TABLES[name]
    assert reference.renewed(page(file), name, make()) == page(file), "run setup/reference.py"


def test_a_table_that_is_behind_or_gone_is_found() -> None:
    behind = page("settings.md").replace("`8400`", "`8401`")
    assert reference.renewed(behind, "settings", reference.settings_table()) != behind
    with pytest.raises(ValueError, match="no place"):
        reference.renewed("# Settings\n", "settings", reference.settings_table())


def commands(command: Any, path: tuple[str, ...] = ("holdfast",)) -> Iterator[tuple[str, list[str]]]:
    """Every command with its options."""
    if hasattr(command, "commands"):
        for name, inner in command.commands.items():
            yield from commands(inner, (*path, name))
    else:
        yield (
            " ".join(path),
            [option for one in command.params for option in one.opts if option.startswith("--")],
        )


def undocumented_commands(found: Iterable[tuple[str, list[str]]], text: str) -> list[str]:
    """Commands without a section of their own, and options that their section does not name."""
    sections = dict(re.findall(r"^## `(holdfast[^`]*)`\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE))
    faults = []
    for name, options in found:
        if name not in sections:
            faults.append(name)
        else:
            faults += [f"{name} {option}" for option in missing(options, sections[name])]
    return faults


def test_every_command_and_option_is_documented() -> None:
    found = list(commands(typer.main.get_command(cli)))
    assert len(found) >= 9
    assert undocumented_commands(found, page("cli.md")) == []


def test_an_option_of_another_command_does_not_count() -> None:
    text = "## `holdfast up`\n`--port`\n\n## `holdfast serve`\n`--data`\n"
    found = [("holdfast up", ["--port"]), ("holdfast serve", ["--port"]), ("holdfast doctor", [])]
    assert undocumented_commands(found, text) == ["holdfast serve --port", "holdfast doctor"]


def routes() -> Iterator[tuple[str, str, str]]:
    """(method, path, scope) of every JSON and page route. The scope is empty where the route asks for none."""
    nothing: Any = None
    api = make_api(Services(Settings(), utc_now, nothing, nothing), nothing)

    def walk(found: Iterable[Any]) -> Iterator[Any]:
        for route in found:
            if hasattr(route, "dependant"):
                yield route
            elif hasattr(route, "original_router"):  # how FastAPI holds an included router
                yield from walk(route.original_router.routes)

    for route in walk(api.routes):
        for method in sorted(route.methods - {"HEAD"}):
            yield method, route.path, scope_of(route)


def scope_of(route: Any) -> str:
    """The permission that a route's dependency asks for, and whether it must hold in the whole workspace."""
    for dependency in route.dependant.dependencies:
        given = inspect.getclosurevars(dependency.call).nonlocals
        if isinstance(given.get("needed"), Scope):
            return f"{given['needed'].value}{', whole workspace' if given.get('everywhere') else ''}"
    return ""


def documented_routes(text: str) -> dict[tuple[str, str], str]:
    """(method, path) → what the table says about permission."""
    rows = re.findall(r"^\| (GET|POST|PUT|PATCH|DELETE) \| `([^`]+)` \| ([^|]*) \|", text, re.MULTILINE)
    return {(method, path): scope.strip() for method, path, scope in rows}


def undocumented_routes(
    found: Iterable[tuple[str, str, str]], told: Mapping[tuple[str, str], str]
) -> list[str]:
    faults = []
    for method, path, scope in found:
        if (method, path) not in told:
            faults.append(f"{method} {path}")
        elif scope and told[method, path] != scope:
            faults.append(f"{method} {path} needs {scope}, not {told[method, path]}")
    return faults


def test_every_route_is_documented_with_its_permission() -> None:
    found = list(routes())
    assert len(found) > 30
    assert undocumented_routes(found, documented_routes(page("http-api.md"))) == []


def test_a_missing_route_and_a_wrong_permission_are_found() -> None:
    told = documented_routes("| GET | `/api/v1/calls` | admin | all |\n| POST | `/sign-in` | – | … |\n")
    found = [("GET", "/api/v1/calls", "read"), ("POST", "/sign-in", ""), ("GET", "/api/v1/keys", "admin")]
    assert undocumented_routes(found, told) == ["GET /api/v1/calls needs read, not admin", "GET /api/v1/keys"]


def test_the_otlp_doors_are_documented() -> None:
    wanted = [f"POST {path}" for path in PATHS] + [f"{service}/Export" for service in SERVICES]
    assert missing([*wanted, *map(str, CODES)], page("otlp.md")) == []


def recorded_actions(files: Mapping[str, str]) -> set[str]:
    """The names that the code gives to audit entries: the keyword `action` of every call of something `.record`."""
    constants: dict[str, str] = {}
    trees = [ast.parse(text) for text in files.values()]
    for tree in trees:
        for node in tree.body:
            if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
                constants |= {
                    one.id: str(node.value.value) for one in node.targets if isinstance(one, ast.Name)
                }
    found: set[str] = set()
    for tree in trees:
        for node in ast.walk(tree):
            named = isinstance(node, ast.Call) and getattr(node.func, "attr", getattr(node.func, "id", ""))
            if isinstance(node, ast.Call) and named == "record":
                for keyword in node.keywords:
                    if keyword.arg == "action":
                        found |= set(_texts(keyword.value, constants))
    return found


def _texts(value: ast.expr, constants: Mapping[str, str]) -> Iterator[str]:
    """Every text that an expression may stand for; the gaps of an f-string are `*`."""
    if isinstance(value, ast.Constant):
        yield str(value.value)
    elif isinstance(value, ast.IfExp):
        yield from _texts(value.body, constants)
        yield from _texts(value.orelse, constants)
    elif isinstance(value, ast.Name) and value.id in constants:
        yield constants[value.id]
    elif isinstance(value, ast.JoinedStr):
        yield "".join(str(part.value) if isinstance(part, ast.Constant) else "*" for part in value.values)


def unnamed_actions(actions: Iterable[str], text: str) -> list[str]:
    """Actions that the page does not name; one with `*` in it needs some name of that form."""
    named = set(re.findall(r"`([^`\n]+)`", text))
    return sorted(one for one in actions if not any(fnmatchcase(name, one) for name in named))


def test_every_audit_action_is_documented() -> None:
    found = recorded_actions({str(path): path.read_text(encoding="utf-8") for path in SOURCE.rglob("*.py")})
    assert {"key.created", "system.changed", "system.registered", "audit.erased"} <= found
    assert unnamed_actions(found, page("audit-log.md")) == []


def test_an_audit_action_without_a_word_is_found() -> None:
    code = {
        "a": 'GONE = "audit.gone"\naudit.record(ctx, tx, action="tea.made" if hot else "tea.iced", subject="")',
        "b": 'record(ctx, tx, action=GONE)\ntrail.record(ctx, tx, None, action=f"pot.{state}")',
        "c": 'record(ctx, tx, action=f"{cup}.broken")',
    }
    assert recorded_actions(code) == {"tea.made", "tea.iced", "audit.gone", "pot.*", "*.broken"}
    assert unnamed_actions(recorded_actions(code), "`tea.made`, `pot.filled`") == [
        "*.broken",
        "audit.gone",
        "tea.iced",
    ]


def test_every_quality_code_is_documented() -> None:
    assert missing(SENTENCES, page("conventions.md")) == []


def test_every_attribute_that_is_read_is_documented() -> None:
    assert missing(TABLE, page("conventions.md")) == []


def test_every_field_of_a_call_is_documented() -> None:
    row: dict[str, Any] = defaultdict(str, start_ns=0, duration_ns=0, cost_amount=None)
    words = [*Kind, *ErrorClass]
    assert missing([*call_json(row), *words], page("call-fields.md")) == []


def test_every_scope_and_role_is_documented() -> None:
    assert missing([*Scope, *Role], page("http-api.md")) == []


def documents() -> list[Path]:
    return [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *(ROOT / "demo").glob("*.md")]


def dead_links(file: Path, text: str) -> list[str]:
    """Relative links of a document that lead nowhere."""
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    return [
        link
        for link in links
        if not re.match(r"[a-z]+:", link) and not (file.parent / link).resolve().exists()
    ]


def test_links_lead_somewhere() -> None:
    found = {
        str(file.relative_to(ROOT)): dead_links(file, file.read_text(encoding="utf-8"))
        for file in documents()
    }
    assert len(found) > 25
    assert {file: links for file, links in found.items() if links} == {}


def test_a_dead_link_is_found(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("x")
    text = "[a](there.md) [b](gone.md#part) [c](https://example.org/x) [d](#here)"
    assert dead_links(tmp_path / "page.md", text) == ["gone.md"]


def named_tests(text: str) -> set[str]:
    return set(re.findall(r"\btest_[a-z0-9_]+\b(?!\.py)", text))


def test_tests_that_documents_name_exist() -> None:
    code = "\n".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    defined = set(re.findall(r"def (test_[a-z0-9_]+)", code))
    named = {
        name: file.name for file in documents() for name in named_tests(file.read_text(encoding="utf-8"))
    }
    assert len(named) > 10
    assert {name: file for name, file in named.items() if name not in defined} == {}


def test_a_test_is_told_from_its_file() -> None:
    assert named_tests("see test_docs.py and `test_links_lead_somewhere`") == {"test_links_lead_somewhere"}
