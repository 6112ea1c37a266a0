"""Words that both dialects have a word for, the one error of this package, and how bodies are read with their place.

`where` is a path into the client's own body (`messages[2].content[0].input_audio`), so that people find what to change.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, NoReturn

from holdfast.kernel.errors import Invalid

VERSION: Final = "2023-06-01"
"""The `anthropic-version` that translated requests are written in.

2026-10-21 took `temperature` and `top_p` away and added nothing that a translated request needs, so this is the one
version in which all of them can be said.
"""


class Untranslatable(Invalid):
    """It cannot be said in the other dialect; `where` is the field, the detail says why."""

    title = "Cannot be translated"


def refuse(where: str, why: str) -> NoReturn:
    raise Untranslatable(f"{where} cannot be translated: {why}", where=where)


FINISH_OF_STOP: Final[Mapping[str, str]] = MappingProxyType(
    {
        "end_turn": "stop",
        "stop_sequence": "stop",
        "max_tokens": "length",
        "model_context_window_exceeded": "length",
        "tool_use": "tool_calls",
        "refusal": "content_filter",
    }
)
"""Anthropic's `stop_reason` → OpenAI's `finish_reason`. A reason that is not here passes as its own word."""

STOP_OF_FINISH: Final[Mapping[str, str]] = MappingProxyType(
    {"stop": "end_turn", "length": "max_tokens", "tool_calls": "tool_use", "content_filter": "refusal"}
)
"""The other way. OpenAI does not say which stop sequence ended an answer, so that stays `end_turn`."""

SERVED_OF_ANTHROPIC: Final[Mapping[str, str]] = MappingProxyType(
    {"standard": "default", "priority": "priority"}
)
SERVED_OF_OPENAI: Final[Mapping[str, str]] = MappingProxyType({"default": "standard", "priority": "priority"})
"""The service tier that an answer was served in; one without a word on the other side is not stated."""

EFFORTS: Final = frozenset({"low", "medium", "high", "xhigh", "max"})
"""Levels that `reasoning_effort` and `output_config.effort` have in common."""

_ID = re.compile(r"[A-Za-z0-9_-]{1,40}")


def stop_of_finish(finish: str, *, called: bool, refused: bool) -> str:
    """Anthropic's stop reason. A forced tool call ends with `stop` at OpenAI, with `tool_use` at Anthropic."""
    if refused:
        return "refusal"
    if called and finish == "stop":
        return "tool_use"
    return STOP_OF_FINISH.get(finish, finish)


def call_id(text: str) -> str:
    """The id of a tool call that both vendors take: letters, digits, `_`, `-`, at most 40 characters.

    An id that is none is hashed, always to the same, so that a call and its result still belong together.
    """
    if _ID.fullmatch(text):
        return text
    return "call_" + hashlib.sha256(text.encode()).hexdigest()[:32]


def only(part: Mapping[str, Any], known: Collection[str], where: str) -> None:
    """Refuses each field that nobody here knows. null says nothing."""
    for name, value in part.items():
        if name not in known and value is not None:
            refuse(f"{where}.{name}" if where else name, "there is no such thing in the other dialect")


def neutral(part: Mapping[str, Any], name: str, where: str, why: str, *harmless: object) -> None:
    """Refuses a field unless it asks for what happens without it: absent, null or one of `harmless`."""
    value = part.get(name)
    if value is not None and value not in harmless:
        refuse(f"{where}.{name}" if where else name, why)


def mapping(value: object, where: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        refuse(where, "an object belongs here")
    return value


def sequence(value: object, where: str) -> Sequence[Any]:
    if not isinstance(value, list | tuple):
        refuse(where, "a list belongs here")
    return value


def string(value: object, where: str) -> str:
    if not isinstance(value, str):
        refuse(where, "text belongs here")
    return value


def within(value: object, low: float, high: float, where: str, why: str) -> float:
    """A number from `low` to `high`, ends included."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        refuse(where, "a number belongs here")
    if not low <= value <= high:
        refuse(where, why)
    return value
