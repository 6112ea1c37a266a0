"""From spans to rows: facts are read, content is split off and held to the policy, times of expiry are set."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from datetime import datetime

from holdfast.kernel.errors import HoldfastError
from holdfast.telemetry.conventions.content import is_content
from holdfast.telemetry.conventions.reading import Reader
from holdfast.telemetry.ingest.policies import Policies
from holdfast.telemetry.model import Facts, Rejected, Span
from holdfast.telemetry.rules.admission import name, past_keeping
from holdfast.telemetry.rules.capture import capture, plain_links
from holdfast.telemetry.store.spans import SpanRow, encode

log = logging.getLogger("holdfast.ingest")

_DAY = 86_400
_LAST = 2**32 - 1  # the last second that the store's DateTime can hold (2106)


def rows(
    workspace: str, spans: Sequence[Span], policies: Policies, now: datetime
) -> tuple[list[SpanRow], list[Rejected]]:
    """Rows ready to be stored, and spans that cannot be. CPU only, but for a policy that must be looked up."""
    made: list[SpanRow] = []
    rejected: list[Rejected] = []
    resources: dict[int, str] = {}
    reader = Reader(policies.overrides)
    oldest = int(now.timestamp())
    for span in spans:
        try:
            resource = resources.get(id(span.resource))
            if resource is None:
                resource = resources[id(span.resource)] = encode(span.resource)
            row = _row(workspace, span, reader.read(span), resource, policies, now)
        except HoldfastError:
            raise
        except Exception as error:
            log.exception("a span could not be read: %s", name(span))
            rejected.append(Rejected(name(span), f"it could not be read: {type(error).__name__}"))
            continue
        if row.values[-2] <= oldest:
            rejected.append(
                Rejected(
                    name(span), past_keeping(policies.of(workspace, row.facts.system or "")[0].span_days)
                )
            )
            continue
        made.append(row)
    return made, rejected


def _row(
    workspace: str, span: Span, facts: Facts, resource: str, policies: Policies, now: datetime
) -> SpanRow:
    system = facts.system or ""
    policy, plan = policies.of(workspace, system)
    captured = capture(span, plan, is_content)
    start_seconds = span.start_ns // 1_000_000_000
    attributes = encode(captured.attributes)
    facts.content = None
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
        attributes,
        resource,
        encode(captured.events) if captured.events else "",
        encode(plain_links(span.links, is_content)) if span.links else "",
        facts.user or "",
        facts.session or "",
        captured.content,
        captured.state,
        facts.sample,
        now,
        min(start_seconds + policy.span_days * _DAY, _LAST),
        min(start_seconds + policy.content_days * _DAY, _LAST),
    )
    return SpanRow(workspace, span, facts, values, len(attributes) + len(captured.content) + 300)
