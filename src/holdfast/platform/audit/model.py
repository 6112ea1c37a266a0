"""Nouns of the audit log: what an entry says, how it is kept, checkpoints, and what a check found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol

INSTANCE = "instance"
"""The reserved workspace whose log holds what belongs to no workspace, such as an unknown sign-in."""

ERASED = "audit.erased"
"""The action of the entry which states that an earlier one was erased."""

Outcome = Literal["ok", "denied", "failed"]


@dataclass(frozen=True, slots=True)
class AuditRecord:
    """What one entry says. `index` counts from 0 within the workspace; `details` is plain JSON."""

    workspace: str
    index: int
    at: datetime
    actor_kind: str
    actor_id: str
    actor_name: str
    action: str
    subject: str
    outcome: str
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as it is kept. `text` is the canonical JSON of its record.

    When it is erased, text, salt, actor_id and subject are None and `erased_at` is set; the leaf hash
    stays, and with it every root and proof.
    """

    workspace: str
    index: int
    at: datetime
    action: str
    actor_kind: str
    actor_id: str | None
    subject: str | None
    text: str | None
    salt: bytes | None
    leaf_hash: bytes
    erased_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A signed statement: at this instant the log of this workspace had this size and this root."""

    workspace: str
    size: int
    root: bytes
    note: str
    at: datetime


Item = Entry | Checkpoint
"""What is streamed out: entries and checkpoints, each with its workspace."""


@dataclass(frozen=True, slots=True)
class Tree:
    """The state of one workspace's tree as kept: size, and the packed frontier (rules.merkle.Frontier)."""

    workspace: str
    size: int
    frontier: bytes


@dataclass(frozen=True, slots=True)
class Tile:
    """A kept inner node: `index` counts the complete subtrees of 256^level leaves."""

    workspace: str
    level: int
    index: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong, and where. Entries are first to last, both included; None is the whole log."""

    workspace: str
    what: str
    first: int | None = None
    last: int | None = None

    @property
    def place(self) -> str:
        """`workspace ws_1, entry 7`, `workspace ws_1, entries 8 to 15`, or `workspace ws_1`."""
        if self.first is None:
            return f"workspace {self.workspace}"
        if self.last is None or self.last == self.first:
            return f"workspace {self.workspace}, entry {self.first}"
        return f"workspace {self.workspace}, entries {self.first} to {self.last}"


@dataclass(frozen=True, slots=True)
class VerificationReport:
    """What a check of the log found. `signed` counts the entries under a verified checkpoint.

    `notes` are things worth knowing that break nothing.
    """

    workspaces: int
    entries: int
    erased: int
    checkpoints: int
    signed: int
    problems: Sequence[Problem] = ()
    notes: Sequence[str] = ()

    @property
    def ok(self) -> bool:
        return not self.problems

    def describe(self) -> str:
        """The report for a person: counts, then every problem with its place."""
        lines = [
            f"{self.entries} entries in {self.workspaces} logs, {self.erased} of them erased; "
            f"{self.checkpoints} signed checkpoints cover {self.signed} entries."
        ]
        lines += [f"PROBLEM  {problem.place}: {problem.what}" for problem in self.problems]
        lines += [f"note     {note}" for note in self.notes]
        lines.append("The audit log is intact." if self.ok else "The audit log is NOT intact.")
        return "\n".join(lines)


class Stream(Protocol):
    """A place outside that receives the log."""

    @property
    def name(self) -> str:
        """Under which the stream's progress is kept; unique, and the same after a restart."""

    def send(self, items: Sequence[Item]) -> None:
        """Hands these over, in order. Returns once they have arrived; else raises Unavailable."""


class SignedMemory(Protocol):
    """Where the signer remembers, outside the control store, what it has signed last for each workspace."""

    def load(self) -> dict[str, str]:
        """The last checkpoint note of each workspace."""

    def save(self, notes: Mapping[str, str]) -> None:
        """Remembers these instead, durably before it returns."""


@dataclass(frozen=True, slots=True)
class StreamConfig:
    """One place outside that receives the log. Which fields count depends on `kind`.

    file: `path`. syslog: `host`, `port`, `ca` and, for mutual TLS, `cert` and `key` (files).
    otlp: `endpoint` (…/v1/logs), `headers`, `ca`, `cert`, `key`, `proxy`.
    """

    name: str
    kind: Literal["file", "syslog", "otlp"]
    path: str | None = None
    host: str | None = None
    port: int = 6514
    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    endpoint: str | None = None
    proxy: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    timeout: float = 10.0
