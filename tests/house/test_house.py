"""What the linter's contracts cannot say about the house. Each rule has a test that shows it a fault."""

from __future__ import annotations

import ast
import importlib
import pkgutil
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

import grimp
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

import holdfast
from holdfast.storage.migrate import config
from holdfast.storage.sql import Database, Instant, metadata

ROOT = Path(__file__).resolve().parent.parent.parent
SOURCE = ROOT / "src" / "holdfast"

ROOMS = (
    "holdfast.applications",
    "holdfast.signals",
    "holdfast.feedback",
    "holdfast.gateway",
    "holdfast.telemetry",
    "holdfast.registry",
    "holdfast.pricing",
    "holdfast.text",
    "holdfast.platform.access",
    "holdfast.platform.audit",
    "holdfast.platform.epochs",
    "holdfast.platform.leases",
    "holdfast.platform.notify",
    "holdfast.platform.secrets",
    "holdfast.platform.tenancy",
)
OPEN = ("model", "actions", "reads")
"""What of a room others may name."""

ASSEMBLERS = (
    "holdfast.app",
    "holdfast.commands",
    "holdfast.local",
    "holdfast.sharing",
    "holdfast.supervisor",
)
"""Modules that put rooms together; they may name any room's wiring as well."""

EXCEPTIONS: Mapping[tuple[str, str], str] = MappingProxyType(
    {
        ("*", "holdfast.platform.access.guard"): "the one door that every room's doors stand behind",
        ("holdfast.cli", "holdfast.gateway.proxy"): "a process of its own, started by a command",
        ("holdfast.gateway", "holdfast.pricing.rules"): "pure: bounds and charges while a request waits",
        ("holdfast.gateway.proxy", "holdfast.platform.secrets.master"): "opens credentials, without a store",
        ("holdfast.gateway.proxy", "holdfast.platform.secrets.rules"): "opens credentials; pure",
        (
            "holdfast.gateway.proxy",
            "holdfast.platform.secrets.references",
        ): "the operator's own, without a store",
        (
            "holdfast.gateway.proxy",
            "holdfast.platform.secrets.workload",
        ): "the machine's own identity, without a store",
        ("holdfast.telemetry.ingest", "holdfast.text.detectors"): "pure: text has no other furniture yet",
        ("holdfast.gateway.guardrails", "holdfast.text.detectors"): "pure: text has no other furniture yet",
        ("holdfast.changes", "holdfast.evals.rules.located"): "pure: texts that know where they stand",
        ("holdfast.evals.graders", "holdfast.text"): "pure: text has no other furniture yet",
        ("holdfast.feedback.rules", "holdfast.text"): "pure: text has no other furniture yet",
        ("holdfast.feedback.jobs", "holdfast.text"): "pure: text has no other furniture yet",
        ("holdfast.feedback.actions", "holdfast.telemetry.ingest.dlp"): "the company's own check of texts",
        ("holdfast.evals.rules.online", "holdfast.text.detectors"): "pure: text has no other furniture yet",
        ("holdfast.evals.rules.coverage", "holdfast.text.clusters"): "pure: text has no other furniture yet",
        ("holdfast.evals.runner.heads", "holdfast.text"): "pure: text has no other furniture yet",
        ("holdfast.evals.runner.mapping", "holdfast.text"): "pure: text has no other furniture yet",
        ("holdfast.telemetry.ingest", "holdfast.pricing.prices"): "the price cache lives as long as ingest",
        (
            "holdfast.platform.access.actions",
            "holdfast.platform.secrets.master",
        ): "the key of sign-in cookies",
        (
            "holdfast.platform.access.actions",
            "holdfast.platform.secrets.rules",
        ): "seals sign-in cookies; pure",
        ("holdfast.commands", "holdfast.platform.access.rules"): "pure: reads the scopes that were typed",
        ("holdfast.app", "holdfast.telemetry.receiver"): "the OTLP doors are mounted beside the API",
        ("holdfast.app", "holdfast.telemetry.ingest"): "ingest is started and stopped with the process",
        ("holdfast.local", "holdfast.telemetry.ingest"): "a backup pauses ingest, an import fills it",
        ("holdfast.commands", "holdfast.telemetry.imports"): "reads export files; asks no store",
        ("holdfast.commands", "holdfast.telemetry.ingest"): "an import where no core runs",
        ("holdfast.commands", "holdfast.telemetry.decode"): "how an import hands spans over; pure",
    }
)
"""(who, whom) → why this wall has a hole. `*` is everybody; a name stands for all that is under it."""

