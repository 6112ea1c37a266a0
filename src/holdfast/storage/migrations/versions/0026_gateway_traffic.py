"""What was decided for governed routes, and which epoch each gateway serves."""

import sqlalchemy as sa
from alembic import op

from holdfast.storage.sql import Instant

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "gateway_traffic",
        sa.Column("workspace", sa.String(length=40), nullable=False),
        sa.Column("route", sa.String(length=120), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("traffic", sa.Text(), nullable=False),
        sa.Column("change", sa.String(length=40), nullable=False),
        sa.Column("made_at", Instant, nullable=False),
        sa.Column("made_by", sa.String(length=200), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["workspace"], ["workspaces.id"], name=op.f("fk_gateway_traffic_workspace")),
        sa.PrimaryKeyConstraint("workspace", "route", "number", name=op.f("pk_gateway_traffic")),
    )
    op.create_table(
        "gateway_processes",
        sa.Column("id", sa.String(length=100), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gateway_processes")),
    )


def downgrade() -> None:
    """Drops them."""
    op.drop_table("gateway_processes")
    op.drop_table("gateway_traffic")
