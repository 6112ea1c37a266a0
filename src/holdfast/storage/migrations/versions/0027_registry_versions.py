"""Named versions of components, and manifests of knowledge bases."""

import sqlalchemy as sa
from alembic import op

from holdfast.storage.sql import Instant

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Makes the tables."""
    op.create_table(
        "component_versions",
        sa.Column("workspace", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("author", sa.String(length=200), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("rationale", sa.Text(), nullable=False),
        sa.Column("ticket", sa.String(length=200), nullable=False),
        sa.ForeignKeyConstraint(
            ["workspace", "hash"],
            ["components.workspace", "components.hash"],
            name=op.f("fk_component_versions_workspace_hash"),
        ),
        sa.PrimaryKeyConstraint("workspace", "kind", "name", "number", name=op.f("pk_component_versions")),
    )
    op.create_table(
        "manifests",
        sa.Column("workspace", sa.String(length=40), nullable=False),
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("name", sa.String(length=120), nullable=False),
        sa.Column("documents_count", sa.BigInteger(), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("author", sa.String(length=200), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("rationale", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["workspace"], ["workspaces.id"], name=op.f("fk_manifests_workspace")),
        sa.PrimaryKeyConstraint("workspace", "id", name=op.f("pk_manifests")),
    )
    op.create_table(
        "manifest_documents",
        sa.Column("workspace", sa.String(length=40), nullable=False),
        sa.Column("manifest", sa.String(length=40), nullable=False),
        sa.Column("document", sa.String(length=500), nullable=False),
        sa.Column("hash", sa.String(length=200), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("date", Instant),
        sa.ForeignKeyConstraint(
            ["workspace", "manifest"],
            ["manifests.workspace", "manifests.id"],
            name=op.f("fk_manifest_documents_workspace_manifest"),
        ),
        sa.PrimaryKeyConstraint("workspace", "manifest", "document", name=op.f("pk_manifest_documents")),
    )


def downgrade() -> None:
    """Drops them."""
    op.drop_table("manifest_documents")
    op.drop_table("manifests")
    op.drop_table("component_versions")
