"""Two ways to where an import is stored: the running core's own socket, or the stores themselves."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Protocol

import httpx2
import msgspec

from holdfast.commands import CLI, refused
from holdfast.kernel.context import Context
from holdfast.kernel.errors import HoldfastError, Unavailable
from holdfast.kernel.time import utc_now
from holdfast.platform.settings import Settings
from holdfast.platform.tenancy import reads as tenancy
from holdfast.telemetry.ingest.imports import Imports, Outcome, Summary
from holdfast.telemetry.model import ImportProgress, VendorUsage

PATIENCE_SECONDS = 600.0
"""How long a batch is tried again while the core has no room for it."""


class Door(Protocol):
    """Where batches go. Raises Unavailable where they cannot go there for good; nothing unanswered is stored for sure."""

    def begin(self, digest: str) -> ImportProgress | None:
        """How far an unfinished import of this file has come."""

    def calls(self, body: bytes) -> Outcome:
        """Stores a batch of spans; returns once they are on disk."""

    def usage(self, rows: Sequence[VendorUsage]) -> tuple[int, int]:
        """Keeps rows of a vendor's own counting: (new, changed)."""

    def note(self, made: ImportProgress) -> None:
        """Keeps how far the import has come."""

    def end(self, summary: Summary, *, complete: bool) -> list[tuple[str, str, int]]:
        """Ends it; models without a price: (model, why, calls)."""

    def close(self) -> None:
        """Gives back what is held."""


class Socket:
    """The running core, through the data folder's own socket."""

    def __init__(self, client: httpx2.Client, slug: str) -> None:
        self._client = client
        self._headers = {"x-holdfast-workspace": slug, "content-type": "application/msgpack"}
        self._encode = msgspec.msgpack.Encoder(decimal_format="string").encode

    def begin(self, digest: str) -> ImportProgress | None:
        """See Door."""
        found = self._asked("begin", digest.encode())
        return msgspec.msgpack.decode(found, type=ImportProgress | None)

    def calls(self, body: bytes) -> Outcome:
        """See Door."""
        return msgspec.msgpack.decode(self._asked("calls", body), type=Outcome)

    def usage(self, rows: Sequence[VendorUsage]) -> tuple[int, int]:
        """See Door."""
        found = self._asked("usage", self._encode(list(rows)))
        return msgspec.msgpack.decode(found, type=tuple[int, int])

    def note(self, made: ImportProgress) -> None:
        """See Door."""
        self._asked("progress", self._encode(made))

    def end(self, summary: Summary, *, complete: bool) -> list[tuple[str, str, int]]:
        """See Door."""
        found = self._asked("end", self._encode((summary, complete)))
        return msgspec.msgpack.decode(found, type=list[tuple[str, str, int]])

    def close(self) -> None:
        """See Door."""
        self._client.close()

    def _asked(self, what: str, body: bytes) -> bytes:
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                answer = self._client.post(f"/local/import/{what}", content=body, headers=self._headers)
            except httpx2.TransportError as error:
                raise Unavailable(f"the core stopped answering: {error}") from error
            if answer.status_code == 503 and time.monotonic() < until:
                time.sleep(min(float(answer.headers.get("retry-after", "1")), 30.0))
                continue
            if answer.status_code >= 400:
                raise refused(answer)
            return answer.content


class Here:
    """The stores themselves, where no core runs."""

    def __init__(self, settings: Settings, slug: str) -> None:
        from holdfast.app import build

        self._core = build(settings)
        try:
            with self._core.services.database.reading() as tx:
                self._workspace = tenancy.workspace_by_slug(tx, slug).id
        except HoldfastError:
            self._core.close()
            raise
        self._imports = Imports(self._core.services, self._core.ingest)

    def begin(self, digest: str) -> ImportProgress | None:
        """See Door."""
        return self._imports.begin(self._ctx(), digest)

    def calls(self, body: bytes) -> Outcome:
        """See Door."""
        return self._patiently(body)

    def usage(self, rows: Sequence[VendorUsage]) -> tuple[int, int]:
        """See Door."""
        return self._imports.usage(self._ctx(), rows)

    def note(self, made: ImportProgress) -> None:
        """See Door."""
        self._imports.note(self._ctx(), made)

    def end(self, summary: Summary, *, complete: bool) -> list[tuple[str, str, int]]:
        """See Door."""
        return self._imports.finish(self._ctx(), summary, complete=complete)

    def close(self) -> None:
        """See Door."""
        self._core.close()

    def _patiently(self, body: bytes) -> Outcome:
        until = time.monotonic() + PATIENCE_SECONDS
        while True:
            try:
                return self._imports.take(self._ctx(), body)
            except Unavailable as error:
                if time.monotonic() > until:
                    raise
                time.sleep(min(float(error.retry_after or 1), 30.0))

    def _ctx(self) -> Context:
        return Context(self._workspace, CLI, utc_now())


class Nowhere:
    """A dry run: nothing is stored."""

    def begin(self, _digest: str) -> ImportProgress | None:
        """See Door."""
        return None

    def calls(self, _body: bytes) -> Outcome:
        """See Door."""
        return Outcome(0, 0, [], [])

    def usage(self, _rows: Sequence[VendorUsage]) -> tuple[int, int]:
        """See Door."""
        return 0, 0

    def note(self, _made: ImportProgress) -> None:
        """See Door."""

    def end(self, _summary: Summary, *, complete: bool) -> list[tuple[str, str, int]]:
        """See Door."""
        del complete
        return []

    def close(self) -> None:
        """See Door."""


def state_of(report: Any) -> dict[str, Any]:
    """A report's state with plain values alone."""
    plain: dict[str, Any] = msgspec.to_builtins(report.state())
    return plain
