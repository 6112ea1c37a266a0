"""Configurations put in force: whole or not at all, version by version, each on the audit log and nobody else's."""

from __future__ import annotations

import json
import threading
from typing import Any

import pytest
from tests.gateway.control.desk import SECRET, Desk, document

from holdfast.gateway import actions
from holdfast.gateway.reads import applied as reads
from holdfast.kernel.errors import Conflict, HoldfastError, Invalid, NotFound
from holdfast.platform.access.actions import keys
from holdfast.platform.access.model import Scope
from holdfast.platform.secrets import actions as secrets
from holdfast.platform.secrets import master
from holdfast.platform.settings import Settings
from holdfast.registry import reads as registry


def test_versions_follow_one_another_and_are_kept(desk: Desk) -> None:
    ctx = desk.ctx()
    first = desk.apply(ctx, document(), note="first")
    assert (first.version.version, desk.version(ctx)) == (1, 1)
    assert [one.where for one in first.changes][:3] == ["upstreams.main", "upstreams.other", "releases.one"]
    second = desk.apply(ctx, document(limits=[]), expected_version=1)
    assert [(one.where, one.what) for one in second.changes] == [("limits (key)", "removed")]
    assert second.version.release_ids == first.version.release_ids
    again = desk.apply(ctx, document(limits=[]), note="says the same")
    assert (again.version.version, again.changes) == (2, ())
    with desk.database.reading() as tx:
        assert [one.version for one in reads.versions(ctx, tx)] == [2, 1]
        assert [one.version for one in reads.versions(ctx, tx, before=2)] == [1]
        kept = reads.version(ctx, tx, 1)
        assert kept == first.version
        assert (kept.note, kept.applied_by) == ("first", "somebody")
        assert {one.id for one in registry.releases(ctx, tx)} == set(kept.release_ids.values())
        with pytest.raises(NotFound):
            reads.version(ctx, tx, 3)
    back = desk.apply(ctx, kept.document, note="back")
    assert back.version.document == first.version.document
    assert [action for action, _ in desk.audit(ctx)] == [
        "workspace.created",
        "release.registered",
        "release.registered",
        "gateway.applied",
        "gateway.applied",
        "gateway.applied",
    ]


def test_the_log_says_what_changed_and_no_value(desk: Desk) -> None:
    ctx = desk.ctx()
    reference = desk.secret(ctx)
    made = document()
    made["upstreams"]["main"] |= {"credential": reference, "headers": {"x-team": "a-header-value"}}
    desk.apply(ctx, document())
    desk.apply(ctx, made, note="a key at last")
    *_, (action, details) = desk.audit(ctx)
    assert action == "gateway.applied"
    assert details == {
        "version": 2,
        "note": "a key at last",
        "changed": 1,
        "changes": [{"where": "upstreams.main", "what": "changed", "fields": ["credential", "headers"]}],
    }
    said = json.dumps(desk.audit(ctx))
    assert SECRET not in said and "a-header-value" not in said


@pytest.mark.parametrize("expected", [0, 2, 7])
def test_a_wrong_expected_version_is_a_conflict(desk: Desk, expected: int) -> None:
    ctx = desk.ctx()
    desk.apply(ctx, document(), expected_version=0)
    with pytest.raises(Conflict, match="version 1 is in force"):
        desk.apply(ctx, document(limits=[]), expected_version=expected)
    assert desk.version(ctx) == 1


def test_nothing_is_half_applied(desk: Desk) -> None:
    ctx = desk.ctx()
    desk.apply(ctx, document())
    before, epoch = desk.audit(ctx), desk.epoch()
    made = document(routes={"chat": {"release": "new"}})
    made["releases"]["new"] = {"chain": [{"upstream": "main"}]}  # fine, were it not for the budget
    made["budgets"] = [{"scope": "key", "amount": 0}]
    with pytest.raises(Invalid) as refused:
        desk.apply(ctx, made)
    assert refused.value.errors == (
        ("budgets[0].amount", "an amount is above 0; to refuse all, revoke the key"),
    )
    assert refused.value.where == "budgets[0].amount"
    with desk.database.reading() as tx:
        assert len(registry.releases(ctx, tx)) == 2
    assert (desk.audit(ctx), desk.epoch(), desk.version(ctx)) == (before, epoch, 1)
    with pytest.raises(Invalid, match="1000 characters"):
        desk.apply(ctx, document(limits=[]), note="x" * 1001)
    assert desk.version(ctx) == 1


