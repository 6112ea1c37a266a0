"""The price book in the settings."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request, Response

from holdfast.kernel.errors import Conflict, HoldfastError, Invalid
from holdfast.platform.access.guard import form_caller, page_caller, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.platform.forms import show, to, with_error
from holdfast.pricing import actions, reads

router = APIRouter(include_in_schema=False, prefix="/w/{workspace}/settings/prices")
Admin = Annotated[Caller, Depends(page_caller(Scope.ADMIN, everywhere=True))]
AdminForm = Annotated[Caller, Depends(form_caller(Scope.ADMIN, everywhere=True))]
Text = Annotated[str, Form(max_length=500)]

RATES = (
    ("input_uncached", "Input, uncached"),
    ("input_cache_read", "Input, from cache"),
    ("input_cache_write", "Input, to cache"),
    ("output", "Output"),
)


@router.get("")
def prices_page(request: Request, by: Admin) -> Response:
    """The workspace's own prices."""
    return _page(request, by, {}, None)


def _page(request: Request, by: Caller, given: dict[str, str], error: HoldfastError | None) -> Response:
    with services(request).database.reading() as tx:
        entries = reads.all_entries(by.ctx, tx)
    base = f"/w/{by.workspace.slug}/settings/prices"
    rows = [
        {
            "cells": {
                "model": f"{one.provider} / {one.model_pattern}",
                "rates": ", ".join(f"{bucket} {rate:f}" for bucket, rate in one.rates.items()),
                "currency": one.currency,
                "from": one.effective_from.date().isoformat(),
                "state": "retired" if one.retired_at else "in force",
            },
            "href": "",
            "actions": []
            if one.retired_at
            else [{"words": "Retire", "action": f"{base}/{one.id}/retire", "ask": "Retire this price?"}],
        }
        for one in entries
    ]
    fields: list[dict[str, Any]] = [
        {"name": "provider", "label": "Provider", "hint": "As telemetry names it.", "required": True},
        {"name": "model_pattern", "label": "Model", "hint": "A name, or a prefix and *.", "required": True},
        {
            "name": "effective_from",
            "label": "From",
            "hint": "A day (UTC), such as 2026-11-01.",
            "required": True,
        },
        {"name": "currency", "label": "Currency", "value": "USD", "required": True},
        *({"name": name, "label": label, "hint": "Per 1 M tokens."} for name, label in RATES),
        {"name": "note", "label": "Note", "hint": "Such as the contract."},
    ]
    fields = [one | {"value": given.get(one["name"], one.get("value", ""))} for one in fields]
    return show(
        request,
        by,
        "prices",
        error,
        heading_text="Price book",
        intro="Prices of your own go before list prices, for calls counted from now on. Under Past calls you"
        " let them reach calls that were counted before.",
        columns=[
            {"key": "model", "label": "Model"},
            {"key": "rates", "label": "Per 1 M tokens"},
            {"key": "currency", "label": "Currency"},
            {"key": "from", "label": "From"},
            {"key": "state", "label": "State"},
        ],
        rows=rows,
        form={"action": base, "submit": "Add the price", "fields": with_error(fields, error)},
        revealed=None,
        empty_title="No prices of your own",
        empty_text="List prices hold for every model. Add what your contract says, or what your own model costs you.",
    )


@router.post("")
def add_price(
    request: Request,
    by: AdminForm,
    provider: Text = "",
    model_pattern: Text = "",
    effective_from: Text = "",
    currency: Text = "USD",
    input_uncached: Text = "",
    input_cache_read: Text = "",
    input_cache_write: Text = "",
    output: Text = "",
    note: Text = "",
) -> Response:
    """Takes the form."""
    rates = {
        "input_uncached": input_uncached,
        "input_cache_read": input_cache_read,
        "input_cache_write": input_cache_write,
        "output": output,
    }
    given = {"provider": provider, "model_pattern": model_pattern, "effective_from": effective_from}
    given |= {"currency": currency, "note": note, **rates}
    try:
        try:
            start = datetime.fromisoformat(effective_from.strip())
        except ValueError as error:
            raise Invalid("this is not a day; write it like 2026-11-01", where="effective_from") from error
        with services(request).database.transaction() as tx:
            actions.add_entry(
                by.ctx,
                tx,
                provider=provider,
                model_pattern=model_pattern,
                rates={bucket: rate.strip() for bucket, rate in rates.items() if rate.strip()},
                effective_from=start if start.tzinfo else start.replace(tzinfo=UTC),
                currency=currency.strip(),
                note=note,
            )
    except (Invalid, Conflict) as error:
        return _page(request, by, given, error)
    return to(by, "prices")


@router.post("/{price}/retire")
def retire_price(request: Request, by: AdminForm, price: str) -> Response:
    """Withdraws a price."""
    with services(request).database.transaction() as tx:
        actions.retire_entry(by.ctx, tx, price)
    return to(by, "prices", saved=False)
