"""Exports to real receivers: every minute once, late calls made good, through refusals and restarts."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse

from holdfast.kernel.context import SYSTEM, Context
from holdfast.platform.services import Services
from holdfast.platform.settings import Settings
from holdfast.platform.tenancy import actions as tenancy
from holdfast.pricing.model import Charge, Usage
from holdfast.storage.columns import Columns
from holdfast.storage.sql import Database
from holdfast.telemetry.jobs.outward import Outward, targets
from holdfast.telemetry.jobs.rollups import Rollups
from holdfast.telemetry.model import Call, ErrorClass, Facts, Kind
from holdfast.telemetry.reads.outward import Meters, lags
from holdfast.telemetry.store import counted
from holdfast.telemetry.store.counted import CallRow
from otlp_sink import Sink, plain
from stand import FakeClock

FAR = 2_000_000_000


@dataclass
class World:
    """Stores with one workspace, and the calls that were written."""

    database: Database
    columns: Columns
    clock: FakeClock
    workspace: str
    version: int = 0
    number: int = 0
    settings: dict[str, Any] = field(default_factory=dict)

    def store(
        self,
        n: int,
        at: datetime,
        *,
        system: str = "shop",
        failed: bool = False,
        ms: float = 100,
        sample: bool = False,
    ) -> list[Call]:
        made = []
        for _ in range(n):
            self.number += 1
            facts = Facts(
                kind=Kind.INFERENCE,
                convention="test",
                system=system,
                environment="production",
                route="answer",
                provider="openai",
                request_model="gpt-4o",
                error_class=ErrorClass.TIMEOUT if failed else None,
                sample=sample,
                usage=None if failed else Usage(input_uncached=10, input_cache_read=4, output=5),
            )
            charge = None if failed else Charge(Decimal("0.001"), "USD", "p", None, "price-book", {})
            made.append(
                Call(
                    id=f"{self.number:016x}",
                    trace_id=f"{self.number:032x}",
                    span_id=f"{self.number:016x}",
                    start_ns=int(at.timestamp()) * 10**9 + self.number,
                    duration_ns=int(ms * 1e6),
                    error=failed,
                    facts=facts,
                    charge=charge,
                    observations=(),
                    sequence=0,
                )
            )
        self.write(made)
        return made

    def write(self, calls: list[Call], *, gone: bool = False) -> None:
        self.version += 1
        received = int(self.clock().timestamp() * 1000)
        counted.insert(
            self.columns,
            [
                CallRow(self.workspace, one._replace(sequence=self.version), gone, received, FAR)
                for one in calls
            ],
        )

    def services(self) -> Services:
        return Services(Settings(**self.settings), self.clock, self.database, self.columns)

    def job(self, most: int = 100) -> Outward:
        """The job as a process that just started has it."""
        services = self.services()
        return Outward(services, targets(services), most)


@pytest.fixture
def world(database: Database, columns: Columns, clock: FakeClock) -> World:
    with database.transaction() as tx:
        made = tenancy.create_workspace(Context("", SYSTEM, clock()), tx, "acme", "Acme")
    return World(database, columns, clock, made.id)


@pytest.fixture
def sink() -> Iterator[Sink]:
    made = Sink()
    yield made
    made.close()


def to(sink: Sink, **more: Any) -> str:
    return json.dumps(
        [{"kind": "otlp", "endpoint": f"{sink.url}/v1/metrics", "workspaces": ["acme"], **more}]
    )


def points(sink: Sink, name: str) -> list[tuple[dict[str, Any], Any]]:
    """Every point of a metric that arrived: attributes with its resource's, and the point."""
    return [
        ({**plain(group.resource.attributes), **plain(point.attributes)}, point)
        for request in sink.exports
        for group in request.resource_metrics
        for scope in group.scope_metrics
        for metric in scope.metrics
        if metric.name == name
        for point in (metric.histogram if metric.HasField("histogram") else metric.sum).data_points
    ]


def total(sink: Sink, name: str) -> int:
    return sum(point.as_int for _, point in points(sink, name))