ASYNC = (
    "holdfast.app",
    "holdfast.gateway.limits",
    "holdfast.gateway.link",
    "holdfast.gateway.proxy",
    "holdfast.telemetry.receiver",
    "holdfast.telemetry.ingest",
)
FORBIDDEN_NAMES = frozenset(
    {"utils", "util", "helpers", "helper", "common", "misc", "base", "manager", "core", "v2"}
)
LONGEST = 500
READS_ENVIRONMENT: Mapping[str, str] = MappingProxyType(
    {
        "holdfast.platform.settings": "the one place where settings are read",
        "holdfast.supervisor": "hands the whole environment to its children, reads nothing of it",
    }
)


def under(name: str, prefix: str) -> bool:
    return name == prefix or name.startswith(prefix + ".")


def room_of(module: str) -> str | None:
    return next((room for room in ROOMS if under(module, room)), None)


def excepted(importer: str, imported: str) -> bool:
    return any((who == "*" or under(importer, who)) and under(imported, whom) for who, whom in EXCEPTIONS)


def through_walls(imports: Iterable[tuple[str, str]]) -> list[str]:
    """Imports that name more of another room than its nouns, verbs and answers."""
    found = []
    for importer, imported in imports:
        room = room_of(imported)
        if room is None or room_of(importer) == room:
            continue
        furniture = imported[len(room) + 1 :].partition(".")[0]
        allowed = (*OPEN, "wiring") if any(under(importer, one) for one in ASSEMBLERS) else OPEN
        if furniture not in allowed and not excepted(importer, imported):
            found.append(f"{importer} names {imported}")
    return sorted(found)


@pytest.fixture(scope="module")
def imports() -> list[tuple[str, str]]:
    graph = grimp.build_graph("holdfast", cache_dir=None)
    return [
        (importer, imported)
        for importer in graph.modules
        for imported in graph.find_modules_directly_imported_by(importer)
    ]


def test_across_walls_only_nouns_verbs_and_answers_are_named(imports: list[tuple[str, str]]) -> None:
    assert len(imports) > 500
    assert through_walls(imports) == []


@pytest.mark.parametrize(
    ("importer", "imported"),
    [
        ("holdfast.telemetry.reads.calls", "holdfast.platform.tenancy.store"),
        ("holdfast.pricing.actions", "holdfast.platform.audit.rules.records"),
        ("holdfast.telemetry.wiring", "holdfast.platform.access.wiring"),
        ("holdfast.app", "holdfast.platform.access.store.keys"),
        ("holdfast.platform.access.actions.keys", "holdfast.platform.tenancy.rules"),
    ],
)
def test_a_hole_in_a_wall_is_found(importer: str, imported: str) -> None:
    assert through_walls([(importer, imported)]) == [f"{importer} names {imported}"]


def test_no_exception_is_kept_that_nobody_needs(imports: list[tuple[str, str]]) -> None:
    modules = {importer for importer, _ in imports}
    needless = [
        f"{who} may name {whom}"
        for who, whom in EXCEPTIONS
        if (who == "*" or any(under(one, who) for one in modules))
        and not any((who == "*" or under(a, who)) and under(b, whom) for a, b in imports)
    ]
    assert needless == []


def test_an_exception_covers_nobody_else() -> None:
    assert not excepted("holdfast.telemetry.pages.calls", "holdfast.pricing.prices")
    assert not excepted("holdfast.application", "holdfast.telemetry.receiver.http")


