"""Nouns of the registry: parts of a release and releases, each named by the hash of what it says; and how two differ."""

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


@dataclass(frozen=True, slots=True)
class Version:
    """What a named component said from then on: `hash` names the content. Numbers count from 1 in each kind and name."""

    workspace: str
    kind: Kind
    name: str
    number: int
    hash: str
    author: str
    created_at: datetime
    rationale: str = ""
    ticket: str = ""
    original_author: str | None = None  # of a version that was imported, as its source says
    original_date: datetime | None = None


@dataclass(frozen=True, slots=True)
class Past:
    """A version as it was elsewhere, to be imported. Author and date are None where the source does not say."""

    body: Mapping[str, Any]
    author: str | None
    date: datetime | None
    rationale: str = ""
    ticket: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """A document of a knowledge base. `hash` is of its content, as whoever indexes it says; `date` None: not said."""

    id: str
    hash: str
    source: str = ""
    date: datetime | None = None


@dataclass(frozen=True, slots=True)
class Manifest:
    """Which documents a knowledge base holds: one immutable snapshot. A retrieval component names its `id`."""

    workspace: str
    id: str
    name: str
    documents_count: int
    hash: str
    author: str
    created_at: datetime
    rationale: str = ""


class What(StrEnum):
    """What became of a piece of content."""

    ADDED = "added"
    REMOVED = "removed"
    CHANGED = "changed"
    KEPT = "kept"


@dataclass(frozen=True, slots=True)
class Piece:
    """A run of a text that was kept, added or removed."""

    what: What
    text: str


@dataclass(frozen=True, slots=True)
class TextChange:
    """A text that differs, in reading order: kept and removed pieces are the old text, kept and added ones the new."""

    path: str
    pieces: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class ValueChange:
    """A value that differs: added, removed or changed. `path` is a JSON pointer in which list entries stand under their
    names where they have any. Absent is None, which `what` tells from null."""

    path: str
    what: What
    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class PartDifference:
    """How one component differs. `old` and `new` are its whole bodies, None where there is none.

    `changes` are all values that differ; those that are long texts stand in `texts` as well, word by word.
    """

    kind: Kind
    old: Mapping[str, Any] | None
    new: Mapping[str, Any] | None
    changes: tuple[ValueChange, ...]
    texts: tuple[TextChange, ...] = ()


@dataclass(frozen=True, slots=True)
class ManifestDifference:
    """How two manifests differ, in documents, with the first few ids of each sort.

    `changed`: other content. `restated`: the same content under another source or date.
    """

    old: str
    new: str
    added: int
    removed: int
    changed: int
    restated: int
    samples: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True, slots=True)
class Difference:
    """How one release differs from another: its body, and each component that differs, by kind.

    `first`: there was no release before. `manifest`: of the knowledge snapshots that the two name, where both are kept.
    """

    first: bool
    body: tuple[ValueChange, ...]
    parts: tuple[PartDifference, ...]
    manifest: ManifestDifference | None = None

    def __bool__(self) -> bool:
        return self.first or bool(self.body or self.parts)
