"""Nouns of secrets."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime


@dataclass(frozen=True, slots=True)
class MasterKey:
    """The key that wraps data keys. Its id is the beginning of its hash; printing it shows only that."""

    id: str
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class DataKey:
    """A workspace's key as it is kept: wrapped by the master key `master`. New secrets take the newest."""

    id: str
    workspace: str
    master: str
    wrapped: bytes = field(repr=False)
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Secret:
    """A secret as it is kept. `sealed` begins with the id of its data key."""

    id: str
    workspace: str
    name: str
    sealed: str = field(repr=False)
    created_at: datetime
    changed_at: datetime

    @property
    def reference(self) -> str:
        """How settings name it."""
        return f"secret:{self.id}"
