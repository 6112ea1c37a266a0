"""From the grades of one answer to its score, and what a run's answers were asked as."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from holdfast.evals.model import Expectation, Grade


def combined(
    expectations: Sequence[Expectation], grades: Sequence[Grade]
) -> tuple[float | None, bool | None]:
    """Score and pass of an answer: the weighted mean, and whether every expectation with a weight is met.

    Unknown (None) where a grade that weighs is unknown; but a single failed expectation is a fail whatever the others say.
    """
    pairs = [(one.weight, grade) for one, grade in zip(expectations, grades, strict=True) if one.weight > 0]
    failed = any(grade.passed is False for _, grade in pairs)
    if not pairs or any(grade.score is None or grade.passed is None for _, grade in pairs):
        return None, False if failed else None
    total = sum(weight for weight, _ in pairs)
    score = sum(weight * (grade.score or 0.0) for weight, grade in pairs) / total
    return score, not failed


def question(release_id: str, case: str, case_hash: str, repeat: int, seed: int | None) -> str:
    """What an answer is an answer to, so that it can be used again; empty where that is not known."""
    if not release_id:
        return ""
    said = f"{release_id}\0{case}\0{case_hash}\0{repeat}\0{seed}"
    return hashlib.sha256(said.encode()).hexdigest()[:40]


def seed_of(seed: int | None, repeat: int) -> int | None:
    """The seed that a repeat is asked with: its own, the same in every run with this seed."""
    return None if seed is None else (seed * 1_000 + repeat) % (1 << 31)
