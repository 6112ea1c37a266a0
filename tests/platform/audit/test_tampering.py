"""Whoever can write to the store, but has not the key, is found out, and the place is named.

Three kinds of attacker: one who changes a value; one who knows the format and makes leaf hashes, tree state
and inner nodes fit again; one who also removes checkpoints, whom only a copy kept elsewhere can show.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa

from holdfast.kernel.errors import Unavailable
from holdfast.platform.audit import actions, reads, store
from holdfast.platform.audit.model import AuditRecord, Entry
from holdfast.platform.audit.rules import merkle, records
from holdfast.platform.audit.rules.notes import new_signer

if TYPE_CHECKING:
    from .conftest import Log

E, T, C, N = store.audit_entries, store.audit_trees, store.audit_checkpoints, store.audit_tiles


def run(log: Log, *statements: sa.Executable) -> None:
    """Changes the store behind the log's back."""
    with log.database.engine.begin() as connection:
        for statement in statements:
            assert connection.execute(statement).rowcount, statement  # type: ignore[attr-defined]


def row(table: sa.Table, place: int, workspace: str = "ws_test") -> sa.ColumnElement[bool]:
    column = table.c.size if table is C else table.c.position
    return (table.c.workspace == workspace) & (column == place)


def entry(log: Log, index: int, workspace: str = "ws_test") -> Entry:
    with log.database.reading() as tx:
        return reads.entry(log.ctx(workspace), tx, index)


def values_of(made: Entry) -> dict[str, Any]:
    values = {"workspace": made.workspace, "position": made.index, "at": made.at, "action": made.action}
    values |= {"actor_kind": made.actor_kind, "actor_id": made.actor_id, "subject": made.subject}
    return values | {"record": made.text, "salt": made.salt, "leaf_hash": made.leaf_hash, "erased_at": None}


def forged(log: Log, index: int, change: Callable[[AuditRecord], AuditRecord]) -> dict[str, Any]:
    """The row of an entry that says something else, made as the log itself would make it."""
    said = reads.said(entry(log, index))
    assert said is not None
    return values_of(records.entry_of(change(said), secrets.token_bytes(32)))


def mend(log: Log, workspace: str = "ws_test") -> None:
    """Makes tree state and inner nodes fit whatever entries there are now."""
    with log.database.transaction() as tx:
        frontier = merkle.Frontier()
        tx.execute(N.delete().where(N.c.workspace == workspace))
        for one in store.every_entry(tx, workspace):
            frontier, completed = frontier.append(one.leaf_hash)
            store.add_tiles(tx, actions._tiles(workspace, completed))
        store.put_tree(tx, store.Tree(workspace, frontier.size, frontier.pack()))


def places(log: Log, **options: Any) -> list[str]:
    return [problem.place.removeprefix("workspace ") for problem in log.verify(**options).problems]


@pytest.fixture
def log(log: Log) -> Log:
    """Ten entries, signed after the fifth and the tenth; another workspace beside it."""
    log.add(5)
    log.sign()
    log.add(5)
    log.add(3, "ws_other")
    log.sign()
    assert log.verify().ok
    return log


def bent(value: Any) -> Any:
    """The value with the least change in it."""
    if isinstance(value, bytes):
        return bytes([value[0] ^ 1]) + value[1:]
    if isinstance(value, str):
        return value[:-1] + ("x" if value[-1] != "x" else "y")
    if isinstance(value, datetime):
        return value + timedelta(microseconds=1)
    return value + 1 if isinstance(value, int) else datetime.fromisoformat("2026-01-01T00:00:00Z")


ENTRY_COLUMNS = [c.name for c in E.columns if c.name not in ("workspace", "position")]


@pytest.mark.parametrize("to", ["bent", "nothing"])
def test_any_changed_value_of_an_entry_is_found_at_its_place(log: Log, to: str) -> None:
    tried = 0
    for column in ENTRY_COLUMNS:
        with log.database.reading() as tx:
            value = tx.execute(sa.select(E.c[column]).where(row(E, 6))).scalar_one()
        new = bent(value) if to == "bent" else None
        if new is None and (value is None or not E.c[column].nullable):
            continue
        run(log, E.update().where(row(E, 6)).values({column: new}))
        assert "ws_test, entry 6" in places(log), (column, log.verify().describe())
        run(log, E.update().where(row(E, 6)).values({column: value}))
        tried += 1
    assert log.verify().ok
    assert tried >= 4


