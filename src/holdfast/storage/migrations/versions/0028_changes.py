"""Changes, what each step of them rests on, reviews, gates, policies and freezes."""

import sqlalchemy as sa
from alembic import op

from holdfast.storage.sql import Instant

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def _workspace() -> sa.Column[str]:
    return sa.Column("workspace", sa.String(length=40), nullable=False)


def _of_workspace(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["workspace"], ["workspaces.id"], name=op.f(f"fk_{table}_workspace"))


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "changes",
        sa.Column("id", sa.String(length=40), nullable=False),
        _workspace(),
        sa.Column("system", sa.String(length=200), nullable=False),
        sa.Column("route", sa.String(length=120), nullable=False),
        sa.Column("candidate", sa.String(length=40), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("updated_at", Instant, nullable=False),
        sa.Column("whole", sa.Text(), nullable=False),
        _of_workspace("changes"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_changes")),
    )
    op.create_index(op.f("ix_changes_workspace_created_at"), "changes", ["workspace", "created_at"])
    op.create_index(op.f("ix_changes_state"), "changes", ["state"])
    op.create_table(
        "change_evidence",
        _workspace(),
        sa.Column("change", sa.String(length=40), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("whole", sa.Text(), nullable=False),
        _of_workspace("change_evidence"),
        sa.PrimaryKeyConstraint("workspace", "change", "number", name=op.f("pk_change_evidence")),
    )
    op.create_table(
        "change_reviews",
        sa.Column("id", sa.String(length=40), nullable=False),
        _workspace(),
        sa.Column("change", sa.String(length=40), nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("whole", sa.Text(), nullable=False),
        _of_workspace("change_reviews"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_change_reviews")),
    )
    op.create_index(op.f("ix_change_reviews_workspace_change"), "change_reviews", ["workspace", "change"])
    op.create_table(
        "change_gates",
        _workspace(),
        sa.Column("change", sa.String(length=40), nullable=False),
        sa.Column("content", sa.String(length=64), nullable=False),
        sa.Column("suite", sa.String(length=100), nullable=False),
        sa.Column("whole", sa.Text(), nullable=False),
        _of_workspace("change_gates"),
        sa.PrimaryKeyConstraint("workspace", "change", "content", "suite", name=op.f("pk_change_gates")),
    )
    op.create_table(
        "change_policies",
        _workspace(),
        sa.Column("version", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("whole", sa.Text(), nullable=False),
        _of_workspace("change_policies"),
        sa.PrimaryKeyConstraint("workspace", "version", name=op.f("pk_change_policies")),
    )
    op.create_table(
        "change_freezes",
        sa.Column("id", sa.String(length=40), nullable=False),
        _workspace(),
        sa.Column("begins_at", Instant, nullable=False),
        sa.Column("ends_at", Instant),
        sa.Column("whole", sa.Text(), nullable=False),
        _of_workspace("change_freezes"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_change_freezes")),
    )
    op.create_index(
        op.f("ix_change_freezes_workspace_begins_at"), "change_freezes", ["workspace", "begins_at"]
    )


def downgrade() -> None:
    """Drops them."""
    for table in (
        "change_freezes",
        "change_policies",
        "change_gates",
        "change_reviews",
        "change_evidence",
        "changes",
    ):
        op.drop_table(table)
