"""From log records and metric points to rows. The key of a row is a hash of all it says: a resent one is the same row."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from holdfast.platform.tenancy.model import CaptureMode
from holdfast.telemetry.conventions.content import is_content
from holdfast.telemetry.decode.events import LogRecord, MetricPoint
from holdfast.telemetry.ingest.policies import Policies
from holdfast.telemetry.model import Attributes, Rejected
from holdfast.telemetry.rules.admission import Limits
from holdfast.telemetry.rules.capture import (
    CAPTURED,
    NONE,
    OFF,
    REDACTED,
    UNSAMPLED,
    CapturePlan,
    redacted,
    sampled,
)
from holdfast.telemetry.store.events import EventRows
from holdfast.telemetry.store.spans import encode

_DAY = 86_400
_LAST = 2**32 - 1
EVALUATION = "gen_ai.evaluation.result"


def key_of(*parts: Any) -> int:
    """A 128-bit key of plain values, the same in every process."""
    return int.from_bytes(
        hashlib.blake2b(msgspec.json.encode(parts, order="sorted"), digest_size=16).digest()
    )


def _dimension(attributes: Attributes, resource: Attributes, *names: str) -> str:
    for source in (attributes, resource):
        for name in names:
            found = source.get(name)
            if isinstance(found, str) and found:
                return found
    return ""


def _system(attributes: Attributes, resource: Attributes) -> str:
    return _dimension(attributes, resource, "holdfast.system", "service.name")


def _environment(attributes: Attributes, resource: Attributes) -> str:
    return _dimension(
        attributes, resource, "holdfast.environment", "deployment.environment.name", "deployment.environment"
    )


def _untimely(at_ns: int, limits: Limits) -> str | None:
    if at_ns <= 0:
        return "it has no time"
    if at_ns < limits.now_ns - limits.max_past_ns:
        return "its time is too long ago: check the sender's clock, or raise HOLDFAST_MAX_PAST_DAYS"
    if at_ns > limits.now_ns + limits.max_future_ns:
        return "its time is in the future: check the sender's clock"
    return None


def log_rows(
    workspace: str, records: Iterable[LogRecord], policies: Policies, now: datetime, limits: Limits
) -> tuple[EventRows, Sequence[Rejected]]:
    """Rows of log records; evaluation results go to a table of their own."""
    rows = EventRows()
    rejected: list[Rejected] = []
    for record in records:
        reason = _untimely(record.at_ns, limits)
        if reason is not None:
            rejected.append(Rejected(f"log record {record.event_name or '(no event name)'}", reason))
            continue
        attributes, resource = record.attributes, record.resource
        event_name = record.event_name or _dimension(attributes, {}, "event.name")
        system, environment = _system(attributes, resource), _environment(attributes, resource)
        policy, plan = policies.of(workspace, system)
        seconds = record.at_ns // 1_000_000_000
        expires = min(seconds + policy.span_days * _DAY, _LAST)
        key = key_of(
            record.at_ns, record.trace_id, record.span_id, event_name, record.body, attributes, resource
        )
        if event_name == EVALUATION:
            rows.evaluations.append(
                _evaluation(workspace, key, record, system, environment, plan, now, expires)
            )
            continue
        plain, content, state = _log_content(record, plan)
        rows.log_records.append(
            (
                workspace,
                key,
                record.at_ns,
                record.trace_id,
                record.span_id,
                event_name,
                record.severity,
                system,
                environment,
                _dimension(attributes, resource, "user.id", "enduser.id"),
                encode(plain),
                encode(resource),
                content,
                state,
                now,
                expires,
                min(seconds + policy.content_days * _DAY, _LAST),
            )
        )
    return rows, rejected


def _log_content(record: LogRecord, plan: CapturePlan) -> tuple[Attributes, str, str]:
    plain = {name: value for name, value in record.attributes.items() if not is_content(name)}
    content: Attributes = {name: value for name, value in record.attributes.items() if is_content(name)}
    if record.body not in (None, ""):
        content["body"] = record.body
    if not content:
        return plain, "", NONE
    if plan.mode is CaptureMode.OFF:
        return plain, "", OFF
    trace_id = record.trace_id or f"{record.at_ns:032x}"
    if plan.mode is CaptureMode.SAMPLED and not sampled(trace_id, plan.sample_rate):
        return plain, "", UNSAMPLED
    state = CAPTURED
    if plan.mode is not CaptureMode.ON:
        clean = redacted(content, plan.redact)
        state = CAPTURED if clean == content else REDACTED
        content = clean
    return plain, encode(content), state


def _evaluation(
    workspace: str,
    key: int,
    record: LogRecord,
    system: str,
    environment: str,
    plan: CapturePlan,
    now: datetime,
    expires: int,
) -> tuple[Any, ...]:
    attributes = record.attributes
    score = attributes.get("gen_ai.evaluation.score.value")
    explanation = str(attributes.get("gen_ai.evaluation.explanation") or "")
    if plan.mode is CaptureMode.OFF:
        explanation = ""
    elif plan.mode is not CaptureMode.ON:
        explanation = plan.redact(explanation)
    return (
        workspace,
        str(attributes.get("gen_ai.evaluation.name") or ""),
        key,
        record.at_ns,
        record.trace_id,
        record.span_id,
        str(attributes.get("gen_ai.response.id") or ""),
        float(score) if isinstance(score, int | float) and not isinstance(score, bool) else None,
        str(attributes.get("gen_ai.evaluation.score.label") or ""),
        explanation,
        str(attributes.get("error.type") or ""),
        system,
        environment,
        now,
        expires,
    )


def metric_rows(
    workspace: str, points: Iterable[MetricPoint], policies: Policies, now: datetime, limits: Limits
) -> tuple[EventRows, Sequence[Rejected]]:
    """Rows of metric points."""
    rows = EventRows()
    rejected: list[Rejected] = []
    for point in points:
        reason = _untimely(point.at_ns, limits)
        if reason is not None:
            rejected.append(Rejected(f"a point of metric {point.name[:80]}", reason))
            continue
        system = _system(point.attributes, point.resource)
        policy, _ = policies.of(workspace, system)
        key = key_of(point.at_ns, point.start_ns, point.name, point.type, point.attributes, point.resource)
        rows.metric_points.append(
            (
                workspace,
                point.name,
                key,
                point.at_ns,
                point.start_ns,
                point.type,
                point.unit,
                point.temporality,
                point.monotonic,
                system,
                _environment(point.attributes, point.resource),
                encode(point.attributes),
                encode(point.resource),
                point.value,
                point.count,
                point.sum,
                point.min,
                point.max,
                list(point.bounds),
                list(point.bucket_counts),
                now,
                min(point.at_ns // 1_000_000_000 + policy.span_days * _DAY, _LAST),
            )
        )
    return rows, rejected