def test_any_changed_value_of_tree_or_checkpoint_is_found(log: Log) -> None:
    for table, column in [(one, column.name) for one in (T, C) for column in one.columns]:
        which = T.c.workspace == "ws_test" if table is T else row(C, 5)
        with log.database.reading() as tx:
            value = tx.execute(sa.select(table.c[column]).where(which)).scalar_one()
        new = bent(value)
        run(log, table.update().where(which).values({column: new}))
        report = log.verify(memory=False)
        assert not report.ok, (table.name, column)
        assert {problem.workspace for problem in report.problems} <= {"ws_test", "ws_tesx"}
        key = table.c.workspace == (new if column == "workspace" else "ws_test")
        key &= table.c.size == (new if column == "size" else 5) if table is C else sa.true()
        run(log, table.update().where(key).values({column: value}))
    assert log.verify().ok


@pytest.mark.parametrize("column", [c.name for c in N.columns])
def test_any_changed_inner_node_is_found(log: Log, column: str) -> None:
    with log.database.transaction() as tx:
        for number in range(300):
            actions.record(log.ctx("ws_many"), tx, action="a", subject=str(number))
    log.sign()
    assert log.verify().ok
    which = N.c.workspace == "ws_many"
    with log.database.reading() as tx:
        value = tx.execute(sa.select(N.c[column]).where(which)).scalar_one()
    run(log, N.update().where(which).values({column: bent(value)}))
    assert any("ws_man" in place and "entries" in place for place in places(log))


def test_every_bit_of_a_record_counts(log: Log) -> None:
    text = entry(log, 3).text
    assert text is not None
    for at in range(0, len(text), 7):
        changed = text[:at] + bent(text[at]) + text[at + 1 :]
        run(log, E.update().where(row(E, 3)).values(record=changed))
        assert places(log) == ["ws_test, entry 3"]
    run(log, E.update().where(row(E, 3)).values(record=text))
    assert log.verify().ok


def test_a_deleted_entry(log: Log) -> None:
    run(log, E.delete().where(row(E, 6)))
    report = log.verify()
    assert "ws_test, entry 6" in places(log)
    assert "missing" in report.describe()


def test_a_truncated_tail(log: Log) -> None:
    run(log, E.delete().where(row(E, 9)), E.delete().where(row(E, 8)))
    assert "ws_test, entries 8 to 9" in places(log)


def test_two_entries_in_each_others_place(log: Log) -> None:
    run(
        log,
        E.update().where(row(E, 2)).values(position=1000),
        E.update().where(row(E, 7)).values(position=2),
        E.update().where(row(E, 1000)).values(position=7),
    )
    assert {"ws_test, entry 2", "ws_test, entry 7"} <= set(places(log))


def test_an_entry_added_beside_the_log(log: Log) -> None:
    run(log, E.insert().values(forged(log, 9, lambda said: replace(said, index=10))))
    assert places(log) == ["ws_test, entry 10"]


def test_an_inserted_entry_with_all_later_ones_moved_on(log: Log) -> None:
    for index in range(9, 3, -1):
        moved = forged(log, index, lambda said: replace(said, index=said.index + 1))
        run(log, E.delete().where(row(E, index)), E.insert().values(moved))
    run(log, E.insert().values(forged(log, 3, lambda said: replace(said, index=4, subject="key:false"))))
    mend(log)
    assert places(log)[0] == "ws_test, entries 0 to 4"


def test_an_entry_forged_with_everything_made_to_fit(log: Log) -> None:
    new = forged(log, 7, lambda said: replace(said, actor_id="mem_2"))
    run(log, E.update().where(row(E, 7)).values(new))
    mend(log)
    assert places(log, memory=False) == ["ws_test, entries 5 to 9"]


def test_an_entry_of_another_workspace_spliced_in(log: Log) -> None:
    foreign = values_of(entry(log, 1, "ws_other")) | {"workspace": "ws_test"}
    run(log, E.update().where(row(E, 1)).values(foreign))
    mend(log)
    report = log.verify()
    assert {"ws_test, entry 1", "ws_test, entries 0 to 4"} <= set(places(log))
    assert "made as entry 1 of workspace ws_other" in report.describe()


def test_a_whole_log_passed_off_as_anothers(log: Log) -> None:
    run(log, *(table.delete().where(table.c.workspace == "ws_other") for table in (E, T, C)))
    run(log, *(t.update().where(t.c.workspace == "ws_test").values(workspace="ws_other") for t in (E, T, C)))
    found = log.verify().problems
    assert {problem.workspace for problem in found} == {"ws_test", "ws_other"}


def test_checkpoints_swapped(log: Log) -> None:
    with log.database.reading() as tx:
        five, ten = reads.checkpoints(log.ctx(), tx)
        (other,) = reads.checkpoints(log.ctx("ws_other"), tx)
    run(log, C.update().where(row(C, 5)).values(note=ten.note, root=ten.root, at=ten.at))
    assert "another size" in log.verify().describe()
    run(log, C.update().where(row(C, 5)).values(note=other.note, root=other.root, at=other.at))
    assert "not signed by holdfast/hf_test/ws_test" in log.verify().describe()
    run(log, C.update().where(row(C, 5)).values(note=five.note, root=five.root, at=five.at))
    assert log.verify().ok


