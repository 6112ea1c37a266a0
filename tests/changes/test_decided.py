"""Who may decide what: authors never review their own, by whatever way they come in, and the audit log outvotes a row."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa
from tests.changes.bench import UNGATED, Bench

from holdfast.changes import store
from holdfast.changes.actions import governing, proposing, reviewing, rolling
from holdfast.changes.actions.proposing import Proposal
from holdfast.changes.model import Change, ChangeClass, Decision, Person, State, Verdict
from holdfast.kernel.errors import Conflict, Denied, Invalid, NotFound
from holdfast.platform.access.actions import keys
from holdfast.platform.access.model import Role, Scope
from holdfast.platform.audit.store import audit_entries
from holdfast.platform.notify.store import messages
from holdfast.storage.sql import Database


@pytest.fixture
def bench(database: Database, clock: Any, tmp_path: Path) -> Bench:
    return Bench(database, None, clock, tmp_path)


def key_of(bench: Bench, member: str, kind: Any = "member") -> Any:
    """A key that somebody made, as the context of a request that carries it."""
    with bench.database.transaction() as tx:
        made, _ = keys.create_key(bench.by(member, kind), tx, "mine", frozenset({Scope.OPERATE}))
    return bench.by(made.id, "key")


def test_a_change_is_classed_and_its_route_governed_when_it_is_submitted(bench: Bench) -> None:
    made = bench.propose(bench.by(bench.ann))
    assert (made.state, made.change_class, made.content) == (State.DRAFT, ChangeClass.MODERATE, "")
    assert made.reasons[0]["class"] == "moderate" and "temperature" in made.reasons[0]["where"]
    submitted = bench.submitted(bench.by(bench.ann))
    assert submitted.state is State.GATED and len(submitted.content) == 64
    assert bench.shares() == {made.baseline: 100}
    assert submitted.candidate in bench.served().known, "its suites can ask for it"
    assert [one.event for one in bench.evidence(submitted)] == ["proposed", "submitted"]
    assert [action for action, _ in bench.audit()][-2:] == ["gateway.traffic", "change.submitted"]


def test_one_approval_by_somebody_else_lets_it_go_on(bench: Bench) -> None:
    made = bench.submitted(bench.by(bench.ann))
    assert bench.look(made).state is State.GATED
    bench.review(bench.by(bench.ben), made)
    approved = bench.look(made)
    assert approved.state is State.APPROVED
    facts = bench.evidence(approved)[-1].facts
    assert [one["person"] for one in facts["approvals"]] == [bench.ben]
    shadow = bench.until(approved, State.SHADOW)
    assert bench.served().shadow is not None and bench.served().shadow.release == made.candidate  # type: ignore[union-attr]
    assert bench.shares() == {made.baseline: 100} and shadow.began_at is not None


@pytest.mark.parametrize("way", ["herself", "her key", "a key that her key made"])
def test_an_author_does_not_approve(bench: Bench, way: str) -> None:
    made = bench.submitted(bench.by(bench.ann))
    asks = bench.by(bench.ann)
    if way != "herself":
        asks = key_of(bench, bench.ann)
    if way == "a key that her key made":
        asks = key_of(bench, asks.actor.id, "key")
    with pytest.raises(Denied, match="another person"):
        bench.review(asks, made)
    assert bench.look(made).state is State.GATED


def test_what_a_key_proposes_its_maker_wrote(bench: Bench) -> None:
    made = bench.submitted(key_of(bench, bench.ann))
    assert made.author.id == bench.ann
    with pytest.raises(Denied, match="another person"):
        bench.review(bench.by(bench.ann), made)


def test_who_edits_it_is_an_author_too(bench: Bench) -> None:
    made = bench.propose(bench.by(bench.ann))
    release = {"chain": [{"upstream": "main", "model": "gpt-4o-mini"}], "parameters": {"temperature": 0.3}}
    with bench.database.transaction() as tx:
        proposing.edit(bench.by(bench.ben), tx, made.id, Proposal("chat", "Warmer", release))
        made = proposing.submit(bench.by(bench.ben), tx, made.id)
    with pytest.raises(Denied, match="another person"):
        bench.review(bench.by(bench.ben), made)


def test_whose_author_nobody_knows_needs_one_more(bench: Bench) -> None:
    made = bench.submitted(key_of(bench, "cli", "cli"))
    assert made.author.id == ""
    bench.review(bench.by(bench.ben), made)
    assert bench.look(made).state is State.GATED
    bench.review(bench.by(bench.ann), made)
    assert bench.look(made).state is State.APPROVED


def test_nobody_approves_without_a_name_or_a_role(bench: Bench) -> None:
    made = bench.submitted(bench.by(bench.ann))
    with pytest.raises(Denied, match="approve is for"):
        bench.review(bench.by(bench.cleo), made)
    with pytest.raises(Denied, match="somebody"):
        bench.review(bench.by("cli", "cli"), made)
    with pytest.raises(Denied):
        bench.review(key_of(bench, bench.cleo), made)


def test_an_edit_voids_an_approval(bench: Bench) -> None:
    made = bench.submitted(bench.by(bench.ann))
    bench.review(bench.by(bench.ben), made)
    release = {"chain": [{"upstream": "main", "model": "gpt-4o-mini"}], "parameters": {"temperature": 0.4}}
    with bench.database.transaction() as tx:
        proposing.edit(bench.by(bench.ann), tx, made.id, Proposal("chat", "Warmer", release))
        again = proposing.submit(bench.by(bench.ann), tx, made.id)
    assert again.content != made.content
    assert bench.look(again).state is State.GATED
    with pytest.raises(Conflict, match="edited since"):
        bench.review(bench.by(bench.ben), made)
    with bench.database.reading() as tx:
        found = reviewing.standing(bench.by(bench.ann), tx, again)
    assert [why for _, why in found.discounted] == ["the change was edited since"]


def test_a_rejection_ends_it_with_its_reason(bench: Bench) -> None:
    made = bench.submitted(bench.by(bench.ann))
    with pytest.raises(Invalid, match="why"):
        bench.review(bench.by(bench.ben), made, Decision.REJECTED)
    bench.review(bench.by(bench.ben), made, Decision.REJECTED, "it drops the disclaimer")
    ended = bench.look(made)
    assert (ended.state, "disclaimer" in ended.reason) == (State.FAILED, True)
    assert made.candidate not in bench.served().known


def forged(bench: Bench, change: Change, **fields: Any) -> None:
    """A row of a change edited in the database, behind everybody's back."""
    now = bench.now(change)
    whole = msgspec.to_builtins(now) | fields
    with bench.database.transaction() as tx:
        tx.execute(
            store.changes.update()
            .where(store.changes.c.id == change.id)
            .values(whole=msgspec.json.encode(whole).decode())
        )


