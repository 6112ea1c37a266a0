"""The log in a real store: appending with the change, erasing, signing, reading, proving."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from holdfast.kernel.context import Actor, Context
from holdfast.kernel.errors import Conflict, HoldfastError, Invalid, NotFound
from holdfast.platform.audit import actions, reads, store
from holdfast.platform.audit.model import INSTANCE
from holdfast.platform.audit.rules import merkle
from holdfast.platform.audit.rules.checkpoints import verify_checkpoint, verify_proof

if TYPE_CHECKING:
    from .conftest import Log


def test_entries_are_numbered_and_say_what_was_told(log: Log) -> None:
    log.add(3)
    with log.database.reading() as tx:
        page = reads.entries(log.ctx(), tx)
    assert [entry.index for entry in page.items] == [2, 1, 0]
    said = reads.said(page.items[0])
    assert said is not None
    assert (said.workspace, said.actor_id, said.action, said.subject) == (
        "ws_test",
        "mem_1",
        "key.created",
        "key:2",
    )
    assert said.details == {"number": 2}
    assert page.next_cursor is None


def test_pages_filter_and_never_show_another_workspace(log: Log) -> None:
    log.add(5)
    log.add(2, "ws_other", canary="canary-of-other")
    with log.database.reading() as tx:
        first = reads.entries(log.ctx(), tx, limit=2)
        assert first.next_cursor is not None
        second = reads.entries(log.ctx(), tx, limit=2, cursor=first.next_cursor)
        assert [entry.index for entry in [*first.items, *second.items]] == [4, 3, 2, 1]
        assert len(reads.entries(log.ctx(), tx, action="key.*").items) == 5
        assert not reads.entries(log.ctx(), tx, action="key.%").items
        assert [entry.index for entry in reads.entries(log.ctx(), tx, subject="key:3").items] == [3]
        late = log.clock.now.replace(second=3)
        assert [entry.index for entry in reads.entries(log.ctx(), tx, start=late).items] == [4, 3]
        assert not reads.entries(log.ctx("ws_none"), tx).items
        everything = "".join(reads.export_lines(log.ctx(), tx))
        with pytest.raises(NotFound):
            reads.entry(log.ctx("ws_none"), tx, 0)
        with pytest.raises(Invalid, match="1 to 1000"):
            reads.entries(log.ctx(), tx, limit=0)
    assert "canary-of-other" not in everything


def test_a_change_that_is_undone_leaves_no_leaf(log: Log) -> None:
    log.add(2)

    class Broken(Exception):
        pass

    def change() -> None:
        with log.database.transaction() as tx:
            actions.record(log.ctx(), tx, action="key.created", subject="key:x")
            raise Broken

    with pytest.raises(Broken):
        change()
    with log.database.reading() as tx:
        assert [entry.index for entry in reads.entries(log.ctx(), tx).items] == [1, 0]
    assert [entry.index for entry in log.add()] == [2]
    log.sign()
    assert log.verify().ok


def test_several_entries_of_one_change_follow_each_other(log: Log) -> None:
    with log.database.transaction() as tx:
        made = [actions.record(log.ctx(), tx, action="a", subject=str(number)) for number in range(4)]
        made.append(actions.record(log.ctx(INSTANCE), tx, action="workspace.created", subject="ws_test"))
    assert [entry.index for entry in made] == [0, 1, 2, 3, 0]
    log.sign()
    assert log.verify().describe().endswith("The audit log is intact.")


def test_appends_from_many_threads_leave_no_gap_and_no_fork(log: Log) -> None:
    failures: list[BaseException] = []

    def work(number: int) -> None:
        try:
            for turn in range(15):
                with log.database.transaction() as tx:
                    workspace = f"ws_{turn % 2}"
                    actor = Actor("key", f"k{number}", "")
                    ctx = Context(workspace, actor, log.clock.now)
                    actions.record(ctx, tx, action="call", subject=f"{number}/{turn}")
        except HoldfastError as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    log.sign()
    while any(thread.is_alive() for thread in threads):
        report = log.verify()  # a check sees one moment of a log that grows
        assert report.ok, report.describe()
    for thread in threads:
        thread.join()
    assert not failures
    log.sign()
    report = log.verify()
    assert report.ok, report.describe()
    assert (report.entries, report.signed, report.workspaces) == (120, 120, 2)


def test_what_nobody_can_record(log: Log) -> None:
    with log.database.transaction() as tx:
        for workspace in ("", "ws 1", "ws/1", "ws\n1"):
            with pytest.raises(Invalid):
                actions.record(log.ctx(workspace), tx, action="a", subject="s")
        for action in ("", "a" * 101):
            with pytest.raises(Invalid):
                actions.record(log.ctx(), tx, action=action, subject="s")
        entry = actions.record(
            log.ctx(), tx, action="a", subject="x\x00\n" + "y" * 900, details={"n": "\x00"}
        )
    assert entry.subject is not None
    assert entry.subject.startswith("x��yyy") and len(entry.subject) == 500
    assert log.verify().ok


def test_erasing_content_breaks_no_root_and_no_proof(log: Log) -> None:
    log.add(5, email="ann@example.org")
    log.sign()
    with log.database.reading() as tx:
        proof = reads.proof_text(log.ctx(), tx, 2)
        leaf = reads.entry(log.ctx(), tx, 2).leaf_hash
    with log.database.transaction() as tx:
        tombstone = actions.erase(log.ctx(), tx, 2)
    assert tombstone.index == 5
    log.sign()
    report = log.verify()
    assert report.ok, report.describe()
    assert (report.erased, report.signed) == (1, 6)
    with log.database.reading() as tx:
        gone = reads.entry(log.ctx(), tx, 2)
        again = reads.proof_text(log.ctx(), tx, 2)
    assert (gone.text, gone.salt, gone.actor_id, gone.subject) == (None, None, None, None)
    assert reads.said(gone) is None
    of_log = log.signer.verifier.of_log("ws_test")
    assert verify_proof(proof, leaf, of_log)[0].size == 5
    assert verify_proof(again, gone.leaf_hash, of_log)[0].size == 6


def test_erasing_happens_once_and_is_itself_never_erased(log: Log) -> None:
    log.add(2)
    with log.database.transaction() as tx:
        actions.erase(log.ctx(), tx, 0)
        with pytest.raises(Conflict, match="erased already"):
            actions.erase(log.ctx(), tx, 0)
        with pytest.raises(Conflict, match="records an erasure"):
            actions.erase(log.ctx(), tx, 2)
        with pytest.raises(NotFound):
            actions.erase(log.ctx("ws_other"), tx, 1)
        with pytest.raises(NotFound):
            actions.erase(log.ctx(), tx, -1)


def test_erasing_all_about_a_person(log: Log) -> None:
    log.add(3)
    log.add(1, "ws_other")
    with log.database.transaction() as tx:
        other = Context("ws_test", Actor("system", "holdfast", "Holdfast"), log.clock.now)
        actions.record(other, tx, action="member.invited", subject="mem_1")
        assert actions.erase_about(other, tx, "mem_1") == [0, 1, 2, 3]
        assert actions.erase_about(other, tx, "mem_1") == []
        lines = "".join(reads.export_lines(log.ctx(), tx))
    assert "mem_1" not in lines and "Ann" not in lines
    log.sign()
    report = log.verify()
    assert report.ok, report.describe()
    assert report.erased == 4


def test_a_log_is_signed_when_it_grew_and_only_then(log: Log) -> None:
    log.add(3)
    log.add(1, "ws_other")
    job = log.job()
    first = job.sign_once()
    assert [(point.workspace, point.size) for point in first.checkpoints] == [("ws_other", 1), ("ws_test", 3)]
    assert not job.sign_once().checkpoints
    log.add(1)
    log.clock.move(seconds=9.5)
    (point,) = job.sign_once().checkpoints
    assert (point.workspace, point.size) == ("ws_test", 4)
    with log.database.reading() as tx:
        assert reads.latest_checkpoint(log.ctx(), tx) == point
        assert [p.size for p in reads.checkpoints(log.ctx(), tx)] == [3, 4]
    head, at = verify_checkpoint(point.note, log.signer.verifier.of_log("ws_test"))
    assert (head.origin, at) == ("holdfast/hf_test/ws_test", log.clock.now.replace(microsecond=0))
    assert head.root == point.root


def test_a_crash_between_signing_and_keeping_is_mended(log: Log) -> None:
    log.add(2)
    with log.database.reading() as tx:
        signing = actions.sign_checkpoints(tx, log.signer, log.memory, log.clock.now)
    assert len(signing.checkpoints) == 1  # never kept: the process dies here
    assert len(log.job().sign_once().checkpoints) == 1
    assert not log.job().sign_once().checkpoints
    log.memory.notes.clear()  # the signer moves to another machine
    assert not log.job().sign_once().refused
    assert log.memory.notes
    assert log.verify().ok


def test_a_memory_that_cannot_be_kept_means_no_signature(log: Log) -> None:
    log.add(2)

    class Full(type(log.memory)):  # type: ignore[misc]
        def save(self, notes: object) -> None:
            raise Conflict("disk full")

    log.memory = Full()
    with pytest.raises(Conflict, match="disk full"):
        log.job().sign_once()
    with log.database.reading() as tx:
        assert reads.latest_checkpoint(log.ctx(), tx) is None


def test_proofs_over_stored_hashes_hold_beyond_the_first_tile(log: Log) -> None:
    with log.database.transaction() as tx:
        leaves = [
            actions.record(log.ctx(), tx, action="a", subject=str(number)).leaf_hash for number in range(600)
        ]
    log.sign()
    with log.database.reading() as tx:
        for index in (0, 255, 256, 511, 512, 599):
            for size in (index + 1, 600):
                path = reads.inclusion_proof(log.ctx(), tx, index, size)
                root = merkle.root_of(leaves[:size])
                assert merkle.verify_inclusion(index, size, leaves[index], path, root)
        for old in (1, 255, 256, 257, 512, 599, 600):
            steps = reads.consistency_proof(log.ctx(), tx, old, 600)
            roots = merkle.root_of(leaves[:old]), merkle.root_of(leaves)
            assert merkle.verify_consistency(old, 600, *roots, steps)
        assert {(tile.level, tile.index) for tile in store.tiles(tx, "ws_test")} == {(1, 0), (1, 1)}
        for bad in (-1, 600):
            with pytest.raises(NotFound):
                reads.inclusion_proof(log.ctx(), tx, bad)
        for old, new in ((0, 5), (6, 5), (5, 601)):
            with pytest.raises(NotFound):
                reads.consistency_proof(log.ctx(), tx, old, new)
        with pytest.raises(NotFound):
            reads.inclusion_proof(log.ctx("ws_none"), tx, 0)
    assert log.verify().ok


def test_an_entry_has_no_proof_before_it_is_signed(log: Log) -> None:
    log.add(1)
    with log.database.reading() as tx, pytest.raises(Conflict, match="not signed yet"):
        reads.proof_text(log.ctx(), tx, 0)
    report = log.verify()
    assert report.ok
    assert report.notes == ["workspace ws_test: the 1 newest entries are not signed yet"]


def test_an_export_verifies_anywhere_and_a_changed_one_names_its_place(log: Log) -> None:
    log.add(6)
    log.sign()
    with log.database.transaction() as tx:
        actions.erase(log.ctx(), tx, 1)
    log.sign()
    with log.database.reading() as tx:
        lines = list(reads.export_lines(log.ctx(), tx))
    vkeys = [log.signer.verifier.vkey]
    report = reads.verify_export(lines, vkeys)
    assert report.ok, report.describe()
    assert (report.entries, report.erased, report.signed, report.checkpoints) == (7, 1, 7, 2)
    changed = [line.replace("key:4", "key:9") for line in lines]
    assert [p.place for p in reads.verify_export(changed, vkeys).problems] == ["workspace ws_test, entry 4"]
    assert "entry 3" in reads.verify_export(lines[:3] + lines[4:], vkeys).describe()
    assert "line 2" in reads.verify_export([lines[0], "garbage", *lines[1:]], vkeys).describe()
    assert not reads.verify_export(lines[:5] + lines[7:], vkeys).ok


def test_a_clock_that_goes_back_is_noted(log: Log) -> None:
    log.add(2)
    log.clock.move(hours=-3)
    log.add(1)
    report = log.verify()
    assert report.ok
    assert (
        "entry 2: the clock went back by 3:00:01" in report.notes[0] or "clock went back" in report.notes[0]
    )
