"""Ledgers of what was told, and the texts and requests that are made of them, read by other people's parsers."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_open
from prometheus_client.parser import text_string_to_metric_families as read_plain

from holdfast.kernel.errors import Invalid
from holdfast.telemetry.outward.emf import MOST_VALUES, lines
from holdfast.telemetry.outward.shelf import read_configs
from holdfast.telemetry.rules.distribution import BOUNDS, distribution
from holdfast.telemetry.rules.exposition import Family, written
from holdfast.telemetry.rules.histogram import RELATIVE_ERROR, bucket
from holdfast.telemetry.rules.ledger import (
    OVERFLOW,
    Ledger,
    Sums,
    added,
    advance,
    as_json,
    from_json,
    moved,
)
from holdfast.telemetry.rules.outward import families

NOON = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
ONE = ("shop", "production", "answer", "gpt-4o")
TWO = ("desk", "", "", "o3")


def sums(**calls: int) -> Sums:
    return {{"one": ONE, "two": TWO}[name]: {"calls": Decimal(n)} for name, n in calls.items()}


def test_what_was_told_is_the_highest_sum_there_ever_was() -> None:
    """Against a recount: any order of growth, merging and erasing tells each series' maximum, and never less than zero."""
    pick = random.Random(7)
    ledger, total, highest, now = Ledger(NOON), Sums(), 0, 0
    for _ in range(200):
        now = max(now + pick.randrange(-3, 5), 0)
        highest = max(highest, now)
        ledger, news = advance(ledger, sums(one=now), 10, 4)
        assert all(value > 0 for one in news.values() for value in one.values())
        total = added(total, news)
        assert total.get(ONE, {}).get("calls", 0) == highest


def test_a_window_that_moves_on_keeps_what_is_owed() -> None:
    ledger, _ = advance(Ledger(NOON), sums(one=10), 10, 4)
    ledger, news = advance(ledger, sums(one=8), 10, 4)  # two calls were merged into others
    assert news == {}
    ledger = moved(ledger, NOON + timedelta(hours=1), sums(one=5))
    assert ledger.told[ONE]["calls"] == 5, "3 in the window, 2 owed"
    ledger, news = advance(ledger, sums(one=6), 10, 4)
    assert news[ONE]["calls"] == 1, "three more came, two were owed"
    assert from_json(as_json(ledger)) == ledger


def test_series_beyond_the_most_are_one_series_and_stay_so() -> None:
    ledger, news = advance(Ledger(NOON), sums(one=3, two=5), 1, 4)
    assert news == {TWO: {"calls": 5}, (OVERFLOW,) * 4: {"calls": 3}}
    assert ledger.more
    ledger, news = advance(ledger, sums(one=30, two=6), 1, 4)
    assert news == {TWO: {"calls": 1}, (OVERFLOW,) * 4: {"calls": 27}}
    ledger = moved(ledger, NOON + timedelta(hours=1), sums(one=30, two=6))
    ledger, news = advance(ledger, sums(one=1), 1, 4)
    assert news == {(OVERFLOW,) * 4: {"calls": 1}}


def test_fixed_bounds_hold_what_exponential_buckets_do() -> None:
    pick = random.Random(3)
    values = [pick.lognormvariate(6, 2) for _ in range(5000)]  # milliseconds
    figures: dict[str, Decimal] = {}
    for value in values:
        name = f"latency:{bucket(value)}"
        figures[name] = figures.get(name, Decimal(0)) + 1
    found = distribution(figures, "latency")
    assert found.count == sum(found.counts) == len(values)
    assert found.sum == pytest.approx(sum(values) / 1000, rel=RELATIVE_ERROR)
    assert [str(bound) for bound in (BOUNDS[0], BOUNDS[-1])] == ["0.01", "81.92"]
    passed = 0
    for bound, n in zip(BOUNDS, found.counts, strict=False):
        passed += n
        surely = sum(value <= float(bound) * 1000 / 1.022 for value in values)
        perhaps = sum(value <= float(bound) * 1000 * 1.022 for value in values)
        assert surely <= passed <= perhaps


ODD = ('sho"p', "back\\slash", "two\nlines", "ünï")


