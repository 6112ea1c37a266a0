"""Verbs on the configuration: judge a document, check it, apply it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgspec

from holdfast.gateway import governing, store
from holdfast.gateway.model import Configuration, Version
from holdfast.gateway.rules.configured import Known, faults
from holdfast.gateway.rules.configured_upstreams import base_url_faults
from holdfast.gateway.rules.differences import Change, changes
from holdfast.gateway.rules.documents import MAX_BYTES, parse
from holdfast.gateway.rules.overlaying import governed_faults
from holdfast.gateway.rules.parting import parts
from holdfast.gateway.rules.written import Fault, read
from holdfast.kernel.context import Context
from holdfast.kernel.errors import Conflict, Invalid, NotFound, Unavailable
from holdfast.platform import outbound
from holdfast.platform.access import reads as access
from holdfast.platform.access.model import Scope
from holdfast.platform.audit import actions as audit
from holdfast.platform.epochs import actions as epochs
from holdfast.platform.secrets import actions as secrets
from holdfast.platform.secrets import reads as kept
from holdfast.platform.secrets.model import MasterKey
from holdfast.platform.settings import Settings
from holdfast.registry import actions as registry
from holdfast.storage.sql import Transaction

MAX_NOTE = 1000
SECRETS = "gateway/"
"""What the names of upstreams' credentials begin with: an upstream cannot be given another room's secret."""
SECRET_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclass(frozen=True, slots=True)
class Judged:
    """A document that was read, and what can be said of it without the stores."""

    configuration: Configuration | None
    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...] = ()


@dataclass(frozen=True, slots=True)
class Check:
    """What applying would do: nothing where there is any fault. `version` is the one in force, 0 before the first."""

    version: int
    changes: tuple[Change, ...]
    faults: tuple[Fault, ...]
    warnings: tuple[Fault, ...]


@dataclass(frozen=True, slots=True)
class Applied:
    """The version now in force, and how it differs from the one before."""

    version: Version
    changes: tuple[Change, ...]
    warnings: tuple[Fault, ...] = ()


def judge(settings: Settings, document: bytes | Mapping[str, Any]) -> Judged:
    """Reads a document (bytes: as YAML, of which JSON is a part), and asks where its upstreams and webhooks lead.

    Names are resolved, so do it before a transaction begins. Raises Invalid for bytes that cannot be read.

    An address inside a private network is a fault unless HOLDFAST_OUTBOUND_ALLOW lists it, whoever writes it, a local
    model on 127.0.0.1 too. A name that does not resolve here is a warning: the gateway judges each connection again.
    """
    configured, found = read(parse(document) if isinstance(document, bytes) else document)
    if configured is None:
        return Judged(None, tuple(found))
    warnings: list[Fault] = []
    urls = {f"upstreams.{name}.base_url": one.base_url for name, one in configured.upstreams.items()}
    urls |= {f"guardrails.{name}.url": one.url for name, one in configured.guardrails.items() if one.url}
    for where, url in urls.items():
        if any(base_url_faults(where, url)):
            continue  # said with the other faults
        try:
            outbound.check_url(settings, url)
        except Invalid as error:
            found.append(Fault(where, error.detail))
        except Unavailable as error:
            warnings.append(Fault(where, f"{error.detail} from where the core runs"))
    return Judged(configured, tuple(found), tuple(warnings))


def check(ctx: Context, tx: Transaction, judged: Judged) -> Check:
    """What applying would do and what stands against it; nothing is changed."""
    before = store.latest(tx, ctx.workspace)
    version = before.version if before else 0
    if judged.configuration is None:
        return Check(version, (), judged.faults, judged.warnings)
    old, new = (before.configuration if before else Configuration()), judged.configuration
    revoked = {key.id for key in access.keys(tx, ctx.workspace) if key.revoked_at is not None}
    warnings = [Fault(f"keys.{key}", "this key is revoked") for key in new.keys if key in revoked]
    differs = changes(old, new)
    governed = governing.traffic(tx, ctx.workspace)
    contents = governing.contents(ctx, tx, governed.values())
    found = (
        *faults(new, _known(ctx, tx, old, new)),
        *judged.faults,
        *governed_faults(differs, new, governed, contents),
    )
    return Check(version, differs, found, (*judged.warnings, *warnings))


def apply(
    ctx: Context, tx: Transaction, judged: Judged, *, expected_version: int | None = None, note: str = ""
) -> Applied:
    """Puts a configuration in force, whole, as the workspace's next version; its releases are registered by content.

    One that says the same as the version in force changes nothing. Raises Invalid with every fault and its place, and
    Conflict where the version in force is not the expected one (0: there is none yet; None: whichever).
    """
    if len(note) > MAX_NOTE:
        raise Invalid(f"a note has at most {MAX_NOTE} characters", where="note")
    found = check(ctx, tx, judged)
    if expected_version is not None and expected_version != found.version:
        raise Conflict(
            f"version {found.version} is in force, not {expected_version}: it was changed meanwhile; read it again"
        )
    if found.faults or judged.configuration is None:
        raise refusal(found.faults)
    before = store.latest(tx, ctx.workspace)
    if before is not None and not found.changes:
        return Applied(before, (), found.warnings)
    text = msgspec.json.encode(judged.configuration)
    if len(text) > MAX_BYTES:
        raise Invalid(f"a configuration has at most {MAX_BYTES >> 20} MiB", where="document")
    epochs.advance(tx)  # first: whoever advances holds the counter before the audit tree
    release_ids = {}
    for name, release in judged.configuration.releases.items():
        body, components = parts(release, judged.configuration.guardrails)
        release_ids[name] = registry.register(ctx, tx, body=body, components=components, rationale=note).id
    made = Version(
        workspace=ctx.workspace,
        version=found.version + 1,
        document=msgspec.json.decode(text),
        release_ids=release_ids,
        applied_at=ctx.now,
        applied_by=ctx.actor.id,
        note=note,
    )
    if not store.add_version(tx, made):
        raise Conflict("another configuration was applied at the same moment; read it and try again")
    told = [{"where": one.where, "what": one.what, "fields": list(one.fields)} for one in found.changes]
    details = {"version": made.version, "note": note, "changes": told[:200], "changed": len(told)}
    audit.record(ctx, tx, action="gateway.applied", subject=f"gateway:{made.version}", details=details)
    return Applied(made, found.changes, found.warnings)


def keep_secret(ctx: Context, tx: Transaction, master: MasterKey, name: str, text: str) -> str:
    """Keeps an upstream's credential, in place of the one with this name; its reference. Gateways take it up at once.

    Raises Invalid.
    """
    if not text or any(ord(one) < 32 or ord(one) > 126 for one in text):
        raise Invalid("a credential is one line of ASCII", where="value")
    if not SECRET_NAME.fullmatch(name):
        raise Invalid("a name is letters, digits and . _ -, 100 characters at most", where="name")
    return secrets.keep(ctx, tx, master, SECRETS + name, text)


def remove_secret(ctx: Context, tx: Transaction, name: str) -> None:
    """Forgets a credential. Raises NotFound, and Conflict while an upstream or a guardrail in force names it."""
    reference = {one: text for text, one in own_secrets(ctx, tx)}.get(name)
    if reference is None:
        raise NotFound("the gateway has no secret of this name in this workspace")
    current = store.latest(tx, ctx.workspace)
    configured = current.configuration if current else Configuration()
    users = [name for name, one in configured.upstreams.items() if one.credential == reference]
    users += [name for name, one in configured.guardrails.items() if one.credential == reference]
    if users:
        raise Conflict(f"the configuration in force needs it: {', '.join(sorted(users))}")
    secrets.remove(ctx, tx, reference.partition(":")[2])


def tell_prices(tx: Transaction, digest: str) -> None:
    """Has gateways told of prices that have begun or ended by themselves: nobody did it, so it is not on the audit log."""
    epochs.advance(tx)
    store.put_price_digest(tx, digest)


def refusal(found: tuple[Fault, ...]) -> Invalid:
    """The error that tells every fault."""
    said = "; ".join(f"{one.where}: {one.what}" if one.where else one.what for one in found)
    errors = tuple((one.where, one.what) for one in found)
    return Invalid(said or "this configuration cannot be used", where=found[0].where, errors=errors)


def _known(ctx: Context, tx: Transaction, old: Configuration, new: Configuration) -> Known:
    keys = {
        key.id: None if access.opens(key, Scope.GATEWAY) else "this key lacks the scope gateway"
        for key in access.keys(tx, ctx.workspace)
    }
    return Known(
        operator=ctx.actor.kind == "cli",
        secrets=frozenset(reference for reference, _ in own_secrets(ctx, tx)),
        keys=keys,
        kept=old.upstreams,
        kept_guardrails=old.guardrails,
        manifests=governing.manifests(ctx, tx, new.releases.values()),
    )


def own_secrets(ctx: Context, tx: Transaction) -> list[tuple[str, str]]:
    """Reference and name of each credential that the gateway of this workspace has; never a value."""
    return [
        (reference, name.removeprefix(SECRETS))
        for reference, name in kept.names(tx, ctx.workspace)
        if name.startswith(SECRETS)
    ]
