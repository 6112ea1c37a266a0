"""What a request resolves to, step by step, from a snapshot: pure, so that `explain` shows what really happens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from msgspec import structs

from holdfast.gateway.dialects.shelf import words_of
from holdfast.gateway.model import (
    ClientKey,
    Configuration,
    Dialect,
    Dimensions,
    KeyUse,
    Release,
    Route,
    Side,
    Snapshot,
    Target,
    Traffic,
    Upstream,
    Workspace,
)
from holdfast.gateway.rules.splitting import chosen, sticky_key
from holdfast.kernel.errors import Denied, HoldfastError, Invalid, NotFound, Unauthenticated

TRANSLATED = {
    Dialect.OPENAI: (Dialect.ANTHROPIC, Dialect.BEDROCK),
    Dialect.ANTHROPIC: (Dialect.OPENAI, Dialect.BEDROCK),
}
"""Which dialect can also be served by which others."""
DIRECT = Release(chain=())
NO_USE = KeyUse()
NO_ROUTE = Route()


class Step(NamedTuple):
    """One upstream to try, in order. `translated`: the request is said there in other words than the client's."""

    name: str
    upstream: Upstream
    model: str
    translated: bool = False


class Decision(NamedTuple):
    """Where a request goes, and why."""

    workspace: Workspace
    key: ClientKey
    dimensions: Dimensions
    route: Route
    release: Release
    release_id: str
    chain: tuple[Step, ...]
    why: tuple[str, ...] = ()
    release_name: str = ""


def client(snapshot: Snapshot, key_hash: str, now: datetime) -> tuple[ClientKey, Workspace]:
    """Whose key it is. Raises Unauthenticated."""
    key = snapshot.keys.get(key_hash)
    workspace = snapshot.workspaces.get(key.workspace) if key is not None else None
    if key is None or workspace is None:
        raise Unauthenticated("this API key is not known, revoked, or lacks the scope gateway")
    if key.expires_at is not None and key.expires_at <= now:
        raise Unauthenticated("this API key has expired")
    return key, workspace


def settled(dimensions: Dimensions, use: KeyUse, route: Route) -> Dimensions:
    """Dimensions with what the key and the route stand for. A key's system binds: a request cannot name another."""
    return Dimensions(
        system=use.system or route.system or dimensions.system,
        environment=use.environment or dimensions.environment,
        route=dimensions.route,
        agent=dimensions.agent or use.agent,
        tenant=use.tenant or dimensions.tenant,
        user=dimensions.user,
        session=dimensions.session,
        feature=dimensions.feature,
        run=dimensions.run,
    )


def resolve(
    workspace: Workspace,
    key: ClientKey,
    dimensions: Dimensions,
    model: str,
    dialect: Dialect,
    otherwise: str,
    *,
    release: str = "",
    began: str = "",
    translates: bool = False,
    unheard: float = 0.0,
) -> Decision:
    """Where a request goes. Raises Denied, NotFound, Invalid, each with the reason.

    `otherwise` (its call id) decides its variant where it names nothing to be told apart by. `release` asks for one
    release by name, as shadow copies do. `began`: the name of the release that the conversation began on, which it keeps as
    long as that has a weight or keeps its conversations. `translates`: whether the request can also be
    said in another dialect. `unheard`: seconds since the core was heard of.
    """
    configuration = workspace.configuration
    use = configuration.keys.get(key.id, NO_USE)
    why: list[str] = [f"key {key.id} of workspace {workspace.slug}"]
    name = _route_name(configuration, dimensions.route, use, model, why)
    if use.routes and name not in use.routes:
        raise Denied(f"this key may not use the route {name or '(none)'}", where="x-holdfast-route")
    if use.models and model not in use.models:
        raise Denied(f"this key may not ask for the model {model}", where="model")
    route = configuration.routes[name] if name else NO_ROUTE
    known = settled(_with_route(dimensions, name), use, route)
    if release and release not in configuration.releases:
        raise NotFound(f"there is no release {release}", where="release")
    governed = workspace.governed.get(name)
    chosen_name = (
        release or _stable(governed, unheard, why) or release_name(name, route, known, otherwise, began, why)
    )
    found = configuration.releases[chosen_name] if chosen_name else DIRECT
    alias = model in route.models
    targets = found.chain if chosen_name else _direct(configuration, model, why)
    steps = tuple(_steps(configuration, targets, model, alias, dialect, translates, known.system, why))
    if not steps:
        raise _nothing(name, model, why)
    if found.guardrails:
        why += [_judged(one, configuration) for one in found.guardrails]
    release_id = workspace.release_ids.get(chosen_name, "")
    return Decision(workspace, key, known, route, found, release_id, steps, tuple(why), chosen_name)


