"""From a request to what is stored: spans are decoded and judged, facts are read, content is split off and held to the
policy, times of expiry are set, and a block is made. CPU alone; it runs in threads and in processes of its own (`worker`).
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Final, Literal

import msgspec

from holdfast.kernel.errors import HoldfastError
from holdfast.platform.tenancy.model import DataPolicy
from holdfast.storage.columns import UNFIT
from holdfast.telemetry.conventions.content import is_content
from holdfast.telemetry.conventions.templates import QuickReader, Templates
from holdfast.telemetry.decode import json, packed, protobuf
from holdfast.telemetry.model import Facts, Noted, Observation, Rejected, Span
from holdfast.telemetry.rules.admission import Admission, Limits, admit, bearable, name, past_keeping
from holdfast.telemetry.rules.capture import NONE, CapturePlan, capture, plain_links
from holdfast.telemetry.rules.holds import FAR
from holdfast.telemetry.store.spans import (
    NOTHING_TOLD,
    VALUES,
    Block,
    SpanRow,
    block,
    encode,
    kept_instructions,
    milliseconds,
)

log = logging.getLogger("holdfast.ingest")

Form = Literal["json", "protobuf", "packed"]
"""How a request of spans is written: OTLP in JSON or protobuf, or as imports hand spans over."""
READERS: Final = {"json": json.traces, "protobuf": protobuf.traces, "packed": packed.traces}

_DAY = 86_400
_EXPIRES = VALUES["expires_at"]


class Prepared(msgspec.Struct, array_like=True):
    """What became of a request: spans to store (`rows` of them in `body`) and to count, what is refused, warnings."""

    rows: int
    body: bytes
    noted: list[Noted]
    rejected: list[Rejected]
    warnings: list[str]

    @property
    def block(self) -> Block:
        """The rows ready to be sent."""
        return Block(self.rows, self.body)


PolicyOf = Callable[[str], tuple[DataPolicy, CapturePlan]]
"""System → the policy that holds for it in the workspace at hand."""


def traces(
    workspace: str,
    body: bytes,
    form: Form,
    limits: Limits,
    now: datetime,
    policy_of: PolicyOf,
    templates: Templates,
    guard: Callable[[list[SpanRow]], None] | None = None,
) -> Prepared:
    """A request of spans made ready; `guard` may change its rows before. Raises Invalid, TooLarge."""
    admission = spans_of(body, form, limits)
    made, refused = rows(workspace, admission.spans, policy_of, templates, now)
    if guard is not None:
        guard(made)
    fit, block, unfit = seal(made)
    rejected = [*admission.rejected, *refused, *unfit]
    return Prepared(block.rows, block.body, noted(fit), rejected, admission.warnings)


def spans_of(body: bytes, form: Form, limits: Limits) -> Admission:
    """The spans of a request that are let in, and what is said of the others. Raises Invalid, TooLarge."""
    found, unreadable = READERS[form](body)
    size = packed.largest(body) if form == "packed" else len(body)
    admission = admit(found, limits, small=size <= limits.max_attribute_bytes)
    scopes = sum(len(span.scope_name) + len(span.scope_version) for span in admission.spans)
    bearable([span.resource for span in admission.spans], scopes, limits.max_body_bytes)
    admission.rejected[:0] = unreadable
    return admission


def rows(
    workspace: str, spans: Sequence[Span], policy_of: PolicyOf, templates: Templates, now: datetime
) -> tuple[list[SpanRow], list[Rejected]]:
    """Rows ready to be stored, and spans that cannot be."""
    made: list[SpanRow] = []
    rejected: list[Rejected] = []
    resources: dict[int, str] = {}
    reader = QuickReader(templates)
    oldest = int(now.timestamp())
    now_ms = milliseconds(now)
    for span in spans:
        try:
            resource = resources.get(id(span.resource))
            if resource is None:
                resource = resources[id(span.resource)] = encode(span.resource)
            row = _row(workspace, span, reader.read(span), resource, policy_of, now_ms)
        except HoldfastError:
            raise
        except Exception as error:
            log.exception("a span could not be read: %s", name(span))
            rejected.append(Rejected(name(span), f"it could not be read: {type(error).__name__}"))
            continue
        if row.values[_EXPIRES] <= oldest:
            rejected.append(
                Rejected(name(span), past_keeping(policy_of(row.facts.system or "")[0].span_days))
            )
            continue
        made.append(row)
    return made, rejected


def _row(
    workspace: str,
    span: Span,
    read: tuple[Facts, Sequence[str]],
    resource: str,
    policy_of: PolicyOf,
    now_ms: int,
) -> SpanRow:
    facts, content_names = read
    told, facts.told = facts.told, None  # kept with the span, not in memory
    system = facts.system or ""
    policy, plan = policy_of(system)
    captured = capture(span, plan, is_content, content_names)
    start_seconds = span.start_ns // 1_000_000_000
    values = (
        span.trace_id,
        span.span_id,
        span.parent_span_id,
        span.name,
        span.kind,
        facts.kind.value,
        system,
        facts.environment or "",
        span.start_ns,
        max(span.end_ns - span.start_ns, 0),
        span.status,
        span.status_message,
        span.scope_name,
        span.scope_version,
        encode(captured.attributes),
        resource,
        encode(captured.events) if captured.events else "",
        encode(plain_links(span.links, is_content)) if span.links else "",
        facts.user or "",
        facts.session or "",
        captured.content,
        captured.state,
        kept_instructions(facts.instructions),
        facts.tools or (),
        encode(told) if told else "" if captured.state == NONE else NOTHING_TOLD,
        facts.sample,
        now_ms,
        min(start_seconds + policy.span_days * _DAY, FAR),
        min(start_seconds + policy.content_days * _DAY, FAR),
    )
    return SpanRow(workspace, span, facts, values)


def seal(rows: Sequence[SpanRow]) -> tuple[list[SpanRow], Block, list[Rejected]]:
    """Rows made ready to be sent; one with a value that its column cannot hold is found by halving and refused."""
    try:
        return list(rows), block(rows), []
    except UNFIT as error:
        if len(rows) == 1:
            reason = f"its values cannot be stored: {error}"[:300]
            return [], block(()), [Rejected(name(rows[0].span), reason)]
        half = len(rows) // 2
        fit, _, refused = seal(rows[:half])
        more, _, also = seal(rows[half:])
        return [*fit, *more], block([*fit, *more]), [*refused, *also]


def noted(rows: Sequence[SpanRow]) -> list[Noted]:
    """What the counting needs to know of stored rows."""
    return [(row.span.trace_id, observation(row.span, row.facts, 0)) for row in rows]


def observation(span: Span, facts: Facts, sequence: int) -> Observation:
    """A span's part in the counting."""
    return Observation(
        span.span_id,
        span.parent_span_id,
        span.start_ns,
        span.end_ns if span.end_ns > span.start_ns else span.start_ns,
        span.status == "error",
        span.scope_name,
        sequence,
        facts,
    )
