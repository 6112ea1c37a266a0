"""Stores and clocks for every test: SQLite, a PostgreSQL server of our own, chDB, a clock that stands still."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
from hypothesis import settings

from holdfast.kernel.context import Actor, Context
from holdfast.storage.columns import Columns
from holdfast.storage.migrate import migrate
from holdfast.storage.sql import Database
from shards import Shards, pair_of, running
from soaking import SLOW, commit, drawn, drawn_files
from stand import FakeClock, free_port
from workers import rank

ROOT = Path(__file__).resolve().parent.parent
SHARED = ROOT.parent / "shared"


settings.register_profile(
    "unhurried", deadline=None
)  # machines are shared: how long an example takes tells nothing
settings.load_profile("unhurried")
SHARDS = pytest.param("shards", marks=[pytest.mark.slow, pytest.mark.rotating(3)])


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--soak", action="store_true", help="everything at full length (make soak)")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: rank(item.nodeid))
    if config.getoption("soak") or any("::" in named for named in config.args):
        return
    shares = {
        item.nodeid: max((mark.args[0] for mark in item.iter_markers("rotating")), default=1)
        for item in items
    }
    turns = drawn([item.nodeid for item in items], shares.__getitem__, commit())
    turns = [turn and not item.get_closest_marker("soak") for item, turn in zip(items, turns, strict=True)]
    if not any(named.endswith(".py") for named in config.args):
        slow = [
            item.nodeid.partition("::")[0] if any(map(item.get_closest_marker, SLOW)) else ""
            for item in items
        ]
        files = drawn_files(filter(None, slow), commit())
        turns = [turn and (not file or file in files) for file, turn in zip(slow, turns, strict=True)]
    config.hook.pytest_deselected(items=[item for item, turn in zip(items, turns, strict=True) if not turn])
    items[:] = [item for item, turn in zip(items, turns, strict=True) if turn]


@pytest.fixture(scope="session")
def soak(request: pytest.FixtureRequest) -> bool:
    """Whether everything runs at full length."""
    return bool(request.config.getoption("soak"))


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
def shared_data() -> Path:
    """Public test vectors beside the repository; tests that need them skip where they are absent."""
    folder = SHARED / "data"
    if not folder.is_dir():
        pytest.skip("the public test vectors are not here (../shared/data)")
    return folder


@pytest.fixture(scope="session")
def postgresql(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a PostgreSQL server that lives as long as the test run."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("no PostgreSQL server here: make test installs one")
    binaries = found[-1].parent
    folder = Path(f"/tmp/holdfast-test-postgresql-{os.getpid()}")
    folder.mkdir(mode=0o700)
    as_user: list[str] = []
    if os.getuid() == 0:  # the server refuses to run as root
        account = pwd.getpwnam("postgres")
        os.chown(folder, account.pw_uid, account.pw_gid)
        as_user = ["setpriv", f"--reuid={account.pw_uid}", f"--regid={account.pw_gid}", "--clear-groups"]
    port = free_port()
    data = folder / "data"
    subprocess.run(
        [
            *as_user,
            binaries / "initdb",
            "-D",
            data,
            "-U",
            "holdfast",
            "-A",
            "trust",
            "-E",
            "UTF8",
            "--no-sync",
        ],
        check=True,
        capture_output=True,
        cwd="/",
    )
    options = ["-p", str(port), "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off", "-k", str(folder)]
    server = subprocess.Popen(
        [*as_user, binaries / "postgres", "-D", data, *options],
        cwd="/",
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"postgresql+psycopg://holdfast@127.0.0.1:{port}/postgres"
    try:
        _until_answering(url, server)
        yield url
    finally:
        server.send_signal(signal.SIGQUIT)  # at once: nothing of it is kept
        server.wait(timeout=30)
        shutil.rmtree(folder, ignore_errors=True)


def _until_answering(url: str, server: subprocess.Popen[bytes]) -> None:
    engine = sa.create_engine(url)
    deadline = time.monotonic() + 30
    while True:
        try:
            with engine.connect():
                break
        except sa.exc.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
    engine.dispose()


def _create(server: str, name: str, template: str = "template1") -> Database:
    admin = sa.create_engine(server, isolation_level="AUTOCOMMIT")
    with admin.connect() as connection:
        connection.execute(sa.text(f"CREATE DATABASE {name} TEMPLATE {template}"))
    admin.dispose()
    return Database(server.rsplit("/", 1)[0] + f"/{name}")


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty, migrated SQLite file, to copy."""
    path = tmp_path_factory.mktemp("migrated") / "holdfast.db"
    made = Database(f"sqlite:///{path}")
    migrate(made)
    made.close()
    assert not path.with_name("holdfast.db-wal").exists(), "all is in the one file"
    return path


@pytest.fixture(scope="session")
def migrated_template(postgresql: str) -> str:
    """The name of an empty, migrated PostgreSQL database, to make others from."""
    made = _create(postgresql, "migrated")
    migrate(made)
    made.close()
    return "migrated"


@pytest.fixture(params=["sqlite", "postgresql"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """An empty, migrated control store: the test runs on both engines."""
    if request.param == "sqlite":
        path = tmp_path / "holdfast.db"
        shutil.copyfile(request.getfixturevalue("migrated_file"), path)
        made = Database(f"sqlite:///{path}")
    else:
        server, template = (request.getfixturevalue(name) for name in ("postgresql", "migrated_template"))
        made = _create(server, f"t{time.monotonic_ns()}", template)
    yield made
    made.close()


@pytest.fixture
def ctx(clock: FakeClock) -> Context:
    """A context in workspace `ws_test`."""
    return Context("ws_test", Actor("cli", "tester", "Tester"), clock.now)


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shards]:
    """Two ClickHouse servers, the shards of one cluster, that live as long as the test run."""
    yield from running(tmp_path_factory.mktemp("shards"), 2)


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shards]:
    """One plain ClickHouse server."""
    yield from running(tmp_path_factory.mktemp("server"), 1)


@pytest.fixture(
    scope="session",
    params=["embedded", SHARDS],
)
def new_stores(request: pytest.FixtureRequest) -> Callable[[], dict[str, str]]:
    """Gives the settings of an empty pair of stores: chDB and SQLite in the data folder, or two shards and PostgreSQL."""
    if request.param == "embedded":
        return dict
    return request.getfixturevalue("new_shared_stores")  # type: ignore[no-any-return]


@pytest.fixture(scope="session")
def new_sql_url(postgresql: str, migrated_template: str) -> Callable[[], str]:
    """Gives the address of an empty, migrated control store on PostgreSQL."""

    def make() -> str:
        name = f"t{time.monotonic_ns()}"
        _create(postgresql, name, migrated_template).close()
        return postgresql.rsplit("/", 1)[0] + f"/{name}"

    return make


@pytest.fixture(scope="session")
def new_shared_stores(cluster: Shards, new_sql_url: Callable[[], str]) -> Callable[[], dict[str, str]]:
    """Gives the settings of an empty pair of stores that several processes may share: two shards and PostgreSQL."""
    return lambda: pair_of(cluster, new_sql_url())


@pytest.fixture(params=["embedded", SHARDS])
def columns(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Columns]:
    """An empty call store: the test runs on chDB and on two shards.

    The store's own contract (`storage/test_columns.py`) asks for one plain server as well; above it there is no difference.
    """
    if request.param == "embedded":
        made = Columns(f"chdb://{tmp_path / 'columns'}")
    else:
        name = {"server": "server", "shards": "cluster"}[request.param]
        servers = request.getfixturevalue(name)
        made = servers.opened()
    yield made
    made.close()
