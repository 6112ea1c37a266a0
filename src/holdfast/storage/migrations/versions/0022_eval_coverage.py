"""Maps of how much of what production asks an evaluation suite covers."""

import sqlalchemy as sa
from alembic import op

from holdfast.storage.sql import Instant

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "eval_coverage",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("workspace", sa.String(length=40), nullable=False),
        sa.Column("suite", sa.String(length=100), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("start", Instant, nullable=False),
        sa.Column("end", Instant, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("phase", sa.String(length=40), nullable=False),
        sa.Column("done", sa.BigInteger(), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("started_at", Instant),
        sa.Column("finished_at", Instant),
        sa.Column("found", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["workspace"], ["workspaces.id"], name=op.f("fk_eval_coverage_workspace")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_eval_coverage")),
    )
    op.create_index(op.f("ix_eval_coverage_state"), "eval_coverage", ["state"])
    op.create_index(
        op.f("ix_eval_coverage_workspace_suite_created_at"),
        "eval_coverage",
        ["workspace", "suite", "created_at"],
    )


def downgrade() -> None:
    """Drops it."""
    op.drop_table("eval_coverage")
