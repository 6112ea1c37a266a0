"""What a measure is: a name, a unit, the figures that it needs, and how it is made of them.

Figures are sums over rows, so they can be added up in any order. Unknown is None: a rate of nothing, a total of which no
row says anything.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import partial
from typing import Any, Literal

from holdfast.telemetry.rules.histogram import quantile

Figures = Mapping[str, Any]
Value = int | float | dict[str, Decimal] | dict[str, int] | None
"""A count, a number in the measure's unit, amounts by currency, or counts by name."""


@dataclass(frozen=True, slots=True)
class Measure:
    """A measure: its unit (UCUM, `currency` for amounts), the figures it needs, how it is made of them, and what it is
    of: calls, or operations (tool calls, retrievals, agent runs)."""

    name: str
    unit: str
    figures: tuple[str, ...]
    of: Callable[[Figures], Value]
    says: str
    source: Literal["calls", "operations"] = "calls"


def plain(name: str, figures: Figures) -> Value:
    found: int = figures[name]
    return found


def if_known(name: str, known: str, figures: Figures) -> Value:
    found: int = figures[name]
    return found if figures[known] else None


def rate(part: str, whole: str, figures: Figures) -> Value:
    total = figures[whole]
    return figures[part] / total if total else None


def quantile_of(name: str, q: float, figures: Figures) -> Value:
    return quantile(figures[name], q)


QUANTILES = {"p50": 0.5, "p90": 0.9, "p95": 0.95, "p99": 0.99}


def counted(name: str, figure: str, says: str) -> Measure:
    return Measure(name, "1", (figure,), partial(plain, figure), says)


def ratio(name: str, part: str, whole: str, says: str) -> Measure:
    return Measure(name, "1", (part, whole), partial(rate, part, whole), says)
