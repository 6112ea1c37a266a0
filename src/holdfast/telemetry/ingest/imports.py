"""The receiving end of an import: what is there already is left out, the rest goes the way of all telemetry.

A batch is answered once it is on disk. Here nothing is read of files; see `telemetry.imports` for that.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime

import msgspec

from holdfast.kernel.context import Context
from holdfast.platform.services import Services
from holdfast.telemetry import actions
from holdfast.telemetry.decode import packed
from holdfast.telemetry.ingest.seen import SeenTraces
from holdfast.telemetry.ingest.service import Ingest
from holdfast.telemetry.model import ImportProgress, VendorUsage
from holdfast.telemetry.store import imports as store

PAST_DAYS = 36_600
"""How far back imported calls may go: retention says what of them is kept, not the sender's clock."""
SOME = 2_000
"""Traces that are looked up at once."""


class Outcome(msgspec.Struct):
    """What became of a batch: stored now, there before, and refused: (trace id, span id or name, reason)."""

    stored: int
    known: int
    rejected: list[tuple[str, str]]
    warnings: list[str]


class Summary(msgspec.Struct):
    """What an import did, for the audit log and for what is still to be said at its end."""

    digest: str
    source: str
    scope: str
    files: list[str]
    counts: dict[str, int]
    started_at: float


class Imports:
    """Takes batches for one process."""

    def __init__(self, services: Services, ingest: Ingest) -> None:
        self._services = services
        self._ingest = ingest
        self._seen: SeenTraces | None = None
        self._making = threading.Lock()

    def begin(self, ctx: Context, digest: str) -> ImportProgress | None:
        """How far an unfinished import of the same file has come."""
        with self._services.database.reading() as tx:
            return store.progress(tx, ctx.workspace, digest)

    def take(self, ctx: Context, body: bytes) -> Outcome:
        """Stores a batch of spans (see `decode.packed`), all but those that are there. Raises Invalid, Unavailable."""
        keys = packed.keys(body)
        known = self._known(ctx.workspace, keys)
        if known:
            spans, _ = packed.traces(body)
            body = packed.pack([span for span in spans if (span.trace_id, span.span_id) not in known])
            if len(known) >= len(keys):
                return Outcome(0, len(keys), [], [])
        there = sum((key.trace_id, key.span_id) in known for key in keys) if known else 0
        taken = self._ingest.intake.take(ctx.workspace, body, past_days=PAST_DAYS)
        rejected = [(one.where, one.reason) for one in taken.rejected]
        doubled = len(keys) - there - taken.stored - len(rejected)  # equal to another one in this batch
        return Outcome(taken.stored, there + max(doubled, 0), rejected, list(taken.warnings))

    def _known(self, workspace: str, keys: Sequence[packed.Key]) -> set[tuple[str, str]]:
        seen = self._seen
        if seen is None:
            with self._making:  # 16 MiB, for those who import
                seen = self._seen = self._seen or SeenTraces()
        counter = self._ingest.counter
        asked = dict.fromkeys(
            key.trace_id
            for key in keys
            if len(key.trace_id) == 32
            and _is_hex(key.trace_id)
            and (seen.add(key.trace_id) | counter.may_know(key.trace_id, key.start_ns))
        )
        ids = list(asked)
        found: set[tuple[str, str]] = set()
        for start in range(0, len(ids), SOME):
            found |= store.there(self._services.columns, workspace, ids[start : start + SOME])
        return found

    def note(self, ctx: Context, made: ImportProgress) -> None:
        """Keeps how far an import has come: it goes on there when it is run again."""
        with self._services.database.transaction() as tx:
            store.put_progress(tx, ctx.workspace, made, ctx.now)

    def usage(self, ctx: Context, rows: Sequence[VendorUsage]) -> tuple[int, int]:
        """Keeps rows of vendors' own counting; (new, changed)."""
        with self._services.database.transaction() as tx:
            return store.put_usage(tx, ctx.workspace, rows, ctx.now)

    def finish(self, ctx: Context, summary: Summary, *, complete: bool) -> list[tuple[str, str, int]]:
        """Records the import in the audit log; tells the models that have no price: (model, why, calls)."""
        with self._services.database.transaction() as tx:
            if complete:
                store.end_progress(tx, ctx.workspace, summary.digest)
            actions.import_calls(ctx, tx, summary.source, summary.files, summary.counts, complete=complete)
        if not summary.counts.get("imported"):
            return []
        self._ingest.counter.wait(120)
        since = datetime.fromtimestamp(summary.started_at, UTC)
        return store.unpriced(self._services.columns, ctx.workspace, summary.scope, since)


def _is_hex(text: str) -> bool:
    try:
        int(text, 16)
    except ValueError:
        return False
    return True
