"""What judges are shown of live calls."""

import sqlalchemy as sa
from alembic import op

from holdfast.storage.sql import Instant

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "review_asks",
        sa.Column("workspace", sa.String(length=40), nullable=False),
        sa.Column("trace", sa.String(length=32), nullable=False),
        sa.Column("call", sa.String(length=100), nullable=False),
        sa.Column("judge", sa.String(length=100), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("asks", sa.String(length=64), nullable=False),
        sa.Column("dimension", sa.String(length=40), nullable=False),
        sa.Column("system", sa.String(length=200), nullable=False),
        sa.Column("environment", sa.String(length=200), nullable=False),
        sa.Column("route", sa.String(length=200), nullable=False),
        sa.Column("started_at", Instant, nullable=False),
        sa.Column("weight", sa.Float(), nullable=False),
        sa.Column("queued_at", Instant, nullable=False),
        sa.Column("due_at", Instant, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("score", sa.Float()),
        sa.Column("failed", sa.Boolean()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("cost", sa.String(length=60)),
        sa.Column("unpriced", sa.Boolean(), nullable=False),
        sa.Column("asked_at", Instant),
        sa.ForeignKeyConstraint(["workspace"], ["workspaces.id"], name=op.f("fk_review_asks_workspace")),
        sa.PrimaryKeyConstraint("workspace", "trace", "call", "judge", name=op.f("pk_review_asks")),
    )
    op.create_index(op.f("ix_review_asks_state_due_at"), "review_asks", ["state", "due_at"])
    op.create_index(
        op.f("ix_review_asks_workspace_judge_asked_at"), "review_asks", ["workspace", "judge", "asked_at"]
    )
    op.create_index(op.f("ix_review_asks_workspace_started_at"), "review_asks", ["workspace", "started_at"])


def downgrade() -> None:
    """Drops it."""
    op.drop_table("review_asks")
