"""Configurations that ran unrecorded."""

import sqlalchemy as sa
from alembic import op

from holdfast.storage.sql import Instant

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the table."""
    op.create_table(
        "unrecorded_configurations",
        sa.Column("workspace", sa.String(length=40), nullable=False),
        sa.Column("configuration", sa.String(length=16), nullable=False),
        sa.Column("found_at", Instant, nullable=False),
        sa.Column("raised_at", Instant, nullable=True),
        sa.Column("raised_by", sa.String(length=200), nullable=False),
        sa.Column("raised_by_name", sa.String(length=200), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace"], ["workspaces.id"], name=op.f("fk_unrecorded_configurations_workspace")
        ),
        sa.PrimaryKeyConstraint("workspace", "configuration", name=op.f("pk_unrecorded_configurations")),
    )


def downgrade() -> None:
    """Takes it away."""
    op.drop_table("unrecorded_configurations")
