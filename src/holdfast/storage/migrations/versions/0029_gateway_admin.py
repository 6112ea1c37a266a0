"""Where each gateway process takes snapshots that are pushed to it."""

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the column."""
    op.add_column(
        "gateway_processes", sa.Column("admin", sa.String(length=300), nullable=False, server_default="")
    )


def downgrade() -> None:
    """Takes it away."""
    op.drop_column("gateway_processes", "admin")
