"""What review and judges say of releases."""

import sqlalchemy as sa
from alembic import op

from holdfast.storage.sql import Instant

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table, and adds the columns."""
    op.create_table(
        "review_served",
        sa.Column("workspace", sa.String(length=40), nullable=False),
        sa.Column("route", sa.String(length=200), nullable=False),
        sa.Column("release", sa.String(length=200), nullable=False),
        sa.Column("span", Instant, nullable=False),
        sa.Column("looked", sa.BigInteger(), nullable=False),
        sa.Column("flagged", sa.BigInteger(), nullable=False),
        sa.Column("told", sa.BigInteger(), nullable=False),
        sa.Column("refused", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["workspace"], ["workspaces.id"], name=op.f("fk_review_served_workspace")),
        sa.PrimaryKeyConstraint("workspace", "route", "release", "span", name=op.f("pk_review_served")),
    )
    op.create_index(op.f("ix_review_served_span"), "review_served", ["span"])
    op.add_column(
        "review_asks", sa.Column("release", sa.String(length=200), nullable=False, server_default="")
    )
    op.add_column(
        "review_asks", sa.Column("by_chance", sa.Boolean(), nullable=False, server_default=sa.false())
    )


def downgrade() -> None:
    """Takes it all away."""
    op.drop_column("review_asks", "by_chance")
    op.drop_column("review_asks", "release")
    op.drop_table("review_served")
