"""Dashboards: named lists of questions to metrics."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from holdfast.storage.sql import Instant

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "dashboards",
        sa.Column("workspace", sa.String(40), nullable=False),
        sa.Column("slug", sa.String(60), nullable=False),
        sa.Column("name", sa.String(80), nullable=False),
        sa.Column("panels", sa.Text, nullable=False),
        sa.Column("changed_by", sa.String(200), nullable=False),
        sa.Column("changed_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("workspace", "slug", name="pk_dashboards"),
        sa.ForeignKeyConstraint(["workspace"], ["workspaces.id"], name="fk_dashboards_workspace"),
    )


def downgrade() -> None:
    """Drops the table."""
    op.drop_table("dashboards")
