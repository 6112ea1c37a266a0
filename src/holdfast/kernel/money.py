"""Money is Decimal with a currency, never a float."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from holdfast.kernel.errors import Invalid


@dataclass(frozen=True, slots=True)
class Money:
    """An amount in one currency (ISO 4217 code). Adding two currencies raises Invalid."""

    amount: Decimal
    currency: str = "USD"

    def __add__(self, other: Money) -> Money:
        if other.currency != self.currency:
            raise Invalid(f"{self.currency} and {other.currency} cannot be added without a rate")
        return Money(self.amount + other.amount, self.currency)
