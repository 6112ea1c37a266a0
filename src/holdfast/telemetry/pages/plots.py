"""Figures as charts and tables show them: words for measures and dimensions, series with gaps, links to the calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Any

from holdfast.kernel.time import iso
from holdfast.telemetry.model import MetricRow, Step, TimeRange
from holdfast.telemetry.reads.calls import FILTER_NAMES, UNKNOWN
from holdfast.telemetry.reads.panels import Plot
from holdfast.telemetry.rules.measures import MEASURES
from holdfast.web.links import Here

FAMILIES = (
    ("Traffic", ("calls", "attempts", "streamed", "sessions", "users", "transactions")),
    ("Errors", ("error", "throttled")),
    ("Latency", ("latency", "ttft")),
    ("Cost", ("cost", "unpriced", "reported")),
    ("Caches", ("prompt_cache", "response_cache")),
    ("Answers", ("refusal", "finish")),
    ("Agents and tools", ("agent", "tool")),
    ("Retrieval", ("retrieval",)),
    ("What calls do not say", ("without", "answered", "usage_unknown")),
)
WORDS = {
    "ttft": "First token",
    "errors_rate_limit": "Errors by rate limit",
    "errors_timeout": "Errors by timeout",
    "errors_content_filter": "Errors by content filter",
    "errors_model": "Errors by the model",
    "errors_application": "Errors by the application",
    "unpriced": "Calls without a price",
    "unpriced_rate": "Share without a price",
    "answered_unpriced": "Answered, cost unknown",
    "answered_without_usage": "Answered, tokens unknown",
    "reported_cost_calls": "Calls with reported cost",
    "prompt_cache_hit_rate": "Prompt cache hits",
    "prompt_cache_token_rate": "Prompt cache, of tokens",
    "response_cache_hit_rate": "Response cache hits",
}
MOST_UNITS = 4
"""Most currencies or names that a measure is drawn apart by."""
MERGED = {"ms": "Time", "ratio": "Shares", "tokens": "Tokens"}
"""Kinds of which several measures stand in one chart, with its words."""


def label_of(name: str) -> str:
    """A measure in words: `latency_p95` is Latency p95."""
    if name in WORDS:
        return WORDS[name]
    head, _, tail = name.rpartition("_")
    if tail[:1] == "p" and tail[1:].isdecimal():
        return f"{WORDS.get(head, head.replace('_', ' ').capitalize())} {tail}"
    return name.replace("_", " ").capitalize()


def dimension_label(name: str) -> str:
    """A dimension in words."""
    return name.replace("_", " ").capitalize().replace(" id", " id")


def kind_of(name: str) -> str:
    """How a measure's values are written: count, tokens, ms, days, ratio, money, or names with counts."""
    unit = MEASURES[name].unit
    if name == "finish_reasons":
        return "names"
    if unit == "ms":
        return "ms"
    if unit == "d":
        return "days"
    if unit == "currency":
        return "money"
    if unit == "{token}":
        return "tokens"
    return "ratio" if name.endswith("_rate") else "count"


def families() -> list[tuple[str, list[str]]]:
    """Every measure, by what it is about."""
    found: dict[str, list[str]] = {family: [] for family in (*(one for one, _ in FAMILIES), "Tokens", "More")}
    for name in MEASURES:
        family = next((one for one, heads in FAMILIES if name.startswith(heads)), "More")
        found["Tokens" if MEASURES[name].unit == "{token}" else family].append(name)
    return [(family, names) for family, names in found.items() if names]


def shown_group(group: Sequence[str]) -> str:
    """A group's name; what is not known is said."""
    return " · ".join(value or "unknown" for value in group) or "all"


