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
from holdfast.telemetry.model import Span
from holdfast.telemetry.store.events import EventRows
from holdfast.telemetry.store.spans import NAMES, SpanRow


class Store:
    """A call store that keeps rows in a list, and can fail."""

    def __init__(self) -> None:
        self.kept: list[tuple[str, ...]] = []
        self.events = 0
        self.fault: Exception | None = None
        self.may_go_on = threading.Event()
        self.may_go_on.set()

    def insert(self, table: str, _names: Sequence[str], columns: Sequence[Sequence[Any]]) -> None:
        self.may_go_on.wait()
        if self.fault is not None:
            raise self.fault
        if table != "spans":
            if "unfit" in columns[0]:
                raise ValueError("a value that no column can hold")
            self.events += len(columns[0])
            return
        names = columns[NAMES.index("name")]
        if "unfit" in names:
            raise ValueError("a value that no column can hold")
        self.kept += [(name,) for name in names]


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
        on_commit=lambda _sequence, rows: counted.extend(row.span.name for row in rows),
        first_sequence=0,
    )
    yield made
    store.may_go_on.set()
    made.stop()


def rows(*names: str) -> list[SpanRow]:
    made = []
    for name in names:
        span = Span("ab" * 16, "cd" * 8, "", name, "CLIENT", 1, 2, "ok", "", "s", "", {}, {})
        values = [""] * (len(NAMES) - 2)
        values[NAMES.index("name") - 1] = name
        made.append(SpanRow("w", span, read_facts(span), tuple(values), 1))
    return made


def answer(future: Future[Any]) -> Any:
    return future.result(timeout=30)


def test_answers_come_after_the_store_returned(
    store: Store, committer: Committer, counted: list[str]
) -> None:
    store.may_go_on.clear()
    waiting = committer.submit(Batch(rows("a")))
    assert not waiting.done()
    assert store.kept == []
    store.may_go_on.set()
    assert answer(waiting) == []
    assert (store.kept, counted) == ([("a",)], ["a"])


@pytest.mark.parametrize(
    "fault", [Unavailable("no", retry_after=30), RuntimeError("engine"), OSError(28, "full"), MemoryError()]
)
def test_a_store_that_fails_is_unavailable_and_nothing_is_counted(
    store: Store, committer: Committer, counted: list[str], fault: Exception
) -> None:
    store.fault = fault
    for batch in (Batch(rows("a")), Batch(rows("a", "b")), Batch(events=EventRows(log_records=[("x",)]))):
        with pytest.raises(Unavailable) as caught:
            answer(committer.submit(batch))
        assert caught.value.retry_after
    assert (store.kept, counted) == ([], [])
    store.fault = None
    assert answer(committer.submit(Batch(rows("a")))) == []
    assert counted == ["a"]


def test_a_value_that_cannot_be_stored_costs_its_span_alone(
    store: Store, committer: Committer, counted: list[str]
) -> None:
    store.may_go_on.clear()
    first = committer.submit(Batch(rows("first")))
    futures = [committer.submit(Batch(rows(f"a{n}", "unfit", f"b{n}"))) for n in range(3)]
    events = [
        committer.submit(Batch(events=EventRows(log_records=[(kind,), (kind,)])))
        for kind in ("fit", "unfit", "fit")
    ]
    store.may_go_on.set()
    assert answer(first) == []
    for future in futures:
        [refused] = answer(future)
        assert "cannot be stored" in refused.reason
    assert [len(answer(future)) for future in events] == [0, 2, 0]
    assert sorted(counted) == sorted(["first", *(f"{x}{n}" for n in range(3) for x in "ab")])
    assert store.events == 4


def test_a_sender_that_leaves_does_not_stop_the_others(store: Store, committer: Committer) -> None:
    store.may_go_on.clear()
    futures = [committer.submit(Batch(rows(name))) for name in "abc"]
    assert [future.cancel() for future in futures] == [False, False, False]
    store.may_go_on.set()
    assert answer(committer.submit(Batch(rows("d")))) == []
    assert len(store.kept) == 4


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
        answer(made.submit(Batch(rows(name))))
    made.stop()
    assert numbers == [far + 1, far + 2, far + 3]
    with pytest.raises(Unavailable):
        made.submit(Batch(rows("d")))
