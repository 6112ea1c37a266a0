"""Configurations seen in traffic."""

import sqlalchemy as sa
from alembic import op

from holdfast.storage.sql import Instant

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "configurations",
        sa.Column("workspace", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=16), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("parts", sa.Text(), nullable=False),
        sa.Column("folded_into", sa.String(length=16), nullable=True),
        sa.Column("recorded_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("workspace", "id", name=op.f("pk_configurations")),
    )
    op.create_index("ix_configurations_workspace_system", "configurations", ["workspace", "system"])
    op.create_table(
        "configuration_variations",
        sa.Column("workspace", sa.String(length=40), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("templates", sa.Text(), nullable=False),
        sa.Column("parameters", sa.Text(), nullable=False),
        sa.Column("tools", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "system", "route", name=op.f("pk_configuration_variations")),
    )
