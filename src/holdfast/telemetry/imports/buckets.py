"""Vendors' own counting: buckets of usage and costs, exactly as stated, told apart by what they are grouped by."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from holdfast.telemetry.imports.reader import Ignored, Item, Misfit, Tally
from holdfast.telemetry.imports.values import EPOCH, decimal, nanoseconds, shown, text
from holdfast.telemetry.model import VendorUsage

DIMENSIONS: Final = frozenset(
    (
        *("project_id", "user_id", "api_key_id", "model", "batch", "service_tier", "line_item", "api_source"),
        *(
            "workspace_id",
            "context_window",
            "description",
            "cost_type",
            "token_type",
            "inference_geo",
            "source",
        ),
        *("size", "vector_store_id", "speed", "account_id", "service_account_id", "organization_id"),
    )
)
"""What a result may be grouped by: the rest of it is measured."""
CSV_NOT: Final = frozenset(
    (
        *("start_time", "end_time", "start_time_iso", "end_time_iso", "amount_value", "amount_currency"),
        *("organization_name", "project_name", "user_name", "user_email", "api_key_name", "api_key_redacted"),
    )
)
CENTS: Final = Decimal("0.01")


def _instant(value: Any, name: str) -> Any:
    found = nanoseconds(value, name)
    if found is None:
        raise Misfit(f"it has no {name}")
    try:
        return EPOCH + timedelta(microseconds=found // 1000)
    except OverflowError:
        raise Misfit(f"{name} is {shown(value)}, which no clock has shown") from None


def _row(
    provider: str,
    span: tuple[Any, Any],
    stated: Mapping[str, Any],
    tally: Tally,
    amount: Decimal | None = None,
    currency: str | None = None,
) -> VendorUsage:
    dimensions: dict[str, str] = {}
    measures: dict[str, Decimal] = {}
    _sort(stated, dimensions, measures, tally)
    start, end = span
    kind = "usage" if amount is None else "cost"
    return VendorUsage(provider, kind, start, end, dimensions, measures, amount, currency)


def _sort(
    stated: Mapping[str, Any], dimensions: dict[str, str], measures: dict[str, Decimal], tally: Tally
) -> None:
    for name, value in stated.items():
        if value is None or value == "" or name in ("object", "amount", "currency"):
            continue
        if name in DIMENSIONS:
            dimensions[name] = str(value).lower() if isinstance(value, bool) else str(text(value))
        elif isinstance(value, Mapping):
            for inner, more in value.items():
                number = decimal(more, inner)
                if number is not None:
                    measures[f"{name}.{inner}"] = number
        elif isinstance(value, (int, float, Decimal)) and not isinstance(value, bool):
            measures[name] = decimal(value, name) or Decimal(0)
        elif isinstance(value, str) and value.replace(".", "", 1).isdigit():
            measures[name] = Decimal(value)
        else:
            tally.fields[name[:80]] += 1


def openai(bucket: Mapping[str, Any], tally: Tally) -> Iterator[Item]:
    """A bucket of `/v1/organization/usage/…` or `/v1/organization/costs`."""
    span = _instant(bucket.get("start_time"), "start_time"), _instant(bucket.get("end_time"), "end_time")
    results = bucket.get("results", bucket.get("result")) or []
    if not results:
        yield Ignored("empty buckets")
    for result in results:
        amount = result.get("amount")
        unit = str(result.get("object") or "").removeprefix("organization.").removesuffix(".result")
        more = {} if unit in ("", "costs", "usage.completions") else {"source": unit}
        stated = {**result, **more}
        if unit == "costs" or amount is not None:
            if not isinstance(amount, Mapping):
                raise Misfit("a result of costs has no amount")
            money = decimal(amount.get("value"), "amount.value")
            if money is None:
                raise Misfit("a result of costs has no amount")
            yield _row("openai", span, stated, tally, money, str(amount.get("currency") or "usd").upper())
        else:
            yield _row("openai", span, stated, tally)


def openai_csv(row: Mapping[str, Any], tally: Tally) -> Iterator[Item]:
    """A row of the usage or cost CSV of OpenAI's dashboard."""
    span = _instant(row.get("start_time"), "start_time"), _instant(row.get("end_time"), "end_time")
    money = decimal(row.get("amount_value"), "amount_value")
    stated = {name: value for name, value in row.items() if name not in CSV_NOT}
    currency = str(row.get("amount_currency") or "usd").upper() if money is not None else None
    yield _row("openai", span, stated, tally, money, currency)


def openai_activity(row: Mapping[str, Any], tally: Tally) -> Iterator[Item]:
    """A row of the older activity CSV: a day of one model and key."""
    start = _instant(row.get("timestamp"), "timestamp")
    stated = {name: value for name, value in row.items() if name not in (*CSV_NOT, "timestamp")}
    yield _row("openai", (start, start + timedelta(days=1)), stated, tally)


def anthropic(bucket: Mapping[str, Any], tally: Tally) -> Iterator[Item]:
    """A bucket of `/v1/organizations/usage_report/messages` or `/v1/organizations/cost_report`.

    Amounts of the cost report are in hundredths of the currency, as decimal text.
    """
    span = _instant(bucket.get("starting_at"), "starting_at"), _instant(bucket.get("ending_at"), "ending_at")
    if not bucket.get("results"):
        yield Ignored("empty buckets")
    for result in bucket.get("results") or ():
        if "amount" in result:
            money = decimal(result["amount"], "amount")
            if money is None:
                raise Misfit("a result of the cost report has no amount")
            currency = str(result.get("currency") or "USD").upper()
            yield _row("anthropic", span, result, tally, money * CENTS, currency)
        else:
            yield _row("anthropic", span, result, tally)
