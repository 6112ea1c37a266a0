"""The call store's own contract, on chDB, on one ClickHouse server and on two shards."""

from __future__ import annotations

import csv
import io
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from holdfast.kernel.errors import Conflict, Invalid, Unavailable
from holdfast.storage import cluster as clusters
from holdfast.storage.cluster import Node, localised, parse, steps
from holdfast.storage.columns import Columns, Select
from holdfast.telemetry.rules.holds import Hold
from holdfast.telemetry.store import erasing, retention
from shards import Shards, running

AT = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
FAR = datetime(2100, 1, 1, tzinfo=UTC)
NAMES = ("workspace", "trace_id", "span_id", "user", "session", "kind", "started_at", "sequence", "expires_at",
         "content_expires_at")  # fmt: skip


APART = [
    pytest.param(name, marks=[pytest.mark.slow, pytest.mark.rotating(2)]) for name in ("server", "shards")
]
everywhere = pytest.mark.parametrize("columns", ["embedded", *APART], indirect=True)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shards]:
    """Two shards of this module's own: one of them is killed."""
    yield from running(tmp_path_factory.mktemp("shards"), 2)


def trace(number: int) -> str:
    return f"{number * 0x9E3779B97F4A7C15 % 2**128:032x}"


def put(columns: Columns, rows: list[tuple[str, str, str, str, int]], workspace: str = "w") -> None:
    """Spans: (trace, span, user, session, sequence)."""
    data = [
        (workspace, trace_id, span_id, user, session, "inference", AT, sequence, FAR, FAR)
        for trace_id, span_id, user, session, sequence in rows
    ]
    columns.insert("spans", NAMES, list(zip(*data, strict=True)))


def call(columns: Columns, trace_id: str, call_id: str, version: int, *, deleted: int = 0) -> None:
    names = ("workspace", "id", "trace_id", "started_at", "version", "is_deleted", "expires_at")
    columns.insert("calls", names, [[one] for one in ("w", call_id, trace_id, AT, version, deleted, FAR)])


def count(columns: Columns, table: str, *where: str, final: bool = True) -> int:
    return int(columns.rows("w", Select(table, ["count()"], where, final=final))[0][0])


@everywhere
def test_rows_are_kept_replaced_and_apart(columns: Columns) -> None:
    put(columns, [(trace(n), "s", "", "", 1) for n in range(300)])
    put(columns, [(trace(n), "s", "", "", 2) for n in range(100)])
    put(columns, [(trace(n), "s", "", "", 1) for n in range(7)], workspace="other")
    assert count(columns, "spans") == 300
    assert count(columns, "spans", "sequence = 2") == 100
    found = columns.dicts("w", Select("spans", ["trace_id"], ["trace_id IN {t:Array(String)}"],
                                      {"t": [trace(1), trace(299)]}, final=True))  # fmt: skip
    assert {row["trace_id"] for row in found} == {trace(1), trace(299)}
    assert columns.everywhere("SELECT uniqExact(workspace, trace_id) FROM spans") == [(307,)]
    [numbers] = columns.arrays("SELECT DISTINCT sequence FROM spans ORDER BY sequence")
    assert list(numbers) == [1, 2]


@everywhere
def test_a_question_about_other_tables_looks_at_all_of_them(columns: Columns) -> None:
    put(columns, [(trace(n), f"s{n}", "", f"c{n % 3}", 1) for n in range(60)])
    for n in range(0, 60, 20):
        call(columns, trace(n), f"s{n}", 1)
    beside = "(trace_id, id) IN (SELECT trace_id, span_id FROM spans WHERE workspace = {workspace:String})"
    assert count(columns, "calls", beside) == 3
    sessions = (
        "session IN (SELECT session FROM spans WHERE workspace = {workspace:String} AND span_id = 's1')"
    )
    assert count(columns, "spans", sessions) == 20, "rows of other shards count as well"
    assert columns.everywhere(
        "SELECT max(version) FROM calls WHERE version < (SELECT max(version) + 1 FROM calls)"
    ) == [(1,)]


