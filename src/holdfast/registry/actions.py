"""The verb of the registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from holdfast.kernel.context import Context
from holdfast.kernel.errors import Invalid
from holdfast.platform.audit import actions as audit
from holdfast.registry import rules, store
from holdfast.registry.model import Component, Kind, Release
from holdfast.storage.sql import Transaction

MAX_BODY = 4 << 20
MAX_RATIONALE = 4000


def register(
    ctx: Context,
    tx: Transaction,
    *,
    body: Mapping[str, Any],
    components: Mapping[Kind, Mapping[str, Any]],
    rationale: str = "",
) -> Release:
    """The release that says this, made where the workspace has none that does, with those of its parts that are new.

    `components` are the parts by kind, `body` is the rest of the release: JSON values. What is there stays as its first
    author made it, so registering again changes nothing and records nothing. Raises Invalid, naming the part.
    """
    if len(rationale) > MAX_RATIONALE:
        raise Invalid(f"a rationale has at most {MAX_RATIONALE} characters", where="rationale")
    if not components:
        raise Invalid("a release has at least one component", where="components")
    text = _text(body, "body")
    hashes: dict[Kind, str] = {}
    added = []
    for kind, content in sorted(components.items()):
        said = _text(content, f"components.{kind}")
        hashes[kind] = rules.component_hash(kind, content)
        part = Component(hashes[kind], ctx.workspace, kind, content, ctx.actor.id, ctx.now, rationale)
        if store.add_component(tx, part, said):
            added.append(kind.value)
    made = Release(rules.release_id(body, hashes), ctx.workspace, body, hashes, ctx.actor.id, ctx.now)
    if not store.add_release(tx, made, text):
        kept = store.release(tx, ctx.workspace, made.id)
        assert kept is not None
        return kept
    parts = {kind.value: name for kind, name in hashes.items()}
    details = {"components": parts, "new": added, "rationale": rationale}
    audit.record(ctx, tx, action="release.registered", subject=made.id, details=details)
    return made


def _text(value: Mapping[str, Any], where: str) -> str:
    try:
        text = rules.canonical(value).decode()
    except Invalid as error:
        raise Invalid(error.detail, where=where) from error
    if len(text) > MAX_BODY:
        raise Invalid(f"at most {MAX_BODY >> 20} MiB", where=where)
    return text
