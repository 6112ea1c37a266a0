"""The JSON door to vendors' own counting, to be shown beside ours."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel

from holdfast.kernel.page import decode_cursor, encode_cursor
from holdfast.kernel.time import iso, parse_instant
from holdfast.platform.access.guard import caller, problems, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.telemetry.model import TimeRange, VendorUsage
from holdfast.telemetry.reads import shapes
from holdfast.telemetry.reads import vendor_usage as reads

router = APIRouter(prefix="/api/v1", tags=["vendor usage"], responses=problems(401, 403, 404, 422, 503))
WholeReader = Annotated[Caller, Depends(caller(Scope.READ, everywhere=True))]


class VendorUsageOut(BaseModel):
    """One bucket as the vendor states it. Only rows grouped by the same `dimensions` can be added up.

    `measures` and `amount` are decimal texts; `amount` is null for usage.
    """

    provider: str
    kind: str
    start: str
    end: str
    dimensions: dict[str, str]
    measures: dict[str, str]
    amount: str | None
    currency: str | None

    @classmethod
    def of(cls, one: VendorUsage) -> VendorUsageOut:
        """As it is kept."""
        return cls(
            provider=one.provider,
            kind=one.kind,
            start=iso(one.start),
            end=iso(one.end),
            dimensions=one.dimensions,
            measures={name: format(value, "f") for name, value in one.measures.items()},
            amount=None if one.amount is None else format(one.amount, "f"),
            currency=one.currency,
        )


class VendorUsagePage(BaseModel):
    """Buckets, the earliest first."""

    vendor_usage: list[VendorUsageOut]
    next_cursor: str | None


@router.get("/vendor-usage")
def vendor_usage(
    request: Request,
    by: WholeReader,
    from_: Annotated[str, Query(alias="from", description="Began at or after (ISO 8601 with zone).")] = "",
    to: Annotated[str, Query(description="Began before (ISO 8601 with zone).")] = "",
    provider: Annotated[str, Query(max_length=40)] = "",
    kind: Literal["usage", "cost", ""] = "",
    limit: Annotated[int, Query(ge=1, le=1000)] = 500,
    cursor: str = "",
    workspace: str = "",
) -> VendorUsagePage:
    """What vendors count and bill themselves, as imported from their usage and cost reports. These are no calls."""
    within = TimeRange(
        parse_instant(from_, "from") if from_ else shapes.instant(0),
        parse_instant(to, "to") if to else shapes.instant(2**62),
    )
    after = None
    if cursor:
        start, key = decode_cursor(cursor, (str, str))
        after = (parse_instant(str(start), "cursor"), str(key))
    with services(request).database.reading() as tx:
        found = reads.vendor_usage(
            by.ctx, tx, within, provider=provider, kind=kind, limit=limit + 1, after=after
        )
    more = len(found) > limit
    key, last = found[limit - 1] if more else ("", None)
    return VendorUsagePage(
        vendor_usage=[VendorUsageOut.of(one) for _, one in found[:limit]],
        next_cursor=encode_cursor(iso(last.start), key) if last is not None else None,
    )
