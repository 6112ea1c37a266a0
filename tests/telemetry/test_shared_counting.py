"""What several writers need to know of the store: which traces are older, what a trace looks like, what was made of it."""

from __future__ import annotations

import os
import time
from datetime import UTC, datetime

import pytest

from holdfast.storage.columns import Columns
from holdfast.telemetry.ingest.shared import STEP_NS, Older, View, look_back, views
from holdfast.telemetry.rules.versions import WRITERS

SECOND = 10**9
FAR = datetime(2100, 1, 1, tzinfo=UTC)


def put(columns: Columns, trace: str, span: str, sequence: int, start_ns: int) -> None:
    at = datetime.fromtimestamp(start_ns / 1e9, UTC)
    now = datetime.now(UTC)
    names = (
        "workspace",
        "trace_id",
        "span_id",
        "started_at",
        "sequence",
        "received_at",
        "expires_at",
        "content_expires_at",
    )
    columns.insert("spans", names, [[one] for one in ("w", trace, span, at, sequence, now, FAR, FAR)])


def call(
    columns: Columns, trace: str, call_id: str, start_ns: int, version: int, *, deleted: int = 0
) -> None:
    at = datetime.fromtimestamp(start_ns / 1e9, UTC)
    names = ("workspace", "id", "trace_id", "started_at", "version", "is_deleted", "expires_at")
    columns.insert("calls", names, [[one] for one in ("w", call_id, trace, at, version, deleted, FAR)])


def test_a_trace_is_known_to_be_older_whoever_stored_it(columns: Columns) -> None:
    now = time.time_ns()
    old, new, other = (os.urandom(16).hex() for _ in range(3))
    older = Older(columns, window_ns=600 * SECOND)
    put(columns, old, "a", now - 700 * SECOND, now)
    put(columns, new, "a", now - 500 * SECOND, now)
    older.keep_up(now)
    assert older.since == now - 600 * SECOND
    assert [older.may_have(one, now) for one in (old, new, other)] == [True, False, False]
    for trace in (new, old):
        found = views(columns, [("w", trace)], 1, older.since)
        assert (("w", trace) in found) is (trace == new), "what is older is not looked at, so one has to know"
    older.keep_up(now + STEP_NS - 1)
    assert older.since == now - 600 * SECOND
    older.keep_up(now + 200 * SECOND)
    assert older.may_have(new, now)
    assert not older.may_have(other, now)


@pytest.fixture
def start_ns() -> int:
    return time.time_ns() // SECOND * SECOND - 3600 * SECOND


def test_a_view_is_the_latest_of_each_span(columns: Columns, start_ns: int) -> None:
    first, second = os.urandom(16).hex(), os.urandom(16).hex()
    mine, others = 5 * WRITERS + 1, 9 * WRITERS + 2
    put(columns, first, "a", mine, start_ns)
    put(columns, first, "b", mine, start_ns + SECOND)
    put(columns, second, "a", mine, start_ns)
    put(columns, second, "a", others, start_ns + 40 * 86_400 * SECOND)
    found = views(columns, [("w", first), ("w", second), ("w", "cd" * 16)], 1)
    assert found == {
        ("w", first): View({"a": mine, "b": mine}, start_ns, start_ns + SECOND, True, ""),
        ("w", second): View({"a": others}, start_ns, start_ns + 40 * 86_400 * SECOND, False, "a"),
    }


def test_looking_back_takes_away_what_less_was_seen_of_and_counts_again_where_more_was(
    columns: Columns, start_ns: int
) -> None:
    trace = os.urandom(16).hex()
    key = ("w", trace)
    seen = {key: View({"a": 10, "b": 20}, start_ns, start_ns, False, "")}
    version = seen[key].version
    call(columns, trace, "a", start_ns, version)
    call(columns, trace, "b", start_ns, version - 1)
    call(columns, trace, "gone", start_ns, version - 2)
    call(columns, trace, "gone", start_ns, version - 1, deleted=1)
    call(columns, trace, "a", start_ns - 86_400 * SECOND, version - 1)  # before its start was corrected
    verdict = look_back(columns, seen, {key: {"a": start_ns}})
    assert sorted(verdict.superseded[key]) == [("a", start_ns - 86_400 * SECOND), ("b", start_ns)]
    assert verdict.again == []
    call(columns, trace, "c", start_ns, version + 1, deleted=1)
    assert look_back(columns, seen, {key: {"a": start_ns}}).again == [key]
