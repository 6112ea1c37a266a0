"""How far exports of figures have come."""

import sqlalchemy as sa
from alembic import op

from holdfast.storage.sql import Instant

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "metric_exports",
        sa.Column("target", sa.String(length=100), nullable=False),
        sa.Column("workspace", sa.String(length=40), nullable=False),
        sa.Column("position", Instant, nullable=False),
        sa.Column("ledger", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["workspace"], ["workspaces.id"], name=op.f("fk_metric_exports_workspace")),
        sa.PrimaryKeyConstraint("target", "workspace", name=op.f("pk_metric_exports")),
    )


def downgrade() -> None:
    """Drops it."""
    op.drop_table("metric_exports")