@everywhere
def test_facets_in_one_pass(columns: Columns) -> None:
    put(columns, [(trace(n), f"s{n}", f"u{n % 2}", f"c{n % 3}", 1) for n in range(60)])
    query = Select(
        "spans",
        ["toString(user) AS d0", "toString(session) AS d1", "grouping(d0, d1) AS dimension", "count() AS n"],
        group_by=["GROUPING SETS ((d0), (d1))"],
        order_by=["n DESC", "d0", "d1"],
        limit_by="2 BY dimension",
        final=True,
    )
    assert [row[3] for row in columns.rows("w", query)] == [30, 30, 20, 20]


@everywhere
def test_exports_are_whole_and_in_order(columns: Columns, tmp_path: Path) -> None:
    put(columns, [(trace(n), f"s{n:03}", "", "", 1) for n in range(500)])
    query = Select("spans", ["span_id"], order_by=["span_id"], final=True)
    columns.write_file("w", query, tmp_path / "out.csv", "CSV")
    wanted = [f"s{n:03}" for n in range(500)]
    assert [row[0] for row in csv.reader((tmp_path / "out.csv").open())] == wanted
    assert [
        row[0] for row in csv.reader(io.StringIO(columns.formatted("w", query, "CSV").decode()))
    ] == wanted


@everywhere
def test_a_hold_on_a_person_covers_sessions_on_every_shard_and_changes_follow_it(columns: Columns) -> None:
    shared_session = [(trace(n), f"s{n}", "ann" if n == 0 else "", "mine", 1) for n in range(40)]
    put(columns, [*shared_session, *((trace(n), f"s{n}", "bob", "his", 1) for n in range(40, 80))])
    hold = Hold("h1", "w", "a reason", "", "ann", AT - timedelta(days=1), AT + timedelta(days=1), AT)
    retention.note_held(columns, "w", hold)
    assert count(columns, "held_traces") == 40
    retention.note_held(columns, "w", hold)
    assert count(columns, "held_traces", final=False) == 40, "what is noted is not noted again"
    clause, params = retention.held(retention.TABLES[0], [hold])
    columns.change(
        "w",
        f"ALTER TABLE spans UPDATE name = 'held' WHERE workspace = {{workspace:String}} AND ({clause})",
        params,
    )
    assert count(columns, "spans", "name = 'held'") == 40
    retention.forget_held(columns, "w", "h1")
    assert count(columns, "held_traces") == 0


@everywhere
def test_what_expires_leaves_every_shard(columns: Columns) -> None:
    put(columns, [(trace(n), f"s{n}", "", "", 1) for n in range(50)])
    past = "expires_at = toDateTime(1000000000, 'UTC')"
    columns.change(
        "w", f"ALTER TABLE spans UPDATE {past} WHERE workspace = {{workspace:String}} AND span_id < 's3'", {}
    )
    left = count(columns, "spans", "span_id >= 's3'")
    assert 0 < left < 50
    retention.expire(columns)
    assert count(columns, "spans", final=False) == left


@everywhere
def test_rows_of_a_person_are_written_again_above_every_version(columns: Columns) -> None:
    for n in range(20):
        call(columns, trace(n), "c", 1000 + n)
    done = erasing.rewrite(
        columns, "w", erasing.CALLS, [trace(n) for n in range(20)], 1010, 1, lambda row: {**row, "user": ""}
    )
    assert done == 20
    assert columns.rows("w", Select("calls", ["count()", "min(version)"])) == [(20, 1020)], (
        "only the new rows are left"
    )


@everywhere
def test_a_change_without_workspace_is_refused(columns: Columns) -> None:
    for act in (columns.change, columns.fill):
        with pytest.raises(ValueError):
            act("w", "ALTER TABLE spans DELETE WHERE 1", {})


@pytest.fixture(params=["server", "cluster"])
def servers(request: pytest.FixtureRequest) -> Shards:
    return request.getfixturevalue(request.param)


@pytest.mark.slow
def test_processes_that_start_at_once_make_the_tables_together(servers: Shards) -> None:
    url = servers.url(f"t{time.monotonic_ns()}")
    begin, opened, failed = threading.Barrier(4), [], []

    def start() -> None:
        begin.wait()
        try:
            opened.append(Columns(url))
        except Exception as error:  # noqa: BLE001 - whatever it is, the test names it
            failed.append(error)

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    put(opened[0], [(trace(1), "s", "", "", 1)])
    assert [count(one, "spans") for one in opened] == [1] * 4
    again = Columns(url)
    assert again.migrated == []
    for one in (*opened, again):
        one.close()


