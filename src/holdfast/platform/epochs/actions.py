"""The verb of epochs."""

from __future__ import annotations

from holdfast.platform.epochs import store
from holdfast.storage.sql import Transaction


def advance(tx: Transaction) -> None:
    """Says that gateways need a new snapshot once this transaction is committed. Call it just before `audit.record`.

    On PostgreSQL it holds the counter until the transaction ends, so that no epoch names two states.
    """
    store.advance(tx)
