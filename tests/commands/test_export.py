"""`holdfast export`, by real processes: running, stopped, refused."""

from __future__ import annotations

import csv
import json
import urllib.error
from collections.abc import Iterator
from pathlib import Path

import pytest
from pyarrow import parquet

from commands.core_process import CoreProcess, holdfast, span

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[CoreProcess, str]]:
    """A running core with calls in one workspace, and its key."""
    data = tmp_path_factory.mktemp("export") / "data"
    key = holdfast(
        "key", "create", "--workspace", "acme", "--scopes", "ingest,read,admin", data=data
    ).stdout.strip()
    core = CoreProcess(data).start()
    try:
        spans = [span(n, user__id=f"user-{n}", gen_ai__input__messages="[]") for n in range(30)]
        spans.append(span(30, user__id="=cmd|' /C calc'!A1", gen_ai__agent__name="@SUM(A1)"))
        core.send(key, spans)
        yield core, key
    finally:
        core.stop()


def test_the_same_rows_running_and_stopped_in_every_format(
    filled: tuple[CoreProcess, str], tmp_path: Path
) -> None:
    core, key = filled
    assert core.request("/api/v1/calls/count", key)["calls"] == 31
    for name in ("running", "stopped"):
        for what, form in (("calls", "parquet"), ("calls", "jsonl"), ("calls", "csv"), ("spans", "jsonl")):
            out = tmp_path / f"{name}-{what}.{form}"
            said = holdfast(
                "export", "--what", what, "--format", form, "--out", str(out), data=core.data
            ).stdout
            assert said.startswith(f"31 {what} ") and str(out) in said
            assert out.stat().st_mode & 0o077 == 0
        if name == "running":
            core.stop()
    core.start()
    for what, form in (("calls", "jsonl"), ("calls", "csv"), ("spans", "jsonl")):
        running, stopped = (tmp_path / f"{name}-{what}.{form}" for name in ("running", "stopped"))
        assert running.read_bytes() == stopped.read_bytes()
    tables = [parquet.read_table(tmp_path / f"{name}-calls.parquet") for name in ("running", "stopped")]
    assert tables[0].equals(tables[1]) and tables[0].num_rows == 31
    assert sorted(tables[0]["user"].to_pylist())[-1] == "user-9"
    assert not list(tmp_path.glob(".*part"))


def test_no_cell_of_csv_is_a_formula(filled: tuple[CoreProcess, str], tmp_path: Path) -> None:
    core, _ = filled
    out = tmp_path / "calls.csv"
    holdfast("export", "--what", "calls", "--format", "csv", "--out", str(out), data=core.data)
    with out.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 31
    assert "'=cmd|' /C calc'!A1" in {row["user"] for row in rows}
    assert "'@SUM(A1)" in {row["agent"] for row in rows}
    assert not [cell for row in rows for cell in row.values() if cell[:1] in ("=", "+", "@", "\t", "\r")]


def test_unknown_is_null_and_json_is_json(filled: tuple[CoreProcess, str], tmp_path: Path) -> None:
    core, _ = filled
    out = tmp_path / "spans.jsonl"
    holdfast("export", "--what", "spans", "--format", "jsonl", "--out", str(out), data=core.data)
    rows = [json.loads(line) for line in out.read_text().splitlines()]
    assert rows[0]["attributes"]["gen_ai.request.model"] == "gpt-4o-mini"
    assert rows[0]["parent_span_id"] is None
    assert rows[0]["started_at"].endswith("Z")


def test_the_audit_log_is_exported_and_records_the_exports(
    filled: tuple[CoreProcess, str], tmp_path: Path
) -> None:
    core, _ = filled
    holdfast("export", "--what", "calls", "--format", "csv", "--out", str(tmp_path / "c"), data=core.data)
    out = tmp_path / "audit.jsonl"
    holdfast("export", "--what", "audit", "--format", "jsonl", "--out", str(out), data=core.data)
    actions = [json.loads(line).get("record", {}).get("action") for line in out.read_text().splitlines()]
    assert "calls.exported" in actions and "key.created" in actions
    refused = holdfast(
        "export", "--what", "audit", "--format", "csv", "--out", str(out), data=core.data, check=False
    )
    assert refused.returncode == 1 and "jsonl" in refused.stderr


def test_a_failed_export_leaves_what_was_there(filled: tuple[CoreProcess, str], tmp_path: Path) -> None:
    core, _ = filled
    out = tmp_path / "calls.csv"
    out.write_text("mine")
    done = holdfast("export", "--workspace", "none", "--out", str(out), data=core.data, check=False)
    assert done.returncode == 1 and "no such workspace" in done.stderr
    assert out.read_text() == "mine" and len(list(tmp_path.iterdir())) == 1


def test_the_local_door_is_shut_over_tcp(filled: tuple[CoreProcess, str]) -> None:
    core, key = filled
    for path, headers, status in (
        ("/api/v1/exports/calls", {"x_holdfast_workspace": "acme"}, 401),
        ("/api/v1/calls/count", {"x_holdfast_workspace": "acme", "holdfast_local": "True"}, 401),
        ("/local/backup", {"x_holdfast_workspace": "acme"}, 404),
    ):
        with pytest.raises(urllib.error.HTTPError) as refused:
            core.request(path, **headers)
        assert refused.value.code == status
    with pytest.raises(urllib.error.HTTPError) as refused:
        core.request("/local/backup", key)
    assert refused.value.code == 404


def test_a_second_core_on_the_folder_is_refused_in_words(filled: tuple[CoreProcess, str]) -> None:
    core, _ = filled
    done = holdfast("serve", "--port", "0", data=core.data, check=False)
    assert done.returncode == 1
    assert f"in use by process {core.process.pid if core.process else '?'}" in done.stderr
    assert "Traceback" not in done.stderr
