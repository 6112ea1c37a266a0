"""Triage of feedback: passes, categories, and where items were put."""

import sqlalchemy as sa
from alembic import op

from holdfast.storage.sql import Instant

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "feedback_triages",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("workspace", sa.String(length=40), nullable=False),
        sa.Column("week", sa.Date(), nullable=False),
        sa.Column("weeks", sa.Integer(), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("phase", sa.String(length=40), nullable=False),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("started_at", Instant),
        sa.Column("finished_at", Instant),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["workspace"], ["workspaces.id"], name=op.f("fk_feedback_triages_workspace")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback_triages")),
    )
    op.create_index(op.f("ix_feedback_triages_state"), "feedback_triages", ["state"])
    op.create_index(
        op.f("ix_feedback_triages_workspace_created_at"), "feedback_triages", ["workspace", "created_at"]
    )
    op.create_table(
        "feedback_categories",
        sa.Column("workspace", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("named_by", sa.String(length=200), nullable=False),
        sa.Column("keywords", sa.Text(), nullable=False),
        sa.Column("centroid", sa.LargeBinary(), nullable=False),
        sa.Column("medoid", sa.String(length=100), nullable=False),
        sa.Column("made_at", Instant, nullable=False),
        sa.Column("seen_at", Instant, nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace"], ["workspaces.id"], name=op.f("fk_feedback_categories_workspace")
        ),
        sa.PrimaryKeyConstraint("workspace", "id", name=op.f("pk_feedback_categories")),
    )
    op.create_table(
        "feedback_placed",
        sa.Column("workspace", sa.String(length=40), nullable=False),
        sa.Column("item", sa.String(length=100), nullable=False),
        sa.Column("category", sa.String(length=40)),
        sa.Column("sureness", sa.Float(), nullable=False),
        sa.Column("mode", sa.String(length=20), nullable=False),
        sa.Column("score", sa.Float(), nullable=False),
        sa.Column("confidence", sa.Float()),
        sa.Column("first", sa.String(length=100), nullable=False),
        sa.Column("week", sa.Date(), nullable=False),
        sa.Column("said_category", sa.String(length=40)),
        sa.Column("said_mode", sa.String(length=20)),
        sa.Column("said_by", sa.String(length=200)),
        sa.Column("said_at", Instant),
        sa.ForeignKeyConstraint(["workspace"], ["workspaces.id"], name=op.f("fk_feedback_placed_workspace")),
        sa.PrimaryKeyConstraint("workspace", "item", name=op.f("pk_feedback_placed")),
    )
    op.create_index(
        op.f("ix_feedback_placed_workspace_said_by_score"),
        "feedback_placed",
        ["workspace", "said_by", "score"],
    )
    op.create_index(op.f("ix_feedback_placed_workspace_first"), "feedback_placed", ["workspace", "first"])


def downgrade() -> None:
    """Drops them."""
    op.drop_table("feedback_placed")
    op.drop_table("feedback_categories")
    op.drop_table("feedback_triages")
