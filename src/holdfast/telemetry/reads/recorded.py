"""Whether configurations seen in traffic are registered ones, and what exactly was sent under one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from holdfast.platform.access.model import Reach
from holdfast.storage.columns import Columns
from holdfast.storage.sql import Database
from holdfast.telemetry.conventions import configured
from holdfast.telemetry.conventions.reading import INVOCATION
from holdfast.telemetry.model import RETRIEVAL, Content, TimeRange
from holdfast.telemetry.reads.configurations import Observed, observed
from holdfast.telemetry.reads.traces import trace
from holdfast.telemetry.rules import recorded
from holdfast.telemetry.rules.configurations import SLOT, VARIES, settings_of
from holdfast.telemetry.rules.recorded import Compared, Match, Stated
from holdfast.telemetry.store import configurations as store
from holdfast.telemetry.store.calls import CallFilter

__all__ = (
    "Compared",
    "Match",
    "Sent",
    "Stated",
    "any_since",
    "compared",
    "says_prompt",
    "seen",
    "sent",
    "stated",
)
_VARIABLE = re.compile(r"\{\{[^{}]*\}\}")
_MARKS = ("\ue000", "\ue001")
"""Stand for a variable in turn: a sentence that reads otherwise with the other has one in it."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What the first call of a configuration was sent with. `prompt` has `{{varies_1}}`, … where other calls say other
    things; None: it was not captured, or what was kept of it is not what was sent. `state` says which.
    """

    state: str
    prompt: str | None
    tools: tuple[Mapping[str, Any], ...]
    parameters: Mapping[str, Any]
    retrieval: Mapping[str, Any]


def stated(
    id: str,
    messages: Iterable[Mapping[str, Any]],
    tools: Iterable[Mapping[str, Any]],
    models: Iterable[str],
    parameters: Mapping[str, Any],
    retrieval: Mapping[str, Any],
) -> Stated:
    """A registered release in the words of telemetry, what telemetry has no name for left out.

    `messages` may hold `{{variables}}`: a sentence with one in it may read as it will.
    """
    said = list(messages)
    first, second = (configured.instructions(_content(said, mark)) or () for mark in _MARKS)
    prompt = tuple(one if one == two else SLOT for one, two in zip(first, second, strict=True))
    named = {
        INVOCATION[name]: _plain(name, value) for name, value in parameters.items() if name in INVOCATION
    }
    named |= {f"{RETRIEVAL}{name}": _text(value) for name, value in retrieval.items()}
    named.pop("seed", None)
    return Stated(
        id,
        prompt,
        configured.tools(Content(tool_definitions=[dict(one) for one in tools])) or (),
        tuple(models) or ("",),
        tuple(sorted(named.items())),
    )


def compared(one: Observed, releases: Sequence[Stated]) -> Compared:
    """A configuration against the releases of its workspace."""
    return recorded.compared(one.parts, releases)


def says_prompt(one: Observed, release: Stated) -> bool:
    """Whether a registered prompt is the one that a configuration's calls were sent."""
    return recorded.says_prompt(one.parts, release)


def seen(
    columns: Columns, database: Database, workspace: str, within: TimeRange, system: str | None = None
) -> list[Observed]:
    """Configurations of a system, or of all, that calls ran under; no sample data."""
    equals: dict[str, tuple[str, ...]] = {"sample": ("false",)}
    if system is not None:
        equals["system"] = (system,)
    return observed(columns, database, workspace, CallFilter(within, equals))


def any_since(database: Database, workspace: str, since: datetime) -> bool:
    """Whether a configuration was seen for the first time since an instant."""
    with database.reading() as tx:
        return store.any_since(tx, workspace, since)


def sent(columns: Columns, workspace: str, one: Observed, reach: Reach) -> Sent:
    """What the first call of a configuration was sent with. Raises NotFound where its trace is gone or out of reach."""
    content, state = Content(), "gone"
    view = trace(columns, workspace, one.first_trace, reach)
    mine = next((call for call in view.calls if call["id"] == one.first_call), None)
    spans = {mine["span_id"], *mine["observations"]} if mine else set()
    for span in view.spans:
        found = span.facts.content
        if span.stored.span.span_id not in spans or found is None or found == Content():
            continue
        content, state = found, span.stored.content_state
        if found.input_messages is not None:
            break
    text = configured.system_prompt(content)
    whole = recorded.template_of(configured.pieces(text), one.parts.prompt or ()) if text else None
    parameters, retrieval = settings_of(one.parts)
    return Sent(
        state,
        "" if text == "" and one.parts.prompt == () else whole,
        tuple(content.tool_definitions or ()),
        _values(parameters),
        _values(retrieval),
    )


def _values(kept: Mapping[str, str]) -> dict[str, Any]:
    return {name: json.loads(value) for name, value in kept.items() if value != VARIES}


def _content(messages: Sequence[Mapping[str, Any]], mark: str) -> Content:
    return Content(
        input_messages=[
            {
                "role": one.get("role"),
                "parts": [
                    {"type": "text", "content": _VARIABLE.sub(mark, text)}
                    for text in _texts(one.get("content"))
                ],
            }
            for one in messages
        ]
    )


def _texts(content: Any) -> list[str]:
    if isinstance(content, str):
        return [content]
    parts = content if isinstance(content, list | tuple) else ()
    return [one["text"] for one in parts if isinstance(one, Mapping) and isinstance(one.get("text"), str)]


def _plain(name: str, value: Any) -> str:
    return _text([value] if name in ("stop", "stop_sequences") and isinstance(value, str) else value)


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)
