"""The queue: what opens an item and by when, who may decide it, what is counted once, what is told at once."""

from __future__ import annotations

from datetime import timedelta

import pytest
import sqlalchemy as sa
from tests.evals.review.queueing import FINE, LETHAL, RUDE, Bench, doubled

from holdfast.evals.actions import review as actions
from holdfast.evals.reads import review as reads
from holdfast.evals.rules.online import Answer
from holdfast.evals.rules.review import (
    Decision,
    Dimension,
    Method,
    Minutes,
    Policy,
    Rates,
    Severity,
    State,
    Why,
)
from holdfast.kernel.errors import Conflict, Invalid, NotFound
from holdfast.platform.notify.store import messages
from holdfast.storage.sql import metadata

TONE = (Dimension.TONE, Method.RULES)


def test_a_flag_opens_an_item_by_the_policy_and_nothing_said_is_kept(bench: Bench) -> None:
    item = bench.say(1, RUDE)
    assert item is not None
    assert (item.why, item.dimensions, item.severity) == (Why.FLAGGED, (Dimension.TONE,), Severity.MEDIUM)
    assert item.due_at == bench.clock() + timedelta(minutes=1440)  # .7 is likely
    assert bench.say(2, FINE) is None
    (waiting,) = bench.queue()
    assert [RUDE[start:end] for start, end in waiting.found[0].spots] == ["You are an idiot"]
    with bench.database.reading() as tx:
        for table in metadata.tables.values():
            if table.name.startswith("review_"):
                assert "idiot" not in str(tx.execute(sa.select(table)).all())


def test_a_call_that_comes_again_is_counted_and_queued_once(bench: Bench) -> None:
    first = bench.reviewed(bench.call(1), Answer(RUDE))
    assert len(bench.keep(first)) == 1
    assert bench.keep(first) == bench.keep(bench.reviewed(bench.call(1), Answer(RUDE))) == []
    assert len(bench.queue()) == 1
    rate = bench.rates()[TONE]
    assert (rate.flagged, rate.judged, rate.looked) == (1, 1, 1)


def test_a_call_whose_content_came_later_is_counted_in_the_place_of_what_it_was(bench: Bench) -> None:
    bench.say(1, None)
    assert bench.rates()[TONE].unknown == 1
    assert bench.rates()[TONE].rate.value is None  # nothing judged is no rate of nothing
    assert bench.say(1, RUDE) is not None
    rate = bench.rates()[TONE]
    assert (rate.flagged, rate.judged, rate.unknown, rate.looked) == (1, 1, 0, 1)


def test_what_presses_more_stands_first(bench: Bench) -> None:
    bench.say(1, "That is not my problem.")
    bench.say(2, LETHAL)
    bench.say(3, RUDE)
    assert [one.item.severity for one in bench.queue()] == [Severity.CRITICAL, Severity.MEDIUM, Severity.LOW]
    assert len(bench.queue(dimension=Dimension.HARM)) == 1
    first = bench.queue(limit=1)[0].item
    assert len(bench.queue(after=(first.priority, first.id))) == 2


def test_harm_is_told_at_once_and_once_and_quotes_nothing(bench: Bench) -> None:
    again = bench.reviewed(bench.call(1), Answer(LETHAL))
    bench.keep(again)
    bench.keep(again)
    bench.say(2, RUDE)
    with bench.database.reading() as tx:
        (told,) = tx.execute(tx.select(messages, bench.workspace)).all()
    assert "kill" not in str(told)
    assert bench.queue()[0].item.id in str(told)


def test_a_policy_says_who_is_asked_and_by_when(bench: Bench) -> None:
    bench.policy = Policy(due={Severity.MEDIUM: Minutes(5, 0, 0)}, second_look=0.0)
    assert bench.say(1, RUDE) is None  # .7 is likely, and the policy asks nobody
    assert bench.rates()[TONE].flagged == 1
    bench.policy = Policy(due={Severity.MEDIUM: Minutes(5, 0, 0)}, sure=0.7, second_look=0.0)
    item = bench.say(2, RUDE)
    assert item is not None
    assert item.due_at == bench.clock() + timedelta(minutes=5)


def test_one_who_claims_keeps_others_off_for_half_an_hour(bench: Bench) -> None:
    item = bench.say(1, RUDE)
    assert item is not None
    bench.claim(item, "ann")
    with pytest.raises(Conflict, match="somebody else has claimed"):
        bench.claim(item, "bob")
    with pytest.raises(Conflict, match="somebody else has claimed"):
        bench.decide(item, "bob")
    bench.clock.move(seconds=40)
    done = bench.decide(item, "ann", note="rude")
    assert done.state is State.DECIDED
    assert bench.work().seconds == 40
    with pytest.raises(Conflict, match="decided already"):
        bench.decide(item, "bob")
    other = bench.say(2, RUDE)
    assert other is not None
    bench.claim(other, "ann")
    bench.clock.move(minutes=31)
    assert bench.claim(other, "bob").holder == "bob"
    with pytest.raises(Conflict, match="not claimed"), bench.database.transaction() as tx:
        actions.release(bench.by("ann"), tx, other.id)
    with bench.database.transaction() as tx:
        assert actions.release(bench.by("bob"), tx, other.id).state is State.OPEN


