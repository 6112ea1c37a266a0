"""Counting the past anew: wrong counts are mended to what counting the spans afresh gives, whatever comes between."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from holdfast.kernel.context import Actor, Context
from holdfast.kernel.errors import Conflict, Unavailable
from holdfast.kernel.time import utc_now
from holdfast.platform.audit import reads as audit
from holdfast.platform.services import Services
from holdfast.platform.settings import Settings
from holdfast.platform.tenancy import actions as tenancy
from holdfast.platform.tenancy.model import CaptureMode, DataPolicy
from holdfast.storage.columns import Columns
from holdfast.storage.sql import Database
from holdfast.telemetry import actions
from holdfast.telemetry.decode import packed
from holdfast.telemetry.ingest import recount as ingest_recount
from holdfast.telemetry.ingest import service
from holdfast.telemetry.ingest.erasure import erase_person
from holdfast.telemetry.ingest.service import Ingest
from holdfast.telemetry.jobs.past import Past
from holdfast.telemetry.jobs.rollups import Rollups
from holdfast.telemetry.model import MetricQuery, Span, TimeRange
from holdfast.telemetry.reads import metrics
from holdfast.telemetry.rules.recount import BOOKKEEPING, JSON
from holdfast.telemetry.store import past, rows
from holdfast.telemetry.store.past import PastJob, PastKind

ACTOR = Actor("member", "usr_1", "Ann")
DAY = 86_400 * 10**9
REFUSED = [
    {"role": "assistant", "parts": [{"type": "refusal", "content": "No."}], "finish_reason": "content_filter"}
]
SAID = [{"role": "assistant", "parts": [{"type": "text", "content": "Yes."}], "finish_reason": "stop"}]
Row = dict[str, Any]
Key = tuple[str, str, int]


@dataclass
class Stand:
    """Stores with a workspace, ingest over them, and the job."""

    services: Services
    ingest: Ingest
    workspace: str

    @property
    def ctx(self) -> Context:
        return Context(self.workspace, ACTOR, utc_now())

    def send(self, spans: list[Span]) -> None:
        taken = self.ingest.intake.take(self.workspace, packed.pack(spans), past_days=400)
        assert (taken.stored, taken.rejected) == (len(spans), []), taken
        assert self.ingest.counter.wait(60)

    def capture(self, mode: CaptureMode) -> None:
        with self.services.database.transaction() as tx:
            tenancy.set_policy(self.ctx, tx, DataPolicy(self.workspace, capture=mode))
        self.ingest.policies.cache.forget()

    def stored(self) -> list[Row]:
        return rows.read(self.services.columns, self.workspace, "calls", [], {})

    def calls(self) -> dict[Key, Row]:
        """All calls, without what tells only when they were counted."""
        return {(one["trace_id"], one["id"], one["started_at"]): plain(one) for one in self.stored()}

    def begin(self, system: str = "", within: TimeRange | None = None) -> PastJob:
        now = utc_now()
        at = within or TimeRange(now - timedelta(days=100), now + timedelta(days=1))
        with self.services.database.transaction() as tx:
            return actions.begin_past(self.ctx, tx, PastKind.COUNT, (at.start, at.end), system, 0)

    def recount(self, system: str = "", within: TimeRange | None = None, traces: int = 1000) -> Row:
        self.begin(system, within)
        Past(self.services, self.ingest, traces=traces).turn()
        return self.latest()

    def latest(self) -> Row:
        with self.services.database.reading() as tx:
            return past.shown(past.of_workspace(tx, self.workspace)[0])

    def plant(self, change: Callable[[Row], Row | None]) -> None:
        """Writes every call again as an older release might have counted it; None takes it away."""
        made = []
        for row in self.stored():
            changed = change(dict(row))
            wrong = {**row, "is_deleted": 1} if changed is None else changed
            made.append({**wrong, "version": row["version"] + 1, "received_at": int(time.time() * 1000)})
        rows.write(self.services.columns, "calls", made)


def plain(row: Row) -> Row:
    said = {name: value for name, value in row.items() if name not in BOOKKEEPING}
    return said | {name: json.loads(said[name] or "{}") for name in JSON} | {"quality": set(said["quality"])}


@pytest.fixture
def stand(columns: Columns, migrated_file: Path, tmp_path: Path) -> Iterator[Stand]:
    path = tmp_path / "holdfast.db"
    shutil.copyfile(migrated_file, path)
    database = Database(f"sqlite:///{path}")
    settings = Settings(data=tmp_path, min_free_bytes=1, ingest_workers=0)
    with database.transaction() as tx:
        made = tenancy.ensure_workspace(Context("", ACTOR, utc_now()), tx, "acme")
    ingest = service.start(settings, utc_now, database, columns)
    try:
        yield Stand(Services(settings, utc_now, database, columns), ingest, made.id)
    finally:
        ingest.stop()
        database.close()


def span(trace: str, span_id: str, start_ns: int, parent: str = "", **attributes: Any) -> Span:
    kind = "CLIENT" if attributes else "SERVER"
    end, status = start_ns + (10**9 if len(attributes) > 8 or not attributes else 5 * 10**8), "unset"
    return Span(
        trace, span_id, parent, "a span", kind, start_ns, end, status, "", f"scope.{len(attributes)}", "",
        attributes, {"service.name": "shop"},
    )  # fmt: skip


def chat(answer: list[Row] = SAID, prompt: str = "Answer briefly.", **more: Any) -> Row:
    return {
        "gen_ai.operation.name": "chat",
        "gen_ai.provider.name": "openai",
        "gen_ai.request.model": "gpt-4o-mini",
        "gen_ai.usage.input_tokens": 100,
        "gen_ai.usage.output_tokens": 20,
        "gen_ai.request.temperature": 0.5,
        "gen_ai.system_instructions": json.dumps([{"type": "text", "content": prompt}]),
        "gen_ai.input.messages": json.dumps([{"role": "user", "parts": [{"type": "text", "content": "Hi"}]}]),
        "gen_ai.output.messages": json.dumps(answer),
        **{name.replace("__", "."): value for name, value in more.items()},
    }


def story(now_ns: int, traces: int = 12) -> list[Span]:
    """Traces of several days: a route over two calls, of which one is seen twice; some refused, some of another system."""
    made = []
    for number in range(traces):
        trace, start = os.urandom(16).hex(), now_ns - (number % 4) * DAY - (number + 2) * 3600 * 10**9
        ids = [os.urandom(8).hex() for _ in range(4)]
        more = {"holdfast__system": "desk"} if number % 3 == 0 else {}
        made += [
            replace_name(span(trace, ids[0], start), f"/ask/{number % 2}"),
            span(trace, ids[1], start + 10**8, ids[0], **chat(REFUSED if number % 2 else SAID, **more)),
            span(
                trace,
                ids[2],
                start + 2 * 10**8,
                ids[1],
                **{k: v for k, v in chat(**more).items() if "messages" not in k},
            ),
            span(trace, ids[3], start + 3 * 10**9, ids[0], **chat(gen_ai__request__model="gpt-4o", **more)),
        ]
    return made


def replace_name(one: Span, route: str) -> Span:
    one.attributes = {"http.route": route, "user.id": "ann@people.example"}
    return one


def wrong(number: int, row: Row) -> Row | None:
    """What an older release might have made of a call."""
    match number % 6:
        case 0:
            return None
        case 1:
            return {**row, "input_uncached_tokens": 7, "cost_amount": Decimal("9.5"), "refusal": None}
        case 2:
            return {**row, "request_model": "gpt", "response_model": "", "quality": ["usage.absurd"]}
        case 3:
            return {**row, "route": "", "configuration": "", "finish_reasons": []}
        case 4:
            return {**row, "system": "", "status": "error", "duration_ns": 1}
    return row


def planted(stand: Stand) -> None:
    numbers = iter(range(10**6))
    stand.plant(lambda row: wrong(next(numbers), row))
    first = stand.stored()[0]
    ghost = {**first, "id": "f" * 16, "span_id": "f" * 16, "observations": first["observations"][:1]}
    rows.write(stand.services.columns, "calls", [ghost])


def total(stand: Stand, within: TimeRange) -> Row:
    asked = MetricQuery(("calls", "input_tokens", "cost", "refusals", "errors"), within)
    answer = metrics.query(stand.services.columns, stand.workspace, asked)
    return answer.rows[0].values


@pytest.mark.parametrize("mode", list(CaptureMode))
def test_wrong_counts_are_mended_to_what_fresh_counting_gives(stand: Stand, mode: CaptureMode) -> None:
    if mode is not CaptureMode.OFF and not stand.services.columns.embedded:
        pytest.skip("the mode of capture is no matter of the engine")
    stand.capture(mode)
    stand.send(story(time.time_ns()))
    right = stand.calls()
    assert len(right) == 24
    assert sum(row["refusal"] is True for row in right.values()) == 6
    assert all(row["configuration"] and row["route"] for row in right.values())
    clock = utc_now()
    within = TimeRange(clock - timedelta(days=30), clock + timedelta(hours=1))
    figures = Rollups(stand.services.columns, utc_now)
    figures.turn()
    before = total(stand, within)
    planted(stand)
    assert stand.calls() != right
    figures.turn()
    assert total(stand, within) != before
    job = stand.recount(traces=5)
    assert stand.calls() == right
    figures.turn()
    assert total(stand, within) == before
    assert (job["seen"], job["traces"]) == (12, 0)
    assert (job["calls"], job["new"], job["gone"], job["left"]) == (24 - 4 + 1, 4, 1, 0)
    assert job["changed"] == 16 and job["unchanged"] == 4
    assert Decimal(job["after"]["USD"]) == sum(row["cost_amount"] for row in right.values())
    assert Decimal(job["before"]["USD"]) + Decimal(job["difference"]["USD"]) == Decimal(job["after"]["USD"])
    again = stand.recount()
    assert (again["changed"], again["new"], again["gone"], again["difference"]) == (0, 0, 0, {})
    with stand.services.database.reading() as tx:
        told = [
            one.action for one in audit.entries(stand.ctx, tx, limit=50).items if one.subject == job["id"]
        ]
    assert sorted(told) == ["calls.recount", "calls.recounted"]


def test_a_crash_between_writing_and_noting_is_told_once(
    stand: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    stand.capture(CaptureMode.OFF)
    stand.send(story(time.time_ns()))
    right = stand.calls()
    planted(stand)
    insert = ingest_recount.counted.insert_plain
    stand.begin()

    def dies(columns: Columns, written: list[Row]) -> None:
        insert(columns, written)
        raise Unavailable("the process ended")

    rounds = 0
    while stand.latest()["finished_at"] is None:
        job = Past(stand.services, stand.ingest, traces=2)
        monkeypatch.setattr(ingest_recount.counted, "insert_plain", dies if rounds % 2 else insert)
        try:
            job.step()
        except Unavailable:
            monkeypatch.setattr(ingest_recount.counted, "insert_plain", insert)
            Past(stand.services, stand.ingest, traces=2).step()
        rounds += 1
        assert rounds < 60
    assert stand.calls() == right
    done = stand.latest()
    assert (done["seen"], done["changed"], done["new"], done["gone"]) == (12, 16, 4, 1)
    assert Decimal(done["after"]["USD"]) == sum(row["cost_amount"] for row in right.values())


def test_a_trace_over_several_days_is_counted_once(stand: Stand) -> None:
    trace, now = os.urandom(16).hex(), time.time_ns()
    stand.send([span(trace, f"{n:016x}", now - n * DAY - 10**12, **chat()) for n in range(1, 6)])
    job = stand.recount()
    assert (job["seen"], job["calls"], job["unchanged"]) == (1, 5, 5)


def test_a_window_and_a_system_limit_what_is_counted(stand: Stand) -> None:
    stand.send(story(time.time_ns()))
    right = stand.calls()
    stand.plant(lambda row: {**row, "request_model": "wrong"})
    now = utc_now()
    stand.recount("desk", TimeRange(now - timedelta(days=1.5), now))
    after = stand.calls()
    since = (now - timedelta(days=1.5)).timestamp() * 1e9
    mended = {key for key, row in after.items() if row["request_model"] != "wrong"}
    assert mended == {key for key, row in right.items() if row["system"] == "desk" and key[2] > since}
    assert mended
    assert {key: after[key] for key in mended} == {key: right[key] for key in mended}


def test_what_is_no_longer_known_stays_as_it_was_counted(stand: Stand) -> None:
    """Spans stored before what content says by the way was kept, and spans that have expired."""
    stand.capture(CaptureMode.OFF)
    stand.send(story(time.time_ns()))
    right = stand.calls()
    columns = stand.services.columns
    columns.change(
        stand.workspace, "ALTER TABLE spans UPDATE told = '' WHERE workspace = {workspace:String} AND 1", {}
    )
    stand.plant(lambda row: {**row, "request_model": "wrong"})
    stand.recount()
    assert stand.calls() == right, (
        "refusals, finish reasons and configurations are those of the earlier count"
    )
    lost = sorted({key[0] for key in right})[:3]
    gone = {row["observations"][-1] for key, row in right.items() if key[0] in lost}
    columns.change(
        stand.workspace,
        "ALTER TABLE spans DELETE WHERE workspace = {workspace:String} AND span_id IN {gone:Array(String)}",
        {"gone": sorted(gone)},
    )
    stand.plant(lambda row: {**row, "request_model": "wrong"})
    job = stand.recount()
    assert job["left"] == sum(key[0] in lost for key in right)
    after = stand.calls()
    assert all((row["request_model"] == "wrong") == (key[0] in lost) for key, row in after.items())


def test_what_is_on_hold_stays_and_what_is_erased_does_not_come_back(stand: Stand) -> None:
    stand.capture(CaptureMode.ON)
    stand.send(story(time.time_ns()))
    now = utc_now()
    with stand.services.database.transaction() as tx:
        hold = actions.place_hold(stand.ctx, tx, "a case", "desk", "", now - timedelta(days=9), now)
    planted(stand)
    frozen = {key[0]: row for key, row in stand.calls().items() if row["system"] == "desk"}
    job = stand.recount()
    assert job["left"] >= len(frozen) > 0
    with stand.services.database.transaction() as tx:
        actions.release_hold(stand.ctx, tx, hold.id)
    stand.recount()
    assert {row["user"] for row in stand.calls().values()} == {"ann@people.example"}
    erase_person(
        stand.ctx, stand.services.database, stand.services.columns, stand.ingest, "ann@people.example"
    )
    erased = stand.calls()
    assert len(erased) == 24
    job = stand.recount()
    after = stand.calls()
    assert after.keys() == erased.keys()
    assert not any("ann@" in repr(row) for row in after.values())
    for key, row in after.items():
        assert {**row, "provenance": {}} == {**erased[key], "provenance": {}}
    assert job["difference"] == {}


def test_spans_that_arrive_meanwhile_are_counted_with_the_rest(stand: Stand) -> None:
    now = time.time_ns()
    told = story(now, 30)
    stand.send(told[0::2])
    for _ in range(3):
        planted_traces = {one.trace_id for one in told}
        sender = threading.Thread(target=lambda: [stand.send([one]) for one in told[1::2]])
        sender.start()
        stand.recount(traces=4)
        sender.join()
        assert stand.ingest.counter.wait(60)
        assert planted_traces == {key[0] for key in stand.calls()}
    kept = stand.calls()
    stand.recount()
    assert stand.calls() == kept and len(kept) == 60


def test_one_job_at_a_time(stand: Stand) -> None:
    stand.begin()
    with pytest.raises(Conflict):
        stand.begin()


def test_a_charge_is_kept_while_nothing_that_it_depends_on_changes(stand: Stand) -> None:
    stand.send(story(time.time_ns(), 2))
    stand.plant(lambda row: {**row, "cost_amount": Decimal(3), "route": "wrong"})
    job = stand.recount()
    assert {row["cost_amount"] for row in stand.calls().values()} == {Decimal(3)}
    assert (job["changed"], job["difference"]) == (4, {})
    stand.plant(lambda row: {**row, "output_tokens": 1})
    stand.recount()
    assert all(row["cost_amount"] < 1 for row in stand.calls().values())


def test_jobs_know_their_own_tally() -> None:
    at = datetime(2026, 11, 1, tzinfo=UTC)
    job = PastJob("j", "w", PastKind.PRICE, "", at, at, at, "Ann", 3)
    assert past.shown(job)["before"] == {} and past.shown(job)["difference"] == {}
    old = replace(job, tally='{"seen": 3, "changed": 1, "difference": {"USD": "0.5"}}')
    assert (past.shown(old)["before"], past.shown(old)["difference"]) == (None, {"USD": "0.5"})
