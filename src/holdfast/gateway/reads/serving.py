"""Which release a route serves to somebody now, by the very rule that gateways split traffic by."""

from __future__ import annotations

from dataclasses import dataclass

from msgspec import structs

from holdfast.gateway import governing, store
from holdfast.gateway.model import Dimensions, Route
from holdfast.gateway.rules.resolving import release_name
from holdfast.gateway.rules.splitting import sticky_key
from holdfast.kernel.context import Context
from holdfast.kernel.errors import NotFound
from holdfast.storage.sql import Transaction


@dataclass(frozen=True, slots=True)
class Served:
    """A route's release (its id in the registry). `split`: several releases share the route's traffic. `stable`: it is
    the one that was wholly decided on. `told_apart`: the asker said something that decides its share.
    """

    route: str
    release: str
    split: bool
    stable: bool
    told_apart: bool


def routes(ctx: Context, tx: Transaction) -> list[str]:
    """Routes that have a release of their own, by name."""
    found = governing.in_force(ctx, tx)
    configured = found.configuration.routes if found else {}
    return sorted(name for name, one in configured.items() if one.release or one.variants)


def serving(
    ctx: Context, tx: Transaction, route: str, said: Dimensions = Dimensions(), key: str = "", began: str = ""
) -> Served:
    """What a request of these dimensions would be answered by. `key` stands for the first dimension by which the route
    tells requests apart, where `said` has none of them; `began` is the release that the conversation began on.

    Whoever cannot be told apart gets the stable release while it has a share, else the one with the greatest. Raises
    NotFound for a route that there is not or that has no release.
    """
    version = governing.in_force(ctx, tx)
    configured = version.configuration.routes.get(route) if version else None
    if version is None or configured is None or not (configured.release or configured.variants):
        raise NotFound(f"the gateway has no route {route} with a release of its own", where="route")
    governed = store.governed(tx, ctx.workspace).get(route)
    stable = governed.traffic.stable if governed else ""
    known = _keyed(configured, said, key)
    otherwise = key if not configured.sticky else ""
    told_apart = bool(otherwise) or sticky_key("", configured, known, "") != "\0"
    shared = [one for one in configured.variants if one.weight > 0]
    ids = version.release_ids
    names = [name for name, id in ids.items() if id == began] if began else []
    begun = next((one.release for one in configured.variants if one.release in names), began)
    if told_apart or begun or not shared:
        name = release_name(route, configured, known, otherwise, begun, [])
    else:
        kept = [one.release for one in shared if one.release == stable]
        name = (kept or [max(shared, key=lambda one: one.weight).release])[0]
    id = ids.get(name, name)
    return Served(
        route, id, len(shared) > 1, id == stable if stable else len(shared) < 2, told_apart or bool(began)
    )


def _keyed(route: Route, said: Dimensions, key: str) -> Dimensions:
    if not key or not route.sticky or any(getattr(said, name, "") for name in route.sticky):
        return said
    return structs.replace(said, **{route.sticky[0]: key})
