"""Prompts as applications render them: of the release that a route serves, or of a registered version."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from holdfast.applications import store
from holdfast.applications.model import LATEST, PRODUCTION, Handed, Label
from holdfast.gateway.model import Dimensions, Prompt
from holdfast.gateway.reads import serving
from holdfast.kernel.context import Context
from holdfast.kernel.errors import NotFound
from holdfast.registry import reads as registry
from holdfast.registry.model import Kind, Version
from holdfast.storage.sql import Transaction

OWN = (Kind.PROMPT, Kind.MODEL, Kind.TOOLS, Kind.GUARDRAILS)
"""Kinds with a place of their own in an answer. Guardrails stay here: they judge traffic at the gateway."""


def prompt(
    ctx: Context,
    tx: Transaction,
    name: str,
    *,
    label: str = PRODUCTION,
    version: int | None = None,
    said: Dimensions = Dimensions(),
    key: str = "",
    began: str = "",
) -> Handed:
    """`production`: the prompt of the release that the route of this name serves to whoever asks; else a version. Raises
    NotFound.
    """
    if version is None and label == PRODUCTION:
        return served(ctx, tx, serving.serving(ctx, tx, name, said, key, began))
    number = version if version is not None else _number(ctx, tx, name, label)
    found, said_there = registry.version(ctx, tx, Kind.PROMPT, name, number)
    return _handed(
        name,
        None if version is not None else label,
        found,
        {Kind.PROMPT: said_there.body},
        {},
        prompt_hash=found.hash,
        labels=_labels(ctx, tx, found),
    )


def served(ctx: Context, tx: Transaction, one: serving.Served) -> Handed:
    """The prompt of a release that a route serves, with all its parts. Raises NotFound."""
    release, components = registry.release(ctx, tx, one.release)
    bodies = {part.kind: part.body for part in components}
    hashed = release.components.get(Kind.PROMPT)
    version = _version(ctx, tx, one.route, hashed, bodies[Kind.PROMPT]) if hashed else None
    return _handed(
        one.route,
        PRODUCTION,
        version,
        bodies,
        release.body,
        release=release.id,
        stable=one.stable,
        split=one.split,
        prompt_hash=hashed,
        labels=_labels(ctx, tx, version) if version else (),
    )


def labels(ctx: Context, tx: Transaction, name: str) -> list[Label]:
    """Those that people set on versions of a prompt, by label."""
    return store.labels_of(tx, ctx.workspace, name)


def _version(
    ctx: Context, tx: Transaction, route: str, hashed: str, body: Mapping[str, Any]
) -> Version | None:
    """The latest version that says what a release does: of the route's name, else of any."""
    versions = registry.versions(ctx, tx, Kind.PROMPT, route)
    bodies = {it.hash: it.body for it in registry.components(ctx, tx, {it.hash for it in versions})}
    whole = _whole(body)
    same = [it for it in versions if it.hash == hashed or _whole(bodies[it.hash]) == whole]
    found = same or registry.versions_saying(ctx, tx, Kind.PROMPT, hashed)
    return found[0] if found else None


def _whole(body: Mapping[str, Any]) -> Prompt | Mapping[str, Any]:
    """A prompt with what was left out of it; what is no prompt of the gateway's stays as it is."""
    try:
        return msgspec.convert(body, Prompt)
    except msgspec.ValidationError:
        return body


def _number(ctx: Context, tx: Transaction, name: str, label: str) -> int:
    if label == LATEST:
        found = registry.versions(ctx, tx, Kind.PROMPT, name)
        if not found:
            raise NotFound("there is no registered prompt of this name in this workspace")
        return found[0].number
    at = next((one.number for one in store.labels_of(tx, ctx.workspace, name) if one.label == label), None)
    if at is None:
        raise NotFound("no version of a prompt of this name has this label in this workspace")
    return at


def _labels(ctx: Context, tx: Transaction, version: Version) -> tuple[str, ...]:
    kept = store.labels_of(tx, ctx.workspace, version.name)
    return tuple(one.label for one in kept if one.number == version.number)


def _handed(
    name: str,
    label: str | None,
    version: Version | None,
    bodies: Mapping[Kind, Mapping[str, Any]],
    rest: Mapping[str, Any],
    *,
    release: str | None = None,
    stable: bool = True,
    split: bool = False,
    prompt_hash: str | None,
    labels: tuple[str, ...],
) -> Handed:
    said = bodies.get(Kind.PROMPT, {})
    model = bodies.get(Kind.MODEL, {})
    chain = tuple(model.get("chain", ()))
    parts = {kind.value: body for kind, body in bodies.items() if kind not in OWN}
    parts |= {part: value for part, value in rest.items() if isinstance(value, Mapping) and value}
    return Handed(
        name=name,
        label=label,
        release=release,
        stable=stable,
        split=split,
        version=version.number if version else None,
        version_of=version.name if version else None,
        labels=labels,
        messages=tuple(said.get("messages", ())),
        variables=dict(said.get("variables", {})),
        model=(chain[0].get("model") or None) if chain else None,
        chain=chain,
        parameters=dict(model.get("parameters", {})),
        tools=dict(bodies.get(Kind.TOOLS, {})),
        parts=parts,
        prompt_hash=prompt_hash,
    )