def test_an_author_who_edits_the_row_of_the_change_is_still_its_author(bench: Bench) -> None:
    made = bench.submitted(bench.by(bench.ann))
    forged(bench, made, author=msgspec.to_builtins(Person(bench.cleo, "Cleo")), editors=[bench.cleo])
    assert bench.now(made).author.id == bench.cleo
    with pytest.raises(Denied, match="another person"):
        bench.review(bench.by(bench.ann), made)


def test_a_review_that_only_the_database_has_does_not_count(bench: Bench) -> None:
    made = bench.submitted(bench.by(bench.ann))
    review = {
        "id": "rev_forged",
        "change": made.id,
        "workspace": bench.workspace,
        "person": {"id": bench.ben, "name": "Ben", "roles": ["approver"]},
        "decision": "approved",
        "content": made.content,
        "note": "",
        "at": bench.clock(),
    }
    with bench.database.transaction() as tx:
        tx.execute(
            store.reviews.insert().values(
                id="rev_forged",
                workspace=bench.workspace,
                change=made.id,
                at=bench.clock(),
                whole=msgspec.json.encode(review).decode(),
            )
        )
    assert bench.look(made).state is State.GATED
    with bench.database.reading() as tx:
        found = reviewing.standing(bench.by(bench.ann), tx, made)
    assert [why for _, why in found.discounted] == ["the audit log has no such review"]


def test_a_rejection_turned_into_an_approval_does_not_count(bench: Bench) -> None:
    made = bench.submitted(bench.by(bench.ann))
    given = bench.review(bench.by(bench.ben), made, Decision.REJECTED, "no")
    whole = msgspec.to_builtins(given) | {"decision": "approved", "at": given.at}
    with bench.database.transaction() as tx:
        tx.execute(store.reviews.update().values(whole=msgspec.json.encode(whole).decode()))
    assert bench.look(made).state is State.GATED


