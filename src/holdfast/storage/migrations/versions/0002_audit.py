"""Audit log"""

import sqlalchemy as sa
from alembic import op

from holdfast.storage.sql import Instant

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "audit_entries",
        sa.Column("workspace", sa.String(length=64), nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("action", sa.String(length=100), nullable=False),
        sa.Column("actor_kind", sa.String(length=20), nullable=False),
        sa.Column("actor_id", sa.Text(), nullable=True),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("record", sa.Text(), nullable=True),
        sa.Column("salt", sa.LargeBinary(), nullable=True),
        sa.Column("leaf_hash", sa.LargeBinary(), nullable=False),
        sa.Column("erased_at", Instant, nullable=True),
        sa.PrimaryKeyConstraint("workspace", "position", name=op.f("pk_audit_entries")),
    )
    for name in ("actor_id", "subject"):
        index = op.f(f"ix_audit_entries_workspace_{name}_position")
        op.create_index(index, "audit_entries", ["workspace", name, "position"], unique=False)
    op.create_table(
        "audit_trees",
        sa.Column("workspace", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("frontier", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", name=op.f("pk_audit_trees")),
    )
    op.create_table(
        "audit_tiles",
        sa.Column("workspace", sa.String(length=64), nullable=False),
        sa.Column("level", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("position", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("workspace", "level", "position", name=op.f("pk_audit_tiles")),
    )
    op.create_table(
        "audit_checkpoints",
        sa.Column("workspace", sa.String(length=64), nullable=False),
        sa.Column("size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("root", sa.LargeBinary(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("workspace", "size", name=op.f("pk_audit_checkpoints")),
    )
    op.create_table(
        "audit_streams",
        sa.Column("name", sa.String(length=100), nullable=False),
        sa.Column("workspace", sa.String(length=64), nullable=False),
        sa.Column("next_index", sa.BigInteger(), nullable=False),
        sa.Column("checkpoint_size", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", "workspace", name=op.f("pk_audit_streams")),
    )


def downgrade() -> None:
    for name in ("audit_streams", "audit_checkpoints", "audit_tiles", "audit_trees", "audit_entries"):
        op.drop_table(name)
