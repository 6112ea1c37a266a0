"""The last steps before rows are stored: the company's own DLP reads captured content, and legal holds are heeded."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from holdfast.platform.settings import Settings
from holdfast.telemetry.ingest.dlp import Dlp
from holdfast.telemetry.ingest.policies import Policies
from holdfast.telemetry.rules.capture import REDACTED, WITHHELD
from holdfast.telemetry.rules.dlp import replaced, texts_of
from holdfast.telemetry.rules.holds import FAR
from holdfast.telemetry.store import events, spans
from holdfast.telemetry.store.events import EventRows
from holdfast.telemetry.store.spans import SpanRow

_SPAN = spans.VALUES
_LOG = {name: place for place, name in enumerate(events.LOG_NAMES)}
_EVALUATION = {name: place for place, name in enumerate(events.EVALUATION_NAMES)}
_METRIC = {name: place for place, name in enumerate(events.METRIC_NAMES)}


class _Cell:
    """A place in a batch that holds captured content, as it can be read and replaced."""

    def __init__(self, rows: list[Any], number: int, places: dict[str, int], column: str) -> None:
        self._rows, self._number, self._places, self._column = rows, number, places, column

    @property
    def _values(self) -> tuple[Any, ...]:
        row = self._rows[self._number]
        values: tuple[Any, ...] = row.values if isinstance(row, spans.SpanRow) else row
        return values

    def system(self) -> str:
        return str(self._values[self._places["system"]])

    def content(self) -> str:
        return str(self._values[self._places[self._column]])

    def put(self, content: str, state: str) -> None:
        changes = {self._column: content}
        if "content_state" in self._places:
            changes["content_state"] = state
        _put(self._rows, self._number, self._places, changes)


def _put(rows: list[Any], number: int, places: dict[str, int], changes: dict[str, Any]) -> None:
    row = rows[number]
    values = list(row.values if isinstance(row, spans.SpanRow) else row)
    for name, value in changes.items():
        values[places[name]] = value
    if isinstance(row, spans.SpanRow):
        row.values = tuple(values)
    else:
        rows[number] = tuple(values)


class Safeguards:
    """What every batch passes. Thread-safe."""

    def __init__(self, policies: Policies, settings: Settings) -> None:
        self._policies = policies
        self._dlp = Dlp(settings)

    def close(self) -> None:
        """Closes connections."""
        self._dlp.close()

    def concern(self, workspace: str) -> bool:
        """Whether `apply` would do anything in a workspace."""
        return self._policies.asks_dlp(workspace) or bool(self._policies.holds.get(workspace))

    def apply(self, workspace: str, rows: list[SpanRow], found: EventRows) -> None:
        """Changes rows in place. May wait for a webhook, two seconds at most for each policy."""
        if self._policies.asks_dlp(workspace):
            self._redact(workspace, rows, found)
        if self._policies.holds.get(workspace):
            self._hold(workspace, rows, found)

    def _redact(self, workspace: str, rows: list[SpanRow], found: EventRows) -> None:
        by_webhook: dict[str, list[_Cell]] = {}
        for cell in _cells(rows, found):
            url = self._policies.of(workspace, cell.system())[0].dlp_webhook
            if url and cell.content():
                by_webhook.setdefault(url, []).append(cell)
        for url, cells in by_webhook.items():
            self._ask(url, cells)

    def _ask(self, url: str, cells: Sequence[_Cell]) -> None:
        found = [texts_of(cell.content()) for cell in cells]
        answer = self._dlp.redact(url, [text for texts in found for text in texts])
        if answer is None:
            for cell in cells:
                cell.put("", WITHHELD)
            return
        start = 0
        for cell, texts in zip(cells, found, strict=True):
            made = answer[start : start + len(texts)]
            start += len(texts)
            if made != texts:
                cell.put(replaced(cell.content(), made), REDACTED)

    def _hold(self, workspace: str, spans_: list[SpanRow], found: EventRows) -> None:
        users = {row.span.trace_id: row.facts.user for row in spans_ if row.facts.user}
        for number, row in enumerate(spans_):
            user = row.facts.user or users.get(row.span.trace_id) or ""
            if self._policies.held(workspace, row.facts.system or "", user, row.span.start_ns):
                _put(spans_, number, _SPAN, {"expires_at": FAR, "content_expires_at": FAR})
        for rows, places in (
            (found.log_records, _LOG),
            (found.evaluations, _EVALUATION),
            (found.metric_points, _METRIC),
        ):
            for number, values in enumerate(rows):
                user = str(values[places["user"]]) if "user" in places else ""
                if self._policies.held(workspace, values[places["system"]], user, values[places["at"]]):
                    names = [name for name in ("expires_at", "content_expires_at") if name in places]
                    _put(rows, number, places, dict.fromkeys(names, FAR))


def _cells(rows: list[SpanRow], found: EventRows) -> list[_Cell]:
    cells = [_Cell(rows, number, _SPAN, "content") for number in range(len(rows))]
    records, evaluations = found.log_records, found.evaluations
    cells += [_Cell(records, number, _LOG, "content") for number in range(len(records))]
    return cells + [
        _Cell(evaluations, number, _EVALUATION, "explanation") for number in range(len(evaluations))
    ]
