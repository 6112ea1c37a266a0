"""Counting calls of the past anew: what is kept of the earlier count, and when nothing has changed. Pure.

A call (or an operation) that was counted is a row of the store, here by column name.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

import msgspec

from holdfast.pricing.model import Usage
from holdfast.telemetry.model import RETRIEVAL, Facts
from holdfast.telemetry.rules.combine import INHERITED

Row = Mapping[str, Any]
Amounts = dict[str, Decimal]
"""By currency."""

BOOKKEEPING: Final = frozenset(("workspace", "version", "is_deleted", "received_at", "expires_at"))
JSON: Final = ("provenance", "parameters", "cost_parts")
PRICED_BY: Final = ("started_at", "provider", "request_model", "response_model", "service_tier")
CHARGE: Final = (
    "cost_amount",
    "cost_currency",
    "cost_parts",
    "cost_source",
    "cost_unknown_reason",
    "price_id",
    "price_effective_from",
)
FOUND: Final = ("documents", "top_score", "newest_age_ms")
"""What the content of a retrieval says."""
_LENT: Final = re.compile(r" of span (\S+)$")


@dataclass(slots=True)
class Tally:
    """What became of calls: how many of each, and what they cost before and after.

    `left`: left as they are, because spans of their trace have expired or a legal hold covers it.
    """

    seen: int = 0
    changed: int = 0
    new: int = 0
    gone: int = 0
    left: int = 0
    before: Amounts = field(default_factory=dict)
    after: Amounts = field(default_factory=dict)

    def add(self, more: Tally) -> None:
        """Adds another tally to this one."""
        for name in ("seen", "changed", "new", "gone", "left"):
            setattr(self, name, getattr(self, name) + getattr(more, name))
        for mine, theirs in ((self.before, more.before), (self.after, more.after)):
            for currency, amount in theirs.items():
                mine[currency] = mine.get(currency, Decimal(0)) + amount

    @property
    def difference(self) -> Amounts:
        """By how much amounts changed, without those that did not."""
        found = {
            currency: self.after.get(currency, Decimal(0)) - self.before.get(currency, Decimal(0))
            for currency in self.before | self.after
        }
        return {currency: amount for currency, amount in found.items() if amount}

    def cost(self, side: Amounts, amount: Decimal | None, currency: str) -> None:
        """Adds the amount of one call to `before` or `after`; unknown is added to neither."""
        if amount is not None:
            side[currency] = side.get(currency, Decimal(0)) + amount


def whole(held: Iterable[Row], present: Mapping[str, Any]) -> bool:
    """Whether all spans are still there that these calls and operations of one trace were made of, or (as far as a call
    tells) lent something by.
    """
    for row in held:
        if any(span not in present for span in row["observations"]):
            return False
        for source in _read(row.get("provenance", "")).values():
            lent = _LENT.search(source)
            if lent is not None and lent[1] not in present:
                return False
    return True


def remember(fresh: Facts, held: Row, is_content: Callable[[str], bool]) -> None:
    """Puts into the facts of a call what only its content could say, now that nobody knows any more what that said.

    For calls whose content is gone, and came before what it says by the way was kept: the earlier count knew.
    """
    stated: dict[str, str] = _read(held["provenance"])
    if not fresh.finish_reasons and stated.get("finish_reasons") == "content":
        fresh.finish_reasons = tuple(held["finish_reasons"])
        fresh.provenance["finish_reasons"] = "content"
    if fresh.refusal is None:
        fresh.refusal = held["refusal"]
    for name in ("response_id", "service_tier"):
        if getattr(fresh, name) is None and held[name] and is_content(stated.get(name, "")):
            setattr(fresh, name, held[name])
            fresh.provenance[name] = stated[name]
    counts = {slot: source for slot, source in stated.items() if slot.startswith("usage.")}
    if any(is_content(source) for source in counts.values()):
        fresh.usage = Usage(*(held[column] for column in _usage_columns()))
        fresh.provenance.update(counts)
    told = [code for code in held["quality"] if code.startswith("content.") and code not in fresh.quality]
    fresh.quality = (*fresh.quality, *told)
    for slot, source in stated.items():
        name = slot.removeprefix("parameters.")
        if source == "content" and name.startswith(RETRIEVAL) and name not in fresh.parameters:
            fresh.parameters[name] = _read(held["parameters"])[name]
            fresh.provenance[slot] = source


def remember_operation(fresh: dict[str, Any], held: Row, *, blind: bool, rooted: bool) -> None:
    """Puts into an operation what the earlier count knew, and nobody knows any more.

    `blind`: what the content of a span of it said is not known. `rooted`: every span above it is there; else one that is
    gone may have lent it a dimension.
    """
    for name in FOUND if blind else ():
        if fresh[name] is None:
            fresh[name] = held[name]
    for name in INHERITED if not rooted else ():
        fresh[name] = fresh[name] or held[name]


def _usage_columns() -> Iterable[str]:
    named = {"output_reasoning": "reasoning_tokens"}
    return (named.get(bucket, f"{bucket}_tokens") for bucket in Usage._fields)


def same_price(held: Row, fresh: Row, reported: Decimal | None) -> bool:
    """Whether a call's price depends on nothing that changed, so that it keeps the charge that it was counted with."""
    depends = (*PRICED_BY, *_usage_columns())
    if any(held[name] != fresh[name] for name in depends):
        return False
    if held["cost_source"] in ("reported", "gateway"):
        return reported is not None and reported == held["cost_amount"]
    return reported is None or held["cost_amount"] is not None


def same(held: Row, fresh: Row) -> bool:
    """Whether two counts of a call say the same, whenever they were made."""
    return all(
        _plain(name, held[name]) == _plain(name, value) for name, value in fresh.items() if _says(name)
    )


def _says(name: str) -> bool:
    return name not in BOOKKEEPING


def _plain(name: str, value: Any) -> Any:
    if name in JSON:
        return _read(value)
    if name == "quality":
        return frozenset(value)
    return tuple(value) if isinstance(value, Sequence) and not isinstance(value, str) else value


def _read(text: str) -> Any:
    return msgspec.json.decode(text) if text else {}