def test_an_edited_entry_of_the_log_is_found_out(bench: Bench) -> None:
    made = bench.submitted(bench.by(bench.ann))
    bench.review(bench.by(bench.ben), made)
    with bench.database.transaction() as tx:
        text = sa.func.replace(audit_entries.c.record, bench.ann, bench.cleo)
        tx.execute(
            audit_entries.update().where(audit_entries.c.action == "change.proposed").values(record=text)
        )
    with pytest.raises(Invalid, match="tampered"):
        bench.look(made)
    assert bench.now(made).state is State.GATED


def test_what_has_no_suite_waits_for_somebody_to_answer_for_it(bench: Bench) -> None:
    bench.policy({"parameters": UNGATED["parameters"]})
    made = bench.submitted(bench.by(bench.ann))
    bench.review(bench.by(bench.ben), made)
    unclear = bench.look(made)
    assert (unclear.state, unclear.gate) == (State.GATED, Verdict.INCONCLUSIVE)
    until = bench.clock() + timedelta(days=1)
    with pytest.raises(Denied), bench.database.transaction() as tx:
        reviewing.accept_risk(bench.by(bench.ben), tx, made.id, "we know", until)
    bench.policy(UNGATED)
    admin = bench.house.member("dora@nobody.test", ("acme", Role.ADMIN))
    with pytest.raises(Invalid, match="days"), bench.database.transaction() as tx:
        reviewing.accept_risk(bench.by(admin), tx, made.id, "we know", bench.clock() + timedelta(days=30))
    with bench.database.transaction() as tx:
        reviewing.accept_risk(bench.by(admin), tx, made.id, "we know", until)
    assert bench.look(made).state is State.APPROVED
    said = [details for action, details in bench.audit() if action == "change.risk_accepted"]
    assert said[0]["facts"]["person"] == admin and said[0]["facts"]["reason"] == "we know"


def test_a_class_is_raised_freely_and_lowered_with_a_reason(bench: Bench) -> None:
    by = bench.by(bench.ann)
    assert bench.propose(by, declared=ChangeClass.MAJOR).change_class is ChangeClass.MAJOR
    with pytest.raises(Invalid, match="say why"):
        bench.propose(by, declared=ChangeClass.MINOR)
    lowered = bench.propose(by, declared=ChangeClass.MINOR, class_because="measured before")
    assert (lowered.computed, lowered.change_class) == (ChangeClass.MODERATE, ChangeClass.MINOR)
    said = bench.audit()[-1][1]["facts"]
    assert (said["computed"], said["class_because"]) == ("moderate", "measured before")


def test_two_changes_of_a_route_go_one_after_the_other(bench: Bench) -> None:
    first = bench.until(bench.approved(), State.SHADOW)
    second = bench.until(bench.approved(temperature=0.4), State.SCHEDULED)
    assert bench.look(second).state is State.SCHEDULED
    assert bench.served().shadow is not None and second.candidate in bench.served().known
    bench.roll_back(bench.by(bench.cleo), first)
    assert bench.served().shadow is None
    bench.until(bench.now(first), State.ROLLED_BACK)
    assert bench.until(bench.now(second), State.SHADOW).candidate == second.candidate


def test_a_freeze_keeps_it_from_beginning_and_never_from_going_back(bench: Bench) -> None:
    with bench.database.transaction() as tx:
        frozen = governing.freeze(bench.by(bench.ben), tx, reason="an incident is open")
    made = bench.until(bench.approved(), State.SCHEDULED)
    assert bench.look(made).state is State.SCHEDULED
    with bench.database.transaction() as tx:
        governing.lift(bench.by(bench.ben), tx, frozen.id)
    under_way = bench.until(made, State.SHADOW)
    with bench.database.transaction() as tx:
        governing.freeze(bench.by(bench.ben), tx, reason="another")
    assert bench.roll_back(bench.by(bench.cleo), under_way).state is State.HALTED
    with pytest.raises(Denied), bench.database.transaction() as tx:
        governing.freeze(bench.by(bench.cleo), tx, reason="not hers to say")


def test_a_route_is_rolled_back_by_its_name(bench: Bench) -> None:
    with pytest.raises(Conflict, match="nothing to roll back"), bench.database.transaction() as tx:
        rolling.roll_back_route(bench.by(bench.cleo), tx, "chat", "bad")
    made = bench.until(bench.approved(), State.SHADOW)
    with bench.database.transaction() as tx:
        after = rolling.roll_back_route(bench.by("cli", "cli"), tx, "chat", "bad")
    assert (after.id, after.state) == (made.id, State.HALTED)


