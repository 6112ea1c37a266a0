"""Where each operation's requests, answers and streams hold what somebody said."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from holdfast.gateway.dialects.anthropic import CountTokens, Messages
from holdfast.gateway.dialects.gemini import Gemini
from holdfast.gateway.dialects.openai import Chat, Embeddings
from holdfast.gateway.dialects.responses import Responses
from holdfast.gateway.dialects.speech import Speech
from holdfast.gateway.guardrails.json_texts import Document, Path, Slot

_ASKED: Mapping[type[Speech], tuple[str, ...]] = MappingProxyType(
    {
        Chat: ("messages", "prediction"),
        Responses: ("instructions", "input", "prompt"),
        Messages: ("system", "messages"),
        CountTokens: ("system", "messages"),
        Gemini: (
            "systemInstruction",
            "system_instruction",
            "contents",
            "content",
            "requests",
            "generateContentRequest",
        ),
        Embeddings: ("input",),
    }
)
_ANSWERED: Mapping[type[Speech], tuple[str, ...]] = MappingProxyType(
    {
        Chat: ("choices", "error"),
        Responses: ("output", "output_text", "error"),
        Messages: ("content", "error"),
        CountTokens: ("error",),
        Gemini: ("candidates", "error"),
        Embeddings: ("error",),
    }
)
_STREAMED: Mapping[type[Speech], tuple[str, ...]] = MappingProxyType(
    {**_ANSWERED, Messages: ("delta", "content_block", "message", "error")}
)
_VARIABLES = ("metadata", "holdfast_variables")
_MODEL_ONLY = ("thinking", "redacted_thinking")
"""What a model wrote for itself and signed: it goes back as it came, or the vendor refuses it."""
_RUNNING = ("text", "thinking", "partial_json")
_AT = ("item_id", "output_index", "content_index", "summary_index")
_CALLS = ("tool_calls", "function_call", "functionCall", "partial_json")
_CALL_TYPES = ("tool_use", "function_call", "custom_tool_call")


def asked(speech: Speech) -> tuple[str, ...]:
    """Fields of a request in which its texts stand, and those of a managed prompt's variables."""
    return (*_ASKED[type(speech)], _VARIABLES[0])


def read_request(document: Document) -> Document:
    """Finds the texts in one field of a request; the document is that field's value, under its name."""
    for leaf in document.leaves:
        if leaf.path[0] == _VARIABLES[0]:
            wanted = leaf.path == _VARIABLES
        else:
            wanted = leaf.path[-1] not in _MODEL_ONLY and document.is_text(leaf)
        if wanted:
            document.take(leaf)
    return document


def read_answer(document: Document, speech: Speech) -> Document:
    """Finds the texts in a whole answer."""
    regions = _ANSWERED[type(speech)]
    for leaf in document.leaves:
        pieces = bool(leaf.path) and isinstance(leaf.path[0], int)  # Gemini's streams without `alt=sse`
        region = leaf.path[pieces : pieces + 1]
        if region and region[0] in regions and document.is_text(leaf):
            slot = document.take(leaf)
            slot.group = _group(document, leaf.path, speech)
            if pieces:
                _place(document, slot, speech, "")
    return document


def read_event(document: Document, speech: Speech) -> Document:
    """Finds the texts in one event of a stream, and of which running text each is a piece."""
    kind = type(speech)
    regions = _STREAMED[kind]
    event = document.value("type") or ""
    for leaf in document.leaves:
        path = leaf.path
        if not path or not (_in_responses(path) if kind is Responses else path[0] in regions):
            continue
        if document.is_text(leaf):
            _place(document, document.take(leaf), speech, event)
    return document


def closes(document: Document, speech: Speech) -> Path | None:
    """The beginning of the channels that an event ends; None where it ends none."""
    if isinstance(speech, Messages) and document.value("type") == "content_block_stop":
        return ("block", document.value("index") or "")
    return None


def calls_tools(document: Document) -> bool:
    """Whether an answer, or an event of it, calls a tool."""
    for leaf in document.leaves:
        name = leaf.path[-1] if leaf.path else ""
        if name == "type" and document.said(leaf) in _CALL_TYPES:
            return True
        if any(one in _CALLS for one in leaf.path) and document.raw[leaf.start : leaf.start + 1] == b'"':
            return True
    return False


def _in_responses(path: Path) -> bool:
    """A stream of Responses says the request again in `response`: of that the answer alone counts."""
    if path[0] == "response":
        return len(path) > 2 and path[1] in ("output", "error")
    return len(path) > 1 or path[0] in ("delta", "text", "arguments", "refusal", "message", "code", "input")


def _place(document: Document, slot: Slot, speech: Speech, event: str) -> None:
    path, kind = slot.path, type(speech)
    if kind is Responses:
        if path == ("delta",):
            slot.channel = (event, *(document.value(name) or "" for name in _AT))
            slot.is_json = event == "response.function_call_arguments.delta"
            slot.group = 0 if event == "response.output_text.delta" else None
    elif kind is Messages:
        if path[0] in ("delta", "content_block") and len(path) == 2 and path[1] in _RUNNING:
            slot.channel = ("block", document.value("index") or "", path[1])
            slot.group = 0 if path[1] == "text" else None
    elif kind is Gemini:
        if "parts" in path and path[-1] == "text":
            slot.group = _group(document, path, speech)
            slot.channel = (_index(document, path), "text", slot.group is not None)
    elif path[0] == "choices" and "delta" in path:
        slot.channel = _numbered(document, path)
        slot.group = _group(document, path, speech)


def _numbered(document: Document, path: Path) -> Path:
    """A path with the `index` that the list's entries state, in the place of where they stand in this event."""
    found: list[str | int] = []
    for place, step in enumerate(path):
        stated = document.value(*path[: place + 1], "index") if isinstance(step, int) else None
        found.append(int(stated) if stated is not None and stated.isdecimal() else step)
    return tuple(found)


def _group(document: Document, path: Path, speech: Speech) -> int | None:
    """Of which answer a text is the very words."""
    kind = type(speech)
    if kind is Chat:
        said = len(path) == 4 and path[2] in ("message", "delta") and path[3] == "content"
        return _index(document, path) if said else None
    if kind is Messages:
        return 0 if len(path) == 3 and path[2] == "text" else None
    if kind is Responses:
        spoken = path[-1] == "text" and document.value(*path[:-1], "type") == "output_text"
        return 0 if spoken else None
    if kind is Gemini:
        thought = document.value(*path[:-1], "thought") == "true"
        return _index(document, path) if path[-1] == "text" and "parts" in path and not thought else None
    return None


def _index(document: Document, path: Path) -> int:
    numbered = _numbered(document, path)
    found = numbered[numbered.index("candidates") + 1 if "candidates" in numbered else 1]
    return found if isinstance(found, int) else 0
