"""Dashboards in the control store, on both engines: kept as they were, apart by workspace, audited, and erasable."""

from __future__ import annotations

from dataclasses import replace

import pytest

from holdfast.kernel.context import Actor, Context
from holdfast.kernel.errors import Conflict, Invalid, NotFound
from holdfast.platform.access.model import Caller, Reach, Scope
from holdfast.platform.audit import store as audit_store
from holdfast.platform.tenancy import actions as tenancy
from holdfast.platform.tenancy import reads as tenancy_reads
from holdfast.storage.sql import Database
from holdfast.telemetry import actions
from holdfast.telemetry.reads import dashboards as reads
from holdfast.telemetry.rules.erasing import ERASED
from holdfast.telemetry.rules.panels import DEFAULT, Panel
from holdfast.telemetry.store import dashboards as store
from stand import FakeClock

PANEL = Panel(
    "p1", "Kosten “heute” ☕", ("cost", "calls"), ("tenant",), (("user", ""), ("user", "ann")), "day", 3
)
WHOLE, ONE = Reach((("", ""),)), Reach((("shop", ""),))


def caller(
    database: Database, clock: FakeClock, slug: str = "acme", who: str = "ada", reach: Reach = WHOLE
) -> Caller:
    with database.transaction() as tx:
        first = Context("instance", Actor("cli", "t", "t"), clock())
        made = tenancy_reads.workspace_by_id(tx, tenancy.ensure_workspace(first, tx, slug).id)
    ctx = Context(made.id, Actor("member", who, who), clock())
    return Caller(ctx, made, {Scope.READ: reach, Scope.OPERATE: reach})


def test_a_dashboard_comes_back_as_it_went(database: Database, clock: FakeClock) -> None:
    by, other = caller(database, clock), caller(database, clock, "birch")
    with database.transaction() as tx:
        saved = actions.add_dashboard(by, tx, "Kosten", (PANEL, replace(PANEL, id="p2")))
    with database.reading() as tx:
        assert reads.dashboard(by, tx, "kosten") == saved
        assert saved.panels[0] == PANEL and saved.changed_at == clock()
        assert [one.slug for one in reads.dashboards(other, tx)] == [DEFAULT], (
            "the neighbour sees nothing of it"
        )
        with pytest.raises(NotFound):
            reads.dashboard(other, tx, "kosten")
    with database.transaction() as tx:
        with pytest.raises(NotFound):
            actions.delete_dashboard(other, tx, "kosten")
        again = actions.add_dashboard(by, tx, "Kosten", ())
        assert again.slug == "kosten-2", "a name may be given twice"
        actions.delete_dashboard(by, tx, "kosten")
        assert [one.slug for one in store.all_of(tx, by.ctx.workspace)] == ["kosten-2"]


def test_each_change_is_in_the_audit_log(database: Database, clock: FakeClock) -> None:
    by = caller(database, clock)
    with database.transaction() as tx:
        actions.save_dashboard(by, tx, "money", "Money", (PANEL,))
        actions.delete_dashboard(by, tx, "money")
    with database.reading() as tx:
        size = audit_store.tree(tx, by.ctx.workspace).size  # type: ignore[union-attr]
        found = [audit_store.entry(tx, by.ctx.workspace, n) for n in range(size - 2, size)]
    assert [(one.action, one.subject) for one in found if one] == [
        ("dashboard.saved", "dashboard:money"),
        ("dashboard.deleted", "dashboard:money"),
    ]


def test_before_anybody_keeps_one_there_is_an_overview(database: Database, clock: FakeClock) -> None:
    by = caller(database, clock)
    with database.transaction() as tx:
        first = reads.dashboard(by, tx, DEFAULT)
        actions.save_dashboard(by, tx, first.slug, "Ours", first.panels[1:])
    with database.reading() as tx:
        assert [(one.name, len(one.panels)) for one in reads.dashboards(by, tx)] == [
            ("Ours", len(first.panels) - 1)
        ]


def test_who_may_not_read_all_sees_and_changes_their_own_alone(database: Database, clock: FakeClock) -> None:
    by, bob = caller(database, clock), caller(database, clock, who="bob", reach=ONE)
    with database.transaction() as tx:
        actions.save_dashboard(by, tx, "money", "Money", (PANEL,))
        assert [one.slug for one in reads.dashboards(bob, tx)] == [DEFAULT]
        with pytest.raises(Conflict):
            actions.save_dashboard(bob, tx, "money", "Mine", ())
        with pytest.raises(NotFound):
            actions.delete_dashboard(bob, tx, "money")
        actions.save_dashboard(bob, tx, "mine", "Mine", ())
        assert [one.slug for one in reads.dashboards(bob, tx)] == ["mine"]
        assert [one.slug for one in reads.dashboards(by, tx)] == ["mine", "money"]


def test_what_cannot_be_kept_is_refused(database: Database, clock: FakeClock) -> None:
    by = caller(database, clock)
    with database.transaction() as tx:
        for slug, name, panels in (
            ("Not Plain", "x", ()),
            ("x", " ", ()),
            ("x", "y" * 81, ()),
            ("x", "x", (PANEL, PANEL)),
            ("x", "x", tuple(replace(PANEL, id=str(n)) for n in range(25))),
        ):
            with pytest.raises(Invalid):
                actions.save_dashboard(by, tx, slug, name, panels)
        assert store.all_of(tx, by.ctx.workspace) == []


def test_an_erased_person_is_on_no_dashboard(database: Database, clock: FakeClock) -> None:
    by = caller(database, clock)
    kept = replace(PANEL, id="p2", filters=())
    with database.transaction() as tx:
        actions.save_dashboard(by, tx, "money", "Money", (PANEL, kept))
        actions.save_dashboard(by, tx, "of-ann", "Of Ann", (kept,))
        assert actions._strip_dashboards(tx, by.ctx.workspace, ("ann",)) == 1
        found = {one.name: one for one in store.all_of(tx, by.ctx.workspace)}
    assert found["Money"].panels == (kept,)
    assert found.keys() == {"Money", ERASED} and "ann" not in found[ERASED].slug
