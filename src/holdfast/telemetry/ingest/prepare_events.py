"""From log records and metric points to rows. The key of a row is a hash of all it says: a resent one is the same row."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, TypeVar

import msgspec

from holdfast.kernel.errors import HoldfastError
from holdfast.platform.tenancy.model import CaptureMode
from holdfast.telemetry.conventions.content import is_content
from holdfast.telemetry.decode.events import LogRecord, MetricPoint
from holdfast.telemetry.ingest.policies import Policies
from holdfast.telemetry.model import Attributes, Rejected
from holdfast.telemetry.rules.admission import (
    TRUNCATED,
    Limits,
    kept_in_part,
    past_keeping,
    trim_attributes,
)
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

log = logging.getLogger("holdfast.ingest")
T = TypeVar("T")

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


def _untimely(at_ns: int, start_ns: int, days: int, limits: Limits) -> str | None:
    if at_ns <= 0:
        return "it has no time"
    if at_ns < limits.now_ns - limits.max_past_ns:
        return "its time is too long ago: check the sender's clock, or raise HOLDFAST_MAX_PAST_DAYS"
    if at_ns > limits.now_ns + limits.max_future_ns:
        return "its time is in the future: check the sender's clock"
    if at_ns <= limits.now_ns - days * _DAY * 10**9:
        return past_keeping(days)
    if not 0 <= start_ns < 2**63:
        return "its start time is out of range"
    return None


@dataclass(slots=True)
class _Findings:
    """What came of the records of a request."""

    rows: EventRows = field(default_factory=EventRows)
    rejected: list[Rejected] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def _each(records: Iterable[T], where: Callable[[T], str], keep: Callable[[T, _Findings], None]) -> _Findings:
    """Keeps each record by itself; one that cannot be read does no harm to the others."""
    found = _Findings()
    for record in records:
        try:
            keep(record, found)
        except HoldfastError:
            raise
        except Exception as error:
            log.exception("%s could not be read", where(record))
            found.rejected.append(Rejected(where(record), f"it could not be read: {type(error).__name__}"))
    return found


def log_rows(
    workspace: str, records: Iterable[LogRecord], policies: Policies, now: datetime, limits: Limits
) -> tuple[EventRows, Sequence[Rejected], Sequence[str]]:
    """Rows of log records, evaluation results in a table of their own; those refused; warnings."""

    def keep(record: LogRecord, found: _Findings) -> None:
        _keep_log(workspace, record, policies, now, limits, found)

    found = _each(records, _log_name, keep)
    return found.rows, found.rejected, found.warnings


def _log_name(record: LogRecord) -> str:
    return f"log record {record.event_name[:80] or '(no event name)'}"


def _keep_log(
    workspace: str, record: LogRecord, policies: Policies, now: datetime, limits: Limits, found: _Findings
) -> None:
    attributes, resource = record.attributes, record.resource
    oversized = trim_attributes(attributes, limits.max_attribute_bytes)
    oversized += trim_attributes(resource, limits.max_attribute_bytes)
    system, environment = _system(attributes, resource), _environment(attributes, resource)
    policy, plan = policies.of(workspace, system)
    reason = _untimely(record.at_ns, 0, policy.span_days, limits)
    if reason is not None:
        found.rejected.append(Rejected(_log_name(record), reason))
        return
    if oversized:
        attributes[TRUNCATED] = oversized
        found.warnings.append(kept_in_part(_log_name(record), oversized, limits))
    event_name = record.event_name or _dimension(attributes, {}, "event.name")
    seconds = record.at_ns // 1_000_000_000
    expires = min(seconds + policy.span_days * _DAY, _LAST)
    key = key_of(record.at_ns, record.trace_id, record.span_id, event_name, record.body, attributes, resource)
    if event_name == EVALUATION:
        found.rows.evaluations.append(
            _evaluation(workspace, key, record, system, environment, plan, now, expires)
        )
        return
    plain, content, state = _log_content(record, plan)
    found.rows.log_records.append(
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
) -> tuple[EventRows, Sequence[Rejected], Sequence[str]]:
    """Rows of metric points; those refused; warnings."""

    def keep(point: MetricPoint, found: _Findings) -> None:
        _keep_point(workspace, point, policies, now, limits, found)

    found = _each(points, _point_name, keep)
    return found.rows, found.rejected, found.warnings


def _point_name(point: MetricPoint) -> str:
    return f"a point of metric {point.name[:80]}"


def _keep_point(
    workspace: str, point: MetricPoint, policies: Policies, now: datetime, limits: Limits, found: _Findings
) -> None:
    oversized = trim_attributes(point.attributes, limits.max_attribute_bytes)
    oversized += trim_attributes(point.resource, limits.max_attribute_bytes)
    system = _system(point.attributes, point.resource)
    policy, _ = policies.of(workspace, system)
    reason = _untimely(point.at_ns, point.start_ns, policy.span_days, limits)
    if reason is not None:
        found.rejected.append(Rejected(_point_name(point), reason))
        return
    if oversized:
        point.attributes[TRUNCATED] = oversized
        found.warnings.append(kept_in_part(_point_name(point), oversized, limits))
    key = key_of(point.at_ns, point.start_ns, point.name, point.type, point.attributes, point.resource)
    found.rows.metric_points.append(
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
