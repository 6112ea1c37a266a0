"""Leases on SQLite and on PostgreSQL: one holder at a time, renewed while it lives, taken over after its death."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from datetime import timedelta

import pytest

from holdfast.platform.leases import actions, reads
from holdfast.platform.leases.actions import Leases
from holdfast.platform.leases.model import Lease
from holdfast.storage.sql import Database
from stand import FakeClock


def take(database: Database, clock: FakeClock, holder: str, *, new_only: bool = False) -> bool:
    with database.transaction() as tx:
        return actions.take(tx, "job:a", holder, clock(), 30, value=7, new_only=new_only)


def test_a_lease_has_one_holder_until_it_runs_out(database: Database, clock: FakeClock) -> None:
    assert take(database, clock, "one")
    assert not take(database, clock, "two")
    clock.move(seconds=20)
    assert take(database, clock, "one"), "a holder keeps it by taking it again"
    clock.move(seconds=29)
    assert not take(database, clock, "two")
    clock.move(seconds=1)
    assert take(database, clock, "two"), "thirty seconds after the last renewal it is free"
    assert not take(database, clock, "one")
    assert not take(database, clock, "two", new_only=True)


def test_a_lease_given_back_is_free_at_once_and_only_its_holder_can(
    database: Database, clock: FakeClock
) -> None:
    assert take(database, clock, "one", new_only=True)
    with database.transaction() as tx:
        actions.give_back(tx, "job:a", "two")
    assert not take(database, clock, "two")
    with database.transaction() as tx:
        actions.give_back(tx, "job:a", "one")
    assert take(database, clock, "two")


def test_its_value_stays_when_it_changes_hands(database: Database, clock: FakeClock) -> None:
    assert take(database, clock, "one")
    with database.transaction() as tx:
        assert actions.renew(tx, Lease("job:a", "one", clock(), 2**62), clock(), 30)
        assert not actions.renew(tx, Lease("job:a", "two", clock(), 1), clock(), 30)
    clock.move(seconds=31)
    assert take(database, clock, "two")
    with database.reading() as tx:
        assert reads.beginning_with(tx, "job:") == [
            Lease("job:a", "two", clock() + timedelta(seconds=30), 2**62)
        ]
        assert reads.beginning_with(tx, "job_") == [], "a name is no pattern"


def test_of_many_at_once_one_gets_it(database: Database, clock: FakeClock) -> None:
    begin, got = threading.Barrier(6), []

    def run(holder: str) -> None:
        begin.wait()
        if take(database, clock, holder):
            got.append(holder)

    threads = [threading.Thread(target=run, args=[str(number)]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1


@pytest.fixture
def two(database: Database, clock: FakeClock) -> Iterator[tuple[Leases, Leases]]:
    made = Leases(database, clock, "one", 3600), Leases(database, clock, "two", 3600)
    yield made
    for one in made:
        one.close()


def test_of_two_processes_one_runs_a_job(two: tuple[Leases, Leases], clock: FakeClock) -> None:
    ran: list[str] = []
    one, other = (leases.alone("a job", lambda i=i: ran.append(f"{i}")) for i, leases in enumerate(two))
    one(), other(), one()
    assert ran == ["0", "0"]
    clock.move(hours=2)  # the first is dead for all that others know
    other()
    two[0].renew()
    one(), other()
    assert ran == ["0", "0", "1", "1"]
    two[1].close()
    one()
    assert ran[-1] == "0"
