"""`holdfast backup` and `restore`, by real processes: while telemetry pours in, and against tampered tars."""

from __future__ import annotations

import io
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from commands.core_process import CoreProcess, holdfast, span

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str, int]:
    """A backup made while a sender keeps sending; the sender's key, and how many it knew of before."""
    folder = tmp_path_factory.mktemp("backup")
    data = folder / "data"
    key = holdfast("key", "create", "--workspace", "acme", "--scopes", "ingest,read", data=data)
    core = CoreProcess(data).start()
    text = key.stdout.strip()
    stop = threading.Event()
    sent = [0]

    def pour() -> None:
        while not stop.is_set():
            first = sent[0]
            core.send(text, [span(first + n, parent="") for n in range(20)])
            sent[0] = first + 20

    try:
        core.send(text, [span(1_000_000 + n) for n in range(50)])
        sender = threading.Thread(target=pour)
        sender.start()
        before = sent[0]
        out = folder / "backup.tar"
        said = holdfast("backup", "--out", str(out), data=data).stdout
        after = sent[0]
        stop.set()
        sender.join()
        assert after > before, "nothing was sent while the backup was made"
        assert str(out) in said
        assert core.request("/api/v1/calls/count", text)["calls"] == 50 + sent[0]
        assert not [one for one in (data / "columns" / "shadow").iterdir() if one.is_dir()]
        assert not list((data / "tmp").glob("backup-*"))
    finally:
        stop.set()
        core.stop()
    return out, text, 50 + before


def test_what_is_restored_is_one_moment(made: tuple[Path, str, int], tmp_path: Path) -> None:
    out, key, known = made
    data = tmp_path / "restored"
    said = holdfast("restore", "--from", str(out), data=data).stdout
    assert "each verified" in said
    assert "intact" in holdfast("audit", "verify", data=data).stdout.lower()
    core = CoreProcess(data).start()
    try:
        counted = core.request("/api/v1/calls/count", key)  # the key is in the control store
        assert counted["calls"] == counted["spans"] >= known  # each span of this test is one call
        core.send(key, [span(5_000_000)])
        assert core.request("/api/v1/calls/count", key)["calls"] == counted["calls"] + 1
    finally:
        core.stop()


def test_a_folder_with_something_in_it_is_refused(made: tuple[Path, str, int], tmp_path: Path) -> None:
    (tmp_path / "mine").write_text("mine")
    done = holdfast("restore", "--from", str(made[0]), data=tmp_path, check=False)
    assert done.returncode == 1 and "not empty" in done.stderr
    assert [one.name for one in tmp_path.iterdir()] == ["mine"]


def _flip(content: bytes) -> bytes:
    return content[:-1] + bytes([content[-1] ^ 1])


def _rewritten(source: Path, target: Path, name: str, change: Callable[[bytes], bytes | None]) -> None:
    with tarfile.open(source) as old, tarfile.open(target, "w") as new:
        for member in old:
            if not member.isreg():
                new.addfile(member)
                continue
            file = old.extractfile(member)
            content: bytes | None = file.read() if file else b""
            if member.name == name and content is not None:
                content = change(content)
            if content is not None:
                member.size = len(content)
                new.addfile(member, io.BytesIO(content))


@pytest.mark.parametrize("kind", ["control store", "key", "column", "missing", "no manifest", "cut"])
def test_a_tampered_backup_is_refused_by_name(made: tuple[Path, str, int], tmp_path: Path, kind: str) -> None:
    with tarfile.open(made[0]) as tar:
        names = tar.getnames()
    column = next(name for name in names if name.startswith("columns/") and name.endswith("data.bin"))
    name = {"key": "keys/audit.ed25519", "no manifest": "manifest.json"}.get(
        kind, column if kind in ("column", "missing") else "holdfast.db"
    )
    broken = tmp_path / "broken.tar"
    if kind == "cut":
        broken.write_bytes(made[0].read_bytes()[: made[0].stat().st_size // 2])
    else:
        lost = kind in ("missing", "no manifest")
        _rewritten(made[0], broken, name, lambda content: None if lost else _flip(content))
    data = tmp_path / "data"
    done = holdfast("restore", "--from", str(broken), data=data, check=False)
    assert done.returncode == 1, done.stdout
    assert {"no manifest": "without its manifest", "cut": "this backup is"}.get(kind, name) in done.stderr
    assert not data.exists() and sorted(one.name for one in tmp_path.iterdir()) == ["broken.tar"]


def test_a_way_out_of_the_folder_is_refused(tmp_path: Path) -> None:
    for number, (name, link) in enumerate((("../out", ""), ("/out", ""), ("columns/x", "../../out"))):
        broken = tmp_path / f"{number}.tar"
        with tarfile.open(broken, "w") as tar:
            info = tarfile.TarInfo(name)
            if link:
                info.type, info.linkname = tarfile.SYMTYPE, link
            tar.addfile(info, io.BytesIO())
        done = holdfast("restore", "--from", str(broken), data=tmp_path / "data", check=False)
        assert done.returncode == 1 and name in done.stderr


def test_servers_are_left_to_their_own_tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLDFAST_SQL_URL", "postgresql+psycopg://nobody@127.0.0.1:1/none")
    done = holdfast("backup", "--out", str(tmp_path / "b.tar"), data=tmp_path / "data", check=False)
    assert done.returncode == 1 and "pg_dump" in done.stderr
    monkeypatch.delenv("HOLDFAST_SQL_URL")
    monkeypatch.setenv("HOLDFAST_COLUMNS_URL", "clickhouse://127.0.0.1:1/none")
    done = holdfast("restore", "--from", str(tmp_path / "b.tar"), data=tmp_path / "data", check=False)
    assert done.returncode == 1 and "ClickHouse" in done.stderr
