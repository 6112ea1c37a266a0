"""Answers of the registry."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from datetime import datetime
from typing import Any, TypeVar

from holdfast.kernel.context import Context
from holdfast.kernel.errors import Invalid, NotFound
from holdfast.kernel.page import Page, decode_cursor, encode_cursor
from holdfast.registry.model import (
    Component,
    Difference,
    Document,
    Kind,
    Manifest,
    ManifestDifference,
    Release,
    Version,
)
from holdfast.registry.rules import differences, histories, naming
from holdfast.registry.store import manifests as kept_manifests
from holdfast.registry.store import releases as kept_releases
from holdfast.registry.store import versions as kept_versions
from holdfast.storage.sql import Transaction

T = TypeVar("T")
SAMPLES = 20
"""Documents of each sort that a difference of manifests names."""
MOST_AT_ONCE = 1000


def release(ctx: Context, tx: Transaction, release_id: str) -> tuple[Release, tuple[Component, ...]]:
    """A release of the workspace with its components, by kind. Raises NotFound."""
    found = kept_releases.release(tx, ctx.workspace, release_id)
    if found is None:
        raise NotFound("there is no such release in this workspace")
    return found, tuple(components(ctx, tx, found.components.values()))


def releases(ctx: Context, tx: Transaction) -> list[Release]:
    """All releases of the workspace, the latest first."""
    return kept_releases.releases_of(tx, ctx.workspace)


def releases_page(ctx: Context, tx: Transaction, cursor: str = "", limit: int = 100) -> Page[Release]:
    """A page of them, the latest first. Raises Invalid for a cursor of another list."""
    limit = max(1, min(limit, MOST_AT_ONCE))
    found = kept_releases.releases_of(tx, ctx.workspace, _after(cursor), limit + 1)
    return _page(found, limit, lambda one: (one.created_at, one.id))


def components_page(
    ctx: Context, tx: Transaction, kind: Kind | None = None, cursor: str = "", limit: int = 100
) -> Page[Component]:
    """A page of components, of one kind or of all, the latest first. Raises Invalid for a cursor of another list."""
    limit = max(1, min(limit, MOST_AT_ONCE))
    found = kept_releases.components_of(tx, ctx.workspace, kind, _after(cursor), limit + 1)
    return _page(found, limit, lambda one: (one.created_at, one.hash))


def component(ctx: Context, tx: Transaction, digest: str) -> Component:
    """One by its hash. Raises NotFound."""
    found = kept_releases.components_by_hash(tx, ctx.workspace, [digest])
    if not found:
        raise NotFound("there is no such component in this workspace")
    return found[0]


def component_hash(kind: Kind, body: Mapping[str, Any]) -> str:
    """The hash that a component of this content has or would have. Raises Invalid."""
    return naming.component_hash(kind, body)


def latest_version(ctx: Context, tx: Transaction, kind: Kind, name: str) -> Version | None:
    """The latest of a name; None where there is none yet. Raises Invalid for what is no name."""
    return kept_versions.latest(tx, ctx.workspace, kind, naming.checked_name(name))


def _after(cursor: str) -> tuple[datetime, str] | None:
    if not cursor:
        return None
    at, key = decode_cursor(cursor, (str, str))
    try:
        return datetime.fromisoformat(str(at)), str(key)
    except ValueError:
        raise Invalid(
            "this cursor was not given out here; start from the first page", where="cursor"
        ) from None


def _page(found: list[T], limit: int, key: Callable[[T], tuple[datetime, str]]) -> Page[T]:
    if len(found) <= limit:
        return Page(found, None)
    at, last = key(found[limit - 1])
    return Page(found[:limit], encode_cursor(at.isoformat(), last))


def release_id(body: Mapping[str, Any], components: Mapping[Kind, Mapping[str, Any]]) -> str:
    """The id that a release of this content has or would have. Raises Invalid."""
    return naming.release_id(
        body, {kind: naming.component_hash(kind, one) for kind, one in components.items()}
    )


def components(ctx: Context, tx: Transaction, hashes: Collection[str]) -> list[Component]:
    """Those of the workspace among these, by kind."""
    return kept_releases.components_by_hash(tx, ctx.workspace, hashes)


def names(ctx: Context, tx: Transaction, kind: Kind) -> list[Version]:
    """The latest version of each named component of a kind, by name."""
    return kept_versions.heads(tx, ctx.workspace, kind)


def versions(ctx: Context, tx: Transaction, kind: Kind, name: str) -> list[Version]:
    """All versions of a named component, the latest first; none where there is no such name."""
    return kept_versions.versions_of(tx, ctx.workspace, kind, name)


def version(ctx: Context, tx: Transaction, kind: Kind, name: str, number: int) -> tuple[Version, Component]:
    """A version with what it says. Raises NotFound."""
    found = kept_versions.version(tx, ctx.workspace, kind, name, number)
    if found is None:
        raise NotFound(f"there is no version {number} of a {kind} of this name in this workspace")
    [said] = components(ctx, tx, [found.hash])
    return found, said


def versions_saying(ctx: Context, tx: Transaction, kind: Kind, hash: str) -> list[Version]:
    """Versions of any name that say exactly this content, the latest first."""
    return kept_versions.versions_saying(tx, ctx.workspace, kind, hash)


def past_faults(body: Mapping[str, Any], author: str | None, rationale: str, ticket: str) -> list[str]:
    """Why a version from elsewhere cannot be kept here; empty where it can."""
    return histories.faults(body, author, rationale, ticket)


def manifests(ctx: Context, tx: Transaction, name: str | None = None) -> list[Manifest]:
    """Manifests of the workspace, the latest first; of one name, or of all."""
    return kept_manifests.manifests_of(tx, ctx.workspace, name)


def manifest(ctx: Context, tx: Transaction, manifest_id: str) -> Manifest:
    """A manifest of the workspace, without its documents. Raises NotFound."""
    found = kept_manifests.manifest(tx, ctx.workspace, manifest_id)
    if found is None:
        raise NotFound("there is no such manifest in this workspace")
    return found


def known_manifests(ctx: Context, tx: Transaction, ids: Collection[str]) -> frozenset[str]:
    """Those among these ids that manifests of the workspace have."""
    return kept_manifests.known(tx, ctx.workspace, ids)


def documents(
    ctx: Context, tx: Transaction, manifest_id: str, *, cursor: str = "", limit: int = 100
) -> Page[Document]:
    """A page of a manifest's documents by id, 1000 at most. Raises NotFound, and Invalid for a cursor of another list."""
    manifest(ctx, tx, manifest_id)
    after = str(decode_cursor(cursor, (str,))[0]) if cursor else ""
    limit = max(1, min(limit, MOST_AT_ONCE))
    found = kept_manifests.documents_after(tx, ctx.workspace, manifest_id, after, limit + 1)
    more = len(found) > limit
    return Page(found[:limit], encode_cursor(found[limit - 1].id) if more else None)


