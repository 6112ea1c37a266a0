"""Feedback: items, the keys of links, how far jobs have come, improvements."""

import sqlalchemy as sa
from alembic import op

from holdfast.storage.sql import Instant

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "feedback_items",
        sa.Column("workspace", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=100), nullable=False),
        sa.Column("source", sa.String(length=20), nullable=False),
        sa.Column("call_id", sa.String(length=200)),
        sa.Column("trace_id", sa.String(length=64)),
        sa.Column("session", sa.String(length=200)),
        sa.Column("rating", sa.Integer()),
        sa.Column("score", sa.Float()),
        sa.Column("label", sa.String(length=100)),
        sa.Column("comment", sa.Text()),
        sa.Column("correction", sa.Text()),
        sa.Column("used", sa.Text()),
        sa.Column("author", sa.String(length=200)),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("received_at", Instant, nullable=False),
        sa.Column("metadata", sa.Text(), nullable=False),
        sa.Column("signal", sa.String(length=20)),
        sa.Column("confidence", sa.Float()),
        sa.Column("words", sa.String(length=10), nullable=False),
        sa.Column("same_as", sa.String(length=100)),
        sa.Column("handled", sa.String(length=400)),
        sa.Column("handled_by", sa.String(length=200)),
        sa.Column("handled_at", Instant),
        sa.Column("sentiment", sa.String(length=10), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("likeness", sa.String(length=64)),
        sa.Column("look_at", Instant),
        sa.Column("looks", sa.Integer(), nullable=False),
        sa.Column("joined_at", Instant),
        sa.Column("joined_call", sa.String(length=64)),
        sa.Column("joined_trace", sa.String(length=64)),
        sa.Column("joined_session", sa.String(length=200)),
        sa.Column("system", sa.String(length=200)),
        sa.Column("environment", sa.String(length=200)),
        sa.Column("route", sa.String(length=200)),
        sa.Column("release", sa.String(length=200)),
        sa.Column("model", sa.String(length=300)),
        sa.Column("called_at", Instant),
        sa.ForeignKeyConstraint(["workspace"], ["workspaces.id"], name=op.f("fk_feedback_items_workspace")),
        sa.PrimaryKeyConstraint("workspace", "id", name=op.f("pk_feedback_items")),
    )
    for columns in (
        ["workspace", "created_at"],
        ["workspace", "trace_id"],
        ["workspace", "joined_trace"],
        ["workspace", "likeness"],
        ["look_at"],
    ):
        op.create_index(op.f(f"ix_feedback_items_{'_'.join(columns)}"), "feedback_items", columns)
    op.create_table(
        "feedback_link_keys",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("workspace", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("origins", sa.Text(), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.Column("revoked_at", Instant),
        sa.ForeignKeyConstraint(
            ["workspace"], ["workspaces.id"], name=op.f("fk_feedback_link_keys_workspace")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback_link_keys")),
    )
    op.create_index(op.f("ix_feedback_link_keys_workspace"), "feedback_link_keys", ["workspace"])
    op.create_table(
        "feedback_walks",
        sa.Column("workspace", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.ForeignKeyConstraint(["workspace"], ["workspaces.id"], name=op.f("fk_feedback_walks_workspace")),
        sa.PrimaryKeyConstraint("workspace", "kind", name=op.f("pk_feedback_walks")),
    )
    op.create_table(
        "feedback_improvements",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("workspace", sa.String(length=40), nullable=False),
        sa.Column("title", sa.String(length=200), nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("hypothesis", sa.Text(), nullable=False),
        sa.Column("category", sa.String(length=300), nullable=False),
        sa.Column("change_ref", sa.String(length=300), nullable=False),
        sa.Column("stage", sa.String(length=20), nullable=False),
        sa.Column("measurement", sa.Text()),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.Column("changed_at", Instant, nullable=False),
        sa.Column("closed_at", Instant),
        sa.ForeignKeyConstraint(
            ["workspace"], ["workspaces.id"], name=op.f("fk_feedback_improvements_workspace")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_feedback_improvements")),
    )
    op.create_index(
        op.f("ix_feedback_improvements_workspace_created_at"),
        "feedback_improvements",
        ["workspace", "created_at"],
    )


def downgrade() -> None:
    """Drops them."""
    op.drop_table("feedback_improvements")
    op.drop_table("feedback_walks")
    op.drop_table("feedback_link_keys")
    op.drop_table("feedback_items")