@pytest.mark.parametrize("openmetrics", [False, True])
def test_real_parsers_read_the_text(openmetrics: bool) -> None:
    figures = {
        "calls": Decimal(7),
        "attempts": Decimal(8),
        "error:timeout": Decimal(2),
        "cost:USD": Decimal("0.000000000000015"),
        "tokens:output": Decimal(9),
        f"latency:{bucket(30)}": Decimal(3),
        f"latency:{bucket(200_000)}": Decimal(1),
    }
    made = families({ODD: figures, TWO: {"calls": Decimal(1)}}, NOON, complete=True, more=False)
    text = written(made, openmetrics=openmetrics)
    read = read_open if openmetrics else read_plain
    found = {one.name: one for one in read(text)}
    names = [one.removesuffix("_total") for one in found]
    assert "holdfast_call_time_to_first_token_seconds" not in names, "nobody said it: no data is not zero"
    samples = {(s.name, tuple(s.labels.values())): s.value for one in found.values() for s in one.samples}
    assert samples["holdfast_calls_total", ODD] == 7
    assert samples["holdfast_calls_total", ("desk", "(unknown)", "(unknown)", "o3")] == 1
    assert samples["holdfast_call_errors_total", (*ODD, "timeout")] == 2
    assert samples["holdfast_call_cost_total", (*ODD, "USD")] == 1.5e-14
    assert samples["holdfast_call_duration_seconds_bucket", (*ODD, "0.02")] == 0
    assert samples["holdfast_call_duration_seconds_bucket", (*ODD, "0.04")] == 3
    assert samples["holdfast_call_duration_seconds_bucket", (*ODD, "81.92")] == 3
    assert samples["holdfast_call_duration_seconds_bucket", (*ODD, "+Inf")] == 4
    assert samples["holdfast_call_duration_seconds_count", ODD] == 4
    assert ("holdfast_call_tokens_total", ("desk", "(unknown)", "(unknown)", "o3", "output")) not in samples


def test_families_without_samples_are_not_there() -> None:
    assert written([Family("a", "gauge", "A.")], openmetrics=False) == ""


def check_emf(line: dict[str, object]) -> None:
    """The embedded metric format's rules (its specification, "root node" and "metadata object")."""
    meta = line["_aws"]
    assert isinstance(meta, dict)
    assert isinstance(meta["Timestamp"], int) and meta["Timestamp"] > 10**12
    assert len(meta["CloudWatchMetrics"]) == 1
    directive = meta["CloudWatchMetrics"][0]
    assert 1 <= len(directive["Namespace"]) <= 1024
    assert 1 <= len(directive["Metrics"]) <= 100
    for dimensions in directive["Dimensions"]:
        assert len(dimensions) <= 30
        for name in dimensions:
            value = line[name]
            assert isinstance(value, str) and value.isascii() and value.strip() and len(value) <= 1024
            assert value.isprintable()
    for metric in directive["Metrics"]:
        assert metric["Unit"] in {"Count", "Milliseconds", "None"}
        value = line[metric["Name"]]
        if isinstance(value, dict):
            assert len(value["Values"]) == len(value["Counts"]) <= 100
            assert all(isinstance(n, int) and n > 0 for n in value["Counts"])
        else:
            assert isinstance(value, int | float)


def test_emf_lines_are_as_specified() -> None:
    spread = {f"latency:{index}": Decimal(2) for index in range(250)}
    series = ("sho\np", "ünï" * 900, "", "openai", "gpt-4o", "inference")
    figures = {**spread, "calls": Decimal(500), "cost:USD": Decimal("0.25"), "error:timeout": Decimal(3)}
    found = list(lines("Holdfast", "acme", NOON, {series: figures, (OVERFLOW,) * 6: {"calls": Decimal(1)}}))
    for line in found:
        check_emf(line)
    mine = [line for line in found if line["System"] != OVERFLOW]
    assert len(mine) == -(-250 // MOST_VALUES)
    assert sum(line.get("Calls", 0) for line in mine) == 500, "each figure once"
    assert sum(sum(line["Duration"]["Counts"]) for line in mine) == 500
    assert mine[0]["Cost.USD"] == 0.25 and mine[0]["Errors"] == mine[0]["Errors.timeout"] == 3
    assert mine[0]["_aws"]["Timestamp"] == int(NOON.timestamp() * 1000)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "not JSON"),
        ("{}", "not a JSON list"),
        ('[{"kind": "graphite"}]', "otlp or emf"),
        ('[{"kind": "otlp", "workspaces": ["*"]}]', "needs endpoint"),
        ('[{"kind": "emf", "path": "-"}]', "needs workspaces"),
        ('[{"kind": "emf", "path": "-", "workspaces": "*"}]', "another type"),
        ('[{"kind": "emf", "path": "-", "workspaces": ["*"], "colour": "red"}]', "no colour"),
        ('[{"kind": "emf", "path": "-", "workspaces": ["*"], "minutes": 7}]', "divide 60"),
        ('[{"kind": "otlp", "endpoint": "ftp://x", "workspaces": ["*"]}]', "begins with http"),
        (
            '[{"kind": "emf", "path": "-", "workspaces": ["*"]}, {"kind": "emf", "path": "x", "workspaces": ["*"]}]',
            "one name",
        ),
    ],
)
def test_a_target_that_cannot_work_is_told_why(text: str, says: str) -> None:
    with pytest.raises(Invalid, match=says):
        read_configs(text)