def _route_name(configuration: Configuration, asked: str, use: KeyUse, model: str, why: list[str]) -> str:
    if asked:
        if asked not in configuration.routes:
            raise NotFound(f"there is no route {asked}", where="x-holdfast-route")
        why.append(f"route {asked}: named by the request")
        return asked
    for name, route in configuration.routes.items():
        if model in route.models:
            why.append(f"route {name}: the model name {model} stands for it")
            return name
    if use.route:
        if use.route not in configuration.routes:
            raise NotFound(f"there is no route {use.route}, which this key stands for", where="key")
        why.append(f"route {use.route}: the key's own")
        return use.route
    why.append("no route: straight to an upstream that has the model")
    return ""


def _with_route(dimensions: Dimensions, route: str) -> Dimensions:
    if dimensions.route == route:
        return dimensions
    return structs.replace(dimensions, route=route)


def _stable(governed: Traffic | None, unheard: float, why: list[str]) -> str:
    """The release that is served while nobody can say whether a rollout was stopped meanwhile; empty else."""
    if governed is None or not governed.stale_seconds or unheard <= governed.stale_seconds:
        return ""
    why.append(
        f"release {governed.stable}: the core was not heard of for {unheard:.0f} s, so no rollout goes on"
    )
    return governed.stable


def release_name(
    name: str, route: Route, dimensions: Dimensions, otherwise: str, began: str, why: list[str]
) -> str:
    """The release that a route's request takes, with the reason added to `why`; empty where it has none. Raises NotFound."""
    if not route.variants:
        if route.release:
            why.append(f"release {route.release}: all of the route's traffic")
        return route.release
    if any(one.release == began and (one.weight > 0 or one.keeps) for one in route.variants):
        why.append(f"release {began}: the conversation began on it")
        return began
    variant = chosen(route.variants, sticky_key(name, route, dimensions, otherwise))
    if variant is None:
        raise NotFound(f"no release of the route {name} has a weight above 0", where="route")
    total = sum(one.weight for one in route.variants)
    why.append(f"release {variant.release}: {variant.weight} of {total} parts of the route's traffic")
    return variant.release


def _direct(configuration: Configuration, model: str, why: list[str]) -> Sequence[Target]:
    return [
        Target(upstream=name)
        for name, upstream in configuration.upstreams.items()
        if not (model and upstream.models) or model in upstream.models
    ]


def _steps(
    configuration: Configuration,
    targets: Sequence[Target],
    model: str,
    alias: bool,
    dialect: Dialect,
    translates: bool,
    system: str,
    why: list[str],
) -> list[Step]:
    regions = allowed_regions(configuration.regions, system)
    found: list[Step] = []
    for target in targets:
        upstream = configuration.upstreams[target.upstream]
        if regions is not None and upstream.region not in regions:
            where = upstream.region or "of no stated region"
            why.append(f"not {target.upstream}: {where}, and {system or 'every system'} is bound to regions")
            continue
        if upstream.dialect != dialect and not (
            translates and upstream.dialect in TRANSLATED.get(dialect, ())
        ):
            why.append(f"not {target.upstream}: it speaks {upstream.dialect}, the request {dialect}")
            continue
        wanted = target.model or ("" if alias else model)
        if not wanted and model:
            if len(upstream.models) != 1:
                why.append(
                    f"not {target.upstream}: the name {model} stands for the route, and it has no one model"
                )
                continue
            wanted = upstream.models[0]
        translated = words_of(upstream.dialect) != dialect
        said = f", said in {upstream.dialect}" if upstream.dialect != dialect else ""
        why.append(f"{target.upstream}, model {wanted}{said}")
        found.append(Step(target.upstream, upstream, wanted, translated))
    return found


def allowed_regions(regions: Mapping[str, Sequence[str]], system: str) -> Sequence[str] | None:
    """The regions that may see a system's traffic; None where it is not bound."""
    own = regions.get(system) if system else None
    return own if own is not None else regions.get("*")


def _judged(name: str, configuration: Configuration) -> str:
    guardrail = configuration.guardrails[name]
    sides = "input and output" if guardrail.at is Side.BOTH else guardrail.at
    return f"guardrail {name}: {guardrail.kind} on {sides}, {guardrail.action}"


def _nothing(name: str, model: str, why: Sequence[str]) -> HoldfastError:
    reasons = "; ".join(one for one in why if one.startswith("not "))
    if name:
        return Invalid(
            f"nothing can serve the route {name}: {reasons or 'its release has no upstream'}", where="route"
        )
    if reasons:
        return Invalid(f"nothing can serve the model {model}: {reasons}", where="model")
    return NotFound(f"no upstream has the model {model}", where="model")
