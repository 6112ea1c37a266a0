"""Verbs of the price book. Entries are never changed: a new price is a new entry, a mistake is retired."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from holdfast.kernel.context import Context
from holdfast.kernel.errors import Conflict, NotFound
from holdfast.kernel.ids import new_id
from holdfast.kernel.time import iso
from holdfast.platform.audit import actions as audit
from holdfast.platform.epochs import actions as epochs
from holdfast.pricing import store
from holdfast.pricing.model import PriceBookEntry
from holdfast.pricing.rules.book import accept_rates, check_entry, same_ground
from holdfast.storage.sql import Transaction


def add_entry(
    ctx: Context,
    tx: Transaction,
    *,
    provider: str,
    model_pattern: str,
    rates: Mapping[str, object],
    effective_from: datetime,
    effective_to: datetime | None = None,
    currency: str = "USD",
    service_tier: str | None = None,
    note: str = "",
) -> PriceBookEntry:
    """Adds a price of the workspace's own. `rates` are decimal texts per million tokens by bucket.

    Raises Invalid, naming the field, for what cannot be used, and Conflict where a living entry begins at the
    same instant for the same provider, model and tier.
    """
    entry = PriceBookEntry(
        id=new_id("price"),
        provider=provider.strip(),
        model_pattern=model_pattern.strip(),
        currency=currency,
        rates=accept_rates(rates),
        effective_from=effective_from,
        effective_to=effective_to,
        service_tier=service_tier,
        note=note,
        created_at=ctx.now,
        created_by=ctx.actor.id,
    )
    check_entry(entry)
    for other in store.entries_of(tx, ctx.workspace):
        if same_ground(entry, other):
            raise Conflict(
                f"{other.id} already prices this from that instant; retire it first, or begin later",
                where="effective_from",
            )
    store.add_entry(tx, ctx.workspace, entry)
    epochs.advance(tx)
    audit.record(
        ctx,
        tx,
        action="price.added",
        subject=entry.id,
        details={
            "provider": entry.provider,
            "model_pattern": entry.model_pattern,
            "service_tier": entry.service_tier,
            "currency": entry.currency,
            "rates": {bucket: format(rate, "f") for bucket, rate in entry.rates.items()},
            "effective_from": iso(entry.effective_from),
            "effective_to": iso(entry.effective_to) if entry.effective_to else None,
            "note": entry.note,
        },
    )
    return entry


def retire_entry(ctx: Context, tx: Transaction, entry: str) -> None:
    """Withdraws an entry: it prices nothing from now on, nor in any re-pricing of the past.

    Raises NotFound where the workspace has no such living entry.
    """
    if not store.retire_entry(tx, ctx.workspace, entry, ctx.now):
        raise NotFound("there is no such price, or it is retired already", where="entry")
    epochs.advance(tx)
    audit.record(ctx, tx, action="price.retired", subject=entry)
