"""The JSON door of the price book."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, ConfigDict, Field

from holdfast.kernel.errors import Invalid
from holdfast.kernel.time import iso
from holdfast.platform.access.guard import caller, problems, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.pricing import actions, reads
from holdfast.pricing.model import PriceBookEntry

router = APIRouter(prefix="/api/v1/prices", tags=["price book"], responses=problems(401, 403, 404, 422, 503))
Reader = Annotated[Caller, Depends(caller(Scope.READ))]
Admin = Annotated[Caller, Depends(caller(Scope.ADMIN, everywhere=True))]


class Price(BaseModel):
    """A price of the workspace's own. Rates are decimal texts per million tokens, by bucket."""

    id: str
    provider: str
    model_pattern: str
    service_tier: str | None
    currency: str
    rates: dict[str, str]
    effective_from: str
    effective_to: str | None
    note: str
    retired: bool


class NewPrice(BaseModel):
    """A price to add."""

    model_config = ConfigDict(extra="forbid")

    provider: str = Field(max_length=100, description="As telemetry names it, such as anthropic.")
    model_pattern: str = Field(max_length=200, description="A model's name, or a prefix that ends in *.")
    rates: dict[str, str] = Field(
        description="Per million tokens: input_uncached, output, input_cache_read, …"
    )
    effective_from: datetime
    effective_to: datetime | None = None
    currency: str = Field("USD", min_length=3, max_length=3)
    service_tier: str | None = Field(None, max_length=40, description="Null: standard; *: any.")
    note: str = Field("", max_length=500)


def shown(entry: PriceBookEntry) -> Price:
    """An entry as the API shows it."""
    return Price(
        id=entry.id,
        provider=entry.provider,
        model_pattern=entry.model_pattern,
        service_tier=entry.service_tier,
        currency=entry.currency,
        rates={bucket: format(rate, "f") for bucket, rate in entry.rates.items()},
        effective_from=iso(entry.effective_from),
        effective_to=iso(entry.effective_to) if entry.effective_to else None,
        note=entry.note,
        retired=entry.retired_at is not None,
    )


@router.get("", responses=problems(401, 403, 404, 422))
def list_prices(request: Request, by: Reader, workspace: str = "") -> list[Price]:
    """The workspace's price book, retired entries too. List prices hold for everything it does not name."""
    with services(request).database.reading() as tx:
        return [shown(entry) for entry in reads.all_entries(by.ctx, tx)]


@router.post("", status_code=201, responses=problems(401, 403, 404, 409, 422))
def add_price(request: Request, by: Admin, new: NewPrice, workspace: str = "") -> Price:
    """Adds a price. Calls counted from now on are priced by it; the past keeps its charges."""
    for name, instant in (("effective_from", new.effective_from), ("effective_to", new.effective_to)):
        if instant is not None and instant.tzinfo is None:
            raise Invalid("this instant has no time zone; add Z for UTC", where=name)
    with services(request).database.transaction() as tx:
        entry = actions.add_entry(
            by.ctx,
            tx,
            provider=new.provider,
            model_pattern=new.model_pattern,
            rates=new.rates,
            effective_from=new.effective_from,
            effective_to=new.effective_to,
            currency=new.currency,
            service_tier=new.service_tier,
            note=new.note,
        )
    return shown(entry)


@router.post("/{price}/retire", status_code=204, responses=problems(401, 403, 404, 422))
def retire_price(request: Request, by: Admin, price: str, workspace: str = "") -> None:
    """Withdraws a price: it prices nothing any more."""
    with services(request).database.transaction() as tx:
        actions.retire_entry(by.ctx, tx, price)