def sources() -> dict[str, Path]:
    """Every module of the package → its file."""
    found = {}
    for path in sorted(SOURCE.rglob("*.py")):
        parts = path.relative_to(SOURCE.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def asynchronous(text: str) -> list[int]:
    """Lines that define a coroutine."""
    return [node.lineno for node in ast.walk(ast.parse(text)) if isinstance(node, ast.AsyncFunctionDef)]


def test_only_the_hot_doors_are_asynchronous() -> None:
    found = {name for name, path in sources().items() if asynchronous(path.read_text())}
    assert {name for name in found if not any(under(name, one) for one in ASYNC)} == set()
    assert any(under(name, "holdfast.telemetry.receiver") for name in found)


def test_a_coroutine_is_found() -> None:
    assert asynchronous("def one() -> None: ...\nclass A:\n    async def two(self) -> None: ...\n") == [3]


def environment_reads(text: str) -> list[int]:
    """Lines that touch the process's environment."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Attribute) and node.attr in ("environ", "environb", "getenv", "getenvb"):
            found.append(node.lineno)
        if isinstance(node, ast.ImportFrom) and node.module == "os":
            found += [node.lineno for one in node.names if one.name in ("environ", "environb", "getenv")]
    return found


def test_only_settings_read_the_environment() -> None:
    found = {name for name, path in sources().items() if environment_reads(path.read_text())}
    assert found - set(READS_ENVIRONMENT) == set()
    assert "holdfast.platform.settings" in found


@pytest.mark.parametrize(
    "text", ["import os\nA = os.environ['B']\n", "from os import getenv\n", "import os\nx = os.getenv('B')\n"]
)
def test_a_look_at_the_environment_is_found(text: str) -> None:
    assert environment_reads(text)


def unsigned(package: Path) -> list[str]:
    """Packages below a folder without a sign on the door: a docstring in `__init__.py`."""
    folders = {path.parent for path in package.rglob("*.py")}
    migrations = package / "storage" / "migrations"
    found = []
    for folder in sorted(folders):
        if folder == migrations or migrations in folder.parents:
            continue  # Alembic's own folder: scripts, no package
        sign = folder / "__init__.py"
        if not sign.is_file() or not ast.get_docstring(ast.parse(sign.read_text())):
            found.append(str(folder.relative_to(package)))
    return found


def test_every_package_says_what_it_is() -> None:
    assert unsigned(SOURCE) == []


def test_a_package_without_a_sign_is_found(tmp_path: Path) -> None:
    for name, text in (("told", '"""What it is."""\n'), ("silent", "x = 1\n")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(text)
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "part.py").write_text("x = 1\n")
    assert unsigned(tmp_path) == ["bare", "silent"]


def badly_named(paths: Iterable[Path]) -> list[str]:
    """Files and folders whose names say nothing of what is in them."""
    return sorted(
        str(path) for path in paths if any(part.split(".")[0] in FORBIDDEN_NAMES for part in path.parts)
    )


def overlong(lengths: Mapping[str, int]) -> list[str]:
    return sorted(f"{name}: {lines} lines" for name, lines in lengths.items() if lines > LONGEST)


def own_code() -> list[Path]:
    folders = ("src", "tests", "demo", "benchmarks", "setup")
    return [path for folder in folders for path in (ROOT / folder).rglob("*.py")]


def test_names_say_what_is_inside() -> None:
    assert badly_named(path.relative_to(ROOT) for path in own_code()) == []


def test_an_empty_name_is_found() -> None:
    paths = [Path("src/holdfast/text/utils.py"), Path("src/holdfast/core/model.py"), Path("src/scores.py")]
    assert badly_named(paths) == ["src/holdfast/core/model.py", "src/holdfast/text/utils.py"]


def test_no_file_outgrows_a_sitting() -> None:
    lengths = {
        str(path.relative_to(ROOT)): len(path.read_text(encoding="utf-8").splitlines()) for path in own_code()
    }
    assert len(lengths) > 100
    assert overlong(lengths) == []


def test_an_overlong_file_is_found() -> None:
    assert overlong({"a.py": LONGEST, "b.py": LONGEST + 1}) == [f"b.py: {LONGEST + 1} lines"]


def declare_all_tables() -> None:
    """Imports every store, so that `metadata` holds every table that the code knows."""
    for found in pkgutil.walk_packages(holdfast.__path__, "holdfast."):
        if ".store" in found.name:
            importlib.import_module(found.name)


def same_type(
    _context: object, _column: object, _kept: object, kept: sa.types.TypeEngine[object], told: object
) -> bool | None:
    """For Alembic: our instants are kept as the engine's own time type, anything else it judges itself."""
    return not isinstance(kept, sa.types.DateTime) if isinstance(told, Instant) else None


def differences(database: Database, told: sa.MetaData) -> list[object]:
    """How a migrated store differs from the tables that the code declares."""
    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": same_type})
        return list(compare_metadata(context, told))


def test_migrations_make_the_tables_that_the_code_declares(database: Database) -> None:
    declare_all_tables()
    assert len(metadata.tables) > 10
    assert differences(database, metadata) == []


def test_a_table_or_column_without_a_migration_is_found(database: Database) -> None:
    declare_all_tables()
    told = sa.MetaData(naming_convention=metadata.naming_convention)
    for table in metadata.tables.values():
        table.to_metadata(told)
    told.tables["api_keys"].append_column(sa.Column("colour", sa.Text()))
    sa.Table("forgotten", told, sa.Column("id", sa.Text(), primary_key=True))
    found = repr(differences(database, told))
    assert "colour" in found
    assert "forgotten" in found


def test_migrations_are_one_line(tmp_path: Path) -> None:
    scripts = ScriptDirectory.from_config(config(Database(f"sqlite:///{tmp_path / 'none.db'}")))
    revisions = list(scripts.walk_revisions())
    assert len(scripts.get_heads()) == 1
    assert len(scripts.get_bases()) == 1
    assert not any(one.is_merge_point or one.is_branch_point for one in revisions)
