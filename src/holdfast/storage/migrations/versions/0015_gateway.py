"""Components and releases; the gateway's applied configurations; the epoch of what gateways know."""

import sqlalchemy as sa
from alembic import op

from holdfast.storage.sql import Instant

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the tables, and the one row of the epoch."""
    op.create_table(
        "components",
        sa.Column("workspace", sa.String(length=40), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("author", sa.String(length=200), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("rationale", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["workspace"], ["workspaces.id"], name=op.f("fk_components_workspace")),
        sa.PrimaryKeyConstraint("workspace", "hash", name=op.f("pk_components")),
    )
    op.create_table(
        "releases",
        sa.Column("workspace", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("components", sa.Text(), nullable=False),
        sa.Column("author", sa.String(length=200), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.ForeignKeyConstraint(["workspace"], ["workspaces.id"], name=op.f("fk_releases_workspace")),
        sa.PrimaryKeyConstraint("workspace", "id", name=op.f("pk_releases")),
    )
    op.create_table(
        "gateway_configurations",
        sa.Column("workspace", sa.String(length=40), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.Text(), nullable=False),
        sa.Column("release_ids", sa.Text(), nullable=False),
        sa.Column("applied_at", Instant, nullable=False),
        sa.Column("applied_by", sa.String(length=200), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace"], ["workspaces.id"], name=op.f("fk_gateway_configurations_workspace")
        ),
        sa.PrimaryKeyConstraint("workspace", "version", name=op.f("pk_gateway_configurations")),
    )
    op.create_table(
        "gateway_prices",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_gateway_prices")),
    )
    epochs = op.create_table(
        "epochs",
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("epoch", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_epochs")),
    )
    op.bulk_insert(epochs, [{"name": "gateway", "epoch": 1}])


def downgrade() -> None:
    """Drops them."""
    for name in ("epochs", "gateway_prices", "gateway_configurations", "releases", "components"):
        op.drop_table(name)
