"""Jobs over past calls are of two kinds, for one system or all, and say what calls cost before and after."""

import json

import sqlalchemy as sa
from alembic import op

from holdfast.storage.sql import Instant

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

_SHARED = ("id", "workspace", "from_at", "to_at", "requested_at", "total", "seen", "position_ns")
_BOTH = (*_SHARED, "position_id", "finished_at")


def upgrade() -> None:
    """Makes the table in place of the one for a single kind, whose jobs are kept."""
    made = op.create_table(
        "past_jobs",
        sa.Column("id", sa.String(length=40), nullable=False),
        sa.Column("workspace", sa.String(length=40), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("system", sa.String(length=512), nullable=False),
        sa.Column("from_at", Instant, nullable=False),
        sa.Column("to_at", Instant, nullable=False),
        sa.Column("requested_at", Instant, nullable=False),
        sa.Column("requested_by", sa.String(length=200), nullable=False),
        sa.Column("total", sa.BigInteger(), nullable=False),
        sa.Column("seen", sa.BigInteger(), nullable=False),
        sa.Column("position_ns", sa.BigInteger(), nullable=False),
        sa.Column("position_id", sa.String(length=40), nullable=False),
        sa.Column("tally", sa.Text(), nullable=False),
        sa.Column("pending", sa.Text(), nullable=False),
        sa.Column("finished_at", Instant, nullable=True),
        sa.ForeignKeyConstraint(["workspace"], ["workspaces.id"], name=op.f("fk_past_jobs_workspace")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_past_jobs")),
    )
    instants = ("from_at", "to_at", "requested_at", "finished_at")
    plain = [name for name in (*_BOTH, "changed", "difference") if name not in instants]
    columns = [*(sa.column(name) for name in plain), *(sa.column(name, Instant) for name in instants)]
    for one in (
        op.get_bind().execute(sa.select(*columns).select_from(sa.table("repricings"))).mappings().all()
    ):
        tally = {"seen": one["seen"], "changed": one["changed"], "difference": json.loads(one["difference"])}
        row = {name: one[name] for name in _BOTH}
        row |= {"kind": "price", "system": "", "requested_by": "", "tally": json.dumps(tally), "pending": ""}
        op.bulk_insert(made, [row])
    op.drop_table("repricings")
