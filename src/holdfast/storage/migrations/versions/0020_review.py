"""Review of live answers: policies, how far it has come, tallies, and the queue with what people decided."""

import sqlalchemy as sa
from alembic import op

from holdfast.storage.sql import Instant

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "review_policies",
        sa.Column("workspace", sa.String(length=40), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("changed_at", Instant, nullable=False),
        sa.Column("author", sa.String(length=200), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["workspace"], ["workspaces.id"], name=op.f("fk_review_policies_workspace")),
        sa.PrimaryKeyConstraint("workspace", "version", name=op.f("pk_review_policies")),
    )
    op.create_table(
        "review_places",
        sa.Column("workspace", sa.String(length=40), nullable=False),
        sa.Column("position", Instant, nullable=False),
        sa.Column("turned_at", Instant, nullable=False),
        sa.Column("looked", sa.BigInteger(), nullable=False),
        sa.Column("behind", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["workspace"], ["workspaces.id"], name=op.f("fk_review_places_workspace")),
        sa.PrimaryKeyConstraint("workspace", name=op.f("pk_review_places")),
    )
    op.create_table(
        "review_seen",
        sa.Column("workspace", sa.String(length=40), nullable=False),
        sa.Column("call", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("started_at", Instant, nullable=False),
        sa.Column("known", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["workspace"], ["workspaces.id"], name=op.f("fk_review_seen_workspace")),
        sa.PrimaryKeyConstraint("workspace", "call", name=op.f("pk_review_seen")),
    )
    op.create_index(op.f("ix_review_seen_workspace_started_at"), "review_seen", ["workspace", "started_at"])
    op.create_table(
        "review_tallies",
        sa.Column("workspace", sa.String(length=40), nullable=False),
        sa.Column("hour", Instant, nullable=False),
        sa.Column("system", sa.String(length=200), nullable=False),
        sa.Column("environment", sa.String(length=200), nullable=False),
        sa.Column("route", sa.String(length=200), nullable=False),
        sa.Column("dimension", sa.String(length=40), nullable=False),
        sa.Column("method", sa.String(length=20), nullable=False),
        sa.Column("flagged", sa.Float(), nullable=False),
        sa.Column("clean", sa.Float(), nullable=False),
        sa.Column("unknown", sa.Float(), nullable=False),
        sa.Column("looked", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["workspace"], ["workspaces.id"], name=op.f("fk_review_tallies_workspace")),
        sa.PrimaryKeyConstraint(
            "workspace",
            "hour",
            "system",
            "environment",
            "route",
            "dimension",
            "method",
            name=op.f("pk_review_tallies"),
        ),
    )
    op.create_table(
        "review_items",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("workspace", sa.String(length=40), nullable=False),
        sa.Column("trace", sa.String(length=32), nullable=False),
        sa.Column("call", sa.String(length=100), nullable=False),
        sa.Column("system", sa.String(length=200), nullable=False),
        sa.Column("environment", sa.String(length=200), nullable=False),
        sa.Column("route", sa.String(length=200), nullable=False),
        sa.Column("started_at", Instant, nullable=False),
        sa.Column("why", sa.String(length=20), nullable=False),
        sa.Column("dimensions", sa.Text(), nullable=False),
        sa.Column("severity", sa.String(length=20), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("inclusion", sa.Float(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("double", sa.Boolean(), nullable=False),
        sa.Column("opened_at", Instant, nullable=False),
        sa.Column("due_at", Instant, nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("holder", sa.String(length=200), nullable=False),
        sa.Column("claimed_at", Instant),
        sa.Column("decided_at", Instant),
        sa.ForeignKeyConstraint(["workspace"], ["workspaces.id"], name=op.f("fk_review_items_workspace")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_review_items")),
        sa.UniqueConstraint("workspace", "trace", "call", name=op.f("uq_review_items_workspace_trace_call")),
    )
    op.create_index(op.f("ix_review_items_workspace_opened_at"), "review_items", ["workspace", "opened_at"])
    op.create_index(
        op.f("ix_review_items_workspace_state_priority"), "review_items", ["workspace", "state", "priority"]
    )
    op.create_table(
        "review_findings",
        sa.Column("item", sa.String(length=40), nullable=False),
        sa.Column("rule", sa.String(length=100), nullable=False),
        sa.Column("version", sa.String(length=40), nullable=False),
        sa.Column("dimension", sa.String(length=40), nullable=False),
        sa.Column("workspace", sa.String(length=40), nullable=False),
        sa.Column("severity", sa.String(length=20), nullable=False),
        sa.Column("confidence", sa.Float(), nullable=False),
        sa.Column("basis", sa.String(length=20), nullable=False),
        sa.Column("spots", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["item"], ["review_items.id"], name=op.f("fk_review_findings_item")),
        sa.ForeignKeyConstraint(["workspace"], ["workspaces.id"], name=op.f("fk_review_findings_workspace")),
        sa.PrimaryKeyConstraint("item", "rule", "version", "dimension", name=op.f("pk_review_findings")),
    )
    op.create_table(
        "review_votes",
        sa.Column("item", sa.String(length=40), nullable=False),
        sa.Column("dimension", sa.String(length=40), nullable=False),
        sa.Column("reviewer", sa.String(length=200), nullable=False),
        sa.Column("workspace", sa.String(length=40), nullable=False),
        sa.Column("decision", sa.String(length=20), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("seconds", sa.Float()),
        sa.ForeignKeyConstraint(["item"], ["review_items.id"], name=op.f("fk_review_votes_item")),
        sa.ForeignKeyConstraint(["workspace"], ["workspaces.id"], name=op.f("fk_review_votes_workspace")),
        sa.PrimaryKeyConstraint("item", "dimension", "reviewer", name=op.f("pk_review_votes")),
    )


def downgrade() -> None:
    """Drops them."""
    op.drop_table("review_votes")
    op.drop_table("review_findings")
    op.drop_table("review_items")
    op.drop_table("review_tallies")
    op.drop_table("review_seen")
    op.drop_table("review_places")
    op.drop_table("review_policies")
