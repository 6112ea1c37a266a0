"""What a request was configured with, as far as its content shows: the system prompt and the tools, as fingerprints.

Text itself is not kept here: content may not be captured, and a fingerprint tells two prompts apart all the same. Dates,
times, ids and addresses in a prompt are left out of it, because they change without anybody having edited it.
"""

from __future__ import annotations

import re
from functools import lru_cache
from hashlib import blake2b
from typing import Any, Final

import msgspec

from holdfast.telemetry.conventions.content import MALFORMED, Found
from holdfast.telemetry.model import Content

MOST_SEGMENTS: Final = 256
"""Sentences of a prompt that are told apart; what follows counts as one."""
LONGEST_REMEMBERED: Final = 65_536
_SYSTEM_ROLES: Final = frozenset(("system", "developer"))
_MONTHS: Final = (
    "jan|feb|mar|apr|may|jun|jul|aug|sept?|oct|nov|dec|january|february|march|april|june|july|august|september"
    "|october|november|december"
)
_WEEKDAYS: Final = (
    "mon|tues?|wed|thu|thurs?|fri|sat|sun|monday|tuesday|wednesday|thursday|friday|saturday|sunday"
)
_ORDINAL: Final = r"\d{1,2}(?:st|nd|rd|th)?"
_PASSING: Final = re.compile(
    "|".join(
        (
            r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",  # a UUID
            r"[\w.+-]{1,64}@[\w-]{1,64}\.[\w.-]{1,64}",  # an e-mail address
            r"\b\d{4}-\d{2}-\d{2}(?:[T ]\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)?(?:Z|[+-]\d{2}:?\d{2})?",  # ISO 8601
            r"\b\d{1,4}[./]\d{1,2}[./]\d{1,4}\b",  # 21.11.2026, 11/21/2026
            rf"\b(?:(?:{_WEEKDAYS})\b[,.]?\s+)?"
            rf"(?:{_ORDINAL}\.?\s+(?:{_MONTHS})|(?:{_MONTHS})\s+{_ORDINAL})\b(?:,?\s+\d{{4}})?",
            rf"\b(?:{_WEEKDAYS})\b",
            r"\b\d{1,2}:\d{2}(?::\d{2})?(?:\s?[ap]\.?m\b\.?)?",  # a time of day
            r"\b(?=[0-9a-f]*\d)[0-9a-f]{12,}\b",  # a hexadecimal id
            r"\b\d{5,}\b",  # a long number: an id, a moment
        )
    ),
    re.IGNORECASE,
)
_BORDERS: Final = re.compile(r"\n+|(?<=[.!?])\s+")
_json = msgspec.json.Encoder(order="deterministic").encode


def fingerprint(data: bytes) -> int:
    """64 bits that tell one piece of text from another."""
    return int.from_bytes(blake2b(data, digest_size=8).digest(), "big") or 1


def segments(text: str) -> tuple[int, ...]:
    """The sentences of a prompt as fingerprints, without what passes; at most MOST_SEGMENTS."""
    return _remembered(text) if len(text) <= LONGEST_REMEMBERED else _segments(text)


def _segments(text: str) -> tuple[int, ...]:
    parts = [part for piece in _BORDERS.split(_PASSING.sub("…", text)) if (part := " ".join(piece.split()))]
    if len(parts) > MOST_SEGMENTS:
        parts[MOST_SEGMENTS - 1 :] = ["\n".join(parts[MOST_SEGMENTS - 1 :])]
    return tuple(fingerprint(part.encode("utf-8", "surrogatepass")) for part in parts)


_remembered = lru_cache(maxsize=512)(_segments)


def pieces(text: str) -> list[tuple[str, int]]:
    """The sentences of a prompt as they stand, each with the space after it and its fingerprint.

    Joined they are the text. Those after MOST_SEGMENTS are told apart here, and not in `segments`.
    """
    made: list[tuple[str, int]] = []
    start = 0
    for end in (*(border.end() for border in _BORDERS.finditer(text)), len(text)):
        piece = text[start:end]
        said = _segments(piece)
        if said:
            made.append((piece, said[0]))
        elif made and piece:
            made[-1] = (made[-1][0] + piece, made[-1][1])
        start = end
    return made


def seen(found: Found) -> tuple[tuple[int, ...] | None, tuple[str, ...] | None]:
    """The instructions and the tools of a call; unknown where its content is cut off or cannot be read."""
    if MALFORMED in found.quality:
        return None, None
    return instructions(found.content), tools(found.content)


def instructions(content: Content) -> tuple[int, ...] | None:
    """The system prompt's sentences as fingerprints: empty where there is none, None where nothing was captured."""
    text = system_prompt(content)
    if text is None:
        return None
    return segments(text) if text else ()


def system_prompt(content: Content) -> str | None:
    """What a call's system prompt says: empty where it has none, None where nothing was captured."""
    messages = content.input_messages
    if content.system_instructions is None and messages is None:
        return None
    texts = list(_texts(content.system_instructions or ()))
    for message in messages or ():
        if not isinstance(message, dict) or message.get("role") not in _SYSTEM_ROLES:
            break  # only what stands first is the application's; later ones belong to the conversation
        texts += _texts(message.get("parts") or ())
    return "\n".join(texts)


def _texts(parts: Any) -> list[str]:
    found = []
    for part in parts:
        text = part.get("content") if isinstance(part, dict) else part
        if isinstance(text, str) and text:
            found.append(text)
    return found


def tools(content: Content) -> tuple[str, ...] | None:
    """The tools offered, in order of name, each `name#fingerprint of its definition`; None where none are shown."""
    if not content.tool_definitions:
        return None
    return tuple(sorted(f"{_name(one)}#{fingerprint(_json(one)):016x}" for one in content.tool_definitions))


def _name(definition: dict[str, Any]) -> str:
    inner = definition.get("function")
    named = inner.get("name") if isinstance(inner, dict) else definition.get("name")
    named = named or definition.get("type")  # as of a search that the provider runs
    return named[:200] if isinstance(named, str) else "?"
