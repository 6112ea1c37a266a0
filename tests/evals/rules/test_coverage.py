"""What a map of coverage says, from vectors whose groups are known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.evals.rules import coverage as rules
from holdfast.evals.rules.coverage import Found, Group, HeldCase, Ref, Share, Vectors

DIMENSIONS = 96


def around(middles: Vectors, sizes: list[int], rng: np.random.Generator, spread: float = 0.35) -> Vectors:
    """So many unit vectors around each middle."""
    rows = np.vstack([np.repeat(middles[[at]], size, axis=0) for at, size in enumerate(sizes)])
    noise = rng.normal(size=rows.shape)
    moved = rows + spread * noise / np.linalg.norm(noise, axis=1, keepdims=True)
    unit: Vectors = (moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float32)
    return unit


def found_of(
    questions: Vectors,
    cases: Vectors,
    *,
    place: list[int] | None = None,
    weights: list[float] | None = None,
    traces: list[str] | None = None,
) -> Found:
    at = list(range(len(questions))) if place is None else place
    times = np.bincount(at, minlength=len(questions)).tolist()
    grouping = rules.grouped(questions, times, cases, np.random.default_rng(1))
    refs = [Ref(traces[n] if traces else f"t{n}", f"c{n}") for n in range(len(at))]
    return rules.told(
        grouping,
        questions,
        np.asarray(at, dtype=np.int64),
        refs,
        np.ones(len(at)) if weights is None else np.asarray(weights),
        [(f"word{n}",) for n in range(len(grouping.clusters))],
        [HeldCase(f"case{n}", f"hash{n}") for n in range(len(cases))],
        traffic=len(at),
        drawn=len(at),
        blind=0.0,
    )


@pytest.fixture(scope="module")
def middles() -> Vectors:
    made: Vectors = np.linalg.qr(np.random.default_rng(4).normal(size=(DIMENSIONS, 6)))[0].T.astype(
        np.float32
    )
    return made


def test_a_group_without_a_case_is_not_covered_and_is_proposed(middles: Vectors) -> None:
    rng = np.random.default_rng(0)
    questions = around(middles, [60, 40, 30, 20, 30, 20], rng)
    cases = around(middles[[0, 1, 4, 5]], [1, 1, 1, 1], rng, 0.1)
    found = found_of(questions, cases)
    assert len(found.groups) == 6
    assert [(len(one.cases), one.covered) for one in found.groups].count((0, False)) == 2
    assert found.uncovered.value == pytest.approx(50 / 200, abs=0.02)
    assert found.uncovered.low is not None
    assert found.uncovered.high is not None
    assert found.uncovered.low < 0.25 < found.uncovered.high
    proposed = found.proposals
    assert [round(200 * one.share) for one in proposed] == [30, 20], "those of most traffic first"
    assert {int(one.refs[0].call[1:]) // 10 for one in proposed} <= {10, 11, 12, 13, 14}, (
        "each by one of its own calls"
    )
    assert found.apart == ()


def test_a_case_far_from_what_is_asked_covers_nothing(middles: Vectors) -> None:
    rng = np.random.default_rng(0)
    questions = around(middles[:5], [30, 30, 30, 30, 30], rng)
    found = found_of(questions, around(middles[[0, 5]], [1, 1], rng, 0.1))
    assert [one.id for one in found.apart] == ["case1"]
    assert sum(one.covered for one in found.groups) == 1


def test_a_case_at_the_rim_of_a_group_does_not_cover_it(middles: Vectors) -> None:
    rng = np.random.default_rng(0)
    questions = around(middles[:5], [40, 40, 40, 40, 40], rng)
    rim = middles[[0]] + 1.2 * middles[[5]]
    found = found_of(questions, (rim / np.linalg.norm(rim)).astype(np.float32))
    assert not any(one.covered for one in found.groups)
    assert [one.id for one in found.apart] == ["case0"]


def test_what_is_like_nothing_is_unknown_and_neither_covered_nor_not(middles: Vectors) -> None:
    rng = np.random.default_rng(0)
    strays = rng.normal(size=(4, DIMENSIONS))
    strays /= np.linalg.norm(strays, axis=1, keepdims=True)
    questions = np.vstack([around(middles, [40] * 6, rng), strays.astype(np.float32)])
    found = found_of(questions, around(middles, [1] * 6, rng, 0.1))
    assert found.uncovered.value == 0
    assert found.unclustered.value == pytest.approx(4 / 244, abs=0.001)
    assert found.unseen == pytest.approx(4 / 244, abs=0.001)


def test_what_is_asked_often_in_the_same_words_is_a_group(middles: Vectors) -> None:
    rng = np.random.default_rng(0)
    questions = np.vstack([around(middles[:4], [20] * 4, rng), middles[[5]]])
    place = [*range(80), *[80] * 400]
    found = found_of(questions, around(middles[:4], [1] * 4, rng, 0.1), place=place)
    assert len(found.groups) == 5
    assert found.uncovered.value == pytest.approx(400 / 480)
    assert len(found.proposals[0].refs) == 1, "one example for each wording"


def test_calls_count_for_what_they_were_drawn_for(middles: Vectors) -> None:
    """Of one system every tenth call keeps its question, and of another all of them."""
    weights, blind = rules.weights_of(
        ["kept"] * 100 + ["tenth"] * 50, {"kept": 100, "tenth": 500, "dark": 200}
    )
    assert weights.sum() == 600
    assert (weights[0], weights[-1]) == (1, 10)
    assert blind == pytest.approx(0.25)
    rng = np.random.default_rng(0)
    questions = around(middles[:5], [25, 25, 25, 25, 50], rng)
    found = found_of(questions, around(middles[:4], [1] * 4, rng, 0.1), weights=weights.tolist())
    assert found.uncovered.value == pytest.approx(500 / 600, abs=0.01)


def test_calls_of_one_trace_are_no_independent_evidence() -> None:
    of = np.asarray([True] * 50 + [False] * 50)
    each = rules.share(of, np.ones(100), np.arange(100))
    together = rules.share(of, np.ones(100), np.arange(100) // 10)
    assert each.value == together.value == 0.5
    assert together.high is not None
    assert each.high is not None
    assert together.high - 0.5 > 2 * (each.high - 0.5)


def test_of_nothing_nothing_is_known() -> None:
    empty = np.zeros((0, DIMENSIONS), dtype=np.float32)
    found = found_of(empty, np.eye(1, DIMENSIONS, dtype=np.float32))
    assert found.uncovered == found.unclustered == Share()
    assert (found.unseen, found.unseen_high, found.groups) == (None, None, ())
    assert [one.id for one in found.apart] == ["case0"]


@given(st.lists(st.integers(0, 6), min_size=1, max_size=60))
@settings(deadline=None)
def test_unseen_mass_is_what_was_seen_once(kinds: list[int]) -> None:
    value, high = rules.unseen(np.asarray(kinds), np.arange(len(kinds)))
    assert value == pytest.approx(sum(kinds.count(one) == 1 for one in set(kinds)) / len(kinds))
    assert value is not None
    assert high is not None
    assert value <= high <= 1
    twice = rules.unseen(np.repeat(kinds, 2), np.repeat(np.arange(len(kinds)), 2))
    assert twice == (value, high), "the same question again in its trace says nothing more"


def test_unseen_mass_holds_on_the_mean() -> None:
    """Zipf's law over 400 kinds: what the next call asks that none of 300 asked."""
    rng = np.random.default_rng(8)
    p = 1 / np.arange(1, 401)
    p /= p.sum()
    told, true, above = [], [], 0
    for _ in range(200):
        kinds = rng.choice(400, 300, p=p)
        value, high = rules.unseen(kinds, np.arange(300))
        assert value is not None
        assert high is not None
        missing = 1 - p[np.unique(kinds)].sum()
        told.append(value)
        true.append(missing)
        above += high >= missing
    assert np.mean(told) == pytest.approx(np.mean(true), abs=0.01)
    assert above >= 180


