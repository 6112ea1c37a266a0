"""The table of epochs, and every query on it."""

from __future__ import annotations

import sqlalchemy as sa

from holdfast.storage.sql import Transaction, metadata

epochs = sa.Table(
    "epochs",
    metadata,
    sa.Column("name", sa.String(40), primary_key=True),
    sa.Column("epoch", sa.BigInteger, nullable=False),
)
"""One row, `gateway`, which its migration puts there."""
GATEWAY = "gateway"


def advance(tx: Transaction) -> None:
    tx.execute(epochs.update().where(epochs.c.name == GATEWAY).values(epoch=epochs.c.epoch + 1))


def current(tx: Transaction) -> int:
    return int(tx.execute(sa.select(epochs.c.epoch).where(epochs.c.name == GATEWAY)).scalar_one())
