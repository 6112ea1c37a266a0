"""The JSON door of the registry: components, named versions, releases, manifests, and how two of them differ."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from pydantic import Field

from holdfast.platform.access.guard import caller, problems, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.registry import actions, reads
from holdfast.registry.api.shapes import (
    ComponentOut,
    ComponentsOut,
    DifferenceOut,
    DocumentOut,
    DocumentsOut,
    KindName,
    ManifestDifferenceOut,
    ManifestIn,
    ManifestOut,
    ReleaseHeadOut,
    ReleaseOut,
    ReleasesOut,
    VersionIn,
    VersionOut,
    VersionWholeOut,
)
from holdfast.registry.model import Kind

router = APIRouter(
    prefix="/api/v1/registry", tags=["registry"], responses=problems(401, 403, 404, 409, 422, 503)
)
Reader = Annotated[Caller, Depends(caller(Scope.READ, everywhere=True))]
Operator = Annotated[Caller, Depends(caller(Scope.OPERATE, everywhere=True))]
Id = Annotated[str, Field(max_length=100)]
Limit = Annotated[int, Query(ge=1, le=reads.MOST_AT_ONCE)]
Cursor = Annotated[str, Query(max_length=500)]
Named = Annotated[str, Query(min_length=1, max_length=200)]


@router.get("/components")
def components(
    request: Request, by: Reader, kind: KindName | None = None, cursor: Cursor = "", limit: Limit = 100
) -> ComponentsOut:
    """Components, the latest first; of one kind, or of all."""
    with services(request).database.reading() as tx:
        page = reads.components_page(by.ctx, tx, Kind(kind) if kind else None, cursor, limit)
    return ComponentsOut(
        components=[ComponentOut.of(one).head() for one in page.items], next_cursor=page.next_cursor
    )


@router.get("/components/{component}")
def component(request: Request, by: Reader, component: Id) -> ComponentOut:
    """A component by its hash, with what it says."""
    with services(request).database.reading() as tx:
        return ComponentOut.of(reads.component(by.ctx, tx, component))


@router.get("/names")
def names(request: Request, by: Reader, kind: KindName) -> list[VersionOut]:
    """The latest version of each named component of a kind."""
    with services(request).database.reading() as tx:
        return [VersionOut.of(one) for one in reads.names(by.ctx, tx, Kind(kind))]


@router.get("/versions")
def versions(request: Request, by: Reader, kind: KindName, name: Named) -> list[VersionOut]:
    """All versions of a named component, the latest first."""
    with services(request).database.reading() as tx:
        return [VersionOut.of(one) for one in reads.versions(by.ctx, tx, Kind(kind), name)]


@router.post("/versions", status_code=201)
def add_version(request: Request, by: Operator, body: VersionIn) -> VersionOut:
    """The next version of a named component; what its latest says already adds none. It serves nobody by itself."""
    with services(request).database.transaction() as tx:
        made = actions.add_version(
            by.ctx,
            tx,
            kind=Kind(body.kind),
            name=body.name,
            body=body.document,
            rationale=body.rationale,
            ticket=body.ticket,
        )
        return VersionOut.of(made)


@router.get("/version")
def version(
    request: Request, by: Reader, kind: KindName, name: Named, number: Annotated[int, Query(ge=1, le=1 << 53)]
) -> VersionWholeOut:
    """One version with what it says."""
    with services(request).database.reading() as tx:
        found, said = reads.version(by.ctx, tx, Kind(kind), name, number)
    return VersionWholeOut(**VersionOut.of(found).model_dump(), body=dict(said.body))


@router.get("/releases")
def releases(request: Request, by: Reader, cursor: Cursor = "", limit: Limit = 100) -> ReleasesOut:
    """Releases, the latest first."""
    with services(request).database.reading() as tx:
        page = reads.releases_page(by.ctx, tx, cursor, limit)
    return ReleasesOut(
        releases=[ReleaseHeadOut.of_release(one) for one in page.items], next_cursor=page.next_cursor
    )


@router.get("/releases/{registered}")
def release(request: Request, by: Reader, registered: Id) -> ReleaseOut:
    """A release with what its components say."""
    with services(request).database.reading() as tx:
        found, parts = reads.release(by.ctx, tx, registered)
    head = ReleaseHeadOut.of_release(found).model_dump()
    return ReleaseOut(**head, body=dict(found.body), parts={one.kind.value: dict(one.body) for one in parts})


@router.get("/difference")
def difference(
    request: Request, by: Reader, new: Named, old: Annotated[str, Query(max_length=100)] = ""
) -> DifferenceOut:
    """How a release differs from another, or from none at all."""
    with services(request).database.reading() as tx:
        return DifferenceOut.of(reads.difference(by.ctx, tx, old or None, new))


@router.get("/manifests")
def manifests(
    request: Request, by: Reader, name: Annotated[str | None, Query(max_length=200)] = None
) -> list[ManifestOut]:
    """Manifests of knowledge bases, the latest first; of one name, or of all."""
    with services(request).database.reading() as tx:
        return [ManifestOut.of(one) for one in reads.manifests(by.ctx, tx, name)]


@router.post("/manifests", status_code=201)
def add_manifest(request: Request, by: Operator, body: ManifestIn) -> ManifestOut:
    """The manifest that lists exactly these documents; the one there is where it says the same."""
    documents = [one.document() for one in body.documents]
    with services(request).database.transaction() as tx:
        made = actions.add_manifest(by.ctx, tx, name=body.name, documents=documents, rationale=body.rationale)
        return ManifestOut.of(made)


@router.get("/manifest-difference")
def manifest_difference(request: Request, by: Reader, old: Named, new: Named) -> ManifestDifferenceOut:
    """How two manifests differ, in counts and samples."""
    with services(request).database.reading() as tx:
        return ManifestDifferenceOut.of(reads.manifest_difference(by.ctx, tx, old, new))


@router.get("/manifests/{manifest}")
def manifest(request: Request, by: Reader, manifest: Id) -> ManifestOut:
    """A manifest."""
    with services(request).database.reading() as tx:
        return ManifestOut.of(reads.manifest(by.ctx, tx, manifest))


@router.get("/manifests/{manifest}/documents")
def documents(
    request: Request, by: Reader, manifest: Id, cursor: Cursor = "", limit: Limit = 100
) -> DocumentsOut:
    """The documents of a manifest, by id."""
    with services(request).database.reading() as tx:
        page = reads.documents(by.ctx, tx, manifest, cursor=cursor, limit=limit)
    return DocumentsOut(documents=[DocumentOut.of(one) for one in page.items], next_cursor=page.next_cursor)
