"""Answers: which leases there are."""

from __future__ import annotations

from holdfast.platform.leases import store
from holdfast.platform.leases.model import Lease
from holdfast.storage.sql import Transaction


def beginning_with(tx: Transaction, prefix: str) -> list[Lease]:
    """All leases whose names begin so, whether they have run out or not, by name."""
    return store.beginning_with(tx, prefix)
