"""Decisions of signals: what a rule must say, over which time it looks, what its figures mean, what follows."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from holdfast.kernel.errors import Invalid
from holdfast.kernel.time import iso
from holdfast.platform.notify.model import Severity
from holdfast.signals.model import (
    Alert,
    Memory,
    Period,
    Reading,
    Rule,
    RuleKind,
    State,
    Verdict,
    Window,
)
from holdfast.telemetry.model import TimeRange

EVERY = timedelta(seconds=15)
GAP = timedelta(minutes=2)
"""A rule that was not evaluated for so long was not watching: silence before that says nothing."""
LONGEST_WINDOW = timedelta(days=1)
MOST_AMOUNT = Decimal(10) ** 12
_CURRENCY = re.compile(r"[A-Z]{3}")
_NOUNS = {Period.DAY: "today", Period.WEEK: "this week", Period.MONTH: "this month"}


def check_rule(rule: Rule) -> Rule:
    """The rule, trimmed, when it makes sense. Raises Invalid, naming the field."""
    name = rule.name.strip()
    if not name or len(name) > 100:
        raise Invalid("a rule needs a name, of at most 100 characters", where="name")
    if any(len(values[0]) > 200 for values in rule.scope.equals.values()):
        raise Invalid("names in a scope have at most 200 characters", where="system")
    rule = replace(rule, name=name)
    if rule.kind is RuleKind.SPEND:
        return _check_spend(rule)
    if not timedelta(minutes=1) <= rule.window <= LONGEST_WINDOW:
        raise Invalid("a window has 1 minute to 24 hours", where="window_minutes")
    if rule.kind is RuleKind.NO_DATA:
        return rule
    if not 1 <= rule.min_calls <= 1_000_000:
        raise Invalid("the least number of calls is 1 to 1,000,000", where="min_calls")
    if rule.kind is RuleKind.ERROR_RATE and not 0 < rule.share <= 1:
        raise Invalid("an error rate is over 0 and at most 100 percent", where="percent")
    if rule.kind is RuleKind.LATENCY and not 0 < rule.ms <= 86_400_000:
        raise Invalid("a latency is over 0 and at most a day", where="ms")
    return rule


def _check_spend(rule: Rule) -> Rule:
    if not rule.amount.is_finite() or not 0 < rule.amount <= MOST_AMOUNT:
        raise Invalid("a budget is an amount over 0", where="amount")
    if not _CURRENCY.fullmatch(rule.currency):
        raise Invalid("a currency is three capital letters, such as USD", where="currency")
    percents = tuple(sorted(set(rule.percents)))
    if not 1 <= len(percents) <= 10 or not all(1 <= one <= 1000 for one in percents):
        raise Invalid("thresholds are 1 to 10 whole percentages from 1 to 1000", where="percents")
    return replace(rule, percents=percents)


def watches_alike(one: Rule, other: Rule) -> bool:
    """Whether two versions of a rule watch the same thing, so that an open alert stays true."""

    def watched_by(rule: Rule) -> Rule:
        told = replace(rule, name="", channels=None, enabled=True, severity=Severity.INFO)
        return replace(told, revision=1, changed_at=other.changed_at)

    return watched_by(one) == watched_by(other)


def period_of(period: Period, zone: str, now: datetime) -> tuple[date, TimeRange]:
    """The first day of the calendar period that `now` is in, in a zone, and its bounds as instants.

    A day that has 23 or 25 hours is that long here too: its bounds are local midnights.
    """
    place = ZoneInfo(zone)
    first = now.astimezone(place).date()
    if period is Period.WEEK:
        first -= timedelta(days=first.weekday())
        last = first + timedelta(days=7)
    elif period is Period.MONTH:
        first = first.replace(day=1)
        last = (first + timedelta(days=32)).replace(day=1)
    else:
        last = first + timedelta(days=1)
    return first, TimeRange(_midnight(first, place), _midnight(last, place))


def _midnight(day: date, place: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), place).astimezone(UTC)


def looks_at(rule: Rule, zone: str, now: datetime) -> TimeRange:
    """The time range whose figures the rule needs now."""
    if rule.kind is RuleKind.SPEND:
        return TimeRange(period_of(rule.period, zone, now)[1].start, now)
    return TimeRange(now - rule.window, now)


def period_key(rule: Rule, zone: str, now: datetime) -> str:
    """The period that an alert belongs to: the first day of a spend rule's, else empty."""
    return period_of(rule.period, zone, now)[0].isoformat() if rule.kind is RuleKind.SPEND else ""