def test_a_check_changes_nothing_and_says_the_same(desk: Desk) -> None:
    ctx = desk.ctx()
    desk.apply(ctx, document())
    before, epoch = desk.audit(ctx), desk.epoch()
    found = desk.check(ctx, document(limits=[]))
    assert (found.version, found.faults) == (1, ())
    assert found.changes == desk.check(ctx, document(limits=[])).changes
    assert desk.check(ctx, []).faults
    assert (desk.audit(ctx), desk.epoch(), desk.version(ctx)) == (before, epoch, 1)
    assert desk.apply(ctx, document(limits=[])).changes == found.changes


def test_of_many_at_once_each_gets_a_version_or_a_conflict(desk: Desk) -> None:
    ctx = desk.ctx()
    desk.apply(ctx, document())
    outcomes: list[Any] = []

    def one(number: int) -> None:
        limits = [{"scope": "key", "requests_per_minute": number + 100}]
        try:
            outcomes.append(desk.apply(ctx, document(limits=limits), expected_version=1).version.version)
        except HoldfastError as error:
            outcomes.append(type(error))

    threads = [threading.Thread(target=one, args=[number]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sorted(outcomes, key=str) == sorted([2, *[Conflict] * 5], key=str)
    assert desk.version(ctx) == 2
    assert [action for action, _ in desk.audit(ctx)].count("gateway.applied") == 2


def test_a_neighbours_secret_and_key_are_not_there(desk: Desk) -> None:
    mine, theirs = desk.ctx(), desk.ctx("birch")
    reference, (key, _) = desk.secret(theirs), desk.key(theirs)
    made = document(keys={key: {}})
    made["upstreams"]["main"]["credential"] = reference
    found = {one.where: one.what for one in desk.check(mine, made).faults}
    never = document(keys={"key_never": {}})
    never["upstreams"]["main"]["credential"] = "secret:sec_never"
    as_never = {one.where: one.what for one in desk.check(mine, never).faults}
    assert list(found) == ["upstreams.main.credential", f"keys.{key}"]
    assert list(found.values()) == list(as_never.values())
    assert desk.check(theirs, made).faults == ()
    desk.apply(theirs, made)
    assert desk.version(mine) == 0
    with desk.database.reading() as tx:
        assert reads.current(mine, tx) is None
        assert reads.versions(mine, tx) == []
        with pytest.raises(NotFound):
            reads.version(mine, tx, 1)


def test_another_rooms_secret_is_no_credential(desk: Desk) -> None:
    """Else the password of a mail server could be sent to any address that an upstream names."""
    ctx = desk.ctx()
    with desk.database.transaction() as tx:
        reference = secrets.keep(ctx, tx, master.load(desk.settings), "channel:ch_1", SECRET)
    made = document()
    made["upstreams"]["main"]["credential"] = reference
    assert [one.where for one in desk.check(ctx, made).faults] == ["upstreams.main.credential"]


def test_a_credential_in_use_is_not_forgotten(desk: Desk) -> None:
    ctx = desk.ctx()
    reference = desk.secret(ctx, "vendor")
    made = document()
    made["upstreams"]["main"]["credential"] = reference
    desk.apply(ctx, made)
    with desk.database.transaction() as tx:
        assert actions.own_secrets(ctx, tx) == [(reference, "vendor")]
        with pytest.raises(Conflict, match="main"):
            actions.remove_secret(ctx, tx, "vendor")
        with pytest.raises(NotFound):
            actions.remove_secret(ctx, tx, "other")
    desk.apply(ctx, document())
    with desk.database.transaction() as tx:
        actions.remove_secret(ctx, tx, "vendor")
        assert actions.own_secrets(ctx, tx) == []
    for name, text in (("a/b", "x"), ("", "x"), ("a", ""), ("a", "two\nlines")):
        with desk.database.transaction() as tx, pytest.raises(Invalid):
            actions.keep_secret(ctx, tx, master.load(desk.settings), name, text)


def test_a_key_must_open_the_gateway_and_a_revoked_one_is_a_warning(desk: Desk) -> None:
    ctx = desk.ctx()
    key, _ = desk.key(ctx)
    reader, _ = desk.key(ctx, Scope.READ)
    found = desk.check(ctx, document(keys={key: {}, reader: {}}))
    assert [(one.where, one.what) for one in found.faults] == [
        (f"keys.{reader}", "this key lacks the scope gateway")
    ]
    with desk.database.transaction() as tx:
        keys.revoke_key(ctx, tx, key)
    made = desk.apply(ctx, document(keys={key: {}}))
    assert [one.where for one in made.warnings] == [f"keys.{key}"]


def test_only_the_command_line_names_what_is_on_the_machine(desk: Desk) -> None:
    operator, member, key = desk.ctx(kind="cli"), desk.ctx(), desk.ctx(kind="key")
    made = document()
    made["upstreams"]["main"]["credential"] = "env:OPENAI_API_KEY"
    for ctx in (member, key):
        with pytest.raises(Invalid, match="only the operator"):
            desk.apply(ctx, made)
    desk.apply(operator, made)
    made["routes"]["chat"]["retries"] = 1
    assert desk.apply(member, made).version.version == 2  # the upstream is as the operator left it
    made["upstreams"]["main"]["base_url"] = "https://1.1.1.1/v1"
    with pytest.raises(Invalid, match="only the operator"):
        desk.apply(member, made)
    desk.apply(member, document())
    with pytest.raises(Invalid, match="only the operator"):  # once gone, it is not to be had back
        desk.apply(member, {**made, "upstreams": {**made["upstreams"]}})


SSRF = [
    "http://127.0.0.1:11434/v1",
    "http://localhost:11434/v1",
    "http://10.0.0.1/v1",
    "http://192.168.1.1/v1",
    "http://172.16.0.1/v1",
    "http://169.254.169.254/latest",
    "http://168.63.129.16/",
    "http://100.64.0.1/",
    "http://0.0.0.0/",
    "http://[::1]/v1",
    "http://[fe80::1]/v1",
    "http://[fd00::1]/v1",
    "http://[::ffff:127.0.0.1]/v1",
    "http://[64:ff9b::7f00:1]/v1",
    "http://2130706433/v1",
    "http://0x7f.1/v1",
]


@pytest.mark.parametrize("kind", ["member", "cli"])
@pytest.mark.parametrize("url", SSRF)
def test_no_upstream_leads_inside(tmp_path_factory: pytest.TempPathFactory, url: str, kind: str) -> None:
    settings = Settings(data=tmp_path_factory.getbasetemp())
    made = document(upstreams={"main": {"dialect": "openai", "base_url": url}})
    found = actions.judge(settings, made)
    assert [one.where for one in found.faults] == ["upstreams.main.base_url"], found
    assert "HOLDFAST_OUTBOUND_ALLOW" in found.faults[0].what
    allowed = settings.model_copy(update={"outbound_allow": "127.0.0.1,localhost,::1"})
    if url in SSRF[:2]:
        assert actions.judge(allowed, made).faults == ()


def test_a_name_that_does_not_resolve_here_is_a_warning(desk: Desk) -> None:
    made = document()
    made["upstreams"]["main"]["base_url"] = "https://no-such-host.invalid/v1"
    done = desk.apply(desk.ctx(), made)
    assert [one.where for one in done.warnings] == ["upstreams.main.base_url"]


def test_a_document_that_is_too_large_is_refused(desk: Desk) -> None:
    ctx = desk.ctx()
    made = document()
    made["releases"]["one"]["parameters"] = {"metadata": "x" * (2 << 20)}
    with pytest.raises(Invalid, match="1 MiB"):
        desk.apply(ctx, made)
    assert desk.version(ctx) == 0


def test_a_guardrail_is_part_of_what_is_applied(desk: Desk) -> None:
    ctx = desk.ctx()
    reference = desk.secret(ctx, "hook")
    hook = {"kind": "webhook", "action": "block", "url": "http://127.0.0.1:9/judge", "credential": reference}
    made = document(guardrails={"hook": hook, "mask": {"kind": "pii", "action": "redact"}})
    made["releases"]["one"]["guardrails"] = ["hook", "mask"]
    plain = desk.apply(ctx, document()).version.release_ids
    guarded = desk.apply(ctx, made).version.release_ids
    assert (plain["one"] != guarded["one"], plain["two"]) == (True, guarded["two"])
    made["guardrails"]["mask"]["action"] = "flag"
    done = desk.apply(ctx, made)
    assert [(one.where, one.fields) for one in done.changes] == [("guardrails.mask", ("action",))]
    assert done.version.release_ids["one"] != guarded["one"]
    with desk.database.transaction() as tx, pytest.raises(Conflict, match="hook"):
        actions.remove_secret(ctx, tx, "hook")
    made["guardrails"]["hook"]["url"] = "http://169.254.169.254/judge"
    assert [one.where for one in desk.check(ctx, made).faults] == ["guardrails.hook.url"]
    with pytest.raises(Invalid, match="private network"):
        desk.apply(ctx, made)
    assert desk.version(ctx) == 3
