"""Suites put in force: whole or not at all, version by version, on the audit log; holdouts are for admins alone."""

from __future__ import annotations

import datetime as dt
import threading
from typing import Any

import pytest
from tests.evals.suites.keeping import Shelf
from tests.evals.suites.texts import HOLDOUT, SUPPORT, check, suite

from holdfast.evals.actions import suites as actions
from holdfast.evals.reads import suites as reads
from holdfast.evals.rules.written import read
from holdfast.kernel.errors import Conflict, Denied, HoldfastError, Invalid, NotFound

CHANGED = SUPPORT.replace('"30"', '"31"')


def test_versions_follow_one_another_and_are_kept(shelf: Shelf) -> None:
    ctx = shelf.ctx()
    (first,) = shelf.apply(ctx, suite(), note="first")
    assert (first.before, first.version, first.changed) == (0, 1, True)
    (second,) = shelf.apply(ctx, suite(CHANGED), expected={"support": 1})
    assert (second.before, second.version) == (1, 2)
    (again,) = shelf.apply(ctx, suite(CHANGED))
    assert (again.version, again.changed, bool(again.difference)) == (2, False, False)
    with shelf.database.reading() as tx:
        assert [one.version for one in reads.versions(ctx, tx, "support")] == [2, 1]
        assert [one.version for one in reads.versions(ctx, tx, "support", before=2)] == [1]
        (head,) = reads.latest(ctx, tx)
        assert (head.version, head.cases, head.critical, head.holdouts) == (2, 2, 1, 0)
        assert (head.system, head.route, head.review_on) == ("helpdesk", "support", dt.date(2027, 1, 5))
        both = reads.compared(ctx, tx, "support", 1, 2)
        assert list(both.difference.lines())[1] == "    expect.exact.params.expected: [-30-]{+31+}"
        assert reads.compared(ctx, tx, "support", None, None).difference == both.difference
        assert reads.compared(ctx, tx, "support", None, 1).before is None
        for name, version in (("other", None), ("support", 3), ("support", 0)):
            with pytest.raises(NotFound):
                reads.suite(ctx, tx, name, version)
        with pytest.raises(NotFound):
            reads.versions(ctx, tx, "other")
    old = shelf.shown(ctx, "support", 1)
    assert (old.head.note, old.head.author, old.head.hash) == ("first", "somebody", suite().hash)
    assert (old.suite.cases, old.suite.version) == (suite().cases, 1)


def test_a_new_description_is_a_new_version_of_the_same_content(shelf: Shelf) -> None:
    ctx = shelf.ctx()
    shelf.apply(ctx, suite())
    (told,) = shelf.apply(ctx, suite(SUPPORT.replace("must get right", "has to know")))
    assert (told.version, told.hash) == (2, suite().hash)


def test_what_was_exported_applies_again_unchanged(shelf: Shelf) -> None:
    ctx = shelf.ctx()
    shelf.apply(ctx, suite(SUPPORT + HOLDOUT))
    for holdouts in (True, False):
        text = shelf.exported(ctx, "support", holdouts=holdouts)
        assert (b"secret" in text) is holdouts
        (again,) = read({"support.yaml": text}, check).suites
        (done,) = shelf.apply(ctx, again, holdouts=holdouts)
        assert (done.changed, done.version) == (False, 1)


def test_the_log_says_what_was_applied(shelf: Shelf) -> None:
    ctx = shelf.ctx()
    shelf.apply(ctx, suite(), note="first")
    shelf.apply(ctx, suite(CHANGED.replace("least: 0.8", "least: 0.9") + HOLDOUT))
    shelf.apply(ctx, suite(CHANGED.replace("least: 0.8", "least: 0.9") + HOLDOUT))
    log = shelf.audit(ctx)
    assert [(action, subject) for action, subject, _ in log] == [("suite.applied", "suite:support")] * 2
    assert log[0][2]["note"] == "first"
    assert log[1][2] == {
        "version": 2,
        "note": "",
        "hash": suite(CHANGED.replace("least: 0.8", "least: 0.9") + HOLDOUT).hash,
        "cases": 3,
        "suite": ["bars.least"],
        "added": 1,
        "removed": 0,
        "changed": 1,
        "named": [{"case": "refund-window", "what": "changed"}, {"case": "kept-back", "what": "added"}],
    }
    assert "secret" not in str(log)


def test_nothing_is_half_applied(shelf: Shelf) -> None:
    ctx = shelf.ctx()
    shelf.apply(ctx, suite())
    log = shelf.audit(ctx)
    other = suite(SUPPORT, "other.yaml")
    with pytest.raises(Conflict, match="version 1 of support is in force, not 0"):
        shelf.apply(ctx, other, suite(CHANGED), expected={"support": 0})
    with pytest.raises(Invalid, match="no suite 'gone' among these"):
        shelf.apply(ctx, other, expected={"gone": 0})
    with pytest.raises(Denied, match="kept-back"):
        shelf.apply(ctx, other, suite(CHANGED + HOLDOUT), holdouts=False)
    with pytest.raises(Invalid, match="1000 characters"):
        shelf.apply(ctx, other, note="x" * 1001)
    with shelf.database.reading() as tx:
        assert [(one.name, one.version) for one in reads.latest(ctx, tx)] == [("support", 1)]
    assert shelf.audit(ctx) == log


def test_a_check_says_the_same_and_changes_nothing(shelf: Shelf) -> None:
    ctx = shelf.ctx()
    shelf.apply(ctx, suite())
    found = shelf.check(ctx, suite(CHANGED), suite(SUPPORT, "other.yaml"))
    assert [(one.name, one.before, one.version) for one in found] == [("support", 1, 2), ("other", 0, 1)]
    assert len(shelf.audit(ctx)) == 1
    assert shelf.apply(ctx, suite(CHANGED), suite(SUPPORT, "other.yaml")) == found


