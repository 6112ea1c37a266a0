"""What the doors of the registry take and give."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from holdfast.kernel.time import iso
from holdfast.registry.model import (
    Component,
    Difference,
    Document,
    Manifest,
    ManifestDifference,
    Release,
    Version,
)

KindName = Literal["prompt", "model", "tools", "retrieval", "guardrails"]
Text = Annotated[str, Field(max_length=4000)]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class VersionIn(_In):
    """What a named component says from now on."""

    kind: KindName
    name: Annotated[str, Field(max_length=200)]
    document: Annotated[dict[str, Any], Field(description="The component's body, as in a release.")]
    rationale: Text = ""
    ticket: Text = ""


class DocumentIn(_In):
    """A document of a knowledge base; `hash` is of its content."""

    id: str
    hash: str
    source: str = ""
    date: AwareDatetime | None = None

    def document(self) -> Document:
        """As the registry has it."""
        return Document(self.id, self.hash, self.source, self.date)


class ManifestIn(_In):
    """Which documents a knowledge base holds."""

    name: Annotated[str, Field(max_length=200)]
    documents: Annotated[list[DocumentIn], Field(max_length=500_000)]
    rationale: Text = ""


class ComponentHeadOut(BaseModel):
    """A component without what it says."""

    hash: str
    kind: str
    author: str
    created_at: str
    rationale: str


class ComponentOut(ComponentHeadOut):
    """A component."""

    body: dict[str, Any]

    @classmethod
    def of(cls, one: Component) -> ComponentOut:
        """As it is kept."""
        return cls(
            hash=one.hash,
            kind=one.kind.value,
            author=one.author,
            created_at=iso(one.created_at),
            rationale=one.rationale,
            body=dict(one.body),
        )

    def head(self) -> ComponentHeadOut:
        """Without its body."""
        return ComponentHeadOut(**self.model_dump(exclude={"body"}))


class ComponentsOut(BaseModel):
    """A page; `next_cursor` is null on the last."""

    components: list[ComponentHeadOut]
    next_cursor: str | None


class VersionOut(BaseModel):
    """A version of a named component. `original_…`: of an imported one, as its source says; null where it does not."""

    kind: str
    name: str
    number: int
    hash: str
    author: str
    created_at: str
    rationale: str
    ticket: str
    original_author: str | None
    original_date: str | None

    @classmethod
    def of(cls, one: Version) -> VersionOut:
        """As it is kept."""
        return cls(
            kind=one.kind.value,
            name=one.name,
            number=one.number,
            hash=one.hash,
            author=one.author,
            created_at=iso(one.created_at),
            rationale=one.rationale,
            ticket=one.ticket,
            original_author=one.original_author,
            original_date=iso(one.original_date) if one.original_date else None,
        )


class VersionWholeOut(VersionOut):
    """A version with what it says."""

    body: dict[str, Any]


class ReleaseHeadOut(BaseModel):
    """A release by the hashes of its components."""

    id: str
    components: dict[str, str]
    author: str
    created_at: str

    @classmethod
    def of_release(cls, one: Release) -> ReleaseHeadOut:
        """As it is kept."""
        return cls(
            id=one.id,
            components={kind.value: digest for kind, digest in one.components.items()},
            author=one.author,
            created_at=iso(one.created_at),
        )


class ReleasesOut(BaseModel):
    """A page; `next_cursor` is null on the last."""

    releases: list[ReleaseHeadOut]
    next_cursor: str | None


class ReleaseOut(ReleaseHeadOut):
    """A release with what it says; `parts` by kind."""

    body: dict[str, Any]
    parts: dict[str, dict[str, Any]]


class ManifestOut(BaseModel):
    """A manifest without its documents."""

    id: str
    name: str
    documents: int
    hash: str
    author: str
    created_at: str
    rationale: str

    @classmethod
    def of(cls, one: Manifest) -> ManifestOut:
        """As it is kept."""
        return cls(
            id=one.id,
            name=one.name,
            documents=one.documents_count,
            hash=one.hash,
            author=one.author,
            created_at=iso(one.created_at),
            rationale=one.rationale,
        )


class DocumentOut(BaseModel):
    """A document; `date` is null where it was not said."""

    id: str
    hash: str
    source: str
    date: str | None

    @classmethod
    def of(cls, one: Document) -> DocumentOut:
        """As it is kept."""
        return cls(id=one.id, hash=one.hash, source=one.source, date=iso(one.date) if one.date else None)


class DocumentsOut(BaseModel):
    """A page of a manifest's documents; `next_cursor` is null on the last."""

    documents: list[DocumentOut]
    next_cursor: str | None


class ManifestDifferenceOut(BaseModel):
    """How two manifests differ, in documents, with the first ids of each sort. `restated`: other source or date alone."""

    old: str
    new: str
    added: int
    removed: int
    changed: int
    restated: int
    samples: dict[str, list[str]]

    @classmethod
    def of(cls, one: ManifestDifference) -> ManifestDifferenceOut:
        """As it was found."""
        return cls(**msgspec.to_builtins(one))


class DifferenceOut(BaseModel):
    """How a release differs: values by JSON pointer, long texts word by word, knowledge bases in counts and samples."""

    same: bool
    first: bool
    body: list[dict[str, Any]]
    parts: Annotated[list[dict[str, Any]], Field(description="kind, changes, texts (pieces: what, text)")]
    manifest: ManifestDifferenceOut | None

    @classmethod
    def of(cls, one: Difference) -> DifferenceOut:
        """As it was found."""
        whole: dict[str, Any] = msgspec.to_builtins(one)
        parts = [{name: part[name] for name in ("kind", "changes", "texts")} for part in whole["parts"]]
        manifest = ManifestDifferenceOut.of(one.manifest) if one.manifest else None
        return cls(same=not one, first=one.first, body=whole["body"], parts=parts, manifest=manifest)
