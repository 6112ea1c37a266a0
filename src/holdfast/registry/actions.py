"""Verbs of the registry: everything is added, nothing is ever changed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from holdfast.kernel.context import Context
from holdfast.kernel.errors import Conflict, Invalid
from holdfast.platform.audit import actions as audit
from holdfast.registry.model import Component, Document, Kind, Manifest, Past, Release, Version
from holdfast.registry.rules import histories, naming
from holdfast.registry.rules import manifests as listed
from holdfast.registry.store import manifests, releases, versions
from holdfast.storage.sql import Transaction

MAX_BODY = histories.MAX_BODY
MAX_RATIONALE = histories.MAX_RATIONALE
MAX_TICKET = histories.MAX_TICKET


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
    _check_rationale(rationale)
    if not components:
        raise Invalid("a release has at least one component", where="components")
    text = _text(body, "body")
    hashes: dict[Kind, str] = {}
    added = []
    for kind, content in sorted(components.items()):
        said = _text(content, f"components.{kind}")
        hashes[kind] = naming.component_hash(kind, content)
        part = Component(hashes[kind], ctx.workspace, kind, content, ctx.actor.id, ctx.now, rationale)
        if releases.add_component(tx, part, said):
            added.append(kind.value)
    made = Release(naming.release_id(body, hashes), ctx.workspace, body, hashes, ctx.actor.id, ctx.now)
    if not releases.add_release(tx, made, text):
        kept = releases.release(tx, ctx.workspace, made.id)
        assert kept is not None
        return kept
    parts = {kind.value: name for kind, name in hashes.items()}
    details = {"components": parts, "new": added, "rationale": rationale}
    audit.record(ctx, tx, action="release.registered", subject=made.id, details=details)
    return made


def add_version(
    ctx: Context,
    tx: Transaction,
    *,
    kind: Kind,
    name: str,
    body: Mapping[str, Any],
    rationale: str = "",
    ticket: str = "",
) -> Version:
    """The next version of a named component: what it says from now on, by whom, why, and under which ticket.

    What its latest version says already adds none. What an older one said does: to go back is a version too. Raises
    Invalid that names the field, and Conflict where somebody else added a version at the same moment.
    """
    naming.checked_name(name)
    _check_rationale(rationale)
    if len(ticket) > MAX_TICKET or any(ord(one) < 32 for one in ticket):
        raise Invalid(f"a ticket is one line, {MAX_TICKET} characters at most", where="ticket")
    text = _text(body, "body")
    digest = naming.component_hash(kind, body)
    before = versions.latest(tx, ctx.workspace, kind, name)
    if before is not None and before.hash == digest:
        return before
    part = Component(digest, ctx.workspace, kind, body, ctx.actor.id, ctx.now, rationale)
    new = releases.add_component(tx, part, text)
    number = before.number + 1 if before else 1
    made = Version(ctx.workspace, kind, name, number, digest, ctx.actor.id, ctx.now, rationale, ticket)
    if not versions.add(tx, made):
        raise Conflict(
            f"another version of the {kind} {name} was added at the same moment; read it and try again"
        )
    details = {"hash": digest, "new": new, "rationale": rationale, "ticket": ticket}
    audit.record(ctx, tx, action="component.versioned", subject=f"{kind}:{name}@{number}", details=details)
    return made


def add_history(
    ctx: Context,
    tx: Transaction,
    *,
    kind: Kind,
    name: str,
    source: str,
    past: Sequence[Past],
    refused: int = 0,
    dry: bool = False,
) -> list[tuple[str, int | None]]:
    """For each version from elsewhere, the oldest first: added (with its number here), kept from an import before, or same
    as the one before it. They come behind the versions that are here. `refused`: how many the caller left out, for the
    audit log; `dry`: writes nothing. Raises Invalid, and Conflict where somebody else adds versions at the same moment.
    """
    naming.checked_name(name)
    there = versions.versions_of(tx, ctx.workspace, kind, name)
    marks = [(naming.component_hash(kind, one.body), one.author, one.date) for one in past]
    plan = histories.planned(marks, ((one.hash, one.original_author, one.original_date) for one in there))
    number = there[0].number if there else 0
    first, found = number + 1, list[tuple[str, int | None]]()
    for what, one, (digest, _, _) in zip(plan, past, marks, strict=True):
        if what != "added":
            found.append((what, None))
            continue
        number += 1
        found.append((what, number))
        if dry:
            continue
        text = _text(one.body, "body")
        part = Component(digest, ctx.workspace, kind, one.body, ctx.actor.id, ctx.now, one.rationale)
        releases.add_component(tx, part, text)
        made = Version(
            *(ctx.workspace, kind, name, number, digest, ctx.actor.id, ctx.now),
            rationale=one.rationale,
            ticket=one.ticket,
            original_author=one.author,
            original_date=one.date,
        )
        if not versions.add(tx, made):
            raise Conflict(
                f"another version of the {kind} {name} was added at the same moment; import it again"
            )
    if number >= first and not dry:
        details = {"source": source, "first": first, "last": number, "refused": refused}
        details |= {what: plan.count(what) for what in ("added", "kept", "same")}
        audit.record(ctx, tx, action="prompt_history.imported", subject=f"{kind}:{name}", details=details)
    return found


def add_manifest(
    ctx: Context, tx: Transaction, *, name: str, documents: Iterable[Document], rationale: str = ""
) -> Manifest:
    """The manifest of this name that lists exactly these documents, made where the workspace has none that does.

    All documents are read before anything is written; have them at hand, for the store waits meanwhile. Raises Invalid,
    naming the document's place.
    """
    naming.checked_name(name)
    _check_rationale(rationale)
    found = listed.checked(documents)
    digest = listed.documents_hash(found)
    made = Manifest(
        ctx.workspace,
        listed.manifest_id(name, digest),
        name,
        len(found),
        digest,
        ctx.actor.id,
        ctx.now,
        rationale,
    )
    if not manifests.add(tx, made, found):
        kept = manifests.manifest(tx, ctx.workspace, made.id)
        assert kept is not None
        return kept
    details = {"name": name, "documents": len(found), "hash": digest, "rationale": rationale}
    audit.record(ctx, tx, action="manifest.added", subject=made.id, details=details)
    return made


def _check_rationale(rationale: str) -> None:
    if len(rationale) > MAX_RATIONALE:
        raise Invalid(f"a rationale has at most {MAX_RATIONALE} characters", where="rationale")


def _text(value: Mapping[str, Any], where: str) -> str:
    try:
        text = naming.canonical(value).decode()
    except Invalid as error:
        raise Invalid(error.detail, where=where) from error
    if len(text) > MAX_BODY:
        raise Invalid(f"at most {MAX_BODY >> 20} MiB", where=where)
    return text