def test_whoever_may_not_see_holdouts_neither_sees_nor_touches_them(shelf: Shelf) -> None:
    ctx = shelf.ctx()
    shelf.apply(ctx, suite(SUPPORT + HOLDOUT))
    shown = shelf.shown(ctx, "support")
    masked = shown.suite.cases[2]
    assert (masked.id, masked.holdout, masked.hash) == ("kept-back", True, "")
    assert not masked.input.messages and not masked.expectations
    assert "secret" not in repr(shown) and "no author sees" not in repr(shown)
    assert "secret" in repr(shelf.shown(ctx, "support", holdouts=True))
    (done,) = shelf.apply(ctx, suite(CHANGED), holdouts=False)
    assert (done.version, done.secret) == (2, 1)
    assert [one.id for one in done.difference.cases] == ["refund-window"]
    kept = shelf.shown(ctx, "support", holdouts=True).suite
    assert [case.id for case in kept.cases] == ["refund-window", "refund-window-de", "kept-back"]
    assert kept.cases[2] == suite(SUPPORT + HOLDOUT).cases[2]
    for text in (
        SUPPORT + HOLDOUT,  # guessed, word by word
        SUPPORT + HOLDOUT.replace("    holdout: true\n", ""),  # brought to light under its own id
        SUPPORT + HOLDOUT.replace("kept-back", "another"),
    ):
        for verb in (shelf.apply, shelf.check):
            with pytest.raises(Denied, match="the permission 'admin' alone"):
                verb(ctx, suite(text), holdouts=False)
    shelf.apply(ctx, suite(CHANGED), holdouts=True)
    assert len(shelf.shown(ctx, "support").suite.cases) == 2
    with shelf.database.reading() as tx:
        for pair in ((1, 2), (2, 3), (None, 1)):
            assert "secret" not in repr(reads.compared(ctx, tx, "support", *pair))
            assert "no author" not in repr(reads.compared(ctx, tx, "support", *pair))


def test_an_expert_answers_for_the_ground_truth_anew(shelf: Shelf) -> None:
    ctx = shelf.ctx()
    imported = "  - {id: other, prompt: Hi, expect: refusal, provenance: {source: import, author: Zoe}}\n"
    shelf.apply(ctx, suite(SUPPORT + HOLDOUT + imported))
    before = shelf.shown(ctx, "support").head
    today = ctx.now.date()
    until = today + dt.timedelta(days=365)
    revised = suite(CHANGED + HOLDOUT + imported)
    with shelf.database.transaction() as tx:
        done = actions.rebaseline(
            ctx, tx, "support", author="Dr. Ben", review_on=until, revised=revised, note="yearly"
        )
    found = shelf.shown(ctx, "support", holdouts=True)
    assert (done.version, found.head.hash, found.head.review_on) == (2, done.hash, dt.date(2027, 1, 5))
    signed = {case.id: (case.provenance.author, case.provenance.written_on) for case in found.suite.cases}
    assert signed == {
        "refund-window": ("Dr. Ben", today),
        "refund-window-de": ("Dr. Ben", today),
        "kept-back": ("Dr. Ben", today),
        "other": ("Zoe", dt.date(2026, 1, 5)),
    }
    assert [case.hash for case in found.suite.cases] == [case.hash for case in revised.cases]
    action, subject, details = shelf.audit(ctx)[-1]
    assert (action, subject) == ("suite.rebaselined", "suite:support")
    assert details["before"] == {"version": 1, "hash": before.hash}
    assert details["after"] == {"version": 2, "hash": done.hash}
    assert (details["author"], details["confirmed"], details["corrected"]["changed"]) == ("Dr. Ben", 3, 1)
    assert details["corrected"]["named"] == [{"case": "refund-window", "what": "changed"}]
    wrong: list[dict[str, Any]] = [
        {"author": " "},
        {"review_on": today},
        {"note": "x" * 1001},
        {"revised": suite(SUPPORT, "another.yaml")},
        {"revised": suite("cases:\n" + imported, "support.yaml")},
    ]
    for given in wrong:
        with shelf.database.transaction() as tx, pytest.raises(Invalid):
            actions.rebaseline(ctx, tx, "support", **{"author": "Ben", "review_on": until, **given})
    with shelf.database.transaction() as tx, pytest.raises(NotFound):
        actions.rebaseline(ctx, tx, "gone", author="Ben", review_on=until)


def test_of_many_at_once_each_gets_a_version_or_a_conflict(shelf: Shelf) -> None:
    ctx = shelf.ctx()
    shelf.apply(ctx, suite())
    outcomes: list[Any] = []

    def one(number: int) -> None:
        try:
            (done,) = shelf.apply(ctx, suite(SUPPORT.replace('"30"', f'"{number}"')), expected={"support": 1})
            outcomes.append(done.version)
        except HoldfastError as error:
            outcomes.append(type(error))

    threads = [threading.Thread(target=one, args=[40 + number]) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(map(str, outcomes)) == sorted(map(str, [2, *[Conflict] * 7]))
    assert len(shelf.audit(ctx)) == 2


def test_a_neighbour_has_suites_of_its_own(shelf: Shelf) -> None:
    ctx, other = shelf.ctx(), shelf.ctx("birch")
    shelf.apply(ctx, suite())
    assert shelf.apply(other, suite(CHANGED))[0].version == 1
    assert shelf.shown(ctx, "support").suite.cases == suite().cases
    with shelf.database.reading() as tx:
        assert [one.hash for one in reads.latest(other, tx)] == [suite(CHANGED).hash]
        with pytest.raises(NotFound):
            reads.suite(shelf.ctx("cedar"), tx, "support")
