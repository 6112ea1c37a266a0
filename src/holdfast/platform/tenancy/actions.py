"""Verbs of tenancy."""

from __future__ import annotations

import re
from dataclasses import asdict, replace
from zoneinfo import available_timezones

from holdfast.kernel.context import Context
from holdfast.kernel.errors import Conflict, Invalid, NotFound
from holdfast.kernel.ids import new_id
from holdfast.platform.audit import actions as audit
from holdfast.platform.epochs import actions as epochs
from holdfast.platform.tenancy import store
from holdfast.platform.tenancy.model import DataPolicy, Environment, RiskTier, System, Workspace
from holdfast.storage.sql import Transaction

_SLUG = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_REQUIRED = ("name", "purpose", "owner", "sponsor", "escalation_contact")


def ensure_workspace(ctx: Context, tx: Transaction, slug: str) -> Workspace:
    """The workspace with this slug, made where missing. `ctx.workspace` plays no part. Raises Invalid on a bad slug."""
    found = store.workspace_by_slug(tx, slug)
    if found is not None:
        return found
    if not _SLUG.fullmatch(slug):
        raise Invalid(
            "a workspace's short name is lower-case letters, digits and hyphens, 63 at most",
            where="workspace",
        )
    workspace = Workspace(new_id("ws"), slug, slug, "UTC", ctx.now)
    store.add_workspace(tx, workspace)
    made = Context(workspace.id, ctx.actor, ctx.now)
    audit.record(made, tx, action="workspace.created", subject=workspace.id, details={"slug": slug})
    return workspace


def create_workspace(ctx: Context, tx: Transaction, slug: str, name: str, zone: str = "UTC") -> Workspace:
    """A new workspace. Raises Conflict where the short name is taken, Invalid. It needs an admin next."""
    if store.workspace_by_slug(tx, slug) is not None:
        raise Conflict("there is a workspace with this short name already")
    made = ensure_workspace(ctx, tx, slug)
    return rename_workspace(Context(made.id, ctx.actor, ctx.now), tx, name or slug, zone)


def rename_workspace(ctx: Context, tx: Transaction, name: str, zone: str) -> Workspace:
    """Changes the name that people read, and the time zone of its days. The short name stays: links hold it."""
    before = store.workspace_by_id(tx, ctx.workspace)
    if before is None:
        raise NotFound("there is no such workspace")
    if not name.strip() or len(name) > 200:
        raise Invalid("a workspace needs a name, of at most 200 characters", where="name")
    if zone not in available_timezones():
        raise Invalid("this is not a time zone; write it like Europe/Berlin or UTC", where="zone")
    store.rename_workspace(tx, ctx.workspace, name.strip(), zone)
    epochs.advance(tx)
    details = {"name": name.strip(), "zone": zone, "before": {"name": before.name, "zone": before.zone}}
    audit.record(ctx, tx, action="workspace.changed", subject=before.id, details=details)
    return replace(before, name=name.strip(), zone=zone)


def register_system(
    ctx: Context,
    tx: Transaction,
    *,
    slug: str,
    name: str,
    purpose: str,
    owner: str,
    sponsor: str,
    escalation_contact: str,
    risk_tier: RiskTier = RiskTier.UNASSESSED,
    regions: tuple[str, ...] = (),
) -> System:
    """Registers an AI system, or changes the one with this slug. Raises Invalid where a required part is empty."""
    given = {
        "name": name,
        "purpose": purpose,
        "owner": owner,
        "sponsor": sponsor,
        "escalation_contact": escalation_contact,
    }
    for field in _REQUIRED:
        if not given[field].strip():
            raise Invalid(f"an AI system needs its {field.replace('_', ' ')}", where=field)
    if not slug.strip():
        raise Invalid("an AI system needs the name that its telemetry carries as service.name", where="slug")
    before = {system.slug: system for system in store.systems_of(tx, ctx.workspace)}.get(slug)
    system = System(
        id=before.id if before else new_id("sys"),
        workspace=ctx.workspace,
        slug=slug,
        risk_tier=risk_tier,
        regions=regions,
        created_at=before.created_at if before else ctx.now,
        **given,
    )
    store.put_system(tx, system)
    details = {**given, "slug": slug, "risk_tier": risk_tier.value, "regions": list(regions)}
    audit.record(
        ctx,
        tx,
        action="system.changed" if before else "system.registered",
        subject=system.id,
        details=details,
    )
    return system


def ensure_environment(ctx: Context, tx: Transaction, slug: str, name: str = "") -> Environment:
    """The environment with this slug, made where missing."""
    for environment in store.environments_of(tx, ctx.workspace):
        if environment.slug == slug:
            return environment
    environment = Environment(new_id("env"), ctx.workspace, slug, name or slug, ctx.now)
    store.put_environment(tx, environment)
    audit.record(ctx, tx, action="environment.created", subject=environment.id, details={"slug": slug})
    return environment


def set_policy(ctx: Context, tx: Transaction, policy: DataPolicy) -> None:
    """Sets what is captured and how long it is kept. Raises Invalid where a number makes no sense."""
    if policy.workspace != ctx.workspace:
        raise Invalid("a data policy belongs to the workspace that sets it", where="workspace")
    if not 0 <= policy.sample_rate <= 1:
        raise Invalid("the sample rate is a share from 0 to 1", where="sample_rate")
    for field in ("content_days", "span_days", "call_days"):
        if not 1 <= getattr(policy, field) <= 36500:
            raise Invalid("days are a whole number from 1 to 36500", where=field)
    store.put_policy(tx, policy)
    epochs.advance(tx)
    details = asdict(policy) | {"redact_kinds": list(policy.redact_kinds)}
    audit.record(
        ctx, tx, action="policy.changed", subject=f"policy:{policy.system or 'workspace'}", details=details
    )
