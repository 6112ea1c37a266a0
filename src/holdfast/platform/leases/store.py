"""Memory of leases: one row each, which changes hands only when it has run out or is given back."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from holdfast.platform.leases.model import Lease
from holdfast.storage.sql import Instant, Transaction, metadata

leases = sa.Table(
    "leases",
    metadata,
    sa.Column("name", sa.String(120), primary_key=True),
    sa.Column("holder", sa.String(400), nullable=False),
    sa.Column("until", Instant, nullable=False),
    sa.Column("value", sa.BigInteger, nullable=False),
)


def take(tx: Transaction, lease: Lease, now: datetime, *, new_only: bool = False) -> bool:
    """Makes the lease its holder's, where it is theirs, nobody's, or has run out. A value that is there stays.

    `new_only`: only where there is no such lease at all.
    """
    if not new_only:
        free = sa.or_(leases.c.holder == lease.holder, leases.c.until <= now)
        change = leases.update().where(leases.c.name == lease.name, free)
        if tx.execute(change.values(holder=lease.holder, until=lease.until)).rowcount == 1:
            return True
    values = {"name": lease.name, "holder": lease.holder, "until": lease.until, "value": lease.value}
    return tx.insert_new(leases, values, key=["name"])


def renew(tx: Transaction, lease: Lease) -> bool:
    """Keeps a lease, with its value, for longer; False where it is another's by now."""
    mine = leases.update().where(leases.c.name == lease.name, leases.c.holder == lease.holder)
    return tx.execute(mine.values(until=lease.until, value=lease.value)).rowcount == 1


def give_back(tx: Transaction, name: str, holder: str) -> None:
    """Ends a lease, where the holder still has it."""
    tx.execute(leases.delete().where(leases.c.name == name, leases.c.holder == holder))


def beginning_with(tx: Transaction, prefix: str) -> list[Lease]:
    """All leases whose names begin so, whether they have run out or not, by name."""
    query = sa.select(leases).where(leases.c.name.startswith(prefix, autoescape=True)).order_by(leases.c.name)
    return [Lease(row.name, row.holder, row.until, row.value) for row in tx.execute(query)]
