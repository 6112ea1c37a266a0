"""The answer of epochs."""

from __future__ import annotations

from holdfast.platform.epochs import store
from holdfast.storage.sql import Transaction


def current(tx: Transaction) -> int:
    """The epoch of what this transaction sees; it grows with every change that gateways must know of."""
    return store.current(tx)
