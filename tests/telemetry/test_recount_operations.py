"""Counting the past anew: tool calls, retrievals and agent runs follow, as their calls do."""

from __future__ import annotations

import json
import os
import time
from typing import Any

import pytest

from holdfast.kernel.errors import Unavailable
from holdfast.kernel.time import utc_now
from holdfast.platform.tenancy.model import CaptureMode
from holdfast.storage.columns import Columns
from holdfast.telemetry import actions
from holdfast.telemetry.ingest import recount as ingest_recount
from holdfast.telemetry.jobs.past import Past
from holdfast.telemetry.model import Span
from holdfast.telemetry.rules.recount import BOOKKEEPING
from holdfast.telemetry.store import rows
from telemetry.test_recount import DAY, Key, Row, Stand, chat, span
from telemetry.test_recount import stand as stand

AGENT = {"gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "clerk"}
TOOL = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "book"}
FOUND = [
    {"id": "a", "score": 0.9, "content": "Words.", "metadata": {"updated_at": "2026-03-01"}},
    {"id": "b"},
]
SEARCH = {
    "gen_ai.operation.name": "retrieval",
    "gen_ai.data_source.id": "handbook",
    "gen_ai.retrieval.documents": json.dumps(FOUND),
}
OFFERED = json.dumps([{"type": "file_search", "vector_store_ids": ["vs_a"]}])


def turn(number: int) -> list[Span]:
    """An agent's turn: it is asked, searches, answers with a search tool at hand, and calls a tool that two saw."""
    trace, start = f"{number:032x}", time.time_ns() - number % 4 * DAY - (number + 1) * 3600 * 10**9
    root, run, search, call, tool, seen = (os.urandom(8).hex() for _ in range(6))

    def at(tenths: int) -> int:
        return start + tenths * 10**8

    asked = span(trace, root, at(0))
    asked.attributes = {"http.route": "/ask", "user.id": "ann@people.example"}
    return [
        asked,
        span(trace, run, at(0), root, **AGENT),
        span(trace, search, at(1), run, **SEARCH),
        span(trace, call, at(7), run, **chat(gen_ai__tool__definitions=OFFERED)),
        span(trace, tool, at(8), run, **TOOL),
        span(trace, seen, at(8), tool, **{"mcp.method.name": "tools/call", **TOOL}),
    ]


def stored(stand: Stand) -> list[Row]:
    return rows.read(stand.services.columns, stand.workspace, "operations", [], {})


def done(stand: Stand) -> dict[Key, Row]:
    """All operations, without what tells only when they were counted."""
    return {
        (one["trace_id"], one["id"], one["started_at"]): {
            name: value for name, value in one.items() if name not in BOOKKEEPING
        }
        for one in stored(stand)
    }


def plant(stand: Stand, **changed: Any) -> None:
    """Writes every operation again as an older release might have counted it."""
    now = int(time.time() * 1000)
    made = [{**row, **changed, "version": row["version"] + 1, "received_at": now} for row in stored(stand)]
    rows.write(stand.services.columns, "operations", made)


def planted(stand: Stand) -> None:
    """Some are wrong, some are not there, one is none."""
    now, made = int(time.time() * 1000), []
    for number, row in enumerate(stored(stand)):
        wrong: Row = [{"is_deleted": 1}, {"tool": "x", "agent": "x", "documents": None}, {"llm_calls": 9}][
            number % 3
        ]
        made.append({**row, **wrong, "version": row["version"] + 1, "received_at": now})
    rows.write(stand.services.columns, "operations", made)
    first = stored(stand)[0]
    ghost = {**first, "id": "f" * 16, "span_id": "f" * 16, "observations": first["observations"][:1]}
    rows.write(stand.services.columns, "operations", [ghost])


@pytest.fixture
def told(stand: Stand) -> Stand:
    """Eight turns, of which no content is kept."""
    stand.capture(CaptureMode.OFF)
    stand.send([one for number in range(1, 9) for one in turn(number)])
    return stand


