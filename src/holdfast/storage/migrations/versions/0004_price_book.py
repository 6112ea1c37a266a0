"""The price book of a workspace."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

from holdfast.storage.sql import Instant

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "price_book",
        sa.Column("id", sa.String(40), nullable=False),
        sa.Column("workspace", sa.String(40), nullable=False),
        sa.Column("provider", sa.String(200), nullable=False),
        sa.Column("model_pattern", sa.String(200), nullable=False),
        sa.Column("service_tier", sa.String(40)),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("rates", sa.Text, nullable=False),
        sa.Column("effective_from", Instant, nullable=False),
        sa.Column("effective_to", Instant),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("created_by", sa.String(200), nullable=False),
        sa.Column("retired_at", Instant),
        sa.PrimaryKeyConstraint("id", name="pk_price_book"),
        sa.ForeignKeyConstraint(["workspace"], ["workspaces.id"], name="fk_price_book_workspace"),
    )
    op.create_index("ix_price_book_workspace", "price_book", ["workspace"])


def downgrade() -> None:
    """Drops the table."""
    op.drop_index("ix_price_book_workspace", table_name="price_book")
    op.drop_table("price_book")
