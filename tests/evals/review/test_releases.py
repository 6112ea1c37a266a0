"""What review counts of releases: each call once, only what is known, of its own workspace."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from tests.evals.review.queueing import FINE, RUDE, Bench

from holdfast.evals.reads import review_releases as reads
from holdfast.evals.rules.online import Answer
from holdfast.evals.rules.review import (
    Basis,
    CallRef,
    Detector,
    Dimension,
    Found,
    Looked,
    Method,
    Policy,
    Rates,
    Reviewed,
    Rule,
    Served,
    Severity,
)
from holdfast.evals.rules.review_releases import served, whole_spans
from holdfast.evals.store import review_asks
from holdfast.evals.store.review_asks import Ask, Outcome

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
REFUSES = Rule("refuses", Dimension.POLICY, detector=Detector.REFUSAL)
CALL = CallRef("a" * 32, "b" * 16, "shop", "prod", "ask", NOW)


def finding(name: str) -> Found:
    return Found(name, "", Dimension.POLICY, Severity.LOW, 0.9, Basis.HEAD)


CLEAN = Looked(clean=frozenset({Dimension.POLICY}))
UNSURE = Looked(unknown={Dimension.POLICY: "unsure"})


@pytest.mark.parametrize(
    ("rules", "head", "rate", "flagged", "refused"),
    [
        (CLEAN, CLEAN, 1.0, False, False),
        (CLEAN, Looked((finding("refuses"),)), 1.0, False, True),
        (CLEAN, UNSURE, 1.0, False, None),
        (CLEAN, None, 1.0, False, None),
        (UNSURE, None, 1.0, None, None),
        (Looked((finding("insults"),)), CLEAN, 1.0, True, False),
        (
            Looked((finding("insults"),)),
            CLEAN,
            0.0,
            True,
            None,
        ),  # shown to heads for being flagged, not by chance
    ],
)
def test_what_one_call_counts_for(
    rules: Looked, head: Looked | None, rate: float, flagged: bool | None, refused: bool | None
) -> None:
    parts = [(Method.RULES, rules, 1.0)] + ([(Method.HEADS, head, 1.0)] if head else [])
    policy = Policy(sampling=Rates(heads=rate))
    assert served("v1", policy, CALL, parts, [REFUSES]) == Served("v1", flagged, refused)
    assert served("", policy, CALL, parts, [REFUSES]) is None


def seen(bench: Bench, number: int, text: str | None, release: str = "v1") -> Reviewed:
    made = bench.reviewed(bench.call(number), Answer(text))
    return replace(made, served=served(release, bench.policy, made.call, made.parts, ()))


def told(bench: Bench, workspace: str | None = None) -> dict[str, reads.Reviewed]:
    start, end = bench.clock() - timedelta(hours=1), bench.clock() + timedelta(hours=1)
    with bench.database.reading() as tx:
        return reads.by_release(bench.by("", workspace), tx, "ask", ["v1", "v2"], start, end)


def test_each_call_is_counted_once_and_what_is_unknown_is_not(bench: Bench) -> None:
    bench.keep(seen(bench, 1, RUDE), seen(bench, 2, FINE), seen(bench, 3, None), seen(bench, 4, RUDE, "v2"))
    bench.keep(seen(bench, 1, RUDE), seen(bench, 2, FINE))
    found = told(bench)
    assert (found["v1"].flagged, found["v2"].flagged) == ((2, 1), (1, 1))
    bench.keep(seen(bench, 3, RUDE))  # what was said in it has come
    assert told(bench)["v1"].flagged == (3, 2)
    assert told(bench)["v1"].refused == (0, 0), "nobody looked whether they refuse"


def test_a_neighbour_sees_nothing(bench: Bench) -> None:
    bench.keep(seen(bench, 1, RUDE))
    other = Bench(bench.database, bench.clock)
    assert told(bench, other.workspace)["v1"] == reads.Reviewed()


def test_only_whole_spans_within_a_range_count() -> None:
    at = NOW.replace(second=0, microsecond=0)
    inside = whole_spans(at + timedelta(seconds=1), at + timedelta(seconds=29))
    assert inside == (at + timedelta(seconds=10), at + timedelta(seconds=20))
    assert whole_spans(at, at + timedelta(seconds=10)) == (at, at + timedelta(seconds=10))


def test_grades_are_of_what_chance_drew_and_of_what_the_judge_asked_last(bench: Bench) -> None:
    now = bench.clock()
    rows = [  # number, what it asks, by chance, score, how much later
        (1, "new", True, 0.9, 1),
        (2, "new", True, 0.5, 1),
        (3, "new", False, 0.0, 1),
        (4, "old", True, 0.0, 0),
    ]
    with bench.database.transaction() as tx:
        for number, asks, by_chance, score, later in rows:
            queued = now + timedelta(seconds=later)
            ask = Ask(
                bench.workspace,
                bench.call(number),
                "kind",
                1,
                asks,
                Dimension.TONE,
                1.0,
                queued,
                0,
                "v1",
                by_chance,
            )
            assert review_asks.add(tx, ask)
            review_asks.settle(tx, ask, Outcome(score, score < 0.5, "", Decimal("0.1"), True), now)
    n, total, squares = told(bench)["v1"].grades["kind"]
    assert (n, total, squares) == (2, pytest.approx(0.6), pytest.approx(0.26))
    assert told(bench)["v2"].grades == {}
