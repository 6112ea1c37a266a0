"""To a file or the standard output as CloudWatch's embedded metric format: JSON lines that its agent turns into metrics."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from datetime import datetime
from itertools import islice
from pathlib import Path
from typing import Any

from holdfast.kernel.errors import Unavailable
from holdfast.telemetry.outward.shelf import ExportConfig
from holdfast.telemetry.rules.distribution import bins, parts
from holdfast.telemetry.rules.histogram import middle
from holdfast.telemetry.rules.ledger import OVERFLOW, Figures, Series, Sums
from holdfast.telemetry.rules.outward import DIMENSIONS, UNKNOWN

MOST_VALUES = 100
"""Values that one metric of one line may hold."""
MOST_METRICS = 100
"""Metrics that one line may hold."""
MOST_TEXT = 1024
"""Characters of a dimension's value."""
_NAMED = {
    "calls": "Calls",
    "attempts": "Attempts",
    "unpriced": "Unpriced",
    "reasoning": "ReasoningTokens",
    "tokens:input_uncached": "InputUncachedTokens",
    "tokens:input_cache_read": "InputCacheReadTokens",
    "tokens:input_cache_write": "InputCacheWriteTokens",
    "tokens:output": "OutputTokens",
}
_SPREAD = {"latency": "Duration", "ttft": "TimeToFirstToken"}


class EmfTarget:
    """Appends to `config.path`; `-` is the standard output."""

    def __init__(self, config: ExportConfig) -> None:
        self.config = config

    def send(self, workspace: str, start: datetime, end: datetime, news: Sums) -> int:
        """Writes one or more lines for each series, and has them on disk before it returns. Raises Unavailable."""
        written = lines(self.config.namespace, workspace, start, news)
        text = "".join(json.dumps(line, separators=(",", ":")) + "\n" for line in written)
        try:
            if self.config.path == "-":
                sys.stdout.write(text)
                sys.stdout.flush()
            else:
                with Path(self.config.path).open("a", encoding="ascii") as file:
                    file.write(text)
                    file.flush()
                    os.fsync(file.fileno())
        except OSError as error:
            raise Unavailable(f"the file cannot be written: {error.strerror}") from error
        return 0


def lines(namespace: str, workspace: str, start: datetime, news: Sums) -> Iterator[dict[str, Any]]:
    """The lines for what is new, one for each series; more where a metric has too many different values for one."""
    at = int(start.timestamp()) * 1000
    for series, figures in sorted(news.items()):
        told = {"Workspace": _text(workspace), **_dimensions(series)}
        for metrics in _parted(_metrics(figures)):
            listed = [{"Name": name, "Unit": unit} for name, (unit, _) in metrics.items()]
            directive = {"Namespace": namespace, "Dimensions": [list(told)], "Metrics": listed}
            values = {name: value for name, (_, value) in metrics.items()}
            yield {"_aws": {"Timestamp": at, "CloudWatchMetrics": [directive]}, **told, **values}


Metrics = dict[str, tuple[str, Any]]
"""Name → unit and value."""


def _metrics(figures: Figures) -> Metrics:
    made: Metrics = {
        name: ("Count", int(figures[figure])) for figure, name in _NAMED.items() if figure in figures
    }
    errors = parts(figures, "error")
    if errors:
        made["Errors"] = ("Count", int(sum(errors.values())))
        made |= {f"Errors.{kind}": ("Count", int(n)) for kind, n in errors.items()}
    made |= {
        f"Cost.{currency}": ("None", float(amount)) for currency, amount in parts(figures, "cost").items()
    }
    for figure, name in _SPREAD.items():
        counted = bins(figures, figure)
        if counted:
            made[name] = ("Milliseconds", counted)
    return made


def _parted(metrics: Metrics) -> Iterator[Metrics]:
    """The metrics of each line: values with their counts, at most MOST_VALUES of a metric, MOST_METRICS in all."""
    left = {name: value for name, (_, value) in metrics.items() if isinstance(value, dict)}
    plain = {name: one for name, one in metrics.items() if name not in left}
    while plain or left:
        line: Metrics = dict(islice(plain.items(), MOST_METRICS - len(_SPREAD)))
        plain = {name: one for name, one in plain.items() if name not in line}
        for name, counted in left.items():
            some = dict(islice(counted.items(), MOST_VALUES))
            line[name] = (
                "Milliseconds",
                {"Values": [round(middle(one), 6) for one in some], "Counts": list(some.values())},
            )
            left[name] = {one: n for one, n in counted.items() if one not in some}
        left = {name: counted for name, counted in left.items() if counted}
        yield line


def _dimensions(series: Series) -> dict[str, str]:
    if OVERFLOW in series:
        return {name.capitalize(): OVERFLOW for name in DIMENSIONS}
    return {
        name.capitalize(): _text(value) or UNKNOWN for name, value in zip(DIMENSIONS, series, strict=True)
    }


def _text(value: str) -> str:
    """A dimension's value as CloudWatch takes it: printable ASCII, others escaped."""
    plain = "".join(
        one if " " <= one <= "~" else one.encode("ascii", "backslashreplace").decode() for one in value
    )
    plain = "".join(one if " " <= one <= "~" else "?" for one in plain)
    return plain.strip()[:MOST_TEXT]