def manifest_difference(ctx: Context, tx: Transaction, old: str, new: str) -> ManifestDifference:
    """How one manifest differs from another, in counts and samples. Raises NotFound."""
    before, after = manifest(ctx, tx, old), manifest(ctx, tx, new)
    return kept_manifests.difference(tx, ctx.workspace, before, after, SAMPLES)


def difference(ctx: Context, tx: Transaction, old: str | None, new: str) -> Difference:
    """How a release differs from another; `old` None: from none at all. Raises NotFound.

    Where both name knowledge snapshots that are manifests here, these are held against each other as well.
    """
    made, parts = release(ctx, tx, new)
    said = {one.kind: one.body for one in parts}
    if old is None:
        return differences.release_difference(None, {}, made.body, said)
    before, old_parts = release(ctx, tx, old)
    old_said = {one.kind: one.body for one in old_parts}
    return differences.release_difference(
        before.body, old_said, made.body, said, _snapshots(ctx, tx, old_said, said)
    )


def difference_of(
    old_body: Mapping[str, Any] | None,
    old_components: Mapping[Kind, Mapping[str, Any]],
    new_body: Mapping[str, Any],
    new_components: Mapping[Kind, Mapping[str, Any]],
) -> Difference:
    """The same of content that need not be kept: asks no store. `old_body` None: from none at all. Raises Invalid."""
    return differences.release_difference(old_body, old_components, new_body, new_components)


def _snapshots(
    ctx: Context,
    tx: Transaction,
    old: Mapping[Kind, Mapping[str, Any]],
    new: Mapping[Kind, Mapping[str, Any]],
) -> ManifestDifference | None:
    named = [one.get(Kind.RETRIEVAL, {}).get(SNAPSHOT) for one in (old, new)]
    if named[0] == named[1]:
        return None
    found = [
        kept_manifests.manifest(tx, ctx.workspace, one) if isinstance(one, str) else None for one in named
    ]
    if found[0] is None or found[1] is None:
        return None
    return kept_manifests.difference(tx, ctx.workspace, found[0], found[1], SAMPLES)


SNAPSHOT = "snapshot"
"""The member of a retrieval component's body that names its manifest."""