def test_two_who_agree_settle_it_and_a_third_decides_where_they_do_not(bench: Bench) -> None:
    bench.policy = doubled(bench.policy)
    agreed, torn = bench.say(1, RUDE), bench.say(2, RUDE)
    assert agreed is not None and torn is not None
    assert bench.decide(agreed, "ann").state is State.OPEN
    with pytest.raises(Conflict, match="you decided this once"):
        bench.decide(agreed, "ann")
    assert bench.decide(agreed, "bob").state is State.DECIDED
    bench.decide(torn, "ann", Decision.CONFIRMED)
    assert bench.decide(torn, "bob", Decision.FINE).state is State.OPEN
    assert bench.decide(torn, "cid", Decision.FINE).state is State.DECIDED
    work = bench.work()
    assert (work.disagreed.value, work.disagreed.of) == (0.5, 2)
    assert (work.overridden.value, work.overridden.of) == (0.5, 2)
    assert bench.rates()[TONE].confirmed.value == 0.5


def test_the_share_of_double_looks_is_the_same_for_the_same_call(bench: Bench) -> None:
    bench.policy = Policy(second_look=0.3)
    made = [bench.reviewed(bench.call(n), Answer(RUDE)).item for n in range(400)]
    again = [bench.reviewed(bench.call(n), Answer(RUDE)).item for n in range(400)]
    assert [one.double for one in made if one] == [one.double for one in again if one]
    assert 80 < sum(one.double for one in made if one) < 160


def test_every_dimension_is_decided_and_no_other(bench: Bench) -> None:
    item = bench.say(1, RUDE)
    assert item is not None
    for wrong in (
        {},
        {Dimension.PII: Decision.FINE},
        {Dimension.TONE: Decision.FINE, Dimension.PII: Decision.FINE},
    ):
        with pytest.raises(Invalid, match="decide each"), bench.database.transaction() as tx:
            actions.decide(bench.by("ann"), tx, item.id, wrong)


def test_late_is_late_decided_or_not(bench: Bench) -> None:
    one, _, _ = (bench.say(n, RUDE) for n in range(3))
    assert one is not None
    assert bench.work().late.value is None
    bench.clock.move(days=1, hours=1)
    bench.decide(one, "ann")
    work = bench.work()
    assert (work.late.value, work.late.of, work.overdue) == (1.0, 3, 2)


def test_a_report_joins_the_item_of_the_call_and_opens_a_decided_one_for_another_dimension(
    bench: Bench,
) -> None:
    item = bench.say(1, RUDE)
    assert item is not None
    with bench.database.transaction() as tx:
        joined = actions.flag(bench.by(""), tx, item.call, Dimension.FACTS, by="feedback")
        assert joined.id == item.id
        assert joined.dimensions == (Dimension.FACTS, Dimension.TONE)
        new = actions.flag(
            bench.by(""),
            tx,
            bench.call(2),
            Dimension.TONE,
            by="feedback",
            severity=Severity.LOW,
            confidence=0.1,
        )
        assert (new.why, new.state) == (Why.REPORTED, State.OPEN)
    assert len(bench.queue()) == 2
    bench.decide(new, "ann")
    with bench.database.transaction() as tx:
        assert actions.flag(bench.by(""), tx, new.call, Dimension.TONE, by="feedback").state is State.DECIDED
        assert actions.flag(bench.by(""), tx, new.call, Dimension.FACTS, by="feedback").state is State.OPEN


def test_what_was_missed_is_estimated_by_how_rarely_it_is_drawn(bench: Bench) -> None:
    bench.policy = Policy(
        sampling=Rates(0, people=0.5), routes={"dense": Rates(0, people=1.0)}, second_look=0.0
    )
    for number in range(60):
        call = bench.call(number, "dense" if number < 30 else "ask")
        for item in bench.keep(bench.reviewed(call, Answer(FINE))):
            assert item.why is Why.SAMPLED
            bench.decide(item, "ann", Decision.CONFIRMED if item.call.route == "ask" else Decision.FINE)
    missed = bench.rates()[TONE].missed
    assert missed.value is not None
    assert (
        0.35 < missed.value < 0.65
    )  # half of the calls, though far fewer than half of those that were drawn
    assert missed.of < 60


def test_a_policy_is_replaced_by_who_has_read_it(bench: Bench) -> None:
    with bench.database.transaction() as tx:
        assert reads.policy(bench.by("ann"), tx).version == 0
        actions.put_policy(bench.by("ann"), tx, doubled(Policy()), 0)
    with pytest.raises(Conflict, match="version 1"), bench.database.transaction() as tx:
        actions.put_policy(bench.by("bob"), tx, Policy(), 0)
    with bench.database.reading() as tx:
        assert reads.policy(bench.by("ann"), tx).policy == doubled(Policy())


def test_an_item_of_another_workspace_is_not_there(bench: Bench, clock: object) -> None:
    item = bench.say(1, RUDE)
    assert item is not None
    other = Bench(bench.database, clock)
    for verb in (other.claim, other.decide):
        with pytest.raises(NotFound):
            verb(item, "ann")
    assert other.queue() == []
    assert other.rates() == {}
