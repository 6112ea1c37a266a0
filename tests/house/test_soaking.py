"""What `make test` draws: some of the long files with each commit, each of them in its turn, the promises always."""

from __future__ import annotations

from soaking import EVERY_TIME, FILES, drawn, drawn_files

PROMISES = {f"{start}test_{n}.py" for start in EVERY_TIME for n in range(2)}
LONG = {f"tests/room/test_{n}.py" for n in range(10)}


def test_each_long_file_has_its_turn_and_the_promises_always() -> None:
    shares = [drawn_files(iter(PROMISES | LONG), f"commit {n}") for n in range(20 * FILES)]
    assert set.union(*shares) == PROMISES | LONG
    assert set.intersection(*shares) == PROMISES
    assert all(len(share - PROMISES) in (len(LONG) // FILES, len(LONG) // FILES + 1) for share in shares)


def test_the_same_commit_draws_the_same_everywhere() -> None:
    assert drawn_files(sorted(LONG), "a") == drawn_files(sorted(LONG, reverse=True), "a")


def test_each_parameter_has_its_turn() -> None:
    tests = [f"tests/a.py::test_one[{n}]" for n in range(6)]
    shares = [drawn(tests, lambda test: 3, f"commit {n}") for n in range(60)]
    assert all(sum(share) == 2 for share in shares)
    assert all(any(turns) for turns in zip(*shares, strict=True))
