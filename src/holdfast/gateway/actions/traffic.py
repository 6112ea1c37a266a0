"""Verbs on governed routes: decide what one serves, and register a release that a change proposes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from holdfast.gateway import governing, store
from holdfast.gateway.actions.configuration import refusal
from holdfast.gateway.model import Configuration, Governed, Guardrail, Release, Traffic
from holdfast.gateway.rules.configured_guardrails import guardrail_faults
from holdfast.gateway.rules.configured_releases import release_faults
from holdfast.gateway.rules.overlaying import named
from holdfast.gateway.rules.parting import parts
from holdfast.gateway.rules.written import Fault
from holdfast.kernel.context import Context
from holdfast.kernel.errors import Conflict, Invalid, NotFound
from holdfast.platform.audit import actions as audit
from holdfast.platform.epochs import actions as epochs
from holdfast.platform.epochs import reads as epoch_reads
from holdfast.registry import actions as registry
from holdfast.registry import reads as registry_reads
from holdfast.registry.model import Kind
from holdfast.registry.model import Release as Registered
from holdfast.storage.sql import Transaction


def put_traffic(ctx: Context, tx: Transaction, route: str, traffic: Traffic, change: str) -> Governed:
    """Has a route serve this from now on; gateways hear of it at once. What is in force already is not decided again.

    Raises NotFound for a route or release that there is not, Invalid, and Conflict where another decided at the same moment.
    """
    current = store.latest(tx, ctx.workspace)
    if current is None or route not in current.configuration.routes:
        raise NotFound(f"the gateway has no route {route}", where="route")
    _check(traffic)
    before = store.governed(tx, ctx.workspace).get(route)
    if before is not None and before.traffic == traffic:
        return before
    governing.contents(ctx, tx, [traffic])
    epochs.advance(tx)
    made = Governed(
        workspace=ctx.workspace,
        route=route,
        number=before.number + 1 if before else 1,
        traffic=traffic,
        change=change,
        made_at=ctx.now,
        made_by=ctx.actor.id,
        epoch=epoch_reads.current(tx),
    )
    if not store.add_traffic(tx, made):
        raise Conflict("something else was decided for this route at the same moment; read it and try again")
    details = {"route": route, "change": change, "traffic": msgspec.to_builtins(traffic), "epoch": made.epoch}
    audit.record(ctx, tx, action="gateway.traffic", subject=f"route:{route}", details=details)
    return made


@dataclass(frozen=True, slots=True)
class Written:
    """A release as it was written, found to be in order and taken apart for the registry. `id` is the one it has there."""

    id: str
    body: Mapping[str, Any]
    components: Mapping[Kind, Mapping[str, Any]]


def read_release(ctx: Context, tx: Transaction, document: Mapping[str, Any], baseline: str = "") -> Written:
    """A release as it is written in a configuration, with `guardrails` by name or as a mapping of their content.

    Names mean the guardrails of `baseline` (a release's id), then those of the configuration in force. Nothing is kept.
    Raises Invalid with every fault and its place.
    """
    found = governing.in_force(ctx, tx)
    configured = found.configuration if found else Configuration()
    own = document.get("guardrails")
    given = dict(own) if isinstance(own, Mapping) else {}
    written = {**document, "guardrails": list(given)} if isinstance(own, Mapping) else dict(document)
    try:
        release = msgspec.convert(written, Release)
        judges = msgspec.convert({name: one for name, one in given.items() if one}, dict[str, Guardrail])
    except msgspec.ValidationError as error:
        raise Invalid(str(error), where="release") from error
    known = dict(configured.guardrails)
    if baseline:
        known |= governing.content(ctx, tx, baseline)[1]
    manifests = governing.manifests(ctx, tx, [release])
    faults = [
        *release_faults("candidate", release, configured.upstreams, {**known, **judges}, manifests),
    ]
    for name, one in judges.items():
        faults += guardrail_faults(name, one, operator=False, secrets=frozenset(), kept=known.get(name))
    if faults:
        raise refusal(tuple(Fault(one.where.removeprefix("releases.candidate."), one.what) for one in faults))
    known |= judges
    body, components = parts(release, {name: known[name] for name in release.guardrails})
    return Written(registry_reads.release_id(body, components), body, components)


def register_release(
    ctx: Context, tx: Transaction, document: Mapping[str, Any], baseline: str = "", rationale: str = ""
) -> Registered:
    """Registers a release as it is written; see `read_release`. Raises Invalid with every fault and its place."""
    read = read_release(ctx, tx, document, baseline)
    return registry.register(ctx, tx, body=read.body, components=read.components, rationale=rationale)


def _check(traffic: Traffic) -> None:
    if not any(one.weight > 0 for one in traffic.variants):
        raise Invalid("at least one release has a weight above 0", where="variants")
    names = [one.release for one in traffic.variants]
    if len(set(names)) < len(names):
        raise Invalid("each release is named once", where="variants")
    if traffic.stable and traffic.stable not in named(traffic):
        raise Invalid("the stable release is one of those that are named", where="stable")
