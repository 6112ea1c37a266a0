"""The grader of retrieval: whether the right documents were found, in good order, and none too old."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from typing import Literal

import msgspec

from holdfast.evals.graders.citations import cited_in, ids_of
from holdfast.evals.graders.grading import Fault, Finding, Made, Outside, Reads
from holdfast.evals.model import Answer, Case


class _Retrieval(msgspec.Struct, forbid_unknown_fields=True):
    expected: list[str] = []
    """Ids of the documents that answer the question."""
    retrieved: list[str] | None = None
    """Ids as retrieved, best first; without it, those that the answer cites."""
    measure: Literal["recall", "precision", "mrr"] = "recall"
    k: int | None = None
    """How many of the first count."""
    max_age_days: int | None = None
    of: Literal["newest", "oldest"] = "newest"
    """Which of the retrieved documents may not be older."""
    at: dt.date | None = None
    """The day that ages are counted at."""


def _faults(params: _Retrieval) -> Iterator[Fault]:
    if not params.expected and params.max_age_days is None:
        yield "expected", "list the ids that are to be found, or say max_age_days"
    if params.k is not None and params.k < 1:
        yield "k", "this is 1 or more"
    if params.max_age_days is not None and params.max_age_days < 0:
        yield "max_age_days", "this is zero or more"


def measured(measure: str, got: Sequence[str], expected: Sequence[str]) -> float:
    """Recall: share of the expected that were got. Precision: share of the got that were expected (0 for none got).

    MRR: one over the place of the first that was expected (for one question; the mean over questions is the MRR).
    """
    wanted = set(expected)
    if measure == "mrr":
        return next((1 / place for place, one in enumerate(got, 1) if one in wanted), 0.0)
    right = len(wanted & set(got))
    if measure == "precision":
        return right / len(got) if got else 0.0
    return right / len(wanted)


def _look(case: Case, params: _Retrieval, answer: Answer, __: Outside) -> Finding:
    documents = ids_of(case.input.context)
    if params.retrieved is not None:
        got = params.retrieved
    elif answer.error or answer.truncated:
        return Finding(None, "the answer is missing or cut off; what it would cite is not known")
    else:
        got = [one.id for one in cited_in(answer.text, [*documents, *params.expected])]
    got = list(dict.fromkeys(got))[: params.k]
    scores: dict[str, float] = {}
    if params.expected:
        scores[params.measure] = measured(params.measure, got, params.expected)
    if params.max_age_days is not None:
        if params.at is None:
            return Finding(None, "params say no day (at) that ages could be counted at", scores)
        dates = [documents[one].date if one in documents else None for one in got]
        known = [date for date in dates if date is not None]
        if len(known) < len(dates) or not known:
            return Finding(None, "the date of a document is not known", scores)
        age = (params.at - (max(known) if params.of == "newest" else min(known))).days
        scores["fresh"] = float(age <= params.max_age_days)
    missing = [one for one in params.expected if one not in got]
    said = [f"not found: {', '.join(missing)}"] if missing else []
    if scores.get("fresh") == 0:
        said.append(
            f"the {params.of} document is {age} days old; at most {params.max_age_days} are asked for"
        )
    return Finding(min(scores.values()), "; ".join(said)[:500], {"retrieved": got[:100], **scores})


RETRIEVAL = Made("retrieval", "1", _Retrieval, _look, _faults, reads=Reads.NOTHING)
