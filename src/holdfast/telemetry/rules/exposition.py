"""Metrics as text that Prometheus reads: its own format 0.0.4, and OpenMetrics 1.0."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Literal

from holdfast.telemetry.rules.distribution import BOUNDS, Distribution

Number = int | float | Decimal
Labels = tuple[tuple[str, str], ...]
PLAIN = "text/plain; version=0.0.4; charset=utf-8"
OPEN = "application/openmetrics-text; version=1.0.0; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Family:
    """A metric with its samples. A counter's name has no `_total`: that is written. Units are in the name."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    says: str
    samples: Sequence[tuple[Labels, Number | Distribution]] = field(default_factory=tuple)


def wants_open(accept: str) -> bool:
    """Whether a scraper's `accept` header asks for OpenMetrics."""
    return "application/openmetrics-text" in accept.lower()


def written(families: Iterable[Family], *, openmetrics: bool) -> str:
    """The whole text. Families without samples are left out: no data is not zero."""
    lines: list[str] = []
    for family in families:
        if family.samples:
            named = family.name + ("_total" if family.kind == "counter" and not openmetrics else "")
            lines += [f"# HELP {named} {_help(family.says, openmetrics)}", f"# TYPE {named} {family.kind}"]
            for labels, value in family.samples:
                lines += _sample(family, labels, value)
    if openmetrics:
        lines.append("# EOF")
    return "\n".join(lines) + "\n" if lines else ""


def _sample(family: Family, labels: Labels, value: Number | Distribution) -> Iterator[str]:
    if not isinstance(value, Distribution):
        yield f"{family.name}{'_total' if family.kind == 'counter' else ''}{_labels(labels)} {_number(value)}"
        return
    passed = 0
    for bound, n in zip((*(_number(float(one)) for one in BOUNDS), "+Inf"), value.counts, strict=True):
        passed += n
        yield f"{family.name}_bucket{_labels((*labels, ('le', bound)))} {passed}"
    yield f"{family.name}_count{_labels(labels)} {value.count}"
    yield f"{family.name}_sum{_labels(labels)} {_number(value.sum)}"


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _help(text: str, openmetrics: bool) -> str:
    return _escaped(text) if openmetrics else text.replace("\\", "\\\\").replace("\n", "\\n")


def _number(value: Number) -> str:
    return format(value, "f") if isinstance(value, Decimal) else repr(value)
