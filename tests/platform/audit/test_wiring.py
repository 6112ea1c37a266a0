"""The key on disk, the signer's memory, and what `holdfast audit verify` says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from holdfast.kernel.errors import Invalid, Unavailable
from holdfast.platform.audit import keys, reads, store, wiring
from holdfast.platform.audit.keys import MemoryFile, open_signer, published_vkey
from holdfast.platform.audit.model import StreamConfig
from holdfast.storage.sql import Database
from stand import FakeClock

if TYPE_CHECKING:
    from .conftest import Log


def test_the_key_is_made_once_and_readable_by_its_owner_alone(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "keys"
    assert published_vkey(folder) is None
    first = open_signer(folder)
    assert open_signer(folder).verifier == first.verifier
    assert (folder / "audit.ed25519").stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert published_vkey(folder) == first.verifier.vkey
    assert first.name.startswith("holdfast/hf_")
    assert [path.name for path in sorted(folder.iterdir())] == ["audit.ed25519", "audit.vkey"]


def test_a_key_that_others_can_read_or_that_is_damaged_is_refused(tmp_path: Path) -> None:
    open_signer(tmp_path)
    path = tmp_path / "audit.ed25519"
    path.chmod(0o640)
    with pytest.raises(Unavailable, match="chmod 600"):
        open_signer(tmp_path)
    path.chmod(0o600)
    path.write_text(path.read_text().replace("hf_", "hx_"))
    with pytest.raises(Invalid, match="damaged"):
        open_signer(tmp_path)
    path.write_bytes(b"\xff")
    with pytest.raises(Unavailable, match="cannot be used"):
        open_signer(tmp_path)


def test_a_key_made_by_another_process_meanwhile_is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = open_signer(tmp_path)
    real = Path.exists
    monkeypatch.setattr(Path, "exists", lambda path: path.name != "audit.ed25519" and real(path))
    assert open_signer(tmp_path).verifier == first.verifier


def test_the_memory_survives_and_a_damaged_one_is_not_taken_for_empty(tmp_path: Path) -> None:
    memory = MemoryFile(tmp_path)
    assert memory.load() == {}
    memory.save({"ws_1": "note"})
    assert MemoryFile(tmp_path).load() == {"ws_1": "note"}
    for damage in ("{", "[]", '{"ws_1": 1}'):
        (tmp_path / "audit.signed").write_text(damage)
        with pytest.raises(Unavailable):
            memory.load()
    with pytest.raises(Unavailable, match="cannot keep"):
        MemoryFile(tmp_path / "missing").save({})


def test_verifying_from_the_command_line(log: Log, tmp_path: Path) -> None:
    shipped = tmp_path / "shipped.jsonl"
    config = StreamConfig("file", "file", path=str(shipped))
    job = wiring.open_job(log.database, tmp_path / "keys", [config], log.clock)
    log.add(4)
    job.run_once()
    code, text = wiring.verify_command(log.database, tmp_path / "keys")
    assert code == 0
    assert "4 entries in 1 logs" in text and "The audit log is intact." in text
    assert "give --vkey with a copy kept elsewhere" in text
    code, text = wiring.verify_command(log.database, tmp_path / "keys", [job.vkey], [shipped])
    assert code == 0 and "--vkey" not in text
    assert wiring.verify_file_command(shipped, [job.vkey])[0] == 0
    with pytest.raises(Invalid, match="--vkey"):
        wiring.verify_file_command(shipped, [])
    with log.database.engine.begin() as connection:
        for table in (store.audit_entries, store.audit_trees, store.audit_checkpoints):
            connection.execute(table.delete())
    (tmp_path / "keys" / "audit.signed").unlink()
    assert (
        wiring.verify_command(log.database, tmp_path / "keys")[0] == 0
    )  # all traces on this machine are gone
    code, text = wiring.verify_command(log.database, tmp_path / "keys", [job.vkey], [shipped])
    assert code == 1
    assert "PROBLEM  workspace ws_test, entries 0 to 3: a checkpoint kept elsewhere covers entries" in text
    assert text.splitlines()[-1] == "The audit log is NOT intact."


def test_without_any_key_nothing_is_believed(log: Log, tmp_path: Path) -> None:
    log.add(1)
    log.sign()
    code, text = wiring.verify_command(log.database, tmp_path / "none")
    assert code == 1
    assert "no key was given" in text


def test_a_restart_goes_on_where_it_was(tmp_path: Path, log: Log) -> None:
    folder = tmp_path / "keys"
    wiring.open_job(log.database, folder, [], log.clock)
    log.add(2)
    wiring.open_job(log.database, folder, [], log.clock).run_once()
    log.add(1)
    job = wiring.open_job(log.database, folder, [], log.clock)
    job.run_once()
    assert not job.signing.refused
    assert list(json.loads((folder / "audit.signed").read_text())) == ["ws_test"]
    with log.database.reading() as tx:
        assert reads.verify(tx, [job.vkey], MemoryFile(folder).load().items()).signed == 3


def test_a_refusal_is_logged_once(log: Log, caplog: pytest.LogCaptureFixture) -> None:
    log.add(3)
    log.sign()
    with log.database.engine.begin() as connection:
        connection.execute(store.audit_trees.update().values(size=1, frontier=bytes(32)))
    job = log.job()
    for _ in range(3):
        job.sign_once()
    messages = [record.message for record in caplog.records if record.name == "holdfast.audit"]
    assert messages == [
        "audit log not signed: workspace ws_test: it has 1 entries, and 3 were signed: it was rewound"
    ]


def test_no_secret_is_in_any_table_or_error(log: Log, tmp_path: Path) -> None:
    wiring.open_job(log.database, tmp_path, [], log.clock)
    secret = (tmp_path / "audit.ed25519").read_text().split("+", 4)[4].strip()
    log.add(1)
    wiring.open_job(log.database, tmp_path, [], FakeClock()).run_once()
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.name != "audit.ed25519":
            assert secret.encode() not in path.read_bytes()
    assert keys.MemoryFile(tmp_path).load()
    assert isinstance(log.database, Database)
