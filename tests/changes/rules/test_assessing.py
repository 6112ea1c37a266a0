"""What the findings of a stage come to. No data never promotes; a stop metric rolls back, a watch metric holds."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.changes.rules.assessing import Outcome, Patience, Stage, Step, Tally, assess
from holdfast.changes.rules.guarding import Finding, Kind, Metric, Verdict

STOP = tuple(Metric(name) for name in ("errors", "latency"))
WATCH = Metric("length", kind=Kind.WATCH)


def finding(metric: Metric, verdict: Verdict) -> Finding:
    return Finding(metric, verdict, f"{metric.name}: {verdict}")


def stage(*verdicts: Verdict, watch: Verdict = Verdict.INCONCLUSIVE, ending: bool = False) -> Stage:
    findings = [finding(metric, verdict) for metric, verdict in zip(STOP, verdicts, strict=False)]
    return assess([*findings, finding(WATCH, watch)], ending=ending)


V = Verdict


@pytest.mark.parametrize(
    ("verdicts", "watch", "outcome", "step"),
    [
        ((V.NOT_WORSE, V.NOT_WORSE), V.INCONCLUSIVE, Outcome.SUCCESSFUL, Step.ADVANCE),
        ((V.NOT_WORSE, V.NOT_WORSE), V.NO_DATA, Outcome.SUCCESSFUL, Step.ADVANCE),
        ((V.NOT_WORSE, V.NOT_WORSE), V.WORSE, Outcome.INCONCLUSIVE, Step.HOLD),
        ((V.NOT_WORSE, V.NOT_WORSE), V.TRIPPED, Outcome.INCONCLUSIVE, Step.HOLD),
        ((V.NOT_WORSE, V.INCONCLUSIVE), V.NOT_WORSE, Outcome.RUNNING, Step.WAIT),
        ((V.NOT_WORSE, V.NO_DATA), V.NOT_WORSE, Outcome.PENDING, Step.WAIT),
        ((V.NOT_WORSE, V.UNREAD), V.NOT_WORSE, Outcome.PENDING, Step.WAIT),
        ((V.NO_DATA, V.NO_DATA), V.NO_DATA, Outcome.PENDING, Step.WAIT),
        ((V.WORSE, V.NOT_WORSE), V.NOT_WORSE, Outcome.FAILED, Step.ROLL_BACK),
        ((V.NO_DATA, V.TRIPPED), V.WORSE, Outcome.FAILED, Step.ROLL_BACK),
        ((), V.NOT_WORSE, Outcome.PENDING, Step.WAIT),
        ((), V.WORSE, Outcome.INCONCLUSIVE, Step.HOLD),
    ],
)
def test_a_stage_is_as_its_most_severe_stop_metric(
    verdicts: tuple[Verdict, ...], watch: Verdict, outcome: Outcome, step: Step
) -> None:
    found = stage(*verdicts, watch=watch)
    assert (found.outcome, found.step) == (outcome, step)


def test_reasons_are_those_of_the_most_severe() -> None:
    assert stage(V.NOT_WORSE, V.WORSE, watch=V.WORSE).because == ("latency: worse",)
    assert stage(V.NOT_WORSE, V.NOT_WORSE, watch=V.WORSE).because == ("length: worse",)
    assert assess([]).because == ("no stop metric was measured",)


@pytest.mark.parametrize("verdict", [V.NO_DATA, V.INCONCLUSIVE, V.UNREAD])
def test_at_the_end_too_little_is_inconclusive_and_never_a_success(verdict: Verdict) -> None:
    assert stage(V.NOT_WORSE, verdict, ending=True).step is Step.HOLD
    assert assess([], ending=True).step is Step.HOLD


def after(*verdicts: Verdict, metric: Metric = STOP[0], patience: Patience | None = None) -> Stage:
    tallies: dict[str, Tally] = {}
    for verdict in verdicts:
        found = assess([finding(metric, verdict)], tallies, patience)
        tallies = found.tallies
    return found


def test_four_in_a_row_that_could_not_be_read_are_an_error() -> None:
    assert after(*[V.UNREAD] * 3).step is Step.WAIT
    assert after(*[V.UNREAD] * 4).outcome is Outcome.ERROR
    assert after(*[V.UNREAD] * 4).step is Step.HOLD
    assert after(*[V.UNREAD] * 3, V.INCONCLUSIVE, *[V.UNREAD] * 3).step is Step.WAIT
    assert after(*[V.UNREAD] * 4, V.NOT_WORSE).step is Step.ADVANCE  # it can be read again
    held = after(*[V.UNREAD] * 4, metric=WATCH)
    assert (held.outcome, held.step) == (Outcome.INCONCLUSIVE, Step.HOLD)


def test_what_was_once_worse_stays_failed() -> None:
    assert after(V.WORSE, V.NOT_WORSE).step is Step.ROLL_BACK


def test_a_tripwire_is_not_forgiven_where_failures_are() -> None:
    lenient = Patience(failures=3)
    assert after(V.WORSE, V.INCONCLUSIVE, patience=lenient).step is Step.WAIT
    assert after(V.TRIPPED, V.NOT_WORSE, patience=lenient).step is Step.ROLL_BACK


def test_passes_are_counted_in_a_row() -> None:
    twice = Patience(passes_in_a_row=2)
    assert after(V.NOT_WORSE, patience=twice).step is Step.WAIT
    assert after(V.NOT_WORSE, V.INCONCLUSIVE, V.NOT_WORSE, patience=twice).step is Step.WAIT
    assert after(V.NOT_WORSE, V.NO_DATA, V.NOT_WORSE, patience=twice).step is Step.WAIT
    assert after(V.NOT_WORSE, V.UNREAD, V.NOT_WORSE, patience=twice).step is Step.WAIT
    assert after(V.NOT_WORSE, V.NOT_WORSE, patience=twice).step is Step.ADVANCE


@given(
    st.lists(st.tuples(st.sampled_from(Verdict), st.sampled_from(Verdict)), min_size=1, max_size=12),
    st.builds(Patience, st.integers(0, 2), st.integers(1, 3), st.none() | st.integers(1, 8)),
    st.booleans(),
)
def test_nothing_advances_but_on_the_evidence_of_the_last_look_at_every_stop_metric(
    looks: list[tuple[Verdict, Verdict]], patience: Patience, ending: bool
) -> None:
    tallies: dict[str, Tally] = {}
    for pair in looks:
        findings = [finding(metric, verdict) for metric, verdict in zip(STOP, pair, strict=True)]
        found = assess(findings, tallies, patience, ending=ending)
        tallies = found.tallies
        if found.step is Step.ADVANCE:
            assert set(pair) == {V.NOT_WORSE}
        assert not (ending and found.step is Step.WAIT)
    if V.TRIPPED in itertools.chain(*looks):
        assert found.step is Step.ROLL_BACK