def test_each_minute_once_through_refusals_restarts_and_late_calls(
    world: World, sink: Sink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("THEIR_KEY", "s3cret")
    world.settings["metrics_export"] = to(sink, headers={"authorization": "env:THEIR_KEY"})
    rollups = Rollups(world.columns, world.clock)
    noon = world.clock()
    world.job().turn()  # the export begins here
    world.store(3, noon)
    world.store(2, noon, failed=True)
    world.store(4, noon, sample=True)
    world.clock.move(seconds=100)
    world.job().turn()
    assert not sink.exports, "the minute is not settled yet"
    world.clock.move(seconds=25)
    rollups.turn()
    sink.refusals = [503, 401]
    job = world.job()
    for failures in (1, 2):
        job.turn()
        assert job.states[0].failures == failures and not sink.exports
        assert "s3cret" not in str(job.states[0].error)
        world.clock.move(seconds=5)
    assert job.turn() == 1 and job.states[0].error is None
    assert sink.headers[-1]["authorization"] == "s3cret"
    assert total(sink, "holdfast.calls") == 5
    attributes, point = points(sink, "holdfast.calls")[0]
    assert attributes["service.name"] == "shop" and attributes["holdfast.workspace"] == "acme"
    assert attributes["gen_ai.provider.name"] == "openai"
    assert attributes["gen_ai.response.model"] == "gpt-4o"
    assert attributes["deployment.environment.name"] == "production"
    assert point.start_time_unix_nano == int(noon.timestamp()) * 10**9
    assert point.time_unix_nano - point.start_time_unix_nano == 60 * 10**9
    usage = "gen_ai.client.inference.usage"
    assert total(sink, f"{usage}.input_tokens") == 3 * 14
    assert total(sink, f"{usage}.cache_read.input_tokens") == 3 * 4
    assert total(sink, f"{usage}.output_tokens") == 3 * 5
    assert sum(point.as_double for _, point in points(sink, "holdfast.call.cost")) == pytest.approx(0.003)
    (said, failed), *others = points(sink, "holdfast.call.errors")
    assert not others and failed.as_int == 2 and said["error.type"] == "timeout"
    duration = points(sink, "gen_ai.client.inference.duration")[0][1]
    assert duration.count == sum(duration.bucket_counts) == 5
    assert duration.explicit_bounds[0] == 0.01 and duration.explicit_bounds[-1] == 81.92

    late = world.store(2, noon)  # of a minute that was told already
    world.clock.move(minutes=1)
    rollups.turn()
    assert world.job().turn() == 1, "another process takes over from the same place"
    assert total(sink, "holdfast.calls") == 7
    assert points(sink, "holdfast.calls")[-1][1].start_time_unix_nano == int(noon.timestamp() + 60) * 10**9
    world.write(late[:1], gone=True)  # merged into another
    world.store(1, world.clock())
    world.clock.move(minutes=4)
    rollups.turn()
    world.job().turn()
    assert total(sink, "holdfast.calls") == 7, "one came, one was taken away"
    world.store(1, world.clock())
    world.clock.move(hours=3)
    rollups.turn()
    job = world.job()
    while job.turn():
        pass
    assert total(sink, "holdfast.calls") == 8
    spans = [(p.start_time_unix_nano, p.time_unix_nano) for _, p in points(sink, "holdfast.calls")]
    assert len(set(spans)) == len(spans), "no minute twice"
    behind = lags(world.database, world.clock(), {"otlp"})["otlp"]
    assert 60 <= behind < 120


def test_what_a_receiver_refuses_in_part_is_not_sent_again(world: World, sink: Sink) -> None:
    world.settings["metrics_export"] = to(sink)
    refusing = ExportMetricsServiceResponse()
    refusing.partial_success.rejected_data_points = 2
    sink.answer = refusing.SerializeToString()
    job = world.job()
    job.turn()
    world.store(1, world.clock())
    world.clock.move(minutes=3)
    job.turn()
    job.turn()
    assert len(sink.exports) == 1 and job.states[0].refused == 2


def test_series_beyond_the_most_go_together(world: World, sink: Sink) -> None:
    world.settings["metrics_export"] = to(sink)
    job = world.job(most=1)
    job.turn()
    world.store(3, world.clock(), system="big")
    world.store(2, world.clock(), system="small")
    world.store(1, world.clock(), system="tiny")
    world.clock.move(minutes=3)
    job.turn()
    found = {
        said.get("otel.metric.overflow", said["service.name"]): p.as_int
        for said, p in points(sink, "holdfast.calls")
    }
    assert found == {"big": 3, True: 3}


def test_lines_of_a_file_add_up_to_the_calls(world: World, tmp_path: Path) -> None:
    path = tmp_path / "holdfast.emf"
    target = {"kind": "emf", "path": str(path), "workspaces": ["*"], "minutes": 5}
    world.settings["metrics_export"] = json.dumps([target])
    world.job().turn()
    for _ in range(12):
        world.store(3, world.clock(), ms=250)
        world.clock.move(minutes=1)
    world.clock.move(minutes=2)
    for _ in range(3):
        world.job().turn()
    read = [json.loads(line) for line in path.read_text(encoding="ascii").splitlines()]
    assert sum(line["Calls"] for line in read) == 30, "ten of twelve minutes are in whole steps of five"
    assert len({line["_aws"]["Timestamp"] for line in read}) == len(read) == 2
    spread = Counter[float]()
    for line in read:
        spread.update(dict(zip(line["Duration"]["Values"], line["Duration"]["Counts"], strict=True)))
    assert sum(spread.values()) == 30
    assert all(value == pytest.approx(250, rel=0.011) for value in spread)


def test_counters_never_fall_and_follow_the_calls(world: World) -> None:
    world.clock.move(hours=5)
    meters = Meters(world.columns, world.clock, 100)
    calls: Callable[[], int] = lambda: int(  # noqa: E731
        sum(one.get("calls", 0) for one in meters.of(world.workspace)[0].values())
    )
    assert calls() == 0
    first = world.store(4, world.clock())
    world.store(2, world.clock().replace(hour=1))  # history that is brought in
    world.clock.move(seconds=10)
    assert calls() == 4
    world.write(first[:3], gone=True)
    world.clock.move(seconds=10)
    assert calls() == 4, "what was told stays"
    world.store(5, world.clock())
    world.clock.move(seconds=10)
    assert calls() == 6, "and is made good for by the next calls"
    world.clock.move(hours=4)
    assert calls() == 6, "long after, too"
    world.store(1, world.clock())
    world.clock.move(seconds=10)
    assert calls() == 7
