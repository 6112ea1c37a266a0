"""`holdfast doctor`: each line says how it is and what mends it."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from holdfast.commands import doctor
from holdfast.commands.doctor import Finding, examine
from holdfast.platform.settings import Settings
from holdfast.storage.migrate import migrate
from holdfast.storage.sql import Database
from stand import free_port


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    data = tmp_path / "data"
    data.mkdir(mode=0o700)
    return Settings(data=data, port=free_port(), gateway_port=free_port(), grpc_port=0)


def found(settings: Settings, what: str) -> Finding:
    """The first finding about something."""
    checks = (doctor.folder, doctor.disk, doctor.control_store, doctor.call_store, doctor.keys, doctor.ports)
    made = [one for check in (*checks, doctor.contradictions, doctor.clock) for one in check(settings)]
    return next(one for one in made if one.what == what)


def test_all_is_well_with_an_empty_folder(settings: Settings) -> None:
    code, text = examine(settings)
    assert code == 0 and "0 failed" in text, text
    assert all(line[:4].strip() in ("ok", "warn") for line in text.splitlines()[:-1])
    assert list(settings.data.iterdir()) == []  # it changes nothing


def test_a_port_that_something_else_has_fails(settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", settings.port)):
        one = found(settings, "port")
        assert one.state == "fail" and "--port" in one.mend
        assert examine(settings)[0] == 1


def test_keys_open_to_others_fail(settings: Settings) -> None:
    keys = settings.data / "keys"
    keys.mkdir(mode=0o700)
    (keys / "master.key").write_text("secret")
    (keys / "master.key").chmod(0o644)
    (keys / "audit.vkey").touch(mode=0o644)
    one = found(settings, "keys")
    assert one.state == "fail" and "master.key" in one.found and "chmod 600" in one.mend
    (keys / "master.key").chmod(0o600)
    assert found(settings, "keys").state == "ok"


def test_migrations_are_told(settings: Settings) -> None:
    database = Database(settings.sql)
    migrate(database)
    assert found(settings, "control store").state == "ok"
    with database.transaction() as tx:
        import sqlalchemy as sa

        tx.execute(sa.text("UPDATE alembic_version SET version_num = '0001'"))
    one = found(settings, "control store")
    assert one.state == "warn" and "pending" in one.found
    with database.transaction() as tx:
        tx.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    assert found(settings, "control store").state == "fail"
    database.close()


def test_a_damaged_control_store_fails(settings: Settings) -> None:
    (settings.data / "holdfast.db").write_bytes(b"this is no database" * 100)
    one = found(settings, "control store")
    assert one.state == "fail" and "backup" in one.mend


def test_a_full_disk_and_a_network_file_system(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    full = settings.model_copy(update={"min_free_bytes": 1 << 60})
    assert found(full, "disk").state == "fail"
    monkeypatch.setattr(doctor, "file_system", lambda _: "nfs4")
    assert found(settings, "file system").state == "warn"


def test_settings_that_contradict(settings: Settings) -> None:
    for change, said in (
        ({"host": "0.0.0.0"}, "without TLS"),
        ({"local_sign_in": False}, "nobody can sign in"),
        ({"gateway_port": settings.port}, "same port"),
        ({"columns_url": "clickhouse://127.0.0.1:1/x"}, "local file"),
        ({"cookie_secure": "always", "public_url": "http://holdfast.example"}, "HTTPS only"),
    ):
        told = list(doctor.contradictions(settings.model_copy(update=change)))
        assert any(said in one.found and one.state == "warn" for one in told), change


def test_a_folder_open_to_others_is_doubtful(settings: Settings) -> None:
    settings.data.chmod(0o755)
    assert found(settings, "data folder").state == "warn"


def test_a_call_store_that_hangs_elsewhere_fails(settings: Settings) -> None:
    import fcntl

    with (settings.data / "columns.lock").open("w+") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        handle.write("4711")
        handle.flush()
        one = found(settings, "call store")
        assert one.state == "fail" and "4711" in one.found
    assert found(settings, "call store").state == "ok"
