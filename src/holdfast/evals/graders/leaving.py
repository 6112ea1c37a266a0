"""What graders outside the process are told, and how their reply is read."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import msgspec

from holdfast.evals.graders.grading import Finding
from holdfast.evals.model import Answer, Case, Json

MOST_REPLY = 64 << 10
"""Bytes of a reply that are read."""
_MOST_REASON = 1000


class _Reply(msgspec.Struct):
    score: float | bool | None
    reason: str = ""
    details: dict[str, Any] = {}


def told(case: Case, params: Json, answer: Answer) -> bytes:
    """Case, params and answer as one JSON object, in the fields of `holdfast.evals.model`.

    Of the case, what was asked and its segments; not who wrote it, nor what other graders expect.
    """
    known = {
        "case": {
            "id": case.id,
            "input": dataclasses.asdict(case.input),
            "segments": dict(case.segments),
            "criticality": case.criticality,
        },
        "params": dict(params),
        "answer": dataclasses.asdict(answer),
    }
    try:
        return msgspec.json.encode(known)
    except UnicodeEncodeError:  # half a surrogate pair, which UTF-8 has no form for
        return msgspec.json.encode(_mended(known))


def _mended(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_mended(name): _mended(inner) for name, inner in value.items()}
    return [_mended(inner) for inner in value] if isinstance(value, list | tuple) else value


def heard(raw: bytes, who: str) -> Finding:
    """A reply: `{"score": 0 to 1 or null, "reason": "…", "details": {…}}`. What is none leaves the score unknown."""
    if len(raw) > MOST_REPLY:
        return Finding(None, f"{who} said more than {MOST_REPLY:,} bytes")
    try:
        reply = msgspec.json.decode(raw, type=_Reply)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Finding(None, f"{who} gave no grade: {str(error)[:200]}")
    reason = reply.reason[:_MOST_REASON]
    if reply.score is None:
        return Finding(None, reason or f"{who} cannot tell", reply.details)
    if not (math.isfinite(reply.score) and 0 <= reply.score <= 1):
        return Finding(None, f"{who} gave {reply.score:g}, which is no score from 0 to 1")
    return Finding(float(reply.score), reason, reply.details)
