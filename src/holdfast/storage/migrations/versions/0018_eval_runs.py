"""Runs of evaluation suites, and their graded answers."""

import sqlalchemy as sa
from alembic import op

from holdfast.storage.sql import Instant

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "eval_runs",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("workspace", sa.String(length=40), nullable=False),
        sa.Column("suite", sa.String(length=100), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("suite_hash", sa.String(length=64), nullable=False),
        sa.Column("route", sa.String(length=200), nullable=False),
        sa.Column("release", sa.String(length=200), nullable=False),
        sa.Column("release_id", sa.String(length=40), nullable=False),
        sa.Column("model", sa.String(length=300), nullable=False),
        sa.Column("baseline", sa.String(length=40), nullable=False),
        sa.Column("bars", sa.Text(), nullable=False),
        sa.Column("cases", sa.Integer(), nullable=False),
        sa.Column("seed", sa.BigInteger()),
        sa.Column("concurrency", sa.Integer(), nullable=False),
        sa.Column("max_cost", sa.String(length=60)),
        sa.Column("reuse", sa.Boolean(), nullable=False),
        sa.Column("trigger", sa.String(length=20), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("started_at", Instant),
        sa.Column("finished_at", Instant),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["workspace"], ["workspaces.id"], name=op.f("fk_eval_runs_workspace")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_eval_runs")),
    )
    op.create_index(op.f("ix_eval_runs_state"), "eval_runs", ["state"])
    op.create_index(op.f("ix_eval_runs_workspace_created_at"), "eval_runs", ["workspace", "created_at"])
    op.create_table(
        "eval_trials",
        sa.Column("run", sa.String(length=40), nullable=False),
        sa.Column("case", sa.String(length=200), nullable=False),
        sa.Column("repeat", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("workspace", sa.String(length=40), nullable=False),
        sa.Column("case_hash", sa.String(length=64), nullable=False),
        sa.Column("question", sa.String(length=40), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("grades", sa.Text(), nullable=False),
        sa.Column("score", sa.Float()),
        sa.Column("passed", sa.Boolean()),
        sa.Column("cost", sa.String(length=60)),
        sa.Column("reused", sa.Boolean(), nullable=False),
        sa.Column("ended_at", Instant, nullable=False),
        sa.ForeignKeyConstraint(["run"], ["eval_runs.id"], name=op.f("fk_eval_trials_run")),
        sa.ForeignKeyConstraint(["workspace"], ["workspaces.id"], name=op.f("fk_eval_trials_workspace")),
        sa.PrimaryKeyConstraint("run", "case", "repeat", name=op.f("pk_eval_trials")),
    )
    op.create_index(op.f("ix_eval_trials_workspace_question"), "eval_trials", ["workspace", "question"])


def downgrade() -> None:
    """Drops them."""
    op.drop_table("eval_trials")
    op.drop_table("eval_runs")
