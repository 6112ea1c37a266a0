"""What is wrong with a configuration: all of it at once, each fault with its place and what to do.

Facts that only the stores know come in as `Known`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from itertools import chain, islice
from types import MappingProxyType

from holdfast.gateway.model import (
    INNER_KEYS,
    Budget,
    Configuration,
    Dimensions,
    Guardrail,
    KeyUse,
    Limit,
    Route,
    Scope,
    Upstream,
)
from holdfast.gateway.rules.configured_guardrails import guardrail_faults
from holdfast.gateway.rules.configured_releases import release_faults
from holdfast.gateway.rules.configured_upstreams import upstream_faults
from holdfast.gateway.rules.written import MOST, Fault

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:@-]{0,119}")
_CURRENCY = re.compile(r"[A-Z]{3}")
_RUN_ONLY = ("run_cost", "run_steps", "same_tool_calls")
_COUNTS = ("requests_per_minute", "tokens_per_minute", "concurrency", "run_steps", "same_tool_calls")
EVERY_SYSTEM = "*"
LONGEST_WAIT = 600.0


@dataclass(frozen=True, slots=True)
class Known:
    """What is there to be named: references of secrets, keys (id → None, or why not to use it), manifests' ids.

    `operator`: whether who writes may name the machine's own secrets. `kept`: upstreams in force, which keep what the
    operator gave them for as long as they stay as they are; `kept_guardrails` likewise.
    """

    operator: bool = False
    secrets: frozenset[str] = frozenset()
    keys: Mapping[str, str | None] = field(default_factory=lambda: MappingProxyType({}))
    kept: Mapping[str, Upstream] = field(default_factory=lambda: MappingProxyType({}))
    kept_guardrails: Mapping[str, Guardrail] = field(default_factory=lambda: MappingProxyType({}))
    manifests: frozenset[str] = frozenset()


def faults(configured: Configuration, known: Known) -> list[Fault]:
    """Everything that is wrong, the first `MOST` of it; empty where the configuration can be applied."""
    found = chain(
        _names(configured),
        (
            fault
            for name, one in configured.upstreams.items()
            for fault in upstream_faults(
                name, one, operator=known.operator, secrets=known.secrets, kept=known.kept.get(name)
            )
        ),
        (
            fault
            for name, one in configured.releases.items()
            for fault in release_faults(
                name, one, configured.upstreams, configured.guardrails, known.manifests
            )
        ),
        (
            fault
            for name, one in configured.guardrails.items()
            for fault in guardrail_faults(
                name,
                one,
                operator=known.operator,
                secrets=known.secrets,
                kept=known.kept_guardrails.get(name),
            )
        ),
        (fault for name, one in configured.routes.items() for fault in _route(name, one, configured)),
        _claims(configured.routes),
        _regions(configured),
        (
            fault
            for name, one in configured.keys.items()
            for fault in _key(f"keys.{name}", name, one, configured, known)
        ),
        _budgets(configured, known),
        (
            fault
            for index, one in enumerate(configured.limits)
            for fault in _limit(f"limits[{index}]", one, configured, known)
        ),
    )
    return list(islice(found, MOST))


def _names(configured: Configuration) -> Iterator[Fault]:
    for part in ("upstreams", "guardrails", "releases", "routes"):
        for name in getattr(configured, part):
            if not _NAME.fullmatch(name):
                yield Fault(
                    f"{part}.{name[:120]}",
                    "a name is letters, digits and . _ / : @ -, 120 characters at most",
                )


def _route(name: str, route: Route, configured: Configuration) -> Iterator[Fault]:
    where = f"routes.{name}"
    if bool(route.release) == bool(route.variants):
        yield Fault(where, "a route has a release, or variants: one of the two")
    if route.release and route.release not in configured.releases:
        yield Fault(f"{where}.release", _no_release(route.release))
    seen: set[str] = set()
    for index, variant in enumerate(route.variants):
        if variant.release not in configured.releases:
            yield Fault(f"{where}.variants[{index}].release", _no_release(variant.release))
        elif variant.release in seen:
            yield Fault(f"{where}.variants[{index}].release", "this release is among the variants already")
        seen.add(variant.release)
        if not 0 <= variant.weight <= 1_000_000:
            yield Fault(f"{where}.variants[{index}].weight", "a weight is a whole number from 0 to 1000000")
    if route.variants and not any(one.weight > 0 for one in route.variants):
        yield Fault(f"{where}.variants", "at least one variant needs a weight above 0")
    for index, one in enumerate(route.sticky):
        if one not in Dimensions.__struct_fields__:
            dimensions = ", ".join(Dimensions.__struct_fields__)
            yield Fault(f"{where}.sticky[{index}]", f"there is no such dimension; they are {dimensions}")
    yield from _shadow(where, route, configured)
    yield from _route_numbers(where, route)


def _shadow(where: str, route: Route, configured: Configuration) -> Iterator[Fault]:
    if route.shadow is not None:
        if route.shadow.release not in configured.releases:
            yield Fault(f"{where}.shadow.release", _no_release(route.shadow.release))
        if not 0 < route.shadow.percent <= 100:
            yield Fault(f"{where}.shadow.percent", "a percentage is above 0 and at most 100")
        if not 1 <= route.shadow.concurrency <= 1000:
            yield Fault(f"{where}.shadow.concurrency", "from 1 to 1000 copies at once")


def _route_numbers(where: str, route: Route) -> Iterator[Fault]:
    if not 0 <= route.retries <= 10:
        yield Fault(f"{where}.retries", "from 0 to 10 retries")
    if route.max_output_tokens is not None and route.max_output_tokens < 1:
        yield Fault(f"{where}.max_output_tokens", "at least 1; leave it out for none")
    if route.cache_seconds < 0:
        yield Fault(f"{where}.cache_seconds", "not negative; 0 is no cache")
    for name, seconds in (("deadline", route.deadline), ("hedge_seconds", route.hedge_seconds)):
        if not 0 <= seconds <= LONGEST_WAIT:
            yield Fault(f"{where}.{name}", f"from 0 to {LONGEST_WAIT:.0f} seconds")
    if len(route.message) > 10_000:
        yield Fault(f"{where}.message", "at most 10000 characters")


def _claims(routes: Mapping[str, Route]) -> Iterator[Fault]:
    claimed: dict[str, str] = {}
    for name, route in routes.items():
        for index, model in enumerate(route.models):
            where = f"routes.{name}.models[{index}]"
            if not model.strip():
                yield Fault(where, "a model has a name")
            elif model in claimed:
                yield Fault(where, f"the route {claimed[model]} has this model name already")
            else:
                claimed[model] = name


def _regions(configured: Configuration) -> Iterator[Fault]:
    """Chains that leave the regions to which a system is bound."""
    for system, regions in configured.regions.items():
        if not regions or not all(one.strip() for one in regions):
            yield Fault(f"regions.{system}", "name at least one region, or leave the system out")
    for name, route in configured.routes.items():
        for system in sorted(_systems(name, route, configured.keys.values())):
            allowed = configured.regions.get(system, configured.regions.get(EVERY_SYSTEM))
            if not allowed:
                continue
            for release in sorted(set(_releases(route)) & configured.releases.keys()):
                yield from _outside(name, release, system, allowed, configured)


def _outside(
    route: str, release: str, system: str, allowed: Iterable[str], configured: Configuration
) -> Iterator[Fault]:
    for index, target in enumerate(configured.releases[release].chain):
        upstream = configured.upstreams.get(target.upstream)
        if upstream is not None and upstream.region not in allowed:
            of = f"the system {system}" if system else "every system"
            said = f"is in {upstream.region}" if upstream.region else "states no region"
            yield Fault(
                f"releases.{release}.chain[{index}]",
                f"the route {route} leads here, {of} is bound to {', '.join(allowed)},"
                f" and the upstream {target.upstream} {said}",
            )


def _systems(name: str, route: Route, keys: Iterable[KeyUse]) -> set[str]:
    """Whose traffic a route may serve: its own system's (empty: any), and those of keys, whose system goes before it."""
    return {
        route.system,
        *(key.system for key in keys if key.system and (not key.routes or name in key.routes)),
    }


