"""The parts of the benchmarks that need no server: aims, payloads, the last line, the sender's own arithmetic."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from benchmarks.payloads import CALLS_PER_TRACE, SPANS_PER_TRACE, build
from benchmarks.sender import percentile, read, write

from benchmarks import aims
from holdfast.telemetry.conventions.reading import read_facts
from holdfast.telemetry.decode import protobuf

START = 1_790_000_000_000_000_000


def test_the_committed_aims_of_ingest_are_those_that_were_promised() -> None:
    held = {aim.figure: (aim.at_least, aim.at_most) for aim in aims.read("ingest")}
    assert held == {
        "durable_spans_per_second": (20_000.0, None),
        "ratio_to_mlflow": (20.0, None),
        "idle_rss_mb": (None, 600.0),
    }


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[other.x]\nat_least = 1\n",
        "[ingest.x]\n",
        "[ingest.x]\nat_least = 1\nat_most = 2\n",
        "[ingest.x]\nabout = 1\n",
    ],
)
def test_aims_that_say_nothing_or_two_things_are_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "aims.toml"
    path.write_text(text)
    with pytest.raises(ValueError, match="aim"):
        aims.read("ingest", path)


@pytest.mark.parametrize(
    ("measured", "sound", "holds"),
    [
        (10.0, True, True),
        (9.9, True, False),
        (None, True, False),
        (float("nan"), True, False),
        (10.0, False, False),
    ],
)
def test_the_last_line_holds_only_when_every_figure_is_known_and_reached(
    measured: float | None, sound: bool, holds: bool
) -> None:
    wanted = (aims.Aim("speed", at_least=10.0), aims.Aim("memory", at_most=5.0))
    line = aims.last_line(
        "x", wanted, {"speed": measured, "memory": 5.0}, {"name": "peer"}, {"quick": True}, sound=sound
    )
    assert line["holds"] is holds
    assert line["aims"]["speed"]["at_least"] == 10.0
    assert {"benchmark", "figures", "peer", "aims", "quick", "sound", "holds"} == line.keys()
    assert "\n" not in json.dumps(line)


def test_payloads_have_the_promised_shape() -> None:
    made = build(1000, START)
    spans = [span for body in made.bodies for span in protobuf.traces(body)[0]]
    assert [len(protobuf.traces(body)[0]) for body in made.bodies] == [100] * 10
    assert made.spans == len(spans) == len({span.span_id for span in spans}) == 1000
    assert made.traces == len({span.trace_id for span in spans}) == 1000 // SPANS_PER_TRACE
    assert 800 <= made.bytes_per_span <= 900
    facts = [read_facts(span) for span in spans]
    assert sum(fact.kind.is_call for fact in facts) == made.calls == made.traces * CALLS_PER_TRACE
    assert not any(fact.quality for fact in facts)
    assert all(fact.usage is not None and fact.response_id for fact in facts if fact.kind.is_call)


def test_payloads_are_the_same_for_the_same_start_and_seed_alone() -> None:
    assert build(200, START).sha256 == build(200, START).sha256
    assert build(200, START).sha256 != build(200, START, seed=2).sha256


def test_bodies_come_back_from_the_file_as_they_went_in(tmp_path: Path) -> None:
    bodies = [b"", b"a", b"\x00" * 70_000]
    write(tmp_path / "bodies", bodies)
    assert read(tmp_path / "bodies") == bodies


def test_percentiles_are_values_that_were_measured() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([1.0] * 99 + [9.0], 0.99) == 9.0
    assert percentile([], 0.5) != percentile([], 0.5)  # not a number, rather than a good one
