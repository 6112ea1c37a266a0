"""Secrets: kept encrypted, opened only where they belong, never said."""

from __future__ import annotations

import base64
import os
import stat
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from holdfast.kernel.context import Actor, Context
from holdfast.kernel.errors import HoldfastError, Invalid, NotFound, Unavailable
from holdfast.platform.secrets import actions, master, reads, rules, store
from holdfast.platform.secrets.model import MasterKey
from holdfast.platform.settings import Settings
from holdfast.platform.tenancy import actions as tenancy
from holdfast.storage.sql import Database

TEXT = "s3cret – worth keeping"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data=tmp_path)


def context(database: Database, clock: object, slug: str = "acme") -> Context:
    cli = Actor("cli", "t", "t")
    with database.transaction() as tx:
        now = clock()  # type: ignore[operator]
        return Context(tenancy.ensure_workspace(Context("instance", cli, now), tx, slug).id, cli, now)


def test_kept_encrypted_and_opened_again(database: Database, clock: object, settings: Settings) -> None:
    ctx, other = context(database, clock), context(database, clock, "birch")
    key = master.load(settings)
    with database.transaction() as tx:
        reference = actions.keep(ctx, tx, key, "vendor", TEXT)
        assert reads.workspace_secret(tx, settings, ctx.workspace, reference) == TEXT
        assert actions.keep(ctx, tx, key, "vendor", TEXT + "2") == reference
        assert reads.workspace_secret(tx, settings, ctx.workspace, reference) == TEXT + "2"
        kept = store.secrets_of(tx, ctx.workspace)[0]
        assert TEXT not in kept.sealed and kept.sealed not in repr(kept) and kept.sealed.startswith("dk_")
        with pytest.raises(NotFound):
            reads.workspace_secret(tx, settings, other.workspace, reference)


def test_any_change_of_what_is_kept_is_noticed(database: Database, clock: object, settings: Settings) -> None:
    ctx, other = context(database, clock), context(database, clock, "birch")
    key = master.load(settings)
    with database.transaction() as tx:
        reference = actions.keep(ctx, tx, key, "vendor", TEXT)
        actions.keep(ctx, tx, key, "second", "another")
        kept, second = (store.secret_by_name(tx, ctx.workspace, name) for name in ("vendor", "second"))
        assert kept and second
        data_key = store.data_keys_of(tx, ctx.workspace)[0]
        plain = rules.unwrap(key, data_key)
        key_id, _, body = kept.sealed.partition(".")
        raw = bytearray(base64.b64decode(body))
        for place in range(len(raw)):
            raw[place] ^= 1
            with pytest.raises(Unavailable):
                rules.open_sealed(plain, replace(kept, sealed=f"{key_id}.{base64.b64encode(raw).decode()}"))
            raw[place] ^= 1
        with pytest.raises(Unavailable):  # one secret's ciphertext in another's row
            rules.open_sealed(plain, replace(second, sealed=kept.sealed))
        with pytest.raises(Unavailable):
            rules.unwrap(key, replace(data_key, workspace=other.workspace))
        with pytest.raises(Unavailable):
            rules.unwrap(rules.master_key(os.urandom(32)), data_key)
        assert reads.workspace_secret(tx, settings, ctx.workspace, reference) == TEXT


def test_both_keys_can_be_changed(database: Database, clock: object, settings: Settings) -> None:
    ctx = context(database, clock)
    old = master.load(settings)
    new = rules.master_key(os.urandom(32))
    with database.transaction() as tx:
        reference = actions.keep(ctx, tx, old, "vendor", TEXT)
        before = store.secrets_of(tx, ctx.workspace)[0].sealed
        assert actions.change_data_key(ctx, tx, old) == 1
        after = store.secrets_of(tx, ctx.workspace)[0].sealed
        assert (
            rules.key_id_of(before) != rules.key_id_of(after)
            and len(store.data_keys_of(tx, ctx.workspace)) == 1
        )
        assert reads.workspace_secret(tx, settings, ctx.workspace, reference) == TEXT
        assert actions.change_master_key(ctx, tx, old, new) == 1
        with pytest.raises(Unavailable):
            reads.workspace_secret(tx, settings, ctx.workspace, reference)
        moved = settings.model_copy(
            update={"master_key": type(settings.master_key)(base64.b64encode(new.key).decode())}
        )
        assert reads.workspace_secret(tx, moved, ctx.workspace, reference) == TEXT


