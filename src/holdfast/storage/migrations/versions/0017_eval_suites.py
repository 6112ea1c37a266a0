"""Suites of evals, version by version."""

import sqlalchemy as sa
from alembic import op

from holdfast.storage.sql import Instant

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the table."""
    op.create_table(
        "eval_suites",
        sa.Column("workspace", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("system", sa.String(length=200), nullable=False),
        sa.Column("route", sa.String(length=200), nullable=False),
        sa.Column("cases", sa.Integer(), nullable=False),
        sa.Column("holdouts", sa.Integer(), nullable=False),
        sa.Column("critical", sa.Integer(), nullable=False),
        sa.Column("review_on", sa.Date()),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("author", sa.String(length=200), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["workspace"], ["workspaces.id"], name=op.f("fk_eval_suites_workspace")),
        sa.PrimaryKeyConstraint("workspace", "name", "version", name=op.f("pk_eval_suites")),
    )


def downgrade() -> None:
    """Drops it."""
    op.drop_table("eval_suites")
