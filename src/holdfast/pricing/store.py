"""The table of the price book, and every query on it."""

from __future__ import annotations

import json
from datetime import datetime
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from holdfast.pricing.model import PriceBookEntry
from holdfast.storage.sql import Instant, Transaction, metadata

price_book = sa.Table(
    "price_book",
    metadata,
    sa.Column("id", sa.String(40), primary_key=True),
    sa.Column("workspace", sa.String(40), sa.ForeignKey("workspaces.id"), nullable=False, index=True),
    sa.Column("provider", sa.String(200), nullable=False),
    sa.Column("model_pattern", sa.String(200), nullable=False),
    sa.Column("service_tier", sa.String(40)),
    sa.Column("currency", sa.String(3), nullable=False),
    sa.Column("rates", sa.Text, nullable=False),  # JSON: bucket -> decimal text per million tokens
    sa.Column("effective_from", Instant, nullable=False),
    sa.Column("effective_to", Instant),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("created_at", Instant, nullable=False),
    sa.Column("created_by", sa.String(200), nullable=False),
    sa.Column("retired_at", Instant),
)


def _entry(row: Any) -> PriceBookEntry:
    return PriceBookEntry(
        id=row.id,
        provider=row.provider,
        model_pattern=row.model_pattern,
        currency=row.currency,
        rates={bucket: Decimal(text) for bucket, text in json.loads(row.rates).items()},
        effective_from=row.effective_from,
        effective_to=row.effective_to,
        service_tier=row.service_tier,
        note=row.note,
        created_at=row.created_at,
        created_by=row.created_by,
        retired_at=row.retired_at,
    )


def add_entry(tx: Transaction, workspace: str, entry: PriceBookEntry) -> None:
    """Keeps an entry that has been made now, with its maker."""
    tx.execute(
        price_book.insert().values(
            id=entry.id,
            workspace=workspace,
            provider=entry.provider,
            model_pattern=entry.model_pattern,
            service_tier=entry.service_tier,
            currency=entry.currency,
            rates=json.dumps({bucket: format(rate, "f") for bucket, rate in sorted(entry.rates.items())}),
            effective_from=entry.effective_from,
            effective_to=entry.effective_to,
            note=entry.note,
            created_at=entry.created_at,
            created_by=entry.created_by,
            retired_at=entry.retired_at,
        )
    )


def entries_of(tx: Transaction, workspace: str, *, retired: bool = False) -> list[PriceBookEntry]:
    """A workspace's entries by provider, model and beginning; those retired too where `retired`."""
    statement = tx.select(price_book, workspace).order_by(
        price_book.c.provider, price_book.c.model_pattern, price_book.c.effective_from, price_book.c.id
    )
    if not retired:
        statement = statement.where(price_book.c.retired_at.is_(None))
    return [_entry(row) for row in tx.execute(statement)]


def retire_entry(tx: Transaction, workspace: str, entry: str, at: datetime) -> bool:
    """True when a living entry of the workspace was retired now."""
    statement = (
        price_book.update()
        .where(
            price_book.c.workspace == workspace, price_book.c.id == entry, price_book.c.retired_at.is_(None)
        )
        .values(retired_at=at)
    )
    return tx.execute(statement).rowcount == 1