def test_the_master_key_file_is_private(settings: Settings) -> None:
    made = master.load(settings)
    path = settings.data / "keys" / "master.key"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert (
        master.load(settings) == made and repr(made).count(made.id) == 1 and repr(made.key) not in repr(made)
    )
    assert sorted(one.name for one in path.parent.iterdir()) == ["master.key"]
    path.chmod(0o640)
    with pytest.raises(Unavailable, match="chmod 600"):
        master.load(settings)


def test_many_who_make_the_master_key_at_once_make_one(settings: Settings) -> None:
    found: list[MasterKey] = []
    crowd = [Thread(target=lambda: found.append(master.load(settings))) for _ in range(8)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    assert len({one.id for one in found}) == 1


@pytest.mark.parametrize("bad", ["x", "AAAA", base64.b64encode(b"x" * 31).decode()])
def test_a_wrong_master_key_is_refused_without_saying_it(bad: str) -> None:
    with pytest.raises(Invalid) as error:
        rules.decode_key(bad)
    assert bad not in error.value.detail.split()


def test_references_of_the_operator(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_SECRET", TEXT)
    file = tmp_path / "secret"
    file.write_text(TEXT + "\n")
    assert reads.operator_secret(settings, "env:SOME_SECRET") == TEXT
    assert reads.operator_secret(settings, f"file:{file}") == TEXT
    assert reads.operator_secret(settings, "plain text") == "plain text"
    with pytest.raises(NotFound):
        reads.operator_secret(settings, "env:NOT_THERE")
    with pytest.raises(Unavailable):
        reads.operator_secret(settings, "file:/not/there")
    with pytest.raises(Invalid):
        reads.operator_secret(settings, "file:relative")
    with pytest.raises(Invalid):
        reads.operator_secret(settings, "secret:sec_1")
    file.write_bytes(b"x" * (65 << 10))
    with pytest.raises(Invalid):
        reads.operator_secret(settings, f"file:{file}")


@pytest.mark.parametrize(
    "reference", ["env:PATH", "file:/etc/passwd", "vault:kv/a#b", "plain", "", "SECRET:x"]
)
def test_a_workspace_cannot_read_the_machine(database: Database, settings: Settings, reference: str) -> None:
    with database.reading() as tx, pytest.raises(Invalid):
        reads.workspace_secret(tx, settings, "ws_1", reference)


class Vault(BaseHTTPRequestHandler):
    """Answers like Vault's KV version 2."""

    def do_GET(self) -> None:
        good = self.headers["x-vault-token"] == "vt" and self.path == "/v1/kv/data/team/oidc"
        body = b'{"data": {"data": {"client": "from the vault", "number": 7}, "metadata": {"version": 3}}}'
        self.send_response(200 if good else 403 if self.headers["x-vault-token"] != "vt" else 404)
        self.end_headers()
        self.wfile.write(body if good else b'{"errors": ["no such token vt"]}')

    def log_message(self, *_: object) -> None:
        """Says nothing."""


def test_vault(tmp_path: Path) -> None:
    server = HTTPServer(("127.0.0.1", 0), Vault)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        address = f"http://127.0.0.1:{server.server_port}"
        settings = Settings(data=tmp_path, vault_address=address, vault_token="vt")
        assert reads.operator_secret(settings, "vault:kv/team/oidc#client") == "from the vault"
        for reference, error in (
            ("vault:kv/team/oidc#nothing", NotFound),
            ("vault:kv/team/oidc#number", Invalid),
            ("vault:kv/other#client", NotFound),
            ("vault:kv/../sys/oidc#client", Invalid),
            ("vault:kv", Invalid),
        ):
            with pytest.raises(error):
                reads.operator_secret(settings, reference)
        wrong = Settings(data=tmp_path, vault_address=address, vault_token="another")
        with pytest.raises(Unavailable) as refused:
            reads.operator_secret(wrong, "vault:kv/team/oidc#client")
        assert "another" not in str(refused.value) and refused.value.__cause__ is None
    finally:
        server.shutdown()
        server.server_close()
    with pytest.raises(Unavailable):
        reads.operator_secret(settings, "vault:kv/team/oidc#client")


def test_no_error_of_secrets_holds_a_value(settings: Settings) -> None:
    key = rules.master_key(b"k" * 32)
    with pytest.raises(HoldfastError) as refused:
        rules.open_value(key, "purpose", TEXT.encode())
    assert TEXT not in str(refused.value) and "kkkk" not in repr(refused.value)
    sealed = rules.seal_value(key, "purpose", b"v")
    assert rules.open_value(key, "purpose", sealed) == b"v"
    with pytest.raises(Unavailable):
        rules.open_value(key, "another purpose", sealed)
