"""What both doors do with a request: room, decoding, judging, preparing, committing; the answer comes after the commit."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial

from holdfast.kernel.time import Clock
from holdfast.platform.settings import Settings
from holdfast.telemetry.conventions.templates import Templates
from holdfast.telemetry.decode import events as event_decoding
from holdfast.telemetry.ingest import prepare
from holdfast.telemetry.ingest.commit import Batch, Committer
from holdfast.telemetry.ingest.policies import Policies
from holdfast.telemetry.ingest.prepare import Form
from holdfast.telemetry.ingest.prepare_events import log_rows, metric_rows
from holdfast.telemetry.ingest.safeguards import Safeguards
from holdfast.telemetry.ingest.tally import Tally
from holdfast.telemetry.ingest.worker import Task, Workers
from holdfast.telemetry.model import Rejected
from holdfast.telemetry.rules.admission import Limits, bearable
from holdfast.telemetry.store.events import EventRows

MOST_NAMED = 5
"""Refused records that an answer names; their number is always told."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a request: how many records were refused, and words for the sender (empty: all well)."""

    rejected: int
    message: str


@dataclass(frozen=True, slots=True)
class Taken:
    """What became of spans handed over by an import: how many are stored, which were refused, warnings."""

    stored: int
    rejected: Sequence[Rejected]
    warnings: Sequence[str]


LARGE = 1 << 20
"""Bytes of an import's batch from which on processes of their own take part."""
CROWD = 4
"""Requests that are prepared at the same time from which on processes of their own take part."""


Ready = tuple[Batch, Sequence[Rejected], Sequence[str]]
"""What is to be stored, what is refused, and warnings."""


class Intake:
    """Takes requests for one process."""

    def __init__(self, committer: Committer, policies: Policies, settings: Settings, clock: Clock) -> None:
        self._committer = committer
        self._policies = policies
        self._settings = settings
        self._clock = clock
        self._safeguards = Safeguards(policies, settings)
        overrides = dict(policies.overrides)
        self._templates = Templates(overrides)
        most = settings.ingest_workers
        most = min(3, (os.cpu_count() or 1) - 1) if most is None else most
        self._workers = Workers(most, overrides)
        self._pool = ThreadPoolExecutor(2 + most, thread_name_prefix="ingest-prepare")
        self._preparing = 0
        self.tally = Tally()

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
        try:
            stored, rejected, warnings = await self._accept(workspace, signal, body, is_json)
        except BaseException:
            self.tally.turned_away(signal)
            raise
        self.tally.taken(signal, stored, len(rejected))
        return outcome(rejected, warnings)

    async def _accept(
        self, workspace: str, signal: str, body: bytes, is_json: bool
    ) -> tuple[int, list[Rejected], Sequence[str]]:
        """How many records are stored, which were refused, and warnings."""
        loop = asyncio.get_running_loop()
        with self._committer.coming():
            self._preparing += 1
            try:
                if self._preparing >= CROWD:
                    self._workers.want()
                prepared = await loop.run_in_executor(
                    self._pool, self._prepare, signal, workspace, body, is_json
                )
            finally:
                self._preparing -= 1
            batch, rejected, warnings = prepared
            refused = await asyncio.wrap_future(self._committer.submit(batch))
        return batch.rows - len(refused), [*rejected, *refused], warnings

    def take(self, workspace: str, body: bytes, *, past_days: int) -> Taken:
        """Stores spans that an import hands over (see `decode.packed`), and returns once they are on disk.

        They may have begun up to `past_days` ago. Raises Invalid, Unavailable.
        """
        self.reserve(len(body))
        try:
            with self._committer.coming():
                if len(body) > LARGE:
                    self._workers.want()
                limits = replace(self._limits(), max_past_ns=past_days * 86_400 * 10**9)
                batch, rejected, warnings = self._traces(workspace, body, "packed", limits)
                refused = self._committer.submit(batch).result()
        finally:
            self.release(len(body))
        return Taken(batch.rows, [*rejected, *refused], warnings)

    def stop(self) -> None:
        """Ends the threads and processes that prepare."""
        self._pool.shutdown()
        self._workers.close()
        self._safeguards.close()

    def _prepare(self, signal: str, workspace: str, body: bytes, is_json: bool) -> Ready:
        if signal == "traces":
            return self._traces(workspace, body, "json" if is_json else "protobuf", self._limits())
        return self._events(signal, workspace, body, is_json)

    def _traces(self, workspace: str, body: bytes, form: Form, limits: Limits) -> Ready:
        now, done = self._clock(), None
        if self._workers.any and not self._safeguards.concern(workspace):
            policies = {system: policy for system, (policy, _) in self._policies.cache.get(workspace).items()}
            done = self._workers.prepare(Task(workspace, body, form, limits, now, policies))
        if done is None:
            policy_of = partial(self._policies.of, workspace)
            guard = partial(self._safeguards.apply, workspace, found=EventRows())
            done = prepare.traces(workspace, body, form, limits, now, policy_of, self._templates, guard)
        return Batch(workspace, done.noted, done.block), done.rejected, done.warnings

    def _events(self, signal: str, workspace: str, body: bytes, is_json: bool) -> Ready:
        now, limits = self._clock(), self._limits()
        if signal == "logs":
            records, unreadable = event_decoding.logs(body, is_json=is_json)
            bearable([record.resource for record in records], 0, limits.max_body_bytes)
            events, refused, warnings = log_rows(workspace, records, self._policies, now, limits)
        else:
            points, unreadable = event_decoding.metrics(body, is_json=is_json)
            names = sum(len(point.name) + len(point.unit) for point in points)
            bearable([point.resource for point in points], names, limits.max_body_bytes)
            events, refused, warnings = metric_rows(workspace, points, self._policies, now, limits)
        self._safeguards.apply(workspace, [], events)
        return Batch(workspace, events=events), [*unreadable, *refused], warnings

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
