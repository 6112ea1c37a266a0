"""What has runs of evaluation suites begin by themselves, and why one did."""

import sqlalchemy as sa
from alembic import op

from holdfast.storage.sql import Instant

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table, and the column."""
    op.create_table(
        "eval_triggers",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("workspace", sa.String(length=40), nullable=False),
        sa.Column("suite", sa.String(length=100), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("cron", sa.String(length=100), nullable=False),
        sa.Column("time_zone", sa.String(length=100), nullable=False),
        sa.Column("release", sa.String(length=200), nullable=False),
        sa.Column("baseline", sa.String(length=40), nullable=False),
        sa.Column("repeats", sa.Integer()),
        sa.Column("concurrency", sa.Integer(), nullable=False),
        sa.Column("max_cost", sa.String(length=60)),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.Column("due_at", Instant),
        sa.Column("seen", sa.Text()),
        sa.Column("fired_at", Instant),
        sa.Column("last_run", sa.String(length=40), nullable=False),
        sa.Column("problem", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["workspace"], ["workspaces.id"], name=op.f("fk_eval_triggers_workspace")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_eval_triggers")),
    )
    op.create_index(op.f("ix_eval_triggers_workspace_suite"), "eval_triggers", ["workspace", "suite"])
    op.add_column("eval_runs", sa.Column("because", sa.Text(), nullable=False, server_default=""))


def downgrade() -> None:
    """Drops them."""
    op.drop_column("eval_runs", "because")
    op.drop_table("eval_triggers")
