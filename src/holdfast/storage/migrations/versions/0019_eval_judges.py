"""Judges of evals, version by version; checks of them; what people say of graded answers."""

import sqlalchemy as sa
from alembic import op

from holdfast.storage.sql import Instant

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "eval_judges",
        sa.Column("workspace", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("asks", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("description", sa.Text(), nullable=False),
        sa.Column("labels", sa.Integer(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("author", sa.String(length=200), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["workspace"], ["workspaces.id"], name=op.f("fk_eval_judges_workspace")),
        sa.PrimaryKeyConstraint("workspace", "name", "version", name=op.f("pk_eval_judges")),
    )
    op.create_table(
        "eval_checks",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("workspace", sa.String(length=40), nullable=False),
        sa.Column("judge", sa.String(length=100), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("asks", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.Column("finished_at", Instant),
        sa.ForeignKeyConstraint(["workspace"], ["workspaces.id"], name=op.f("fk_eval_checks_workspace")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_eval_checks")),
    )
    op.create_index(op.f("ix_eval_checks_state"), "eval_checks", ["state"])
    op.create_index(
        op.f("ix_eval_checks_workspace_judge_created_at"), "eval_checks", ["workspace", "judge", "created_at"]
    )
    op.create_table(
        "eval_check_items",
        sa.Column("check", sa.String(length=40), nullable=False),
        sa.Column("item", sa.String(length=200), nullable=False),
        sa.Column("workspace", sa.String(length=40), nullable=False),
        sa.Column("score", sa.Float()),
        sa.Column("forth", sa.Float()),
        sa.Column("back", sa.Float()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("cost", sa.String(length=60)),
        sa.ForeignKeyConstraint(["check"], ["eval_checks.id"], name=op.f("fk_eval_check_items_check")),
        sa.ForeignKeyConstraint(["workspace"], ["workspaces.id"], name=op.f("fk_eval_check_items_workspace")),
        sa.PrimaryKeyConstraint("check", "item", name=op.f("pk_eval_check_items")),
    )
    op.create_table(
        "eval_labels",
        sa.Column("run", sa.String(length=40), nullable=False),
        sa.Column("case", sa.String(length=200), nullable=False),
        sa.Column("repeat", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("expectation", sa.String(length=200), nullable=False),
        sa.Column("person", sa.String(length=200), nullable=False),
        sa.Column("workspace", sa.String(length=40), nullable=False),
        sa.Column("score", sa.Float()),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.ForeignKeyConstraint(["run"], ["eval_runs.id"], name=op.f("fk_eval_labels_run")),
        sa.ForeignKeyConstraint(["workspace"], ["workspaces.id"], name=op.f("fk_eval_labels_workspace")),
        sa.PrimaryKeyConstraint(
            "run", "case", "repeat", "expectation", "person", name=op.f("pk_eval_labels")
        ),
    )


def downgrade() -> None:
    """Drops them."""
    for table in ("eval_labels", "eval_check_items", "eval_checks", "eval_judges"):
        op.drop_table(table)
