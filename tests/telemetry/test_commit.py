"""Group commit against a store that fails: every sender gets its answer, nothing is acknowledged that was not kept."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from holdfast.kernel.errors import Unavailable
from holdfast.telemetry.conventions.reading import read_facts
from holdfast.telemetry.ingest.commit import Batch, Committer
from holdfast.telemetry.ingest.prepare import noted, seal
from holdfast.telemetry.model import Span
from holdfast.telemetry.store.events import EventRows
from holdfast.telemetry.store.spans import COLUMNS, SpanRow, block


class Store:
    """A call store that counts rows, and can fail."""

    def __init__(self) -> None:
        self.spans = 0
        self.commits = 0
        self.events = 0
        self.fault: Exception | None = None
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def insert(self, _table: str, _names: Sequence[str], columns: Sequence[Sequence[Any]]) -> None:
        self._fail()
        if "unfit" in columns[0]:
            raise ValueError("a value that no column can hold")
        self.events += len(columns[0])

    def insert_blocks(self, _table: str, names: Sequence[str], blocks: Sequence[bytes]) -> None:
        self._fail()
        assert [one[0] for one in blocks] == [len(names)] * len(blocks)
        self.commits += 1
        self.spans += sum(one[1] for one in blocks)  # a block begins with its columns and its rows

    def _fail(self) -> None:
        self.may_go_on.wait()
        if self.fault is not None:
            raise self.fault


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def counted() -> list[str]:
    return []


@pytest.fixture
def committer(store: Store, counted: list[str], tmp_path: Path) -> Iterator[Committer]:
    made = Committer(
        store,  # type: ignore[arg-type]  # only `insert` is used
        tmp_path,
        queue_bytes=1000,
        min_free_bytes=1,
        on_commit=lambda _sequence, stored: counted.extend(
            trace for _, noted in stored for trace, _ in noted
        ),
        first_sequence=0,
    )
    yield made
    store.may_go_on.set()
    made.stop()


def rows(*names: str) -> list[SpanRow]:
    made = []
    for name in names:
        span = Span("ab" * 16, "cd" * 8, "", name, "CLIENT", 1, 2, "ok", "", "s", "", {}, {})
        values: dict[str, Any] = {column.name: "" if column.type == "String" else 1 for column in COLUMNS[1:]}
        values |= {column.name: () for column in COLUMNS if column.type.startswith("Array")}
        values["name"] = name
        made.append(SpanRow("w", span, read_facts(span), tuple(values.values())))
    return made


def batch(*names: str) -> Batch:
    made = rows(*names)
    return Batch(
        "w", [(row.span.name, said) for row, (_, said) in zip(made, noted(made), strict=True)], block(made)
    )


def answer(future: Future[Any]) -> Any:
    return future.result(timeout=30)


def test_answers_come_after_the_store_returned(
    store: Store, committer: Committer, counted: list[str]
) -> None:
    store.may_go_on.clear()
    waiting = committer.submit(batch("a"))
    assert not waiting.done()
    assert store.spans == 0
    store.may_go_on.set()
    assert answer(waiting) == []
    assert (store.spans, counted) == (1, ["a"])


@pytest.mark.parametrize(
    "fault", [Unavailable("no", retry_after=30), RuntimeError("engine"), OSError(28, "full"), MemoryError()]
)
def test_a_store_that_fails_is_unavailable_and_nothing_is_counted(
    store: Store, committer: Committer, counted: list[str], fault: Exception
) -> None:
    store.fault = fault
    for one in (batch("a"), batch("a", "b"), Batch("w", events=EventRows(log_records=[("x",)]))):
        with pytest.raises(Unavailable) as caught:
            answer(committer.submit(one))
        assert caught.value.retry_after
    assert (store.spans, counted) == (0, [])
    store.fault = None
    assert answer(committer.submit(batch("a"))) == []
    assert counted == ["a"]


def test_a_value_that_cannot_be_stored_costs_its_span_alone() -> None:
    made = rows("a", "b", "\ud800", "c", "\ud801")  # half a character: no store holds it
    fit, sealed, refused = seal(made)
    assert [row.span.name for row in fit] == ["a", "b", "c"]
    assert sealed == block(rows("a", "b", "c"))
    assert ["cannot be stored" in one.reason for one in refused] == [True, True]


def test_events_that_cannot_be_stored_cost_their_request_alone(store: Store, committer: Committer) -> None:
    store.may_go_on.clear()
    first = committer.submit(batch("first"))
    events = [
        committer.submit(Batch("w", events=EventRows(log_records=[(kind,), (kind,)])))
        for kind in ("fit", "unfit", "fit")
    ]
    store.may_go_on.set()
    assert answer(first) == []
    assert [len(answer(future)) for future in events] == [0, 2, 0]
    assert store.events == 4


def test_a_sender_that_leaves_does_not_stop_the_others(store: Store, committer: Committer) -> None:
    store.may_go_on.clear()
    futures = [committer.submit(batch(name)) for name in "abc"]
    assert [future.cancel() for future in futures] == [False, False, False]
    store.may_go_on.set()
    assert answer(committer.submit(batch("d"))) == []
    assert store.spans == 4


def test_a_commit_waits_for_what_is_coming_and_no_longer(store: Store, committer: Committer) -> None:
    with committer.coming():
        with committer.coming():
            first = committer.submit(batch("a"))
            second = committer.submit(batch("b"))
            assert [answer(first), answer(second)] == [[], []]
        with committer.coming():  # one that brings nothing, such as a request that is refused
            third = committer.submit(batch("c"))
        assert answer(third) == []
    assert (store.spans, store.commits) == (3, 2)


def test_room_is_bounded_and_given_back(committer: Committer) -> None:
    committer.reserve(5000)  # a single large request is let in: it could never be otherwise
    with pytest.raises(Unavailable) as caught:
        committer.reserve(1)
    assert caught.value.retry_after
    committer.release(5000)
    committer.reserve(600)
    with pytest.raises(Unavailable):
        committer.reserve(600)
    committer.reserve(400)
    committer.release(1000)


def test_the_disk_watermark(store: Store, tmp_path: Path) -> None:
    made = Committer(store, tmp_path, 1000, 2**62, lambda _s, _r: None, 0)  # type: ignore[arg-type]
    with pytest.raises(Unavailable) as caught:
        made.reserve(1)
    assert caught.value.retry_after == 30
    made.stop()


def test_commit_numbers_only_rise(store: Store, tmp_path: Path) -> None:
    numbers: list[int] = []
    far = int(datetime(2200, 1, 1, tzinfo=UTC).timestamp()) * 10**9  # a clock that was ahead once
    made = Committer(store, tmp_path, 1000, 1, lambda sequence, _r: numbers.append(sequence), far)  # type: ignore[arg-type]
    for name in "abc":
        answer(made.submit(batch(name)))
    made.stop()
    assert numbers == [far + 1, far + 2, far + 3]
    with pytest.raises(Unavailable):
        made.submit(batch("d"))
