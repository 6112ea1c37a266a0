"""Who wrote an imported version, and when."""

import sqlalchemy as sa
from alembic import op

from holdfast.storage.sql import Instant

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Adds the columns."""
    op.add_column("component_versions", sa.Column("original_author", sa.String(length=200), nullable=True))
    op.add_column("component_versions", sa.Column("original_date", Instant, nullable=True))


def downgrade() -> None:
    """Takes them away."""
    op.drop_column("component_versions", "original_date")
    op.drop_column("component_versions", "original_author")
