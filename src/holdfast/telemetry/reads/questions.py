"""What people asked last in many calls at once, for whoever groups questions. Showing it to a person is recorded there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from holdfast.storage.columns import Columns
from holdfast.telemetry.conventions.reading import read_facts
from holdfast.telemetry.store import spans as span_store

TRACES_AT_ONCE = 200


def questions(
    columns: Columns, workspace: str, calls: Sequence[tuple[str, str]]
) -> Iterator[tuple[tuple[str, str], str]]:
    """(trace id, call id) and the last thing that a person said in it, for those of the calls where that was kept.

    A call's id is that of its outermost span; where that one has no content, the last question of its trace counts.
    """
    wanted: dict[str, list[str]] = {}
    for trace, call in calls:
        wanted.setdefault(trace, []).append(call)
    traces = sorted(wanted)
    for start in range(0, len(traces), TRACES_AT_ONCE):
        some = traces[start : start + TRACES_AT_ONCE]
        told: dict[str, dict[str, str]] = {trace: {} for trace in some}
        for stored in span_store.of_traces(columns, workspace, some):
            if stored.content_state not in ("captured", "redacted"):
                continue
            content = read_facts(stored.span).content
            text = _last(content.input_messages) if content is not None else ""
            if text:
                told[stored.span.trace_id][stored.span.span_id] = text
        for trace in some:
            for call in wanted[trace]:
                text = told[trace].get(call) or next(reversed(told[trace].values()), "")
                if text:
                    yield (trace, call), text


def _last(messages: Sequence[Mapping[str, Any]] | None) -> str:
    for message in reversed(messages or ()):
        if message.get("role") == "user":
            parts = [
                part["content"]
                for part in message.get("parts") or ()
                if part.get("type") == "text" and isinstance(part.get("content"), str)
            ]
            return "\n".join(parts).strip()
    return ""
