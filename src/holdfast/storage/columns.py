"""The call and span store: one SQL dialect on chDB (embedded) or ClickHouse (server), through clickhouse-connect.

`chdb:///path` opens a folder in this process; one process may own it. `clickhouse://…` is a server or a cluster of
shards (see `storage.cluster`), which several processes may use at once.
"""

from __future__ import annotations

import fcntl
import itertools
import logging
import os
import queue
import struct
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, TypeVar

import clickhouse_connect
import numpy as np
from clickhouse_connect.driver.exceptions import ClickHouseError, DataError
from urllib3.exceptions import HTTPError

from holdfast.kernel.errors import Conflict, Unavailable
from holdfast.storage import cluster
from holdfast.storage.cluster import Address, Node
from holdfast.storage.memory import Memory

log = logging.getLogger("holdfast.storage")
A = TypeVar("A")
T = TypeVar("T")

UNFIT = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError, struct.error)
"""What the driver raises where a value does not fit its column; nothing was stored then."""
MIGRATIONS = Path(__file__).parent / "migrations" / "columns"
READERS = 3
WRITERS = 3
"""One for what senders wait for, one for the calls made of it, one for upkeep, so that none waits for another."""
WHOLE = {"wait_end_of_query": 1}
"""A server sends a result only once it has all of it: an error in the midst is then an error, not a shorter file."""
MOST_KEPT = 1_000_000
"""Values (numbers and texts) of results that stay in memory: at most some 50 MB."""
LEAN = {"max_threads": 1, "max_insert_threads": 1, "input_format_parallel_parsing": 0}
"""How the embedded engine inserts: in one thread. It would start several even for a few hundred rows."""


@dataclass(frozen=True, slots=True)
class Select:
    """A query over one table. The workspace clause is added by `Columns`, so a forgotten one cannot be.

    `limit_by` reads like `3 BY column`.
    `where`, `having` are SQL fragments joined by AND with `{name:Type}` placeholders, whose values are in `params`.
    `final` reads replacing tables deduplicated.
    """

    table: str
    columns: Sequence[str]
    where: Sequence[str] = ()
    params: dict[str, Any] = field(default_factory=dict)
    group_by: Sequence[str] = ()
    having: Sequence[str] = ()
    order_by: Sequence[str] = ()
    limit: int | None = None
    limit_by: str = ""
    final: bool = False
    settings: dict[str, Any] = field(default_factory=dict)

    def sql(self) -> str:
        """The statement; its workspace is the parameter `workspace`."""
        parts = [f"SELECT {', '.join(self.columns)} FROM {self.table}{' FINAL' if self.final else ''}"]
        parts.append(
            "WHERE " + " AND ".join(["workspace = {workspace:String}", *(f"({w})" for w in self.where)])
        )
        if self.group_by:
            parts.append("GROUP BY " + ", ".join(self.group_by))
        if self.having:
            parts.append("HAVING " + " AND ".join(self.having))
        if self.order_by:
            parts.append("ORDER BY " + ", ".join(self.order_by))
        if self.limit_by:
            parts.append(f"LIMIT {self.limit_by}")
        if self.limit is not None:
            parts.append(f"LIMIT {int(self.limit)}")
        if self.settings:
            parts.append(
                "SETTINGS " + ", ".join(f"{name} = {value!r}" for name, value in self.settings.items())
            )
        return " ".join(parts)


