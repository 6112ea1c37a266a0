"""Which spans are let in. A refused one is named, with the reason and how to mend it; the rest are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from holdfast.kernel.errors import TooLarge
from holdfast.telemetry.model import Attributes, Rejected, Span

SPREAD = 16
"""A resource is kept with each record under it: how many times the size of the largest request that may come to."""

_HEX = frozenset("0123456789abcdef")
_INT64 = 2**63
TRUNCATED = "holdfast.truncated"
"""Attribute that lists the names of attributes whose values were too large to keep."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds on one span. Times in nanoseconds."""

    now_ns: int
    max_past_ns: int
    max_future_ns: int
    max_attribute_bytes: int
    max_body_bytes: int = 32 << 20


@dataclass(slots=True)
class Admission:
    """What came of a request: spans to store, spans refused, and warnings about spans that were kept."""

    spans: list[Span] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def admit(spans: Sequence[Span], limits: Limits, *, small: bool = False) -> Admission:
    """Judges each span by itself; of two with one id in a request, equal ones count once, others are refused.

    `small`: the whole request is no larger than one attribute may be, so none need be looked at for its size.
    """
    result = Admission()
    seen: dict[tuple[str, str], Span] = {}
    for span in spans:
        reason = refusal(span, limits)
        if reason is not None:
            result.rejected.append(Rejected(name(span), reason))
            continue
        key = (span.trace_id, span.span_id)
        earlier = seen.setdefault(key, span)
        oversized = () if small else trim(span, limits.max_attribute_bytes)
        if earlier is not span:
            if earlier != span and repr(earlier) != repr(span):  # repr: a NaN is not equal to itself
                result.rejected.append(
                    Rejected(name(span), "another span in this request has the same id; ids are unique")
                )
            continue
        if oversized:
            result.warnings.append(kept_in_part(name(span), oversized, limits))
        result.spans.append(span)
    return result


def kept_in_part(where: str, oversized: Sequence[str], limits: Limits) -> str:
    """The warning about a record of which values were too large to keep."""
    shown = ", ".join(oversized[:5]) + (f" and {len(oversized) - 5} more" if len(oversized) > 5 else "")
    return (
        f"{where} was kept without {shown}: over {limits.max_attribute_bytes} bytes each."
        " Raise HOLDFAST_MAX_ATTRIBUTE_BYTES, or send less"
    )


def name(span: Span) -> str:
    """How a span is called in messages to its sender."""
    return f"span {span.span_id[:40] or '?'} of trace {span.trace_id[:40] or '?'}"


def refusal(span: Span, limits: Limits) -> str | None:
    """Why this span cannot be kept; None where it can."""
    if not _is_id(span.trace_id, 32):
        return "its trace id is not 16 bytes, not all zero (32 hex digits in JSON)"
    if not _is_id(span.span_id, 16):
        return "its span id is not 8 bytes, not all zero (16 hex digits in JSON)"
    if span.parent_span_id and not _is_id(span.parent_span_id, 16):
        return "its parent span id is not 8 bytes (16 hex digits in JSON)"
    if span.start_ns <= 0:
        return "it has no start time"
    if span.start_ns < limits.now_ns - limits.max_past_ns:
        return "it began too long ago: check the sender's clock, or raise HOLDFAST_MAX_PAST_DAYS"
    if span.start_ns > limits.now_ns + limits.max_future_ns:
        return "it begins in the future: check the sender's clock, or raise HOLDFAST_MAX_FUTURE_MINUTES"
    if span.end_ns >= _INT64:
        return "its end time is out of range"
    return None


def past_keeping(days: int) -> str:
    """Why a record older than the retention is refused: it would be acknowledged and then thrown away."""
    return f"it began longer ago than the {days} days that this workspace keeps: check the sender's clock"


def bearable(resources: Sequence[Attributes], more: int, max_body_bytes: int) -> None:
    """Holds what records share but each is kept with to what can be stored. Raises TooLarge.

    `resources` has one for each record, `more` is the size of their other shared texts.
    """
    sizes: dict[int, int] = {}
    total = more
    for resource in resources:
        size = sizes.get(id(resource))
        if size is None:
            size = sizes[id(resource)] = sum(
                len(key) + (len(value) if type(value) is str else len(str(value)))
                for key, value in resource.items()
            )
        total += size
    if total > SPREAD * max_body_bytes:
        raise TooLarge(
            "the resource and scope of this request are kept with each of its records, and come to"
            f" {total} bytes: send fewer records in a batch, or smaller resource attributes"
        )


def _is_id(text: str, length: int) -> bool:
    return len(text) == length and text.strip("0") != "" and _HEX.issuperset(text)


def trim(span: Span, limit: int) -> list[str]:
    """Takes values over `limit` bytes out of a span, its events, links and resource; returns their names.

    Marks the span with them. Of a name or a status message that is too long, the beginning is kept.
    """
    oversized = trim_attributes(span.attributes, limit) + trim_attributes(span.resource, limit)
    for event in span.events:
        oversized += trim_attributes(event.attributes, limit)
    for link in span.links:
        oversized += trim_attributes(link["attributes"], limit)
    for text in ("name", "status_message", "scope_name", "scope_version"):
        if _over(getattr(span, text), limit):
            setattr(span, text, getattr(span, text)[: limit // 4])
            oversized.append(text)
    if oversized:
        span.attributes[TRUNCATED] = oversized
    return oversized


def trim_attributes(attributes: Attributes, limit: int) -> list[str]:
    """Takes values over `limit` bytes out; returns their names."""
    oversized = [key for key, value in attributes.items() if _over(value, limit) or _over(key, limit)]
    for key in oversized:
        del attributes[key]
    return [key[:200] for key in oversized]


def _over(value: Any, limit: int) -> bool:
    """Whether a value takes more than `limit` bytes; cheap for the small values that nearly all are."""
    kind = type(value)
    if kind is str:
        size = len(value)
        return size * 4 > limit and (size > limit or len(value.encode("utf-8", "surrogatepass")) > limit)
    if kind is list or kind is dict:
        return len(str(value)) > limit
    return False
