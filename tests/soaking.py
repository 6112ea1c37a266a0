"""What `make test` takes a share of and `make soak` all: repetitions that find rare faults, every seeded defect, long files.

`@pytest.mark.rotating(n)`: of a test's parameters each commit draws one in n, another share with each commit, the same
on every machine. Of the files with slow tests each commit draws one in `FILES`, but for those of the promises
(`EVERY_TIME`). With `--soak`, or where tests are named by file or name, there are no shares of files; with `--soak`, or
where a test is named by name, none of parameters either, and what is marked `soak` runs too. The fixture `soak` says
which it is, for tests with rounds of their own.
"""

from __future__ import annotations

import subprocess
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SLOW = ("slow", "browser", "demo")
FILES = 3
EVERY_TIME = ("tests/scenarios/",)
"""Whose slow tests run with every commit: the promises that hold for the whole product."""


def commit() -> str:
    """The commit that is tested; empty where there is none."""
    try:
        done = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=ROOT, capture_output=True, text=True, check=False
        )
    except FileNotFoundError:
        return ""
    return done.stdout.strip()


def drawn(tests: Sequence[str], one_in: Callable[[str], int], by: str) -> list[bool]:
    """Which of the tests (node ids, in order) are of the share: of each function's parameters every nth, from a place that
    `by` draws, so that over n places all have their turn.
    """
    seen: dict[str, int] = {}
    found = []
    for test in tests:
        function, n = test.partition("[")[0], one_in(test)
        place = seen[function] = seen.get(function, -1) + 1
        found.append((place + zlib.crc32(f"{by}/{function}".encode())) % n == 0)
    return found


def drawn_files(files: Iterable[str], by: str) -> set[str]:
    """Which of the files with slow tests are of the share: all of `EVERY_TIME`, and of the others, in order of their names,
    every nth from a place that `by` draws.
    """
    found = set(files)
    always = {file for file in found if file.startswith(EVERY_TIME)}
    others = sorted(found - always)
    return always | set(others[zlib.crc32(by.encode()) % FILES :: FILES])