@pytest.mark.slow
def test_a_migration_that_broke_off_goes_on(cluster: Shards) -> None:
    url = cluster.url(f"t{time.monotonic_ns()}")
    made = Columns(url)
    for client in made._nodes.values():
        client.command("TRUNCATE TABLE migrations")
        client.command("DROP TABLE calls")
        client.command("DROP TABLE held_traces_local")
    made.close()
    again = Columns(url)
    assert len(again.migrated) >= 4, "each file on each node"
    call(again, trace(1), "c", 1)
    assert count(again, "calls") == 1
    again.close()


@pytest.mark.slow
def test_a_trace_lies_on_one_shard_with_all_that_is_said_of_it(cluster: Shards) -> None:
    columns = Columns(cluster.url(f"t{time.monotonic_ns()}"))
    traces = [trace(n) for n in range(40)]
    put(columns, [(one, f"s{n}", "", "", 1) for one in traces for n in range(3)])
    for one in traces:
        call(columns, one, "c", 1)
    names = ["workspace", "id", "trace_id", "started_at", "version", "expires_at"]
    columns.insert("operations", names, [["w"] * 40, ["o"] * 40, traces, [AT] * 40, [1] * 40, [FAR] * 40])
    for table in ("log_records", "evaluations"):
        names = ["workspace", "key", "at", "trace_id", "expires_at"]
        columns.insert(table, names, [["w"] * 40, list(range(40)), [AT] * 40, traces, [FAR] * 40])
    where: dict[str, set[int]] = {}
    for table in ("spans", "calls", "operations", "log_records", "evaluations"):
        for one, shard in columns.everywhere(f"SELECT DISTINCT trace_id, _shard_num FROM {table}"):
            where.setdefault(one, set()).add(shard)
    assert all(len(shards) == 1 for shards in where.values()), "each trace is on one"
    assert {min(shards) for shards in where.values()} == {1, 2}, "and they are shared out"
    names = ["workspace", "name", "key", "at", "expires_at"]
    columns.insert("metric_points", names, [["w"] * 40, ["m"] * 40, list(range(40)), [AT] * 40, [FAR] * 40])
    assert columns.everywhere("SELECT uniqExact(_shard_num), count() FROM metric_points") == [(2, 40)]
    columns.close()


@pytest.mark.slow
def test_a_missing_shard_is_named_and_nothing_is_answered_in_part(cluster: Shards) -> None:
    columns = Columns(cluster.url(f"t{time.monotonic_ns()}"))
    put(columns, [(trace(n), "s", "", "", 1) for n in range(50)])
    cluster.shards[1].kill()
    gone = f"127.0.0.1:{cluster.shards[1].http} does not answer"
    try:
        for act in (
            lambda: count(columns, "spans"),
            lambda: put(columns, [(trace(n), "s", "", "", 2) for n in range(50)]),
            lambda: columns.change("w", "ALTER TABLE spans DELETE WHERE workspace = {workspace:String}", {}),
            lambda: columns.everywhere("SELECT count() FROM calls"),
        ):
            for _ in range(4):  # whichever node is asked
                with pytest.raises(Unavailable) as caught:
                    act()
                assert gone in caught.value.detail
                assert caught.value.retry_after
        with pytest.raises(Unavailable):
            Columns(columns.url)
        assert not columns.ping()
    finally:
        cluster.restart(1)
    put(columns, [(trace(n), "s", "", "", 3) for n in range(50)])  # what was sent is sent again
    assert columns.rows("w", Select("spans", ["count()", "min(sequence)"], final=True)) == [(50, 3)]
    columns.close()


@pytest.mark.slow
def test_an_address_that_leaves_out_a_shard_is_refused(cluster: Shards) -> None:
    whole = cluster.url(f"t{time.monotonic_ns()}")
    first, _, rest = whole.partition(",")
    for url in (f"{first}/{rest.partition('/')[2]}", whole.replace("cluster=holdfast", "cluster=another")):
        with pytest.raises(Conflict, match="name every shard"):
            Columns(url)


@everywhere
def test_an_export_that_fails_in_the_middle_is_an_error(columns: Columns, tmp_path: Path) -> None:
    """Asked last of the servers: a server of this build may abort after a question to its peer has failed."""
    put(columns, [(trace(n), f"s{n}", "", "", n) for n in range(500)])
    late = Select("spans", ["throwIf(sequence = 499)", "span_id"], order_by=["sequence"])
    with pytest.raises(Unavailable):
        columns.write_file("w", late, tmp_path / "out.csv", "CSV")
    with pytest.raises(Unavailable):
        columns.formatted("w", late, "CSV")


