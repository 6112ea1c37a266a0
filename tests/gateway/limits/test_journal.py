"""A file that is read back whatever happened to the process that wrote it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from holdfast.gateway.limits.journal import Journal, frames
from holdfast.kernel.errors import Conflict, Unavailable

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The machine may be busy with other tests."""


def again(folder: Path) -> tuple[bytes | None, list[bytes], int]:
    journal = Journal(folder)
    journal.close()
    return journal.state, journal.records, journal.torn


def test_what_was_appended_is_read_back(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    assert (journal.state, journal.records) == (None, [])
    journal.append(b"one", b"two")
    journal.append(b"three")
    journal.close()
    assert again(tmp_path) == (None, [b"one", b"two", b"three"], 0)


def test_a_checkpoint_stands_for_all_before_it(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append(b"before")
    journal.compact(b"state")
    assert journal.size == 0
    journal.append(b"after")
    journal.close()
    assert again(tmp_path) == (b"state", [b"after"], 0)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint", "journal-1", "lock"]


def test_a_kill_between_the_steps_of_compaction_counts_nothing_twice(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.append(b"before")
    journal.close()
    (tmp_path / "journal-1").write_bytes(b"")  # the next journal is made, the checkpoint not yet in place
    (tmp_path / "checkpoint.new").write_bytes(b"half")
    assert again(tmp_path) == (None, [b"before"], 0)

    before = (tmp_path / "journal-0").read_bytes()
    journal = Journal(tmp_path)
    journal.compact(b"state")
    journal.close()
    (tmp_path / "journal-0").write_bytes(before)  # the checkpoint is in place, the old journal not yet gone
    assert again(tmp_path) == (b"state", [], 0)
    assert not (tmp_path / "journal-0").exists()


@UNHURRIED
@given(st.lists(st.binary(min_size=1, max_size=40), max_size=6), st.integers(0, 300), st.binary(max_size=30))
def test_any_cut_leaves_the_records_before_it(
    tmp_path_factory: pytest.TempPathFactory, records: list[bytes], cut: int, rubbish: bytes
) -> None:
    folder = tmp_path_factory.mktemp("cut")
    journal = Journal(folder)
    for record in records:
        journal.append(record)
    journal.close()
    path = folder / "journal-0"
    whole = path.read_bytes()
    path.write_bytes(whole[:cut])
    _, found, torn = again(folder)
    assert found == records[: len(found)]
    assert sum(len(record) + 8 for record in found) + torn == min(cut, len(whole))
    assert path.stat().st_size == min(cut, len(whole)) - torn
    journal = Journal(folder)
    journal.append(b"next")
    journal.close()
    assert again(folder)[1] == [*found, b"next"]
    path.write_bytes(whole + bytes(64))  # a hole of zeros, as a power cut leaves
    assert again(folder)[1] == records
    assert frames(whole + rubbish)[0][: len(records)] == records


def test_one_process_at_a_time(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    with pytest.raises(Conflict):
        Journal(tmp_path)
    journal.close()
    Journal(tmp_path).close()


def test_a_damaged_checkpoint_is_not_passed_over(tmp_path: Path) -> None:
    journal = Journal(tmp_path)
    journal.compact(b"spent a lot")
    journal.close()
    path = tmp_path / "checkpoint"
    path.write_bytes(path.read_bytes().replace(b"lot", b"bit"))
    with pytest.raises(Unavailable, match="damaged"):
        Journal(tmp_path)
    with pytest.raises(Unavailable, match="damaged"):  # and not because the lock was kept
        Journal(tmp_path)


FULL = """
import resource, sys
from pathlib import Path
from holdfast.gateway.limits.journal import Journal
from holdfast.kernel.errors import Unavailable
folder = Path(sys.argv[1])
journal = Journal(folder)
journal.append(b"a" * 50)
resource.setrlimit(resource.RLIMIT_FSIZE, (100, resource.RLIM_INFINITY))
for _ in range(2):
    try:
        journal.append(b"b" * 90)  # only a part of it fits
    except Unavailable:
        print("refused")
journal.append(b"c" * 10)
try:
    journal.compact(b"d" * 200)
except Unavailable:
    print("refused")
resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
journal.append(b"e")
"""


def test_a_write_that_did_not_fit_leaves_no_trace(tmp_path: Path) -> None:
    done = subprocess.run([sys.executable, "-c", FULL, tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["refused"] * 3
    assert again(tmp_path) == (None, [b"a" * 50, b"c" * 10, b"e"], 0)
