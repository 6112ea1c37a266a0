"""What the clock drives: signing checkpoints, and streaming the log out."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.time import Clock
from holdfast.platform.audit import actions
from holdfast.platform.audit.actions import Signing
from holdfast.platform.audit.model import SignedMemory, Stream
from holdfast.platform.audit.rules.notes import Signer
from holdfast.storage.sql import Database

BATCH = 500
MAX_BATCHES = 20
LONGEST_WAIT = timedelta(seconds=60)
_log = logging.getLogger("holdfast.audit")


@dataclass(frozen=True, slots=True)
class StreamState:
    """How a stream is doing. `error` is None while it works; `retry_at` is when it is tried again."""

    name: str
    error: str | None = None
    failures: int = 0
    failing_since: datetime | None = None
    retry_at: datetime | None = None


class AuditJob:
    """Signs and streams.

    Call `run_once` every few seconds, or its two halves apart: a receiver that hangs holds up `deliver_once`
    for its timeout, and signing is due within ten seconds of the change.
    """

    def __init__(
        self,
        database: Database,
        signer: Signer,
        memory: SignedMemory,
        streams: Sequence[Stream],
        clock: Clock,
    ) -> None:
        self._database = database
        self._signer = signer
        self._memory = memory
        self._streams = streams
        self._clock = clock
        self._states = {stream.name: StreamState(stream.name) for stream in streams}
        self.signing = Signing((), ())

    @property
    def vkey(self) -> str:
        """The public key to publish."""
        return self._signer.verifier.vkey

    @property
    def states(self) -> list[StreamState]:
        """How every stream is doing."""
        return list(self._states.values())

    def run_once(self) -> None:
        """Signs what grew, then streams out what is new. Raises Unavailable when store or disk is away."""
        self.sign_once()
        self.deliver_once()

    def sign_once(self) -> Signing:
        """Signs every log that grew. A log that was rewound or forked is not signed, but named and logged."""
        with self._database.reading() as tx:
            signing = actions.sign_checkpoints(tx, self._signer, self._memory, self._clock())
        if signing.checkpoints:
            with self._database.transaction() as tx:
                actions.keep_checkpoints(tx, signing.checkpoints)
        for problem in set(signing.refused) - set(self.signing.refused):
            _log.error("audit log not signed: %s: %s", problem.place, problem.what)
        self.signing = signing
        return signing

    def deliver_once(self) -> None:
        """Streams out what is new; a stream that fails waits longer each time, and holds up no other."""
        for stream in self._streams:
            state = self._states[stream.name]
            if state.retry_at is None or self._clock() >= state.retry_at:
                self._states[stream.name] = self._deliver(stream, state)

    def _deliver(self, stream: Stream, state: StreamState) -> StreamState:
        try:
            for _ in range(MAX_BATCHES):
                with self._database.reading() as tx:
                    delivery = actions.next_delivery(tx, stream.name, BATCH)
                if delivery is None:
                    break
                stream.send(delivery.items)
                with self._database.transaction() as tx:
                    actions.keep_places(tx, stream.name, delivery)
        except HoldfastError as error:
            if state.error is None:
                _log.warning("audit stream %s fails: %s", stream.name, error.detail)
            wait = min(LONGEST_WAIT, timedelta(seconds=2 ** min(state.failures, 10)))
            now = self._clock()
            since = state.failing_since or now
            return replace(
                state,
                error=error.detail,
                failures=state.failures + 1,
                failing_since=since,
                retry_at=now + wait,
            )
        if state.error is not None:
            _log.info("audit stream %s works again", stream.name)
        return StreamState(stream.name)