def test_another_workspaces_change_is_not_there(bench: Bench) -> None:
    made = bench.submitted(bench.by(bench.ann))
    other = bench.desk.ctx("globex")
    with bench.database.transaction() as tx:
        for act in (
            lambda: rolling.roll_back(other, tx, made.id, "bad"),
            lambda: reviewing.review(other, tx, made.id, Decision.APPROVED, made.content),
            lambda: proposing.submit(other, tx, made.id),
        ):
            with pytest.raises(NotFound):
                act()


def told(bench: Bench) -> list[tuple[str, str]]:
    with bench.database.reading() as tx:
        rows = tx.execute(sa.select(messages.c.body).where(messages.c.workspace == bench.workspace)).all()
    found = [msgspec.json.decode(row.body) for row in rows]
    return sorted((one["at"], one["title"]) for one in found)


def test_people_are_told_of_a_step_that_is_kept_and_of_no_other(bench: Bench) -> None:
    made = bench.submitted(bench.by(bench.ann))
    bench.review(bench.by(bench.ben), made)
    bench.until(bench.look(made), State.SHADOW)
    before = told(bench)
    with suppress(RuntimeError), bench.database.transaction() as tx:
        rolling.roll_back(bench.by(bench.ben), tx, made.id, "bad")
        raise RuntimeError("the core dies before the step is kept")
    assert told(bench) == before
    bench.roll_back(bench.by(bench.ben), made)
    assert [title for _, title in told(bench)][len(before) :] == [f"Change halted: {made.title}"]


def outside(bench: Bench, name: str = "change board") -> Any:
    """The key of a system outside that the policy names, as the context of a request that carries it."""
    with bench.database.transaction() as tx:
        made, _ = keys.create_key(bench.by(bench.ann), tx, name, frozenset({Scope.OPERATE}))
    bench.policy({**UNGATED, "systems": {"*": {"moderate": {"suites": [], "external": made.id}}}})
    return bench.by(made.id, "key")


def test_a_system_outside_decides_beside_the_reviewers_and_not_in_their_place(bench: Bench) -> None:
    board = outside(bench)
    made = bench.submitted(bench.by(bench.ann))
    bench.review(
        board, made
    )  # its key was made by who wrote the change: it decides for the system, not for her
    assert bench.look(made).state is State.GATED, "a reviewer is still needed"
    bench.review(bench.by(bench.ben), made)
    approved = bench.look(bench.now(made))
    assert approved.state is State.APPROVED
    assert bench.evidence(approved)[-1].facts["external"]["key"] == board.actor.id


def test_without_the_system_outside_reviewers_are_not_enough(bench: Bench) -> None:
    board = outside(bench)
    made = bench.submitted(bench.by(bench.ann))
    bench.review(bench.by(bench.ben), made)
    assert bench.look(made).state is State.GATED
    with bench.database.transaction() as tx:
        reviewing.review(board, tx, made.id, Decision.REJECTED, made.content, "CHG-7 was closed")
    failed = bench.look(bench.now(made))
    assert failed.state is State.FAILED and "CHG-7 was closed" in failed.reason


def test_another_key_does_not_decide_for_the_system_outside(bench: Bench) -> None:
    board = outside(bench)
    other = key_of(bench, bench.ann)
    made = bench.submitted(bench.by(bench.ann))
    with pytest.raises(Denied, match="another person"):
        bench.review(other, made)
    bench.review(bench.by(bench.ben), made)
    bench.review(board, made)
    release = {"chain": [{"upstream": "main", "model": "gpt-4o-mini"}], "parameters": {"temperature": 0.3}}
    with bench.database.transaction() as tx:
        proposing.edit(bench.by(bench.ann), tx, made.id, Proposal("chat", "Warmer", release))
        again = proposing.submit(bench.by(bench.ann), tx, made.id)
    assert bench.look(again).state is State.GATED, "what it approved is not what is there now"


def test_a_ticket_has_to_look_as_the_policy_says(bench: Bench) -> None:
    with pytest.raises(Invalid, match="regular expression"):
        bench.policy({**UNGATED, "systems": {"*": {"moderate": {"ticket": "CHG-("}}}})
    bench.policy({**UNGATED, "systems": {"*": {"moderate": {"suites": [], "ticket": "CHG-[0-9]+"}}}})
    with pytest.raises(Invalid, match="there is no ticket"):
        bench.submitted(bench.by(bench.ann))
    with pytest.raises(Invalid, match="the ticket is CHG-7b"):
        bench.submitted(bench.by(bench.ann), ticket="CHG-7b")
    assert bench.submitted(bench.by(bench.ann), ticket="CHG-7").state is State.GATED
