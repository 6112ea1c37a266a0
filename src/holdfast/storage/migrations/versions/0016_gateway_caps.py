"""Break-glass lifts of the gateway's caps, and what gateways told of budgets."""

import sqlalchemy as sa
from alembic import op

from holdfast.storage.sql import Instant

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "gateway_lifts",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("workspace", sa.String(length=40), nullable=False),
        sa.Column("what", sa.String(length=20), nullable=False),
        sa.Column("scope", sa.String(length=20), nullable=False),
        sa.Column("value", sa.String(length=300), nullable=False),
        sa.Column("until", Instant, nullable=False),
        sa.Column("extra", sa.String(length=60)),
        sa.Column("person", sa.String(length=300), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("made_at", Instant, nullable=False),
        sa.Column("made_by", sa.String(length=200), nullable=False),
        sa.Column("ended_at", Instant),
        sa.Column("ended_by", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(["workspace"], ["workspaces.id"], name=op.f("fk_gateway_lifts_workspace")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gateway_lifts")),
    )
    op.create_index(op.f("ix_gateway_lifts_workspace_until"), "gateway_lifts", ["workspace", "until"])
    op.create_table(
        "gateway_budget_events",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("workspace", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("scope", sa.String(length=20), nullable=False),
        sa.Column("value", sa.String(length=300), nullable=False),
        sa.Column("period", sa.String(length=20), nullable=False),
        sa.Column("window", sa.String(length=20), nullable=False),
        sa.Column("ends", Instant, nullable=False),
        sa.Column("currency", sa.String(length=10), nullable=False),
        sa.Column("amount", sa.String(length=60), nullable=False),
        sa.Column("spent", sa.String(length=60), nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace"], ["workspaces.id"], name=op.f("fk_gateway_budget_events_workspace")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gateway_budget_events")),
    )
    op.create_index(
        op.f("ix_gateway_budget_events_workspace_at"), "gateway_budget_events", ["workspace", "at"]
    )


def downgrade() -> None:
    """Drops them."""
    op.drop_table("gateway_budget_events")
    op.drop_table("gateway_lifts")
