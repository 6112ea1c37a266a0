"""What `make test` takes a share of and `make soak` all: repetitions that find rare faults, and every seeded defect.

`@pytest.mark.rotating(n)`: of a test's parameters each commit draws one in n, another share with each commit, the same
on every machine. With `--soak`, or where a test is named, there are no shares, and what is marked `soak` runs too. The
fixture `soak` says which it is, for tests with rounds of their own.
"""

from __future__ import annotations

import subprocess
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


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
