"""What of a case and a suite is the same: SHA-256 over their one JSON text (RFC 8785)."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, replace
from typing import Any

import msgspec
import rfc8785

from holdfast.evals.model import Case, CaseInput, Expectation, Suite
from holdfast.kernel.errors import Invalid


def canonical(value: Any) -> bytes:
    """The one JSON text of a value: the order of names and the spelling of numbers make no difference.

    Raises Invalid for what JSON cannot hold exactly.
    """
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, RecursionError, UnicodeError) as error:
        raise Invalid(
            "this cannot be written as JSON exactly: numbers are finite, whole ones below 2^53 (write a larger one "
            "as text), texts are Unicode"
        ) from error


def case_hash(case: Case) -> str:
    """Of all that can change a grade: what is asked and what is expected, in whatever order the graders are named.

    Not of its id, weight, segments or origin. Raises Invalid.
    """
    asked = {name: getattr(case.input, name) for name in CaseInput.__dataclass_fields__}
    expected = sorted(case.expectations, key=lambda one: one.name or one.grader)
    fields = Expectation.__dataclass_fields__
    listed = [_said({name: getattr(one, name) for name in fields}) for one in expected]
    return _digest("case", {"input": _said(asked), "expect": listed})


def suite_hash(suite: Suite) -> str:
    """Of its cases (in whatever order), its bars and by which way they are asked. Not of its description. Raises Invalid.

    Cases carry their hashes.
    """
    cases = []
    for one in sorted(suite.cases, key=lambda case: case.id):
        fields = {
            "id": one.id,
            "hash": one.hash,
            "family": one.family,
            "segments": one.segments,
            "weight": one.weight,
            "criticality": one.criticality,
            "provenance": one.provenance,
            "holdout": one.holdout,
        }
        cases.append(_said(fields))
    bars = {**asdict(suite.bars), "by": list(suite.bars.by)}
    return _digest("suite", {"cases": cases, "bars": bars, "system": suite.system, "route": suite.route})


def hashed(suite: Suite) -> Suite:
    """The suite with its hash, of cases that carry theirs."""
    return replace(suite, hash=suite_hash(suite))


def _said(fields: dict[str, Any]) -> Any:
    """What is not empty, as JSON has it."""
    empty: tuple[Any, ...] = (None, "", (), {})
    return msgspec.to_builtins({name: value for name, value in fields.items() if value not in empty})


def _digest(kind: str, said: Any) -> str:
    return hashlib.sha256(canonical({"kind": kind, "body": said})).hexdigest()
