"""An audit log with a signer, on both engines."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import pytest

from holdfast.kernel.context import Actor, Context
from holdfast.platform.audit import actions, reads
from holdfast.platform.audit.jobs import AuditJob
from holdfast.platform.audit.model import Entry, Stream, VerificationReport
from holdfast.platform.audit.rules.notes import Signer, new_signer
from holdfast.storage.sql import Database
from stand import FakeClock


@dataclass
class Memory:
    """The signer's memory, in memory."""

    notes: dict[str, str] = field(default_factory=dict)

    def load(self) -> dict[str, str]:
        return dict(self.notes)

    def save(self, notes: Mapping[str, str]) -> None:
        self.notes = dict(notes)


@dataclass
class Log:
    """What a test does with the audit log, in few words."""

    database: Database
    clock: FakeClock
    signer: Signer = field(default_factory=lambda: new_signer("holdfast/hf_test"))
    memory: Memory = field(default_factory=Memory)

    def ctx(self, workspace: str = "ws_test") -> Context:
        return Context(workspace, Actor("member", "mem_1", "Ann"), self.clock.now)

    def job(self, *streams: Stream) -> AuditJob:
        return AuditJob(self.database, self.signer, self.memory, streams, self.clock)

    def add(self, count: int = 1, workspace: str = "ws_test", **details: Any) -> list[Entry]:
        made = []
        for number in range(count):
            with self.database.transaction() as tx:
                told = {"number": number, **details}
                made.append(
                    actions.record(
                        self.ctx(workspace), tx, action="key.created", subject=f"key:{number}", details=told
                    )
                )
            self.clock.move(seconds=1)
        return made

    def sign(self) -> None:
        assert not self.job().sign_once().refused

    def verify(self, *, memory: bool = True, vkey: str | None = None) -> VerificationReport:
        kept = self.memory.notes.items() if memory else ()
        with self.database.reading() as tx:
            return reads.verify(tx, [vkey or self.signer.verifier.vkey], kept)


@pytest.fixture
def log(database: Database, clock: FakeClock) -> Log:
    return Log(database, clock)