def groups_of(shares: list[float], *, blind: float = 0.0, unclustered: float = 0.0) -> Found:
    groups = tuple(
        Group(at, 10, share, (), (), (HeldCase("x", ""),), 0, 0) for at, share in enumerate(shares)
    )
    return Found(
        100, 100, 100, blind, 1, Share(), Share(unclustered, unclustered, unclustered), 0, 0, groups, ()
    )


def test_the_headline_weighs_by_what_is_asked() -> None:
    found = groups_of([0.8, 0.1, 0.1])
    scores = {0: [("a", 0.0), ("b", 0.0)], 1: [("c", 1.0), ("d", 1.0)]}
    told = rules.headline(scores, found, 0.5)
    assert told is not None
    assert told.value == pytest.approx(0.1 / 0.9)
    assert told.plain == 0.5
    assert told.unknown == pytest.approx(0.1), "a group without a graded case is unknown, and no zero"
    assert (told.groups, told.cases) == (2, 4)
    dark = rules.headline(scores, groups_of([0.8, 0.1, 0.1], blind=0.5), 0.5)
    assert dark is not None
    assert dark.unknown == pytest.approx(0.55)


def test_no_headline_without_a_graded_case_in_a_group() -> None:
    assert rules.headline({}, groups_of([1.0]), 0.5) is None
    assert rules.headline({0: []}, groups_of([1.0]), 0.5) is None
    assert rules.headline({0: [("a", 1.0)]}, groups_of([1.0]), None) is None


def test_variations_of_one_case_count_once_in_a_group() -> None:
    told = rules.headline({0: [("a", 0.0), ("a", 0.0), ("a", 0.0), ("b", 1.0)]}, groups_of([1.0]), 0.25)
    assert told is not None
    assert (told.value, told.cases) == (0.5, 2)


@pytest.mark.parametrize("each", [1, 2, 8])
def test_the_headline_s_interval_covers_the_truth(each: int) -> None:
    rng = np.random.default_rng(each)
    hits = 0
    for _ in range(200):
        shares = rng.dirichlet(np.ones(20))
        chances = rng.uniform(0.3, 1.0, 20)
        scores = {
            at: [(f"{at}-{n}", float(rng.random() < chances[at])) for n in range(each)] for at in range(20)
        }
        told = rules.headline(scores, groups_of(shares.tolist()), 0.5)
        assert told is not None
        assert told.stratified == (each > 1)
        hits += told.low <= float(shares @ chances) <= told.high
    assert hits >= 182
