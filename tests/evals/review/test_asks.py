"""What becomes of a judge's verdict on a live call: kept once, queued, told at once only by a judge known to be good."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from tests.evals.review.queueing import FINE, RUDE, Bench

from holdfast.evals.actions import review_asks as actions
from holdfast.evals.reads import review_judges as reads
from holdfast.evals.rules.review import (
    Basis,
    Decision,
    Dimension,
    Item,
    Judging,
    Method,
    Policy,
    Rates,
    Severity,
    Why,
)
from holdfast.evals.rules.review_judging import Shown, Verdicts, midnight
from holdfast.evals.store import review_asks as store
from holdfast.evals.store.review_asks import Ask, Outcome
from holdfast.platform.notify.store import messages

HARM = Judging(judge="safe", dimension=Dimension.HARM, max_cost=Decimal(1), severity=Severity.CRITICAL)
GOOD = actions.Evidence(Shown(10, 10, 10, 10, agrees=True), Verdicts(10, 100, 100))
FAILED = Outcome(0.0, True, "", Decimal("0.01"), True)


def drawn(bench: Bench, number: int, weight: float = 1.0) -> Ask:
    """A call that the judge is to be shown."""
    ask = Ask(bench.workspace, bench.call(number), "safe", 1, "a" * 64, Dimension.HARM, weight, bench.clock())
    with bench.database.transaction() as tx:
        store.add(tx, ask)
    return ask


def settle(bench: Bench, ask: Ask, outcome: Outcome, evidence: actions.Evidence | None = None) -> Item | None:
    with bench.database.transaction() as tx:
        return actions.settle(bench.by(""), tx, bench.policy, HARM, ask, outcome, evidence, "http://here")


def told(bench: Bench) -> int:
    with bench.database.reading() as tx:
        return len(tx.execute(tx.select(messages, bench.workspace)).all())


def by_judge(bench: Bench) -> reads.JudgeRate:
    with bench.database.reading() as tx:
        (found,) = reads.judge_rates(bench.by(""), tx, Policy(judges=(HARM,)), *bench.span())
    return found


def test_a_verdict_is_kept_once(bench: Bench) -> None:
    ask = drawn(bench, 1)
    assert settle(bench, ask, FAILED) is not None
    assert settle(bench, ask, replace(FAILED, score=0.4)) is None
    drawn(bench, 1)  # the call comes again
    with bench.database.reading() as tx:
        assert store.due_judges(tx, bench.clock()) == []
    found = by_judge(bench)
    assert (found.judged, found.cost, found.alone.value) == (1, Decimal("0.01"), 1.0)


def test_what_a_judge_fails_joins_the_calls_item_and_is_counted_by_itself(bench: Bench) -> None:
    there = bench.say(1, RUDE)
    assert there is not None
    item = settle(bench, drawn(bench, 1), FAILED)
    assert item is not None
    assert (item.id, item.dimensions) == (there.id, (Dimension.HARM, Dimension.TONE))
    assert item.severity is Severity.CRITICAL
    assert {one.rule for one in bench.queue()[0].found} == {"insults", "judge safe"}
    bench.decide(item, "ann", Decision.FINE)
    assert by_judge(bench).confirmed.value == 0.0
    rates = bench.rates()
    assert rates[Dimension.TONE, Method.RULES].confirmed.value == 0.0
    assert rates[Dimension.HARM, Method.RULES].confirmed.value is None, "no rule found it"
    assert bench.work().overridden.of == 1


@pytest.mark.parametrize(
    ("evidence", "basis", "messages_told"),
    [
        (None, Basis.UNCORRECTED, 0),
        (actions.Evidence(None, GOOD.said), Basis.UNCORRECTED, 0),
        (actions.Evidence(Shown(10, 10, 10, 10, agrees=False), GOOD.said), Basis.JUDGE, 0),
        (GOOD, Basis.JUDGE, 1),
    ],
)
def test_only_a_judge_that_surely_agrees_with_people_is_told_at_once(
    bench: Bench, evidence: actions.Evidence | None, basis: Basis, messages_told: int
) -> None:
    settle(bench, drawn(bench, 1), FAILED, evidence)
    assert bench.queue()[0].found[0].basis is basis
    assert told(bench) == messages_told


def test_what_a_judge_does_not_say_is_unknown_with_its_reason_and_in_no_rate(bench: Bench) -> None:
    settle(bench, drawn(bench, 1), Outcome(None, None, "the judge abstains", None, True))
    settle(bench, drawn(bench, 2), Outcome(1.0, False, "", Decimal("0.02"), True))
    found = by_judge(bench)
    assert (found.judged, found.unknown, found.alone.value) == (1, {"the judge abstains": 1}, 0.0)
    assert (found.unpriced, found.corrected, found.note) == (1, None, reads.UNCORRECTED)
    with bench.database.reading() as tx:
        spent = store.spent(tx, bench.workspace, "safe", midnight(bench.clock()))
    assert (spent.amount, spent.unpriced, spent.dearest) == (Decimal("0.02"), 1, Decimal("0.02"))
    bench.clock.move(hours=24)
    with bench.database.reading() as tx:
        assert store.spent(tx, bench.workspace, "safe", midnight(bench.clock())).amount == 0


def test_a_call_counts_as_many_times_as_it_stands_for(bench: Bench) -> None:
    settle(bench, drawn(bench, 1, 1.0), FAILED)
    settle(bench, drawn(bench, 2, 9.0), replace(FAILED, score=1.0, failed=False))
    assert by_judge(bench).alone.value == pytest.approx(0.1)


def test_what_people_see_by_chance_shows_what_the_judge_misses(bench: Bench) -> None:
    bench.policy = Policy(sampling=Rates(people=1.0), second_look=0.0)
    for number, said in ((1, Decision.CONFIRMED), (2, Decision.FINE)):
        item = bench.say(number, FINE)
        assert item is not None
        assert item.why is Why.SAMPLED
        settle(bench, drawn(bench, number), replace(FAILED, score=1.0, failed=False))
        bench.decide(item, "ann", said)
    settle(bench, drawn(bench, 3), FAILED)
    assert by_judge(bench).missed.value == 0.5


def test_what_is_postponed_waits_and_is_not_lost(bench: Bench) -> None:
    ask = drawn(bench, 1)
    with bench.database.transaction() as tx:
        actions.postpone(bench.by(""), tx, ask, 30.0, counts=True)
        assert store.due_judges(tx, bench.clock()) == []
    bench.clock.move(seconds=31)
    with bench.database.reading() as tx:
        assert store.due_judges(tx, bench.clock()) == [(bench.workspace, "safe")]
        (again,) = store.due(tx, bench.workspace, "safe", bench.clock(), 10)
    assert again.tries == 1
    assert by_judge(bench).waiting == 1
