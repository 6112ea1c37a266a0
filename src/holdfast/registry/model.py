"""Nouns of the registry: parts of a release and releases, each named by the hash of what it says."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any


class Kind(StrEnum):
    """What a component is a version of."""

    PROMPT = "prompt"
    MODEL = "model"  # which models answer, where, with which parameters
    TOOLS = "tools"
    RETRIEVAL = "retrieval"
    GUARDRAILS = "guardrails"


@dataclass(frozen=True, slots=True)
class Component:
    """One immutable part of releases. `hash` is of kind and body; author and rationale are those of its first maker."""

    hash: str
    workspace: str
    kind: Kind
    body: Mapping[str, Any]
    author: str
    created_at: datetime
    rationale: str = ""


@dataclass(frozen=True, slots=True)
class Release:
    """Components that answer together, and how. `id` is `rel_` and the beginning of a hash; `components` kind → hash."""

    id: str
    workspace: str
    body: Mapping[str, Any]
    components: Mapping[Kind, str]
    author: str
    created_at: datetime