def test_addresses() -> None:
    read = parse("clickhouse://ann:p%40ss@one,two:9123/calls?cluster=main&secure=true")
    assert read.nodes == (Node("one", 8443), Node("two", 9123))
    assert (read.user, read.password, read.database, read.secure, read.cluster) == (
        "ann", "p@ss", "calls", True, "main",
    )  # fmt: skip
    plain = parse("clickhouse://one")
    assert (plain.nodes, plain.user, plain.database, plain.secure, plain.cluster) == (
        (Node("one", 8123),), "default", "default", False, "",
    )  # fmt: skip
    assert parse("clickhouses://[::1]:1/x").nodes == (Node("[::1]", 1),)
    assert parse("clickhouses://[::1]/x").secure


@pytest.mark.parametrize(
    "url",
    [
        "clickhouse://one,two/calls",
        "clickhouse://one,one/calls?cluster=c",
        "clickhouse:///calls",
        "clickhouse://one:x/calls",
        "clickhouse://one/calls; DROP",
        "clickhouse://one/calls?cluster=a'b",
        "clickhouse://one/calls?replica=1",
        "http://one/calls",
    ],
)
def test_an_address_that_says_nothing_is_refused_without_its_password(url: str) -> None:
    with pytest.raises(Invalid) as caught:
        parse(url.replace("//", "//ann:secret@", 1))
    assert "secret" not in caught.value.detail


MIGRATION = """-- a table; with a remark
CREATE TABLE things (workspace String) ENGINE = MergeTree ORDER BY workspace;

ALTER TABLE things ADD COLUMN name String, ADD INDEX by_name name TYPE minmax;
DROP TABLE others;
"""


def test_migrations_shard_by_shard() -> None:
    plain: list[Any] = steps(MIGRATION, parse("clickhouse://one"))
    assert plain == steps(MIGRATION, None)
    assert [one.split(" (")[0] for one in plain] == [
        "CREATE TABLE IF NOT EXISTS things",
        "ALTER TABLE things ADD COLUMN IF NOT EXISTS name String, ADD INDEX IF NOT EXISTS by_name name TYPE minmax",
        "DROP TABLE IF EXISTS others",
    ]
    sharded = [one.split(" (")[0] for one in steps(MIGRATION, parse("clickhouse://a,b/d?cluster=c"))]
    over = "AS things_local ENGINE = Distributed('c', 'd', 'things_local', cityHash64(workspace, trace_id))"
    assert sharded == [
        "CREATE TABLE IF NOT EXISTS things_local",
        f"CREATE TABLE IF NOT EXISTS things {over}",
        "ALTER TABLE things_local ADD COLUMN IF NOT EXISTS name String,"
        " ADD INDEX IF NOT EXISTS by_name name TYPE minmax",
        f"CREATE OR REPLACE TABLE things {over}",
        "DROP TABLE IF EXISTS others",
        "DROP TABLE IF EXISTS others_local",
    ]
    with pytest.raises(ValueError):
        steps("INSERT INTO things SELECT 1", parse("clickhouse://a,b/d?cluster=c"))


def test_every_migration_can_be_done_shard_by_shard() -> None:
    address = parse("clickhouse://a,b/d?cluster=c")
    for path in sorted((Path(clusters.__file__).parent / "migrations" / "columns").glob("*.sql")):
        assert steps(path.read_text(), address)


def test_a_node_is_told_of_its_own_tables() -> None:
    text = "ALTER TABLE spans UPDATE calls = 1 WHERE trace_id IN (SELECT trace_id FROM held_traces WHERE calls = 2)"
    assert localised(text) == (
        "ALTER TABLE spans_local UPDATE calls = 1 WHERE trace_id IN"
        " (SELECT trace_id FROM held_traces_local WHERE calls = 2)"
    )
    assert localised("SELECT 1 FROM system.tables") == "SELECT 1 FROM system.tables"
    assert localised("SELECT 1 FROM (SELECT 1 FROM spans)") == "SELECT 1 FROM (SELECT 1 FROM spans_local)"
