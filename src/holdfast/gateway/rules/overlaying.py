"""What was decided for governed routes, laid over the configuration as it was applied."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

import msgspec
from msgspec import structs

from holdfast.gateway.model import Configuration, Guardrail, Release, Traffic
from holdfast.gateway.rules.differences import Change
from holdfast.gateway.rules.parting import Guardrails
from holdfast.gateway.rules.written import Fault

SPLIT = ("release", "variants", "shadow", "sticky")
"""Fields of a route that decide which release answers: of a governed route changes alone set them."""


def named(traffic: Traffic) -> tuple[str, ...]:
    """The ids of all releases that it names, each once."""
    shadow = (traffic.shadow.release,) if traffic.shadow else ()
    stable = (traffic.stable,) if traffic.stable else ()
    names = (*(one.release for one in traffic.variants), *shadow, *traffic.known, *stable)
    return tuple(dict.fromkeys(names))


def overlaid(
    applied: Configuration,
    governed: Mapping[str, Traffic],
    contents: Mapping[str, tuple[Release, Guardrails]],
) -> Configuration:
    """The configuration that gateways live by: releases of governed routes are in it under their ids, with what judges them.

    A guardrail of such a release that the configuration does not have, or has otherwise by now, stands under a name of its
    own. Routes that the configuration has no more are left out.
    """
    routes = {name: one for name, one in governed.items() if name in applied.routes}
    releases, guardrails = dict(applied.releases), dict(applied.guardrails)
    for id in dict.fromkeys(id for one in routes.values() for id in named(one)):
        release, judges = contents[id]
        names = {name: _kept(guardrails, name, judge) for name, judge in judges.items()}
        guardrails |= {names[name]: judge for name, judge in judges.items()}
        releases[id] = structs.replace(release, guardrails=tuple(names[name] for name in release.guardrails))
    split = {
        name: structs.replace(
            applied.routes[name], release="", variants=traffic.variants, shadow=traffic.shadow
        )
        for name, traffic in routes.items()
    }
    return structs.replace(
        applied, releases=releases, guardrails=guardrails, routes={**applied.routes, **split}
    )


def governed_faults(
    changes: Iterable[Change],
    after: Configuration,
    governed: Mapping[str, Traffic],
    contents: Mapping[str, tuple[Release, Guardrails]],
) -> Iterable[Fault]:
    """What a new configuration may not do: remove or split a governed route, or take an upstream from what it serves."""
    found = {one.where: one for one in changes}
    for name, traffic in governed.items():
        where = f"routes.{name}"
        one = found.get(where)
        if one is not None and one.what == "removed":
            yield Fault(
                where, "this route is governed: it cannot be removed while changes decide what it serves"
            )
        elif one is not None and one.what == "changed":
            yield from (
                Fault(f"{where}.{field}", "this route is governed: open a change to have it served otherwise")
                for field in one.fields
                if field in SPLIT
            )
        for id in named(traffic):
            for target in contents[id][0].chain:
                if target.upstream not in after.upstreams:
                    what = f"the route {name} is governed, and its release {id} asks this upstream"
                    yield Fault(f"upstreams.{target.upstream}", what)


def _kept(there: Mapping[str, Guardrail], name: str, judge: Guardrail) -> str:
    """The name under which a guardrail of a release stands beside those that there are."""
    if there.get(name) in (None, judge):
        return name
    digest = hashlib.sha256(msgspec.json.encode(judge, order="deterministic")).hexdigest()
    return f"{name}@{digest[:12]}"
