"""Answers of the registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from holdfast.kernel.context import Context
from holdfast.kernel.errors import NotFound
from holdfast.registry import rules, store
from holdfast.registry.model import Component, Kind, Release
from holdfast.storage.sql import Transaction


def release(ctx: Context, tx: Transaction, release_id: str) -> tuple[Release, tuple[Component, ...]]:
    """A release of the workspace with its components, by kind. Raises NotFound."""
    found = store.release(tx, ctx.workspace, release_id)
    if found is None:
        raise NotFound("there is no such release in this workspace")
    return found, tuple(store.components_by_hash(tx, ctx.workspace, found.components.values()))


def releases(ctx: Context, tx: Transaction) -> list[Release]:
    """All releases of the workspace, the latest first."""
    return store.releases_of(tx, ctx.workspace)


def release_id(body: Mapping[str, Any], components: Mapping[Kind, Mapping[str, Any]]) -> str:
    """The id that a release of this content has or would have. Raises Invalid."""
    return rules.release_id(body, {kind: rules.component_hash(kind, one) for kind, one in components.items()})
