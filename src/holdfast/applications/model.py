"""Nouns of applications: prompts as they are handed out, labels and deployments."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

PRODUCTION = "production"
LATEST = "latest"
RESERVED = (PRODUCTION, LATEST)
"""Labels that nobody sets: what the route serves, by changes alone, and the version that was added last."""


@dataclass(frozen=True, slots=True)
class Label:
    """A name that stands for one version of a prompt, and can be moved to another."""

    workspace: str
    name: str
    label: str
    number: int
    moved_at: datetime
    moved_by: str


@dataclass(frozen=True, slots=True)
class Handed:
    """A prompt as an application renders it, with all that a release has beside it.

    `release` is None for a version that is asked for by number or label. `version` is None where no registered version says
    this. `model` is the first of the chain; `parts` are further parts of the release (retrieval, agent, …), as they are.
    """

    name: str
    label: str | None
    release: str | None
    stable: bool
    split: bool
    version: int | None
    version_of: str | None
    labels: tuple[str, ...]
    messages: tuple[Mapping[str, Any], ...]
    variables: Mapping[str, Mapping[str, Any]]
    model: str | None
    chain: tuple[Mapping[str, Any], ...]
    parameters: Mapping[str, Any]
    tools: Mapping[str, Any]
    parts: Mapping[str, Any]
    prompt_hash: str | None


@dataclass(frozen=True, slots=True)
class Deployment:
    """What a pipeline announced: this version of a system runs in an environment from then on. Empty: not said.

    `at` is when it was deployed, as announced; `received_at` when we heard of it, from `by` (the id of a key or a member).
    """

    workspace: str
    id: str
    system: str
    environment: str
    version: str
    commit: str
    release: str
    configuration: str
    link: str
    note: str
    at: datetime
    author: str  # who deployed, as the pipeline says
    received_at: datetime
    by: str


@dataclass(frozen=True, slots=True)
class Flagged:
    """A configuration that ran unrecorded: when that was found, and by whom it was raised (`raised_at` None: by nobody)."""

    workspace: str
    configuration: str
    found_at: datetime
    raised_at: datetime | None
    raised_by: str
    raised_by_name: str
    note: str
