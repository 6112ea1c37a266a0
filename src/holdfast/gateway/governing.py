"""The configuration that gateways live by: what was applied, and over it what was decided for governed routes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

import msgspec

from holdfast.gateway import store
from holdfast.gateway.model import Release, Traffic, Version
from holdfast.gateway.rules.overlaying import named, overlaid
from holdfast.gateway.rules.parting import Guardrails, joined
from holdfast.kernel.context import Context
from holdfast.registry import reads as registry
from holdfast.storage.sql import Transaction

Contents = dict[str, tuple[Release, Guardrails]]


def in_force(ctx: Context, tx: Transaction) -> Version | None:
    """The last version with all decisions over it; None before the first."""
    found = store.latest(tx, ctx.workspace)
    return None if found is None else laid_over(ctx, tx, found, traffic(tx, ctx.workspace))


def traffic(tx: Transaction, workspace: str) -> dict[str, Traffic]:
    """What was decided last for each governed route, by route."""
    return {name: one.traffic for name, one in store.governed(tx, workspace).items()}


def laid_over(ctx: Context, tx: Transaction, applied: Version, governed: Mapping[str, Traffic]) -> Version:
    """A version with what was decided for governed routes over it; their releases are named by their ids."""
    if not governed:
        return applied
    whole = overlaid(applied.configuration, governed, contents(ctx, tx, governed.values()))
    ids = {id: id for one in governed.values() for id in named(one)}
    return replace(applied, document=msgspec.to_builtins(whole), release_ids={**applied.release_ids, **ids})


def content(ctx: Context, tx: Transaction, release_id: str) -> tuple[Release, Guardrails]:
    """A release of the registry as the gateway has it, and its guardrails by name. Raises NotFound, Invalid."""
    found, components = registry.release(ctx, tx, release_id)
    return joined(found.body, {one.kind: one.body for one in components})


def contents(ctx: Context, tx: Transaction, of: Iterable[Traffic]) -> Contents:
    """Of all releases that these name, by id. Raises NotFound, Invalid."""
    return {id: content(ctx, tx, id) for id in dict.fromkeys(id for one in of for id in named(one))}


def manifests(ctx: Context, tx: Transaction, releases: Iterable[Release]) -> frozenset[str]:
    """Ids of those knowledge snapshots that these releases name and the workspace has."""
    named_ids = {one.retrieval.snapshot for one in releases if one.retrieval and one.retrieval.snapshot}
    return registry.known_manifests(ctx, tx, named_ids)