def read(rule: Rule, window: Window, memory: Memory, now: datetime) -> Reading:
    """What the figures say. Unknown where they say too little: never ok."""
    if rule.kind is RuleKind.SPEND:
        return _read_spend(rule, window)
    if rule.kind is RuleKind.NO_DATA:
        return _read_silence(rule, window, memory, now)
    facts = (("Calls", f"{window.calls:,}"), ("Failed", f"{window.errors:,}"), ("Window", words(rule.window)))
    if window.calls < rule.min_calls:
        note = f"only {window.calls:,} calls in {words(rule.window)}; the rule asks for {rule.min_calls:,}"
        return Reading(State.UNKNOWN, "unknown", note, facts=facts)
    if rule.kind is RuleKind.ERROR_RATE:
        share = window.errors / window.calls
        value = f"{share * 100:.1f} % of {window.calls:,} calls failed"
        return Reading(_firing(share >= rule.share), value, facts=facts)
    if window.p95_ms is None:
        return Reading(State.UNKNOWN, "unknown", "no latency is known", facts=facts)
    value = f"p95 {_ms(window.p95_ms)} over {window.calls:,} calls"
    return Reading(_firing(window.p95_ms >= rule.ms), value, facts=facts)


def _read_spend(rule: Rule, window: Window) -> Reading:
    """Known spend is the least that was spent: it passes thresholds, but only with its unknown part can it be ok.

    Where calls have no price, the state is unknown as soon as they would pass the next threshold if each cost as
    much as a priced one does on average; with no priced call at all, it is unknown.
    """
    spent = window.costs.get(rule.currency, Decimal(0))
    passed = tuple(one for one in rule.percents if spent * 100 >= rule.amount * one)
    value = f"{_money(spent)} {rule.currency} of {_money(rule.amount)} {rule.currency} {_NOUNS[rule.period]}"
    if window.unpriced:
        value = "at least " + value
    facts = [
        ("Spent", f"{'at least ' if window.unpriced else ''}{_money(spent)} {rule.currency}"),
        ("Budget", f"{_money(rule.amount)} {rule.currency} a {rule.period.value}"),
        ("Calls", f"{window.calls:,}"),
    ]
    note = ""
    if window.unpriced:
        note = f"the cost of {window.unpriced:,} of {window.calls:,} calls is unknown"
        facts.append(("Cost unknown", f"{window.unpriced:,} of {window.calls:,} calls"))
    others = [
        f"{_money(amount)} {code}" for code, amount in sorted(window.costs.items()) if code != rule.currency
    ]
    if others:
        note = "; ".join(part for part in (note, f"not counted: {', '.join(others)}") if part)
        facts.append(("Not counted", ", ".join(others)))
    state = State.FIRING if passed else State.OK
    ahead = next((one for one in rule.percents if one not in passed), None)
    if not passed and window.unpriced and ahead is not None:
        priced = window.calls - window.unpriced
        likely = spent * window.calls / priced if priced > 0 else None
        if likely is None or likely * 100 >= rule.amount * ahead:
            state = State.UNKNOWN
    return Reading(state, value, note, passed, tuple(facts))


def _read_silence(rule: Rule, window: Window, memory: Memory, now: datetime) -> Reading:
    facts = (("Window", words(rule.window)), ("Calls", f"{window.calls:,}"))
    if window.calls:
        return Reading(State.OK, f"{window.calls:,} calls in {words(rule.window)}", facts=facts)
    value = f"no call for {words(rule.window)}"
    if not memory.seen:
        return Reading(State.UNKNOWN, value, "nothing has been seen here yet", facts=facts)
    if memory.watching_since is None or now - memory.watching_since < rule.window:
        return Reading(State.UNKNOWN, value, "Holdfast has not watched for so long yet", facts=facts)
    return Reading(State.FIRING, value, facts=facts)


def watched(memory: Memory, window: Window, now: datetime) -> Memory:
    """The memory before a reading: since when this is watched without a gap, and whether a call was ever seen."""
    gap = memory.evaluated_at is None or now - memory.evaluated_at > GAP
    since = now if gap or memory.watching_since is None else memory.watching_since
    return replace(memory, watching_since=since, seen=memory.seen or window.calls > 0)


