"""From the spool to the core: at least once, in batches, for as long as it takes; what arrived is removed."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import msgspec

from holdfast.gateway.proxy import spans
from holdfast.gateway.proxy.records import Record, decode
from holdfast.gateway.proxy.spool import abandoned, frames, remove, segments

log = logging.getLogger("holdfast.gateway")

BATCH = 400
BATCH_BYTES = 4 << 20

Deliver = Callable[[str, bytes], None]
"""Hands spans of a workspace to the core; returns when they are on its disk. Raises Unavailable, or Invalid for good."""


@dataclass(slots=True)
class Shipper:
    """Reads the folders of all writing processes below `root`."""

    root: Path
    deliver: Deliver
    _places: dict[Path, int] = field(default_factory=dict)
    shipped: int = 0

    def ship(self) -> int:
        """One round over everything that waits; returns how many records went. Raises what `deliver` raises."""
        went = 0
        for folder in sorted(path for path in self.root.glob("*") if path.is_dir()):
            went += self._folder(folder)
        return went

    def _folder(self, folder: Path) -> int:
        gone = abandoned(folder)
        found = segments(folder)
        went = 0
        for number, path in found:
            went += self._segment(path)
            if gone or number < found[-1][0]:
                path.unlink(missing_ok=True)
                self._places.pop(path, None)
        if gone:
            remove(folder)
        return went

    def _segment(self, path: Path) -> int:
        went, size = 0, 0
        batch: list[Record] = []
        place = self._places.get(path, 0)
        for frame in frames(path, place):
            try:
                batch.append(decode(frame.payload))
            except msgspec.DecodeError:
                log.error("a record in %s cannot be read, it was written by another version", path.name)
            size += len(frame.payload)
            place = frame.after
            if len(batch) >= BATCH or size >= BATCH_BYTES:
                went += self._send(batch)
                self._places[path], batch, size = place, [], 0
        went += self._send(batch)
        self._places[path] = place
        return went

    def _send(self, batch: list[Record]) -> int:
        by_workspace: dict[str, list[Record]] = {}
        for record in batch:
            by_workspace.setdefault(record.workspace, []).append(record)
        for workspace, records in by_workspace.items():
            self.deliver(workspace, spans.request(records))
        self.shipped += len(batch)
        return len(batch)
