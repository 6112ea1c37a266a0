"""Answers of tenancy."""

from __future__ import annotations

from holdfast.kernel.errors import NotFound
from holdfast.platform.tenancy import store
from holdfast.platform.tenancy.model import DataPolicy, Environment, System, Workspace
from holdfast.storage.sql import Transaction


def workspace_by_slug(tx: Transaction, slug: str) -> Workspace:
    """Raises NotFound."""
    found = store.workspace_by_slug(tx, slug)
    if found is None:
        raise NotFound("there is no such workspace")
    return found


def workspace_by_id(tx: Transaction, workspace: str) -> Workspace:
    """Raises NotFound."""
    found = store.workspace_by_id(tx, workspace)
    if found is None:
        raise NotFound("there is no such workspace")
    return found


def all_workspaces(tx: Transaction) -> list[Workspace]:
    """Every workspace; for Holdfast's own upkeep and for members of all of them."""
    return store.all_workspaces(tx)


def systems(tx: Transaction, workspace: str) -> list[System]:
    """The registered AI systems of a workspace."""
    return store.systems_of(tx, workspace)


def environments(tx: Transaction, workspace: str) -> list[Environment]:
    """The registered environments of a workspace."""
    return store.environments_of(tx, workspace)


def policies(tx: Transaction, workspace: str) -> dict[str, DataPolicy]:
    """By system slug; the workspace's own, where set, under the empty string."""
    return store.policies_of(tx, workspace)