def decide(
    rule: Rule, reading: Reading, memory: Memory, open_alerts: Sequence[Alert], period: str, now: datetime
) -> Verdict:
    """What follows from a reading. Pure: the same facts give the same verdict.

    Spend: a threshold opens once in a period and stays until the period ends; of several that are passed at one
    moment the highest speaks. The others: the alert closes when the condition was false, and known to be, for a
    whole window. `open_alerts` of a spend rule are all of this period (closed ones too) and open ones of others.
    """
    kept = replace(
        memory,
        state=reading.state,
        since=now if reading.state is not memory.state or memory.since is None else memory.since,
        value=reading.value,
        note=reading.note,
        evaluated_at=now,
    )
    if rule.kind is RuleKind.SPEND:
        return _decide_spend(kept, reading, open_alerts, period)
    alert = next((one for one in open_alerts if one.closed_at is None), None)
    if alert is None:
        opens = ("",) if reading.state is State.FIRING else ()
        return Verdict(replace(kept, clear_since=None), opens, frozenset(opens))
    if reading.state is not State.OK:
        return Verdict(replace(kept, clear_since=None))
    since = memory.clear_since or now
    if now - since < rule.window:
        waits = replace(kept, state=State.FIRING, since=memory.since, clear_since=since)
        return Verdict(
            replace(
                waits, note=f"has been well since {iso(since)[11:16]} UTC; closes after {words(rule.window)}"
            )
        )
    return Verdict(replace(kept, clear_since=None), closes=((alert.id, reading.value),))


def _decide_spend(kept: Memory, reading: Reading, alerts: Sequence[Alert], period: str) -> Verdict:
    done = {one.part for one in alerts if one.period == period}
    opens = tuple(str(one) for one in reading.passed if str(one) not in done)
    closes = tuple(
        (one.id, "a new period began") for one in alerts if one.period != period and one.closed_at is None
    )
    return Verdict(replace(kept, clear_since=None), opens, frozenset(opens[-1:]), closes)


def title_of(rule: Rule, part: str, *, resolved: bool = False) -> str:
    """What an alert is called: the rule's name, and what happened."""
    if rule.kind is RuleKind.SPEND:
        happened = (
            "the period is over" if resolved else f"{part} % of the {rule.period.value}’s budget is spent"
        )
    elif rule.kind is RuleKind.NO_DATA:
        happened = "calls arrive again" if resolved else f"no call for {words(rule.window)}"
    elif rule.kind is RuleKind.ERROR_RATE:
        limit = f"{rule.share * 100:g} %"
        happened = f"error rate below {limit} again" if resolved else f"error rate at or over {limit}"
    else:
        happened = f"p95 below {_ms(rule.ms)} again" if resolved else f"p95 at or over {_ms(rule.ms)}"
    return f"{rule.name}: {happened}"


def condition_of(rule: Rule) -> str:
    """The condition in words."""
    if rule.kind is RuleKind.SPEND:
        at = ", ".join(f"{one} %" for one in rule.percents)
        return f"{_money(rule.amount)} {rule.currency} a {rule.period.value}, told at {at}"
    if rule.kind is RuleKind.NO_DATA:
        return f"no call for {words(rule.window)}"
    least = f"over {words(rule.window)}, from {rule.min_calls:,} calls on"
    if rule.kind is RuleKind.ERROR_RATE:
        return f"{rule.share * 100:g} % of calls fail {least}"
    return f"p95 at {_ms(rule.ms)} {least}"


def scope_of(rule: Rule) -> str:
    """The scope in words."""
    return ", ".join(f"{name} {values[0]}" for name, values in rule.scope.equals.items()) or "everything"


def link_of(base_url: str, slug: str, rule: Rule, within: TimeRange) -> str:
    """The page of the calls that a reading was made of. Silence shows what came before it."""
    start = within.start - rule.window if rule.kind is RuleKind.NO_DATA else within.start
    pairs = [(name, values[0]) for name, values in rule.scope.equals.items()]
    if rule.kind is RuleKind.ERROR_RATE:
        pairs.append(("status", "error"))
    if rule.kind is RuleKind.LATENCY:
        pairs.append(("sort", "-duration_ms"))
    pairs += [("sample", "false"), ("from", iso(start)), ("to", iso(within.end))]
    return f"{base_url}/w/{slug}/calls?{urlencode(pairs)}"


def words(length: timedelta) -> str:
    """A length of time in words: 5 minutes, 1 hour, 90 minutes."""
    minutes = int(length / timedelta(minutes=1))
    number, noun = (minutes // 60, "hour") if minutes >= 60 and minutes % 60 == 0 else (minutes, "minute")
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _firing(condition: bool) -> State:
    return State.FIRING if condition else State.OK


def _money(amount: Decimal) -> str:
    """At least two digits after the point, at most four, unless it would read as nothing."""
    if amount and abs(amount) < Decimal("0.0001"):
        return f"{amount:.2g}"
    text = f"{amount:,.4f}".rstrip("0")
    whole, _, digits = text.partition(".")
    return f"{whole}.{digits:0<2}"


def _ms(ms: float) -> str:
    return f"{ms / 1000:.2f} s" if ms >= 1000 else f"{ms:.0f} ms"
