"""Imports, and vendors' own counting."""

import sqlalchemy as sa
from alembic import op

from holdfast.storage.sql import Instant

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "imports",
        sa.Column("workspace", sa.String(length=40), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("changed_at", Instant, nullable=False),
        sa.ForeignKeyConstraint(["workspace"], ["workspaces.id"], name=op.f("fk_imports_workspace")),
        sa.PrimaryKeyConstraint("workspace", "digest", name=op.f("pk_imports")),
    )
    op.create_table(
        "vendor_usage",
        sa.Column("workspace", sa.String(length=40), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("provider", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("start_at", Instant, nullable=False),
        sa.Column("end_at", Instant, nullable=False),
        sa.Column("dimensions", sa.Text(), nullable=False),
        sa.Column("measures", sa.Text(), nullable=False),
        sa.Column("amount", sa.String(length=60), nullable=True),
        sa.Column("currency", sa.String(length=10), nullable=True),
        sa.Column("imported_at", Instant, nullable=False),
        sa.ForeignKeyConstraint(["workspace"], ["workspaces.id"], name=op.f("fk_vendor_usage_workspace")),
        sa.PrimaryKeyConstraint("workspace", "key", name=op.f("pk_vendor_usage")),
    )
    op.create_index("ix_vendor_usage_start", "vendor_usage", ["workspace", "start_at"])


def downgrade() -> None:
    """Drops them."""
    op.drop_table("vendor_usage")
    op.drop_table("imports")
