"""Labels of prompts, and deployments."""

import sqlalchemy as sa
from alembic import op

from holdfast.storage.sql import Instant

revision = "0031"
down_revision = "0030"
branch_labels = None
depends_on = None


def _workspace() -> sa.Column[str]:
    return sa.Column("workspace", sa.String(length=40), nullable=False)


def _of_workspace(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["workspace"], ["workspaces.id"], name=op.f(f"fk_{table}_workspace"))


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "prompt_labels",
        _workspace(),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("label", sa.String(length=60), nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("moved_at", Instant, nullable=False),
        sa.Column("moved_by", sa.String(length=200), nullable=False),
        _of_workspace("prompt_labels"),
        sa.PrimaryKeyConstraint("workspace", "name", "label", name=op.f("pk_prompt_labels")),
    )
    op.create_table(
        "deployments",
        _workspace(),
        sa.Column("id", sa.String(length=120), nullable=False),
        sa.Column("system", sa.String(length=200), nullable=False),
        sa.Column("at", Instant, nullable=False),
        sa.Column("whole", sa.Text(), nullable=False),
        _of_workspace("deployments"),
        sa.PrimaryKeyConstraint("workspace", "id", name=op.f("pk_deployments")),
    )
    op.create_index(op.f("ix_deployments_workspace_at"), "deployments", ["workspace", "at"])


def downgrade() -> None:
    """Takes them away."""
    for table in ("deployments", "prompt_labels"):
        op.drop_table(table)
