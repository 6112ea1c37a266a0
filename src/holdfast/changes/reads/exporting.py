"""What routes serve, as files that can be applied again without a difference."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from holdfast.changes.rules import release_files
from holdfast.gateway.reads import applied, traffic
from holdfast.kernel.context import Context
from holdfast.registry import reads as registry
from holdfast.registry.model import Kind
from holdfast.storage.sql import Transaction


def exported(ctx: Context, tx: Transaction) -> tuple[dict[str, str], tuple[str, ...]]:
    """Path → text for each route with one release; and the routes left out, as the configuration splits them itself."""
    version = applied.current(ctx, tx)
    if version is None:
        return {}, ()
    governed = traffic.governed(ctx, tx)
    heads = {(kind, one.hash): one.name for kind in Kind for one in registry.names(ctx, tx, kind)}
    routes: dict[str, tuple[Mapping[str, Any], Mapping[Kind, str]]] = {}
    left = []
    for route, one in version.configuration.routes.items():
        if route in governed:
            id = governed[route].traffic.stable
        else:
            id = "" if one.variants or one.shadow else version.release_ids.get(one.release, "")
        if not id:
            left.append(route)
            continue
        found, _ = registry.release(ctx, tx, id)
        names = {
            kind: heads[kind, digest] for kind, digest in found.components.items() if (kind, digest) in heads
        }
        release, judges = traffic.content(ctx, tx, id)
        document: dict[str, Any] = msgspec.to_builtins(release)
        if judges:
            document["guardrails"] = msgspec.to_builtins(judges)
        routes[route] = document, names
    return release_files.written(routes), tuple(sorted(left))
