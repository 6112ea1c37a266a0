"""What review shows of a release: of each live call whether anything was found, and whether its answer refuses."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from holdfast.evals.rules.review import CallRef, Detector, Looked, Method, Policy, Rule, Served, chance

SPAN = timedelta(seconds=10)
"""Calls are counted by spans of so long, in which they began."""


def served(
    release: str,
    policy: Policy,
    call: CallRef,
    parts: Sequence[tuple[Method, Looked, float]],
    heads: Iterable[Rule],
) -> Served | None:
    """What one call counts for; None where it is not known which release answered.

    Rules look at every call: it counts where they could judge at least one dimension, and is flagged where they found
    anything. Heads look at a share of the calls and at all that a rule flagged, so of refusals it counts only where chance
    alone drew it for them: else what is flagged would be counted more often than what is not.
    """
    if not release:
        return None
    looked = [part for method, part, _ in parts if method is Method.RULES]
    found = any(part.found for part in looked)
    judged = found or any(part.clean for part in looked)
    head = next((part for method, part, _ in parts if method is Method.HEADS), None)
    drawn = chance("heads", call.trace, call.id) < policy.rates(call.route).heads
    refused = _refused(head, heads) if head is not None and drawn else None
    return Served(release, found if judged else None, refused)


def _refused(head: Looked, heads: Iterable[Rule]) -> bool | None:
    refusing = {one.name: one.dimension for one in heads if one.detector is Detector.REFUSAL}
    if any(one.rule in refusing for one in head.found):
        return True
    known = refusing and all(dimension in head.clean for dimension in refusing.values())
    return False if known else None


def span_of(at: datetime) -> datetime:
    """When the span began in which an instant lies."""
    seconds = int(SPAN.total_seconds())
    return datetime.fromtimestamp(int(at.timestamp()) // seconds * seconds, UTC)


def whole_spans(start: datetime, end: datetime) -> tuple[datetime, datetime]:
    """The spans that begin and end within a range of time: first one's beginning, last one's end."""
    first = span_of(start)
    return (first if first == start else first + SPAN), span_of(end)
