"""The turns of a session, read from its calls and traces."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from holdfast.feedback.model import Exchange, Item
from holdfast.feedback.rules.implicit import Turn
from holdfast.kernel.errors import NotFound
from holdfast.platform.access.model import Reach
from holdfast.storage.columns import Columns
from holdfast.telemetry.model import Content, Kind, TimeRange
from holdfast.telemetry.reads import calls, traces

EVERYWHERE = Reach((("", ""),))
MOST_CALLS = 400
"""Of a session; of a longer one the latest."""
_CUT = frozenset({"length", "max_tokens", "content_filter"})


def turns(columns: Columns, workspace: str, session: str, within: TimeRange) -> list[Turn]:
    """A turn for each trace of a session, in order: its first question, and how its last call ended."""
    rows = calls.named(columns, workspace, within, "session", [session], MOST_CALLS)
    by_trace: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        if row["kind"] == "inference" and not row["sample"]:
            by_trace[row["trace_id"]].append(row)
    made = [_turn(columns, workspace, trace, of) for trace, of in by_trace.items()]
    return sorted(made, key=lambda one: (one.at, one.trace_id))


def _turn(columns: Columns, workspace: str, trace_id: str, of: Sequence[Mapping[str, Any]]) -> Turn:
    in_order = sorted(of, key=lambda one: (one["started_at"], one["id"]))
    first, last = in_order[0], in_order[-1]
    contents: dict[str, Content | None] = {}
    tools: list[str] = []
    try:
        for view in traces.trace(columns, workspace, trace_id, EVERYWHERE).spans:
            contents[view.stored.span.span_id] = view.facts.content
            if view.facts.kind is Kind.TOOL and view.facts.tool_name:
                tools.append(view.facts.tool_name)
    except NotFound:  # its spans are kept for a shorter time than its calls
        pass
    asked = next((contents[one] for one in first["observations"] if contents.get(one)), None)
    ended = [_start(one) + timedelta(milliseconds=one["duration_ms"]) for one in in_order]
    return Turn(
        call_id=last["id"],
        trace_id=trace_id,
        at=_start(first),
        ended_at=max(ended),
        question=question(asked),
        failed=last["status"] == "error" or bool(_CUT & set(last["finish_reasons"])),
        refused=last["refusal"],
        tools=tuple(tools),
    )


def answer(columns: Columns, workspace: str, trace_id: str, call_id: str) -> str | None:
    """What a call answered; None where that was not kept."""
    return _said(columns, workspace, trace_id, call_id, lambda content: content.output_messages, "assistant")


def question(content: Content | None) -> str | None:
    """The last thing that a person said; None where that is not known."""
    return None if content is None else _last(content.input_messages, "user")


def messages(columns: Columns, workspace: str, trace_id: str, call_id: str) -> list[tuple[str, str]]:
    """What was said to a call, (role, text), its instructions first; empty where that was not kept."""
    content = _content(columns, workspace, trace_id, call_id)
    if content is None:
        return []
    told = [("system", text) for one in content.system_instructions or () if (text := _text([one]))]
    for message in content.input_messages or ():
        text = _text(message.get("parts") or ())
        if text:
            told.append((str(message.get("role")), text))
    return told


def exchange(columns: Columns, item: Item) -> Exchange:
    """What was asked and answered in the call of an item; empty where its call is not known, or was not kept."""
    call = item.joined
    if call is None or not call.call_id or not call.trace_id:
        return Exchange()
    asked = messages(columns, item.workspace, call.trace_id, call.call_id)
    return Exchange(tuple(asked), answer(columns, item.workspace, call.trace_id, call.call_id))


def _said(columns: Columns, workspace: str, trace_id: str, call_id: str, part: Any, role: str) -> str | None:
    content = _content(columns, workspace, trace_id, call_id)
    return None if content is None else _last(part(content), role)


def _content(columns: Columns, workspace: str, trace_id: str, call_id: str) -> Content | None:
    try:
        view = traces.trace(columns, workspace, trace_id, EVERYWHERE)
    except NotFound:
        return None
    spans = next((tuple(one["observations"]) for one in view.calls if one["id"] == call_id), (call_id,))
    held = [one.facts.content for one in view.spans if one.stored.span.span_id in spans and one.facts.content]
    return next((one for one in held if one.input_messages or one.output_messages), None)


def _last(messages: Sequence[Mapping[str, Any]] | None, role: str) -> str | None:
    for message in reversed(messages or ()):
        if message.get("role") == role:
            text = _text(message.get("parts") or ())
            if text:
                return text
    return None


def _text(parts: Sequence[Mapping[str, Any]]) -> str:
    texts = [str(one.get("content")) for one in parts if one.get("type") == "text" and one.get("content")]
    return "\n".join(texts)


def _start(row: Mapping[str, Any]) -> datetime:
    return datetime.fromisoformat(row["started_at"])
