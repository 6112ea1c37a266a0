"""What figures mean and what follows: by table, and for whatever comes."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.signals.made import NOW, rule, spend, window

from holdfast.kernel.errors import Invalid
from holdfast.signals import rules
from holdfast.signals.model import Alert, Memory, Period, Rule, RuleKind, State, Window
from holdfast.telemetry.model import TimeRange

P95 = rule(RuleKind.LATENCY, ms=1000.0)
SILENCE = rule(RuleKind.NO_DATA, window=timedelta(minutes=10))
LONG = Memory(watching_since=NOW - timedelta(days=1), seen=True)


def alert_of(made: Rule, part: str = "", period: str = "", **changed: object) -> Alert:
    made_alert = Alert(
        f"alert_{part}", "ws", made.id, made.revision, part, period, "", "", "t", made.severity, NOW, "", ""
    )
    return replace(made_alert, **changed)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("made", "figures", "state", "value"),
    [
        (rule(), window(100, 4), "ok", "4.0 % of 100 calls failed"),
        (rule(), window(100, 5), "firing", "5.0 % of 100 calls failed"),
        (rule(), window(19, 19), "unknown", "unknown"),
        (rule(), window(), "unknown", "unknown"),
        (rule(share=1.0), window(20, 20), "firing", "100.0 % of 20 calls failed"),
        (P95, window(100, p95=999.9), "ok", "p95 1000 ms over 100 calls"),
        (P95, window(100, p95=1000.0), "firing", "p95 1.00 s over 100 calls"),
        (P95, window(100), "unknown", "unknown"),
        (P95, window(3, p95=9000.0), "unknown", "unknown"),
        (SILENCE, window(1), "ok", "1 calls in 10 minutes"),
        (SILENCE, window(), "firing", "no call for 10 minutes"),
        (spend(), window(), "ok", "0.00 USD of 100.00 USD today"),
        (spend(), window(9, USD="49.99"), "ok", "49.99 USD of 100.00 USD today"),
        (spend(), window(9, USD="50"), "firing", "50.00 USD of 100.00 USD today"),
        (spend(), window(9, EUR="5000"), "ok", "0.00 USD of 100.00 USD today"),
        (spend(), window(9, unpriced=9), "unknown", "at least 0.00 USD of 100.00 USD today"),
        (spend(), window(10, unpriced=1, USD="1"), "ok", "at least 1.00 USD of 100.00 USD today"),
        (spend(), window(10, unpriced=5, USD="25"), "unknown", "at least 25.00 USD of 100.00 USD today"),
        (spend(), window(10, unpriced=5, USD="60"), "firing", "at least 60.00 USD of 100.00 USD today"),
    ],
)
def test_what_figures_mean(made: Rule, figures: Window, state: str, value: str) -> None:
    reading = rules.read(made, figures, LONG, NOW)
    assert (reading.state, reading.value) == (state, value)


def test_unknown_cost_and_other_currencies_are_said() -> None:
    reading = rules.read(spend(), window(10, unpriced=2, USD="60", EUR="3", GBP="0.5"), LONG, NOW)
    assert reading.note == "the cost of 2 of 10 calls is unknown; not counted: 3.00 EUR, 0.50 GBP"
    assert dict(reading.facts)["Spent"] == "at least 60.00 USD"
    assert dict(reading.facts)["Cost unknown"] == "2 of 10 calls"


def test_silence_says_nothing_before_there_was_sound_or_somebody_to_hear() -> None:
    nobody = rules.read(SILENCE, window(), Memory(watching_since=NOW - timedelta(days=1)), NOW)
    assert (nobody.state, nobody.note) == (State.UNKNOWN, "nothing has been seen here yet")
    fresh = Memory(watching_since=NOW - timedelta(minutes=9), seen=True)
    assert rules.read(SILENCE, window(), fresh, NOW).state is State.UNKNOWN
    gap = replace(LONG, evaluated_at=NOW - timedelta(minutes=3))
    assert rules.watched(gap, window(), NOW).watching_since == NOW
    steady = replace(LONG, evaluated_at=NOW - timedelta(seconds=15))
    assert rules.watched(steady, window(), NOW).watching_since == LONG.watching_since


@pytest.mark.parametrize(
    ("period", "zone", "now", "first", "hours"),
    [
        (Period.DAY, "UTC", "2026-11-20T00:00:00+00:00", "2026-11-20", 24),
        (Period.DAY, "UTC", "2026-11-19T23:59:59+00:00", "2026-11-19", 24),
        (Period.DAY, "Europe/Berlin", "2026-11-19T23:30:00+00:00", "2026-11-20", 24),
        (Period.DAY, "America/New_York", "2026-11-20T04:59:00+00:00", "2026-11-19", 24),
        (Period.DAY, "Europe/Berlin", "2026-10-25T12:00:00+00:00", "2026-10-25", 25),
        (Period.DAY, "Europe/Berlin", "2026-03-29T12:00:00+00:00", "2026-03-29", 23),
        (Period.WEEK, "UTC", "2026-11-22T23:59:59+00:00", "2026-11-16", 168),
        (Period.WEEK, "UTC", "2026-11-23T00:00:00+00:00", "2026-11-23", 168),
        (Period.WEEK, "Europe/Berlin", "2026-10-25T12:00:00+00:00", "2026-10-19", 169),
        (Period.MONTH, "UTC", "2026-02-28T23:00:00+00:00", "2026-02-01", 28 * 24),
        (Period.MONTH, "UTC", "2026-12-31T23:00:00+00:00", "2026-12-01", 31 * 24),
        (Period.MONTH, "Pacific/Auckland", "2026-11-30T12:00:00+00:00", "2026-12-01", 31 * 24),
        (Period.MONTH, "Europe/Berlin", "2026-03-15T12:00:00+00:00", "2026-03-01", 31 * 24 - 1),
    ],
)
def test_periods_are_those_of_the_calendar(
    period: Period, zone: str, now: str, first: str, hours: int
) -> None:
    day, within = rules.period_of(period, zone, datetime.fromisoformat(now))
    assert day.isoformat() == first
    assert within.end - within.start == timedelta(hours=hours)
    assert within.start <= datetime.fromisoformat(now) < within.end


@given(
    st.sampled_from(list(Period)),
    st.sampled_from(["UTC", "Europe/Berlin", "America/Sao_Paulo", "Asia/Kolkata", "Australia/Lord_Howe"]),
    st.integers(946_684_800, 2_051_222_400),
)
def test_periods_follow_one_another_without_a_gap(period: Period, zone: str, at: int) -> None:
    now = datetime.fromtimestamp(at, UTC)
    day, within = rules.period_of(period, zone, now)
    assert within.start <= now < within.end
    after, next_one = rules.period_of(period, zone, within.end)
    assert next_one.start == within.end and after > day
    if period is Period.WEEK:
        assert within.start.astimezone(ZoneInfo(zone)).date().weekday() == 0


def test_an_alert_closes_after_a_whole_window_of_quiet() -> None:
    made, memory, still = rule(), replace(LONG, state=State.FIRING), [alert_of(rule())]
    fine = rules.read(made, window(100), memory, NOW)
    for minutes in range(5):
        verdict = rules.decide(made, fine, memory, still, "", NOW + timedelta(minutes=minutes))
        assert verdict.closes == () and verdict.memory.state is State.FIRING
        memory = verdict.memory
    verdict = rules.decide(made, fine, memory, still, "", NOW + timedelta(minutes=5))
    assert verdict.closes == (("alert_", "0.0 % of 100 calls failed"),)
    assert verdict.memory.state is State.OK


@pytest.mark.parametrize("between", [window(100, 50), window(2)])
def test_quiet_that_is_broken_begins_anew(between: Window) -> None:
    """By another failure, or by data that no longer says anything."""
    made, still = rule(), [alert_of(rule())]
    memory = Memory(state=State.FIRING)
    for minutes, figures in ((0, window(100)), (4, between), (5, window(100)), (9, window(100))):
        at = NOW + timedelta(minutes=minutes)
        verdict = rules.decide(made, rules.read(made, figures, memory, at), memory, still, "", at)
        assert verdict.closes == () and verdict.opens == ()
        memory = verdict.memory
    at = NOW + timedelta(minutes=10)
    assert rules.decide(made, rules.read(made, window(100), memory, at), memory, still, "", at).closes


def test_no_data_does_not_end_an_alert() -> None:
    made, memory = rule(), Memory(state=State.FIRING)
    verdict = rules.decide(
        made, rules.read(made, window(), memory, NOW), memory, [alert_of(made)], "", NOW + timedelta(days=1)
    )
    assert (verdict.closes, verdict.memory.state) == ((), State.UNKNOWN)


def test_a_budget_opens_each_threshold_once_and_the_highest_speaks() -> None:
    made, known = spend(), [alert_of(spend(), "50", "2026-11-20")]
    reading = rules.read(made, window(9, USD="120"), LONG, NOW)
    verdict = rules.decide(made, reading, LONG, known, "2026-11-20", NOW)
    assert verdict.opens == ("80", "100") and verdict.loud == {"100"} and verdict.closes == ()
    less = rules.read(made, window(9, USD="10"), LONG, NOW)
    assert rules.decide(made, less, LONG, known, "2026-11-20", NOW).closes == (), "until the day is over"
    next_day = rules.decide(made, less, LONG, known, "2026-11-21", NOW)
    assert next_day.closes == (("alert_50", "a new period began"),)


FIGURES = st.builds(
    lambda calls, share: window(calls, int(calls * share), p95=share * 2000 if calls else None),
    st.integers(0, 200),
    st.floats(0, 1),
)


@given(
    st.sampled_from([rule(), P95, SILENCE]),
    st.lists(st.tuples(FIGURES, st.sampled_from([15, 60, 150, 400])), max_size=40),
)
def test_openings_and_closings_take_turns(made: Rule, turns: list[tuple[Window, int]]) -> None:
    """Whatever comes: at most one open alert; it opens only on firing, closes only on ok; unknown changes nothing."""
    memory, at, still = Memory(), NOW, list[Alert]()
    for figures, seconds in turns:
        at += timedelta(seconds=seconds)
        memory = rules.watched(memory, figures, at)
        reading = rules.read(made, figures, memory, at)
        verdict = rules.decide(made, reading, memory, still, "", at)
        assert not (verdict.opens and verdict.closes)
        if verdict.opens:
            assert reading.state is State.FIRING and not still
            still = [alert_of(made)]
        if verdict.closes:
            assert reading.state is State.OK and still
            still = []
        if reading.state is State.UNKNOWN:
            assert verdict.memory.state is State.UNKNOWN
        assert not (verdict.memory.state is State.OK and still)
        memory = verdict.memory


@given(st.lists(st.tuples(st.integers(0, 3), st.decimals(0, 300, places=2)), max_size=40))
def test_a_threshold_is_told_once_a_period(turns: list[tuple[int, Decimal]]) -> None:
    made, memory, at = spend(), Memory(), NOW
    known: list[Alert] = []
    told: list[tuple[str, str]] = []
    for days, amount in turns:
        at += timedelta(days=days, seconds=15)
        period = rules.period_key(made, "UTC", at)
        seen = [one for one in known if one.period == period or one.closed_at is None]
        verdict = rules.decide(
            made, rules.read(made, window(5, USD=str(amount)), memory, at), memory, seen, period, at
        )
        told += [(period, part) for part in verdict.opens]
        assert len(verdict.loud) == min(1, len(verdict.opens)) and verdict.loud <= set(verdict.opens)
        ended = {id_ for id_, _ in verdict.closes}
        known = [replace(one, closed_at=at) if one.id in ended else one for one in known]
        known += [alert_of(made, part, period, id=f"{period}.{part}") for part in verdict.opens]
        memory = verdict.memory
    assert len(told) == len(set(told))


@pytest.mark.parametrize(
    ("made", "where"),
    [
        (rule(name=" "), "name"),
        (rule(window=timedelta(0)), "window_minutes"),
        (rule(window=timedelta(hours=25)), "window_minutes"),
        (rule(min_calls=0), "min_calls"),
        (rule(share=0.0), "percent"),
        (rule(share=1.1), "percent"),
        (replace(P95, ms=0.0), "ms"),
        (spend("0"), "amount"),
        (spend("-1"), "amount"),
        (spend("NaN"), "amount"),
        (spend("Infinity"), "amount"),
        (spend(currency="usd"), "currency"),
        (spend(percents=()), "percents"),
        (spend(percents=(0,)), "percents"),
        (rule(system="s" * 201), "system"),
    ],
)
def test_rules_that_make_no_sense_are_refused_by_name(made: Rule, where: str) -> None:
    with pytest.raises(Invalid) as refused:
        rules.check_rule(made)
    assert refused.value.where == where


def test_the_link_leads_to_the_calls_that_were_counted() -> None:
    made = rule(system="a shop", environment="prod", route="/ask?x=1")
    within = TimeRange(NOW - timedelta(minutes=5), NOW)
    link = urlsplit(rules.link_of("https://h.test", "acme", made, within))
    assert (link.netloc, link.path) == ("h.test", "/w/acme/calls")
    assert parse_qs(link.query) == {
        "system": ["a shop"],
        "environment": ["prod"],
        "route": ["/ask?x=1"],
        "status": ["error"],
        "sample": ["false"],
        "from": ["2026-11-20T11:55:00.000000Z"],
        "to": ["2026-11-20T12:00:00.000000Z"],
    }


def test_what_a_change_leaves_alike() -> None:
    made = rule()
    for same in ({"name": "x"}, {"channels": ()}, {"enabled": False}, {"changed_at": NOW + timedelta(1)}):
        assert rules.watches_alike(made, replace(made, **same))  # type: ignore[arg-type]
    for other in ({"share": 0.1}, {"window": timedelta(minutes=6)}, {"min_calls": 3}):
        assert not rules.watches_alike(made, replace(made, **other))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("minutes", "text"),
    [(1, "1 minute"), (5, "5 minutes"), (60, "1 hour"), (90, "90 minutes"), (120, "2 hours")],
)
def test_lengths_in_words(minutes: int, text: str) -> None:
    assert rules.words(timedelta(minutes=minutes)) == text