class Columns:
    """The open store. Thread-safe: a few connections for writing, a few for reading, lent one at a time."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._lock: IO[str] | None = None
        self.embedded = url.startswith("chdb://")
        self.address: Address | None = None if self.embedded else cluster.parse(url)
        self.migrated: list[str] = []
        """What was made or changed when this was opened, in words."""
        if self.embedded:
            folder = Path(url.removeprefix("chdb://"))
            folder.mkdir(parents=True, exist_ok=True)
            self._lock = _own(folder)
            scratch = folder.parent / "tmp"
            scratch.mkdir(exist_ok=True)
            for left in scratch.glob("*.native"):  # of a process that was killed
                left.unlink(missing_ok=True)
            tempfile.tempdir = str(
                scratch
            )  # the driver hands blocks to the engine through a file: keep it at home
        self._writer: queue.Queue[Any] = queue.Queue()
        self._readers: queue.Queue[Any] = queue.Queue()
        self._nodes: dict[Node, Any] = {}
        self._on_nodes = threading.Lock()
        self._lately: dict[str, tuple[float, Any]] = {}
        self.kept: Memory[Any] = Memory(MOST_KEPT)
        """Results that their reader knows to be still the same."""
        self._prepared: dict[tuple[int, str, tuple[str, ...]], Any] = {}
        try:
            turn = itertools.cycle(self._open_nodes())
            self._writer.put(self._connect(next(turn)))
            for _ in range(READERS):
                self._readers.put(self._connect(next(turn)))
            self._migrate()
            for _ in range(1, WRITERS):
                self._writer.put(self._connect(next(turn)))
        except (ClickHouseError, HTTPError, OSError) as error:
            self.close()
            raise Unavailable(f"the call store at {_hidden(url)} does not open: {error}") from error
        except BaseException:
            self.close()
            raise

    def _open_nodes(self) -> list[Node | None]:
        """Connects to every node, and makes the database where it is missing. One None for an embedded store."""
        address = self.address
        if address is None:
            return [None]
        for node in address.nodes:
            with self._connect(node, database="__default__") as client:
                if client.command(f"EXISTS DATABASE {address.database}") != 1:
                    client.command(f"CREATE DATABASE IF NOT EXISTS {address.database}")
                if address.cluster:
                    _check_cluster(client, address, node)
            self._nodes[node] = self._connect(node)
        return list(address.nodes)

    def _connect(self, node: Node | None, database: str | None = None) -> Any:
        if node is None or self.address is None:
            return clickhouse_connect.get_client(dsn=self.url)
        settings = cluster.CLUSTER_SETTINGS if self.address.cluster else cluster.SETTINGS
        return clickhouse_connect.get_client(
            host=node.host,
            port=node.port,
            username=self.address.user,
            password=self.address.password,
            database=database or self.address.database,
            interface="https" if self.address.secure else "http",
            autogenerate_session_id=False,
            connect_timeout=5,
            settings=dict(settings),
        )

    @contextmanager
    def _lent(self, pool: queue.Queue[Any]) -> Iterator[Any]:
        try:
            client = pool.get(timeout=60)
        except queue.Empty as error:
            raise Unavailable("the call store is busy; try again", retry_after=10) from error
        try:
            with self._told():
                yield client
        finally:
            pool.put(client)

    @contextmanager
    def _told(self) -> Iterator[None]:
        """What the driver raises, in our words: a server that does not answer is named."""
        try:
            yield
        except DataError as error:
            raise ValueError(f"the call store cannot hold such a value: {str(error)[:200]}") from error
        except (ClickHouseError, HTTPError) as error:
            log.error("the call store could not do this: %s", str(error)[:400])
            raise self._unavailable() from error
        except OSError as error:
            if self.address is not None:
                raise self._unavailable() from error
            raise Unavailable(
                f"the call store could not be written: {error.strerror or 'no reason given'}", retry_after=30
            ) from error

    def _unavailable(self) -> Unavailable:
        missing = [str(node) for node, client in self._nodes.items() if not client.ping()]
        if missing:
            what = "shard" if self.address is not None and self.address.cluster else "server"
            return Unavailable(
                f"the call store's {what} {' and '.join(missing)} does not answer: nothing is lost; try again",
                retry_after=5,
            )
        return Unavailable("the call store could not do this; the log of the server says why", retry_after=5)

    def _on_each(self, statement: str, parameters: dict[str, Any]) -> None:
        """Runs a statement on the tables of every node themselves; after an error, some may have done it."""
        if self.address is None or not self.address.cluster:
            with self._lent(self._writer) as client:
                client.command(statement, parameters=parameters)
            return
        with self._on_nodes:
            for client in self._nodes.values():
                with self._told():
                    client.command(cluster.localised(statement), parameters=parameters)

    def insert(self, table: str, names: Sequence[str], columns: Sequence[Sequence[Any]]) -> None:
        """Appends rows given by column; returns when they are synced to disk.

        Raises Unavailable, after which rows may be there or not, and what the driver raises for values that no
        row can hold (see `UNFIT`).
        """
        if not columns or not columns[0]:
            return
        with self._lent(self._writer) as client:
            key = (id(client), table, tuple(names))
            context = self._prepared.pop(key, None)  # back only after a success: a failed one may hold rows
            if (
                context is None
            ):  # asks the engine for the columns' types, which takes longer than a few rows do
                settings = LEAN if self.embedded else None
                context = client.create_insert_context(
                    table, column_names=names, column_oriented=True, settings=settings
                )
            context.data = columns
            client.insert(context=context)
            context.data = None
            self._prepared[key] = context

    def insert_blocks(self, table: str, names: Sequence[str], blocks: Iterable[bytes]) -> None:
        """Appends blocks in Native format (see `storage.native`) as one insert; returns when they are synced to disk.

        Raises Unavailable, after which rows may be there or not.
        """
        with self._lent(self._writer) as client:
            settings = LEAN if self.embedded else None
            client.raw_insert(table, names, b"".join(blocks), settings=settings, fmt="Native")

    def rows(self, workspace: str, query: Select) -> list[tuple[Any, ...]]:
        """The rows of a query in one workspace."""
        with self._lent(self._readers) as client:
            return list(
                client.query(query.sql(), parameters={**query.params, "workspace": workspace}).result_rows
            )

    def dicts(self, workspace: str, query: Select) -> list[dict[str, Any]]:
        """Like `rows`, each row by column name."""
        with self._lent(self._readers) as client:
            return list(
                client.query(query.sql(), parameters={**query.params, "workspace": workspace}).named_results()
            )

    def formatted(self, workspace: str, query: Select, format_name: str) -> bytes:
        """The result in one of the engine's output formats, such as Parquet."""
        with self._lent(self._readers) as client:
            parameters = {**query.params, "workspace": workspace}
            whole = None if self.embedded else WHOLE
            return bytes(
                client.raw_query(query.sql(), parameters=parameters, fmt=format_name, settings=whole)
            )

    def write_file(self, workspace: str, query: Select, path: Path, format_name: str) -> None:
        """Writes the result to a new file in one of the engine's output formats; however large, memory stays small."""
        parameters = {**query.params, "workspace": workspace}
        with self._lent(self._readers) as client:
            if self.embedded:
                quoted = str(path).replace("\\", "\\\\").replace("'", "\\'")
                client.command(
                    f"{query.sql()} INTO OUTFILE '{quoted}' FORMAT {format_name}", parameters=parameters
                )
                return
            with path.open("xb") as file:
                stream = client.raw_stream(
                    query.sql(), parameters=parameters, fmt=format_name, settings=WHOLE
                )
                while chunk := stream.read(1 << 20):
                    file.write(chunk)

    def everywhere(self, sql: str, params: dict[str, Any] | None = None) -> list[tuple[Any, ...]]:
        """A query over all workspaces, for Holdfast's own upkeep (recovery, retention); never behind a request."""
        with self._lent(self._readers) as client:
            return list(client.query(sql, parameters=params or {}).result_rows)

    def arrays(self, sql: str, params: dict[str, Any] | None = None) -> list[np.ndarray[Any, Any]]:
        """Like `everywhere` for many numbers: each column as an array."""
        with self._lent(self._readers) as client:
            found = client.query_np(sql, parameters=params or {})
        return [found[name] for name in found.dtype.names] if found.dtype.names else list(found.T)

    def change(self, workspace: str, statement: str, params: dict[str, Any]) -> None:
        """A mutation of one workspace's rows: `ALTER TABLE … UPDATE|DELETE … WHERE workspace = {workspace:String} AND …`.

        Returns when it is done. On shards it is done on each; a subquery sees the rows of that shard alone, so it may
        ask for what lies beside the row (its trace). Raises ValueError where the workspace clause is missing.
        """
        if "workspace = {workspace:String}" not in statement:
            raise ValueError("a change names its workspace")
        self._on_each(f"{statement} SETTINGS mutations_sync = 2", {**params, "workspace": workspace})

    def fill(self, workspace: str, statement: str, params: dict[str, Any]) -> None:
        """`INSERT INTO … SELECT … WHERE workspace = {workspace:String} …` within one workspace. Its text is not kept.

        On shards it reads all of them, and each row goes to the shard where it belongs.
        """
        if "workspace = {workspace:String}" not in statement:
            raise ValueError("a change names its workspace")
        with self._lent(self._writer) as client:
            client.command(statement, parameters={**params, "workspace": workspace})

    def upkeep(self, sql: str) -> None:
        """A statement over whole tables, for Holdfast's own upkeep (backup, optimise); never behind a request.

        On shards it is done on each, on its own part of the tables.
        """
        self._on_each(sql, {})

    def each(self, ask: Callable[[A], T], things: Sequence[A]) -> list[T]:
        """What `ask` gives for each thing, in their order, some at the same time.

        The embedded engine works in this process: more at once than there are processors only stand in each other's way.
        """
        at_once = min(READERS, os.cpu_count() or 1) if self.embedded else READERS
        if len(things) < 2 or at_once < 2:
            return [ask(one) for one in things]
        with ThreadPoolExecutor(at_once) as pool:
            return list(pool.map(ask, things))

    def lately(self, key: str, seconds: float, read: Callable[[], T]) -> T:
        """What `read` gave for a key no longer ago than that, or gives now."""
        now = time.monotonic()
        found = self._lately.get(key)
        if found is None or found[0] < now - seconds:
            found = self._lately[key] = (now, read())
        value: T = found[1]
        return value

    def forget(self, prefix: str) -> None:
        """Drops what was read lately under names that begin so, because this process has changed it."""
        for key in [key for key in self._lately if key.startswith(prefix)]:
            self._lately.pop(key, None)

    def ping(self) -> bool:
        """True when the store answers, with all its shards."""
        with suppress(Unavailable, queue.Empty):
            return all(node.ping() for node in self._nodes.values()) and self.everywhere("SELECT 1") == [(1,)]
        return False

    def _migrate(self) -> None:
        clients = {str(node): client for node, client in self._nodes.items()}
        for name, client in (clients or {"": self._writer.queue[0]}).items():
            self.migrated += [f"{one} on {name}" if name else one for one in self._migrate_one(client)]

    def _migrate_one(self, client: Any) -> list[str]:
        """Brings one node up to date; two processes may do so at once."""
        client.command(
            "CREATE TABLE IF NOT EXISTS migrations (number UInt32, name String, applied_at DateTime DEFAULT now())"
            " ENGINE = MergeTree ORDER BY number"
        )
        done = {number for (number,) in client.query("SELECT number FROM migrations").result_rows}
        applied = []
        for path in sorted(MIGRATIONS.glob("*.sql")):
            number = int(path.name.split("_")[0])
            if number in done:
                continue
            for statement in cluster.steps(path.read_text(), self.address):
                client.command(statement)
            client.insert("migrations", [[number, path.stem]], column_names=["number", "name"])
            applied.append(path.stem)
        return applied

    def close(self) -> None:
        """Closes all connections and gives the folder free."""
        for pool in (self._writer, self._readers):
            while not pool.empty():
                pool.get().close()
        for client in self._nodes.values():
            client.close()
        if self._lock is not None:
            self._lock.close()