def _releases(route: Route) -> list[str]:
    found = [route.release, *(one.release for one in route.variants)]
    return found + ([route.shadow.release] if route.shadow else [])


def _key(where: str, key: str, use: KeyUse, configured: Configuration, known: Known) -> Iterator[Fault]:
    fault = known.keys.get(key, "there is no such key in this workspace; keys are named by their id (key_…)")
    if fault:
        yield Fault(where, fault)
    if use.route and use.route not in configured.routes:
        yield Fault(f"{where}.route", _no_route(use.route))
    for index, route in enumerate(use.routes):
        if route not in configured.routes:
            yield Fault(f"{where}.routes[{index}]", _no_route(route))
    if use.route and use.routes and use.route not in use.routes:
        yield Fault(f"{where}.route", "the key's own route is not among its routes")


def _budgets(configured: Configuration, known: Known) -> Iterator[Fault]:
    seen: dict[object, int] = {}
    for index, budget in enumerate(configured.budgets):
        where = f"budgets[{index}]"
        if not budget.amount.is_finite() or budget.amount <= 0:
            yield Fault(f"{where}.amount", "an amount is above 0; to refuse all, revoke the key")
        if not _CURRENCY.fullmatch(budget.currency):
            yield Fault(f"{where}.currency", "write the currency as its ISO 4217 code, such as USD")
        same = (budget.scope, budget.period, tuple(sorted(budget.only)), budget.hard, budget.currency)
        if same in seen:
            yield Fault(where, f"budgets[{seen[same]}] is over the same already")
        seen.setdefault(same, index)
        yield from _only(where, budget, configured, known)


def _limit(where: str, limit: Limit, configured: Configuration, known: Known) -> Iterator[Fault]:
    given = [name for name in (*_COUNTS, "run_cost") if getattr(limit, name) is not None]
    if not given:
        yield Fault(where, f"a limit limits something: {', '.join((*_COUNTS, 'run_cost'))}")
    for name in given:
        value: int | Decimal = getattr(limit, name)
        if not (value.is_finite() and value > 0 if isinstance(value, Decimal) else value >= 1):
            yield Fault(f"{where}.{name}", "this is above 0; leave it out for no limit")
        if name in _RUN_ONLY and limit.scope is not Scope.RUN:
            yield Fault(f"{where}.{name}", "this is for the scope run alone")
    yield from _only(where, limit, configured, known)


def _only(where: str, one: Budget | Limit, configured: Configuration, known: Known) -> Iterator[Fault]:
    if one.only and one.scope is Scope.WORKSPACE:
        yield Fault(f"{where}.only", "there is one workspace; leave this out")
    for index, value in enumerate(one.only):
        if one.scope is Scope.KEY and value not in known.keys and value not in INNER_KEYS:
            inner = ", ".join(sorted(INNER_KEYS))
            yield Fault(
                f"{where}.only[{index}]", f"there is no such key in this workspace, and it is none of {inner}"
            )
        if one.scope is Scope.ROUTE and value not in configured.routes:
            yield Fault(f"{where}.only[{index}]", _no_route(value))


def _no_release(name: str) -> str:
    return f"there is no release {name[:120]!r} under releases"


def _no_route(name: str) -> str:
    return f"there is no route {name[:120]!r} under routes"