def test_a_checkpoint_signed_by_a_swapped_key(log: Log) -> None:
    published = log.signer.verifier.vkey
    log.signer = new_signer("holdfast/hf_test")
    log.memory.notes.clear()
    run(log, C.delete().where(C.c.workspace == "ws_test"), C.delete().where(C.c.workspace == "ws_other"))
    new = forged(log, 7, lambda said: replace(said, actor_id="mem_2"))
    run(log, E.update().where(row(E, 7)).values(new))
    mend(log)
    log.sign()
    assert log.verify().ok  # everything was made anew: the key beside the data sees nothing
    assert set(places(log, vkey=published, memory=False)) == {"ws_test", "ws_other"}


def rewind(log: Log, size: int) -> None:
    """The tail taken off, with everything that speaks of it, as from an older copy of the store."""
    run(
        log,
        E.delete().where(E.c.workspace == "ws_test", E.c.position >= size),
        C.delete().where(C.c.workspace == "ws_test", C.c.size > size),
    )
    mend(log)


def test_a_rewound_tail_shows_by_what_was_kept_elsewhere(log: Log) -> None:
    rewind(log, 7)
    assert log.verify(memory=False).ok  # nothing in the store itself can show it
    assert places(log) == ["ws_test, entries 7 to 9"]
    signing = log.job().sign_once()
    assert [problem.workspace for problem in signing.refused] == ["ws_test"]
    assert "rewound" in signing.refused[0].what


def test_a_fork_is_neither_signed_nor_unseen(log: Log) -> None:
    rewind(log, 7)
    log.add(6, forked=True)
    signing = log.job().sign_once()
    assert not signing.checkpoints
    assert "changed or forked" in signing.refused[0].what
    assert places(log) == ["ws_test, entries 5 to 9"]


def test_a_fork_of_the_same_size_is_not_taken_for_the_same(log: Log) -> None:
    run(log, E.delete().where(E.c.workspace == "ws_test", E.c.position >= 7))
    mend(log)
    log.add(3, forked=True)
    assert "changed or forked" in log.job().sign_once().refused[0].what


def test_a_log_that_vanished_altogether(log: Log) -> None:
    run(log, *(table.delete().where(table.c.workspace == "ws_other") for table in (E, T, C)))
    assert places(log) == ["ws_other, entries 0 to 2"]
    assert [problem.workspace for problem in log.job().sign_once().refused] == ["ws_other"]


def test_a_refused_log_does_not_keep_others_from_being_signed(log: Log) -> None:
    rewind(log, 7)
    log.add(1, "ws_other")
    signing = log.job().sign_once()
    assert [point.workspace for point in signing.checkpoints] == ["ws_other"]


def test_content_destroyed_without_an_erasure(log: Log) -> None:
    blank = {"record": None, "salt": None, "actor_id": None, "subject": None, "erased_at": log.clock.now}
    run(log, E.update().where(row(E, 4)).values(blank))
    assert places(log) == ["ws_test, entry 4"]
    assert "no later entry records its erasure" in log.verify().describe()


@pytest.mark.parametrize("column", ["at", "action", "actor_kind", "leaf_hash", "erased_at"])
def test_what_is_left_of_an_erased_entry_cannot_be_changed(log: Log, column: str) -> None:
    with log.database.transaction() as tx:
        actions.erase(log.ctx(), tx, 4)
    log.sign()
    assert log.verify().ok
    left = entry(log, 4)
    run(log, E.update().where(row(E, 4)).values({column: bent(getattr(left, column))}))
    assert "ws_test, entry 4" in places(log)


def test_an_erased_entry_filled_again(log: Log) -> None:
    before = values_of(entry(log, 4))
    with log.database.transaction() as tx:
        actions.erase(log.ctx(), tx, 4)
    log.sign()
    run(log, E.update().where(row(E, 4)).values(before))
    assert "still there though entry 10 records its erasure" in log.verify().describe()
    run(log, E.update().where(row(E, 4)).values(subject="key:x"))
    assert "ws_test, entry 4" in places(log)


def test_nothing_is_appended_to_a_damaged_tree(log: Log) -> None:
    run(log, T.update().where(T.c.workspace == "ws_test").values(frontier=b"short"))
    with pytest.raises(Unavailable, match="damaged"):
        log.add(1)
    assert "damaged" in log.job().sign_once().refused[0].what
    log.add(1, "ws_other")


def test_a_proof_over_missing_hashes_is_refused(log: Log) -> None:
    run(log, E.delete().where(row(E, 3)))
    with log.database.reading() as tx, pytest.raises(Unavailable, match="missing"):
        reads.proof_text(log.ctx(), tx, 2)
