"""Channels, the outbox of messages, receipts."""

import sqlalchemy as sa
from alembic import op

from holdfast.storage.sql import Instant

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "notify_channels",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("workspace", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("config", sa.Text(), nullable=False),
        sa.Column("secret", sa.String(length=60), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("created_by", sa.String(length=200), nullable=False),
        sa.Column("changed_at", Instant, nullable=False),
        sa.Column("removed_at", Instant),
        sa.Column("failing_since", Instant),
        sa.Column("failure", sa.Text(), nullable=False),
        sa.Column("delivered_at", Instant),
        sa.ForeignKeyConstraint(["workspace"], ["workspaces.id"], name=op.f("fk_notify_channels_workspace")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notify_channels")),
    )
    op.create_index(op.f("ix_notify_channels_workspace"), "notify_channels", ["workspace"])
    op.create_table(
        "notify_messages",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("workspace", sa.String(length=40), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.ForeignKeyConstraint(["workspace"], ["workspaces.id"], name=op.f("fk_notify_messages_workspace")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notify_messages")),
    )
    op.create_index(op.f("ix_notify_messages_workspace"), "notify_messages", ["workspace"])
    op.create_index(op.f("ix_notify_messages_created_at"), "notify_messages", ["created_at"])
    op.create_table(
        "notify_deliveries",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("workspace", sa.String(length=40), nullable=False),
        sa.Column("message", sa.String(length=80), nullable=False),
        sa.Column("channel", sa.String(length=40), nullable=False),
        sa.Column("about", sa.String(length=80), nullable=False),
        sa.Column("state", sa.String(length=20), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due_at", Instant, nullable=False),
        sa.Column("give_up_at", Instant, nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("lease", sa.String(length=40), nullable=False),
        sa.Column("lease_until", Instant),
        sa.Column("finished_at", Instant),
        sa.Column("recipients", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace"], ["workspaces.id"], name=op.f("fk_notify_deliveries_workspace")
        ),
        sa.ForeignKeyConstraint(
            ["message"], ["notify_messages.id"], name=op.f("fk_notify_deliveries_message")
        ),
        sa.ForeignKeyConstraint(
            ["channel"], ["notify_channels.id"], name=op.f("fk_notify_deliveries_channel")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notify_deliveries")),
        sa.UniqueConstraint("message", "channel", name=op.f("uq_notify_deliveries_message_channel")),
    )
    op.create_index(op.f("ix_notify_deliveries_state_due_at"), "notify_deliveries", ["state", "due_at"])
    op.create_index(
        op.f("ix_notify_deliveries_channel_created_at"), "notify_deliveries", ["channel", "created_at"]
    )
    op.create_table(
        "notify_receipts",
        sa.Column("delivery", sa.String(length=40), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("workspace", sa.String(length=40), nullable=False),
        sa.Column("started_at", Instant, nullable=False),
        sa.Column("duration_ms", sa.Float()),
        sa.Column("outcome", sa.String(length=20), nullable=False),
        sa.Column("status", sa.Integer()),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["delivery"], ["notify_deliveries.id"], name=op.f("fk_notify_receipts_delivery")
        ),
        sa.ForeignKeyConstraint(["workspace"], ["workspaces.id"], name=op.f("fk_notify_receipts_workspace")),
        sa.PrimaryKeyConstraint("delivery", "attempt", name=op.f("pk_notify_receipts")),
    )
    op.create_index(
        op.f("ix_notify_receipts_workspace_started_at"), "notify_receipts", ["workspace", "started_at"]
    )


def downgrade() -> None:
    """Drops them."""
    for table in ("notify_receipts", "notify_deliveries", "notify_messages", "notify_channels"):
        op.drop_table(table)
