"""Leases, for several processes on one control store."""

import sqlalchemy as sa
from alembic import op

from holdfast.storage.sql import Instant

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "leases",
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("holder", sa.String(length=400), nullable=False),
        sa.Column("until", Instant, nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )


def downgrade() -> None:
    """Drops it."""
    op.drop_table("leases")
