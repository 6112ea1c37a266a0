"""What both doors do with a request: room, decoding, judging, preparing, committing; the answer comes after the commit."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from holdfast.kernel.time import Clock
from holdfast.platform.settings import Settings
from holdfast.telemetry.conventions.templates import Templates
from holdfast.telemetry.decode import events as event_decoding
from holdfast.telemetry.decode import json, protobuf
from holdfast.telemetry.ingest import prepare
from holdfast.telemetry.ingest.commit import Batch, Committer
from holdfast.telemetry.ingest.policies import Policies
from holdfast.telemetry.ingest.prepare_events import log_rows, metric_rows
from holdfast.telemetry.ingest.safeguards import Safeguards
from holdfast.telemetry.model import Rejected, Span
from holdfast.telemetry.rules.admission import Limits, admit, bearable

MOST_NAMED = 5
"""Refused records that an answer names; their number is always told."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request: how many records were refused, and words for the sender (empty: all well)."""

    rejected: int
    message: str


class Intake:
    """Takes requests for one process."""

    def __init__(self, committer: Committer, policies: Policies, settings: Settings, clock: Clock) -> None:
        self._committer = committer
        self._policies = policies
        self._settings = settings
        self._clock = clock
        self._safeguards = Safeguards(policies, settings)
        self._templates = Templates(policies.overrides)
        self._pool = ThreadPoolExecutor(2, thread_name_prefix="ingest-prepare")

    @property
    def max_body_bytes(self) -> int:
        """Largest request, after decompression."""
        return self._settings.max_body_bytes

    def reserve(self, size: int) -> None:
        """See `Committer.reserve`."""
        self._committer.reserve(size)

    def release(self, size: int) -> None:
        """See `Committer.release`."""
        self._committer.release(size)

    async def accept(self, workspace: str, signal: str, body: bytes, *, is_json: bool) -> Outcome:
        """Stores one request of `traces`, `metrics` or `logs`. Raises Invalid, Unavailable."""
        loop = asyncio.get_running_loop()
        with self._committer.coming():
            prepared = await loop.run_in_executor(self._pool, self._guarded, workspace, signal, body, is_json)
            batch, rejected, warnings = prepared
            refused = await asyncio.wrap_future(self._committer.submit(batch))
        return outcome([*rejected, *refused], warnings)

    def stop(self) -> None:
        """Ends the threads that prepare."""
        self._pool.shutdown()
        self._safeguards.close()

    def _guarded(
        self, workspace: str, signal: str, body: bytes, is_json: bool
    ) -> tuple[Batch, Sequence[Rejected], Sequence[str]]:
        batch, rejected, warnings = self._prepare(workspace, signal, body, is_json)
        self._safeguards.apply(workspace, batch)
        batch.spans, batch.block, unfit = prepare.seal(batch.spans)
        return batch, [*rejected, *unfit], warnings

    def _prepare(
        self, workspace: str, signal: str, body: bytes, is_json: bool
    ) -> tuple[Batch, Sequence[Rejected], Sequence[str]]:
        now = self._clock()
        limits = self._limits()
        if signal == "traces":
            decode: Callable[[bytes], tuple[list[Span], list[Rejected]]] = (
                json.traces if is_json else protobuf.traces
            )
            found, unreadable = decode(body)
            admission = admit(found, limits, small=len(body) <= limits.max_attribute_bytes)
            scopes = sum(len(span.scope_name) + len(span.scope_version) for span in admission.spans)
            bearable([span.resource for span in admission.spans], scopes, limits.max_body_bytes)
            rows, refused = prepare.rows(workspace, admission.spans, self._policies, self._templates, now)
            return Batch(rows), [*unreadable, *admission.rejected, *refused], admission.warnings
        if signal == "logs":
            records, unreadable = event_decoding.logs(body, is_json=is_json)
            bearable([record.resource for record in records], 0, limits.max_body_bytes)
            events, refused_events, warnings = log_rows(workspace, records, self._policies, now, limits)
            return Batch(events=events), [*unreadable, *refused_events], warnings
        points, unreadable = event_decoding.metrics(body, is_json=is_json)
        names = sum(len(point.name) + len(point.unit) for point in points)
        bearable([point.resource for point in points], names, limits.max_body_bytes)
        events, refused_events, warnings = metric_rows(workspace, points, self._policies, now, limits)
        return Batch(events=events), [*unreadable, *refused_events], warnings

    def _limits(self) -> Limits:
        settings = self._settings
        return Limits(
            now_ns=int(self._clock().timestamp() * 1e9),
            max_past_ns=settings.max_past_days * 86_400 * 10**9,
            max_future_ns=settings.max_future_minutes * 60 * 10**9,
            max_attribute_bytes=settings.max_attribute_bytes,
            max_body_bytes=settings.max_body_bytes,
        )


def outcome(rejected: Sequence[Rejected], warnings: Sequence[str]) -> Outcome:
    """Words for the sender: the first few refused records by name, the number of the rest, then warnings."""
    said = [f"{one.where} was refused: {one.reason}" for one in rejected[:MOST_NAMED]]
    if len(rejected) > MOST_NAMED:
        said.append(f"and {len(rejected) - MOST_NAMED} more were refused")
    said += warnings[:MOST_NAMED]
    if len(warnings) > MOST_NAMED:
        said.append(f"and {len(warnings) - MOST_NAMED} more were kept in part")
    return Outcome(len(rejected), "; ".join(said))
