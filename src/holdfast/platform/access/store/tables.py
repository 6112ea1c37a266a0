"""Tables of access."""

from __future__ import annotations

import sqlalchemy as sa

from holdfast.storage.sql import Instant, metadata

members = sa.Table(
    "members",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("email", sa.String(320), nullable=False, unique=True),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("password_hash", sa.Text),
    sa.Column("oidc_subject", sa.String(500), unique=True),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("disabled_at", Instant),
)

grants = sa.Table(
    "grants",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("member", sa.String(40), sa.ForeignKey("members.id"), nullable=False),
    sa.Column("role", sa.String(20), nullable=False),
    sa.Column("system", sa.String(200), nullable=False),
    sa.Column("environment", sa.String(200), nullable=False),
    sa.Column("content", sa.Boolean, nullable=False),
    sa.Column("source", sa.String(20), nullable=False),  # local, or oidc: mapped from a group at each sign-in
    sa.UniqueConstraint("workspace", "member", "system", "environment"),
)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),
    sa.Column("member", sa.String(40), sa.ForeignKey("members.id"), nullable=False),
    sa.Column("csrf", sa.String(64), nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
)

sign_in_links = sa.Table(
    "sign_in_links",
    metadata,
    sa.Column("id", sa.String(64), primary_key=True),  # SHA-256 of the token
    sa.Column("member", sa.String(40), sa.ForeignKey("members.id"), nullable=False),
    sa.Column("expires_at", Instant, nullable=False),
    sa.Column("used_at", Instant),
)

api_keys = sa.Table(
    "api_keys",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), nullable=False),
    sa.Column("name", sa.String(200), nullable=False),
    sa.Column("prefix", sa.String(16), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False, unique=True),
    sa.Column("scopes", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("created_by", sa.String(200), nullable=False),
    sa.Column("expires_at", Instant),
    sa.Column("revoked_at", Instant),
)

sign_in_attempts = sa.Table(
    "sign_in_attempts",
    metadata,
    sa.Column(
        "subject", sa.String(64), primary_key=True
    ),  # SHA-256 of an e-mail address or a network address
    sa.Column("started_at", Instant, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
)