def calls_link(
    base: str,
    equals: Iterable[tuple[str, tuple[str, ...]]],
    within: TimeRange,
    dimensions: Sequence[str] = (),
    group: Sequence[str] = (),
) -> str:
    """The calls that a figure is made of: the same filters, group and window, as far as calls have those dimensions."""
    own = dict(zip(dimensions, group, strict=True))
    pairs = [(name, value or UNKNOWN) for name, values in equals if name not in own for value in values]
    pairs += [(name, value or UNKNOWN) for name, value in own.items()]
    pairs = [(name, value) for name, value in pairs if name in FILTER_NAMES]
    pairs += [("from", iso(within.start)), ("to", iso(within.end))]
    return str(Here(f"{base}/calls", tuple(pairs)))


def amount_text(amount: Decimal, currency: str) -> str:
    """An exact amount."""
    return f"{amount.normalize():f} {currency}"


def charts(
    measures: Sequence[str], plot: Plot, step: Step, within: TimeRange, links: Mapping[tuple[str, ...], str]
) -> list[dict[str, Any]]:
    """Charts of some measures: without groups, those of one kind stand in one; with groups, each has its own.

    `links` leads from a group to its calls, where the reader adds the window of a step.
    """
    grouped = plot.top != ((),)
    cells: dict[tuple[datetime | None, tuple[str, ...]], MetricRow] = {
        (row.start, row.group): row for row in plot.rows
    }
    found: dict[str, dict[str, Any]] = {}
    for name in measures:
        kind = kind_of(name)
        for unit in _units(name, kind, plot.rows):
            apart = unit if kind == "money" or grouped else ""
            key = kind if kind in MERGED and not grouped else f"{name} {apart}"
            alone = sum(kind_of(one) == kind for one in measures) == 1 or key != kind
            words = label_of(name) if alone else MERGED[kind]
            words = f"{words}, {apart}" if apart else words
            chart = found.setdefault(key, _frame(words, kind, unit, plot, step, within))
            if MEASURES[name].says not in chart["says"]:
                chart["says"] = f"{chart['says']} {MEASURES[name].says}".strip()
            for group in plot.top:
                values = [_value(cells.get((start, group)), name, kind, unit) for start in plot.starts]
                label = shown_group(group) if grouped else unit if kind == "names" else label_of(name)
                chart["series"].append(_series(label, values, kind, unit, links.get(group, ""), name))
    return list(found.values())


def _frame(label: str, kind: str, unit: str, plot: Plot, step: Step, within: TimeRange) -> dict[str, Any]:
    times = [int(start.timestamp()) for start in plot.starts]
    return {
        "label": label,
        "says": "",
        "kind": "" if kind == "days" else kind,
        "unit": "d" if kind == "days" else unit,
        "zone": step.zone if step.calendar else "UTC",
        "days": bool(step.calendar),
        "times": times,
        "ends": [*times[1:], int(within.end.timestamp())],
        "series": [],
    }


def _units(name: str, kind: str, rows: Sequence[MetricRow]) -> list[str]:
    """What a measure is apart by: its currencies, its names; else nothing."""
    if kind not in ("money", "names"):
        return [""]
    sizes: dict[str, Decimal | int] = {}
    for row in rows:
        for unit, value in (row.values[name] or {}).items():
            sizes[unit] = sizes.get(unit, 0) + value
    return sorted(sizes, key=lambda unit: -sizes[unit])[:MOST_UNITS] or [""]


def _value(row: MetricRow | None, name: str, kind: str, unit: str) -> Any:
    if row is None:
        return None
    value = row.values[name]
    return (value or {}).get(unit) if kind in ("money", "names") else value


def _series(label: str, values: list[Any], kind: str, unit: str, href: str, name: str) -> dict[str, Any]:
    made: dict[str, Any] = {
        "label": label,
        "values": [None if value is None else float(value) for value in values],
        "href": href,
    }
    if kind == "money":
        made["texts"] = [None if value is None else amount_text(value, unit) for value in values]
    if name.startswith("error"):
        made["tone"] = "danger"
    return made


def sortable(value: Any) -> Decimal:
    """A value to sort by; unknown before all others, amounts by their largest."""
    if value is None or value == {}:
        return Decimal(-1)
    if isinstance(value, dict):
        return max(Decimal(one) for one in value.values())
    return Decimal(str(value))
