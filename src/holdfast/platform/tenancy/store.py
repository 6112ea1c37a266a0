"""Tables of tenancy, and every query on them."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from holdfast.platform.tenancy.model import CaptureMode, DataPolicy, Environment, RiskTier, System, Workspace
from holdfast.storage.sql import Instant, Transaction, metadata

workspaces = sa.Table(
    "workspaces",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("slug", sa.String(63), nullable=False, unique=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("zone", sa.String(64), nullable=False),
    sa.Column("created_at", Instant, nullable=False),
)

systems = sa.Table(
    "systems",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("slug", sa.String(200), nullable=False),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("purpose", sa.Text, nullable=False),
    sa.Column("owner", sa.String(200), nullable=False),
    sa.Column("sponsor", sa.String(200), nullable=False),
    sa.Column("escalation_contact", sa.String(200), nullable=False),
    sa.Column("risk_tier", sa.String(20), nullable=False),
    sa.Column("regions", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.UniqueConstraint("workspace", "slug"),
)

environments = sa.Table(
    "environments",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("slug", sa.String(200), nullable=False),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.UniqueConstraint("workspace", "slug"),
)

data_policies = sa.Table(
    "data_policies",
    metadata,
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), primary_key=True),
    sa.Column("system", sa.String(200), primary_key=True),
    sa.Column("capture", sa.String(20), nullable=False),
    sa.Column("sample_rate", sa.Float, nullable=False),
    sa.Column("redact_kinds", sa.Text, nullable=False),
    sa.Column("dlp_webhook", sa.Text, nullable=False),
    sa.Column("content_days", sa.Integer, nullable=False),
    sa.Column("span_days", sa.Integer, nullable=False),
    sa.Column("call_days", sa.Integer, nullable=False),
)


def _workspace(row: Any) -> Workspace:
    return Workspace(row.id, row.slug, row.name, row.zone, row.created_at)


def add_workspace(tx: Transaction, workspace: Workspace) -> None:
    tx.execute(workspaces.insert().values(**asdict(workspace)))


def workspace_by_slug(tx: Transaction, slug: str) -> Workspace | None:
    row = tx.execute(sa.select(workspaces).where(workspaces.c.slug == slug)).one_or_none()
    return None if row is None else _workspace(row)


def workspace_by_id(tx: Transaction, workspace: str) -> Workspace | None:
    row = tx.execute(sa.select(workspaces).where(workspaces.c.id == workspace)).one_or_none()
    return None if row is None else _workspace(row)


def all_workspaces(tx: Transaction) -> list[Workspace]:
    return [_workspace(row) for row in tx.execute(sa.select(workspaces).order_by(workspaces.c.slug))]


def rename_workspace(tx: Transaction, workspace: str, name: str, zone: str) -> None:
    tx.execute(workspaces.update().where(workspaces.c.id == workspace).values(name=name, zone=zone))


def _system(row: Any) -> System:
    return System(
        id=row.id,
        workspace=row.workspace,
        slug=row.slug,
        name=row.name,
        purpose=row.purpose,
        owner=row.owner,
        sponsor=row.sponsor,
        escalation_contact=row.escalation_contact,
        risk_tier=RiskTier(row.risk_tier),
        regions=tuple(json.loads(row.regions)),
        created_at=row.created_at,
    )


def put_system(tx: Transaction, system: System) -> None:
    """Adds a system, or changes the one with its id."""
    values = asdict(system) | {"regions": json.dumps(system.regions), "risk_tier": system.risk_tier.value}
    tx.upsert(systems, values, key=["id"])


def systems_of(tx: Transaction, workspace: str) -> list[System]:
    return [_system(row) for row in tx.execute(tx.select(systems, workspace).order_by(systems.c.slug))]


def put_environment(tx: Transaction, environment: Environment) -> None:
    tx.upsert(environments, asdict(environment), key=["id"])


def environments_of(tx: Transaction, workspace: str) -> list[Environment]:
    rows = tx.execute(tx.select(environments, workspace).order_by(environments.c.slug))
    return [Environment(row.id, row.workspace, row.slug, row.name, row.created_at) for row in rows]


def put_policy(tx: Transaction, policy: DataPolicy) -> None:
    values = asdict(policy) | {
        "capture": policy.capture.value,
        "redact_kinds": json.dumps(policy.redact_kinds),
    }
    tx.upsert(data_policies, values, key=["workspace", "system"])


def _policy(row: Any) -> DataPolicy:
    return DataPolicy(
        workspace=row.workspace,
        system=row.system,
        capture=CaptureMode(row.capture),
        sample_rate=row.sample_rate,
        redact_kinds=tuple(json.loads(row.redact_kinds)),
        dlp_webhook=row.dlp_webhook,
        content_days=row.content_days,
        span_days=row.span_days,
        call_days=row.call_days,
    )


def policies_of(tx: Transaction, workspace: str) -> dict[str, DataPolicy]:
    """By system slug; the workspace's own under the empty string, where one was set."""
    return {row.system: _policy(row) for row in tx.execute(tx.select(data_policies, workspace))}
