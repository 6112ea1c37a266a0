"""What content says by the way: facts that are read from it, and that have to be known when it is gone.

Content may never be kept, be redacted, or expire before its span does. So what follows from it beyond the text itself (a
refusal, a finish reason, an id in a raw answer, a fault) is kept beside the span, in a form that can be read again:

- `refused`: whether the answer had a part of type refusal; `finish_reasons`: as the content states them;
- `quality`: faults of the content; `faults`: those of attributes that are content and yet say something of the call;
- `said`: by slot, a value that such an attribute stated and the name of the attribute;
- `documents`: an attribute listed documents, which makes some spans a retrieval;
- `retrieved`: what the documents of a retrieval show (see `retrieved`): how many, the best score, the latest change;
- `settings`: where and how the tools that a request offers look for documents (see `requested`);
- `instructions` and `tools`: fingerprints (see `configured`), which have columns of their own.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from holdfast.telemetry.conventions import configured, requested
from holdfast.telemetry.conventions.content import MALFORMED, Found, is_content
from holdfast.telemetry.conventions.convention import Draft
from holdfast.telemetry.conventions.moments import FIRST, LAST
from holdfast.telemetry.conventions.retrieved import NOTHING, Retrieved, retrieved
from holdfast.telemetry.conventions.values import LONGEST_NAME, MOST_TOKENS
from holdfast.telemetry.model import Kind

Told = dict[str, Any]

LONGEST_REASON: Final = 64
"""Characters of a finish reason that counts as one (`vocabulary.finish_reasons`)."""
MOST_TOLD: Final = 4_096
LARGEST_SCORE: Final = 1e300
SAID_TEXTS: Final = frozenset(("response_id", "service_tier"))
SAID_COUNTS: Final = frozenset(
    f"usage.{name}"
    for name in (
        "input_cache_read",
        "input_cache_write",
        "input_cache_write_5m",
        "input_cache_write_1h",
        "output_reasoning",
    )
)
_LISTS: Final = ("finish_reasons", "quality", "faults", "tools")


class Glimpse(NamedTuple):
    """What content says of a call by the way."""

    refused: bool | None
    finish_reasons: list[str]
    quality: list[str]
    instructions: tuple[int, ...] | None
    tools: tuple[str, ...] | None
    settings: Mapping[str, Any]
    retrieved: Retrieved


def glimpse(found: Found | None, told: Told | None, kind: Kind) -> Glimpse | None:
    """From what is kept of the content where that is given, for then the content is not there, or not as it came;
    else from the content. None: from neither.
    """
    if told is not None:
        get = told.get
        instructions, tools = get("instructions"), get("tools")
        return Glimpse(
            get("refused"),
            get("finish_reasons", []),
            get("quality", []),
            None if instructions is None else tuple(instructions),
            None if tools is None else tuple(tools),
            get("settings", {}),
            Retrieved(**get("retrieved", {})),
        )
    if found is None:
        return None
    offered = kind.is_call and MALFORMED not in found.quality
    return Glimpse(
        found.refused,
        found.finish_reasons,
        found.quality,
        *configured.seen(found),
        requested.of_tools(found.content.tool_definitions or ()) if offered else {},
        retrieved(found) if kind is Kind.RETRIEVAL else NOTHING,
    )


def kept(seen: Glimpse | None, kind: Kind, *, documents: bool, draft: Draft | None = None) -> Told | None:
    """What is to be kept beside a span of this kind, all but the fingerprints; None for nothing.

    `documents`: whether an attribute lists them. `draft` where attributes may hold more than texts and messages.
    """
    told: Told = {}
    if kind is Kind.RETRIEVAL:
        if documents:
            told["documents"] = True
        if seen is not None and seen.retrieved != NOTHING:
            told["retrieved"] = {
                name: value for name, value in seen.retrieved._asdict().items() if value is not None
            }
    elif kind.is_call:
        if seen is not None:
            told = _of_call(seen)
        if draft is not None:
            said = {
                slot: [_value(draft, slot), source]
                for slot, source in draft.sources.items()
                if (slot in SAID_TEXTS or slot in SAID_COUNTS) and is_content(source)
            }
            if said:
                told["said"] = said
            if draft.faults:
                told["faults"] = list(dict.fromkeys(draft.faults))
    return told or None


def _of_call(seen: Glimpse) -> Told:
    told: Told = {}
    if seen.refused is not None:
        told["refused"] = seen.refused
    if seen.finish_reasons:
        told["finish_reasons"] = [one for one in seen.finish_reasons if 0 < len(one) <= LONGEST_REASON]
    if seen.quality:
        told["quality"] = list(dict.fromkeys(seen.quality))
    if seen.settings:
        told["settings"] = dict(seen.settings)
    return told


def _value(draft: Draft, slot: str) -> Any:
    group, _, key = slot.partition(".")
    return draft.usage[key] if group == "usage" else draft.values[slot]


def before(draft: Draft, told: Told) -> None:
    """Puts back what decides of which kind a span is."""
    if told.get("documents"):
        draft.content.setdefault("documents", None)


def after(draft: Draft, told: Told) -> None:
    """Puts back what attributes that are gone have stated of the call."""
    for slot, (value, source) in told.get("said", {}).items():
        group, _, key = slot.partition(".")
        filled, name = (draft.usage, key) if group == "usage" else (draft.values, slot)
        if name not in filled:
            filled[name] = value
            draft.sources[slot] = source
    if not draft.faults:
        draft.faults += told.get("faults", ())
        draft.quality += told.get("faults", ())


def checked(told: Any) -> Told:
    """What an export says was kept, from whatever file it comes. Raises ValueError where it is not as it is written here."""
    if not isinstance(told, dict) or not told.keys() <= {
        "refused",
        "said",
        "documents",
        "retrieved",
        "settings",
        "instructions",
        *_LISTS,
    }:
        raise ValueError("it has names that are unknown here")
    for name in _LISTS:
        listed = told.get(name, [])
        if not isinstance(listed, list | tuple) or len(listed) > MOST_TOLD:
            raise ValueError(f"{name} is no list")
        if not all(isinstance(one, str) and 0 < len(one) <= LONGEST_NAME for one in listed):
            raise ValueError(f"{name} holds what is no name")
    instructions = told.get("instructions", [])
    if not isinstance(instructions, list | tuple) or len(instructions) > configured.MOST_SEGMENTS:
        raise ValueError("instructions is no list")
    if not all(type(one) is int and 0 < one < 2**64 for one in instructions):
        raise ValueError("instructions holds what is no fingerprint")
    if not all(type(told.get(name, True)) is bool for name in ("refused", "documents")):
        raise ValueError("it holds what is neither true nor false")
    said = told.get("said", {})
    if not isinstance(said, dict) or not all(_sound(slot, one) for slot, one in said.items()):
        raise ValueError("said holds what no attribute states")
    if not _found(told.get("retrieved", {})):
        raise ValueError("retrieved holds what no documents show")
    if not requested.sound(told.get("settings", {})):
        raise ValueError("settings holds what no tool states")
    return told


def _found(stated: Any) -> bool:
    if not isinstance(stated, dict) or not stated.keys() <= set(Retrieved._fields):
        return False
    count, score, newest = (stated.get(name, 0) for name in Retrieved._fields)
    return (
        type(count) is int
        and 0 <= count <= MOST_TOKENS
        and type(score) in (int, float)
        and abs(score) < LARGEST_SCORE
        and type(newest) is int
        and (not newest or FIRST <= newest / 10**9 < LAST)
    )


def _sound(slot: Any, stated: Any) -> bool:
    if not isinstance(stated, list) or len(stated) != 2:
        return False
    value, source = stated
    if not isinstance(source, str) or not is_content(source):
        return False
    if slot in SAID_TEXTS:
        return isinstance(value, str) and 0 < len(value) <= LONGEST_NAME
    return slot in SAID_COUNTS and type(value) is int and 0 <= value <= MOST_TOKENS