def test_wrong_operations_are_mended_to_what_fresh_counting_gives(told: Stand) -> None:
    right, calls = done(told), told.calls()
    assert sorted(row["kind"] for row in right.values()) == 8 * ["agent"] + 8 * ["retrieval"] + 8 * ["tool"]
    assert {row["documents"] for row in right.values() if row["kind"] == "retrieval"} == {2}
    assert {(row["llm_calls"], row["tool_calls"]) for row in right.values() if row["kind"] == "agent"} == {
        (1, 1)
    }
    assert all(row["user"] == "ann@people.example" for row in right.values())
    expiries = {row["id"]: row["expires_at"] for row in stored(told)}
    planted(told)
    assert done(told) != right
    job = told.recount(traces=3)
    assert done(told) == right and told.calls() == calls
    assert {row["id"]: row["expires_at"] for row in stored(told)} == expiries
    assert (job["calls"], job["changed"], job["new"], job["gone"]) == (8, 0, 0, 0), "it tells of calls alone"
    versions = {row["id"]: row["version"] for row in stored(told)}
    told.recount()
    assert {row["id"]: row["version"] for row in stored(told)} == versions, "what is right is not written"


def test_operations_that_were_never_counted_are_there_then(told: Stand) -> None:
    right = done(told)
    told.services.columns.change(
        told.workspace, "ALTER TABLE operations DELETE WHERE workspace = {workspace:String}", {}
    )
    told.ingest.counter.forget(told.workspace, {key[0] for key in right})
    assert done(told) == {}
    told.recount()
    assert done(told) == right


def test_a_span_that_comes_after_a_recount_is_counted_with_the_rest(told: Stand) -> None:
    right = done(told)
    planted(told)
    told.recount()
    late = turn(1)
    trace = late[0].trace_id
    [run] = [row["id"] for key, row in right.items() if key[0] == trace and row["kind"] == "agent"]
    told.send(
        [span(trace, "ab" * 8, late[0].start_ns + 9 * 10**8, run, **TOOL | {"gen_ai.tool.name": "ring"})]
    )
    after = done(told)
    assert len(after) == len(right) + 1
    assert [row["tool_calls"] for row in after.values() if row["id"] == run] == [2]


def test_a_crash_between_operations_and_calls_comes_to_the_same(
    told: Stand, monkeypatch: pytest.MonkeyPatch
) -> None:
    right, calls = done(told), told.calls()
    planted(told)
    told.plant(lambda row: {**row, "request_model": "wrong"})
    told.begin()
    with monkeypatch.context() as patched:

        def dies(columns: Columns, written: list[Row]) -> None:
            raise Unavailable("the process ended")

        patched.setattr(ingest_recount.counted, "insert_plain", dies)
        with pytest.raises(Unavailable):
            Past(told.services, told.ingest).turn()
    Past(told.services, told.ingest).turn()
    assert done(told) == right and told.calls() == calls
    assert told.latest()["changed"] == 8


def test_what_nobody_knows_any_more_stays_as_it_was_counted(told: Stand) -> None:
    """Spans from before what content says was kept, and spans above an operation that have expired."""
    right, calls = done(told), told.calls()
    told.services.columns.change(
        told.workspace, "ALTER TABLE spans UPDATE told = '' WHERE workspace = {workspace:String} AND 1", {}
    )
    plant(told, scope="wrong")
    told.plant(lambda row: {**row, "request_model": "wrong"})
    told.recount()
    assert done(told) == right and told.calls() == calls
    told.services.columns.change(
        told.workspace,
        "ALTER TABLE spans DELETE WHERE workspace = {workspace:String} AND kind = 'other'",
        {},
    )
    told.services.columns.change(
        told.workspace, "ALTER TABLE calls DELETE WHERE workspace = {workspace:String}", {}
    )
    plant(told, scope="wrong")
    told.recount()
    assert done(told) == right, "the user was said by a span that is gone"


def test_operations_of_which_a_span_is_gone_or_on_hold_are_left(told: Stand) -> None:
    lost = f"{1:032x}"
    told.services.columns.change(
        told.workspace,
        "ALTER TABLE spans DELETE WHERE workspace = {workspace:String} AND trace_id = {lost:String} AND kind = 'tool'",
        {"lost": lost},
    )
    plant(told, tool="wrong")
    told.recount()
    assert {key[0] for key, row in done(told).items() if row["tool"] == "wrong"} == {lost}
    now = utc_now()
    with told.services.database.transaction() as tx:
        actions.place_hold(told.ctx, tx, "a case", "", "", now.replace(year=now.year - 1), now)
    plant(told, tool="held")
    told.recount()
    assert {row["tool"] for row in done(told).values()} == {"held"}
