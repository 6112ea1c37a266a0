"""Who asks, for which workspace, when: the first argument of every action and read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody or something that acts: a member, an API key, the command line, or Holdfast itself."""

    kind: Literal["member", "key", "cli", "system"]
    id: str
    name: str


@dataclass(frozen=True, slots=True)
class Context:
    """Workspace (its id), actor and instant. Passed first, never global; the transaction is a separate value."""

    workspace: str
    actor: Actor
    now: datetime


SYSTEM = Actor("system", "holdfast", "Holdfast")