def _check_cluster(client: Any, address: Address, node: Node) -> None:
    """Raises Conflict where the servers' own configuration is of another cluster than the URL."""
    found = client.query(
        "SELECT count(), uniqExact(shard_num) FROM system.clusters WHERE cluster = {cluster:String}",
        parameters={"cluster": address.cluster},
    ).result_rows[0]
    if found != (len(address.nodes), len(address.nodes)):
        raise Conflict(
            f"the server {node} knows the cluster {address.cluster} with {found[1]} shards and {found[0]} replicas in all,"
            f" but HOLDFAST_COLUMNS_URL names {len(address.nodes)} hosts: name every shard, each with one replica"
        )


def _own(folder: Path) -> IO[str]:
    """Takes the folder for this process. Raises Conflict where another process has it."""
    handle = (folder.parent / f"{folder.name}.lock").open("a+")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        handle.seek(0)
        owner = handle.read().strip() or "another process"
        handle.close()
        raise Conflict(
            f"the data folder {folder.parent} is in use by process {owner}: one process owns an embedded call store."
            " Stop it, choose another --data folder, or use a ClickHouse server (HOLDFAST_COLUMNS_URL)"
        ) from error
    handle.truncate(0)
    handle.write(str(os.getpid()))
    handle.flush()
    return handle


def _hidden(url: str) -> str:
    """A URL without its password."""
    head, _, tail = url.rpartition("@")
    return f"{head.split('//')[0]}//…@{tail}" if head else url
