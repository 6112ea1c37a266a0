"""Where a JSON document holds text that somebody wrote, and the document with some of it replaced.

A document is cut into its tokens and put together again, so that whatever is not replaced stays byte for byte as it was.
What is text goes by place: inside the parts where messages stand, everything is, but for names, marks, addresses and data.
"""

from __future__ import annotations

import json
import re
from typing import NamedTuple

import msgspec

Path = tuple[str | int, ...]
_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\]:,]|[^\s{}\[\]:,"]++', re.DOTALL)
_OBJECT, _LIST, _QUOTE, _COMMA = b'{[",'
_ENDS = b"}]"
_FREE = frozenset({"input", "args", "response", "arguments", "variables", "parameters"})
"""Fields below which names are whatever somebody chose, so that all is text."""
_NO_TEXT = frozenset(
    {
        "type", "role", "id", "object", "model", "name", "tool_call_id", "tool_use_id", "call_id", "item_id",
        "previous_response_id", "status", "phase", "finish_reason", "finishReason", "stop_reason", "stop_sequence",
        "signature", "thoughtSignature", "encrypted_content", "encrypted_index", "obfuscation", "file_data", "fileData",
        "url", "uri", "image_url", "file_url", "fileUri", "file_uri", "file_id", "media_type", "mimeType", "mime_type",
        "detail", "format", "cache_control", "server_label", "container_id", "logprobs", "top_logprobs",
        "logprobsResult", "tools", "toolConfig", "generationConfig", "safetySettings", "safetyRatings", "cachedContent",
        "language", "service_tier",
    }
)  # fmt: skip
_SHORT = 6
"""Digits of a number that is too short to be anything's."""
_TOLD_AGAIN = frozenset({"logprobs", "logprobsResult"})
"""Fields that say a text once more, token by token: emptied where the text is changed."""


class Leaf(NamedTuple):
    """A value that holds no other: where it stands, and its bytes' place."""

    path: Path
    start: int
    end: int


class Slot:
    """A text in a document, at `start:end` of its bytes. `text` is what is to stand there."""

    __slots__ = ("channel", "end", "group", "is_json", "path", "plain", "start", "text", "was")

    def __init__(self, path: Path, start: int, end: int, text: str, *, plain: bool = False) -> None:
        self.path = path
        self.start = start
        self.end = end
        self.was = text
        self.text = text
        self.plain = plain
        """Whether it is no JSON string but the bytes as they are."""
        self.is_json = path[-1:] in (("arguments",), ("partial_json",))
        """Whether the text is JSON for its part, and must stay so."""
        self.channel: Path | None = None
        """Of which running text of a stream it is the next piece; None where it is a text by itself."""
        self.group: int | None = None
        """Of which answer (of several choices) it is the very words; None for other texts."""


class Document:
    """One JSON document with its texts."""

    __slots__ = ("_again", "_by_path", "leaves", "raw", "slots")

    def __init__(self, raw: bytes, under: Path = ()) -> None:
        """`under`: where the document itself stands in a larger one."""
        self.raw = raw
        self.leaves, self._again = _scanned(raw, under)
        self._by_path: dict[Path, Leaf] = {leaf.path: leaf for leaf in self.leaves}
        self.slots: list[Slot] = []

    def value(self, *path: str | int) -> str | None:
        """The text or number at a place; None where there is none."""
        leaf = self._by_path.get(path)
        return None if leaf is None else self.said(leaf)

    def said(self, leaf: Leaf) -> str:
        """A leaf's text; of what is no text, its letters."""
        token = self.raw[leaf.start : leaf.end]
        return decoded(token) if token[:1] == b'"' else token.decode("utf-8", "replace")

    def is_text(self, leaf: Leaf) -> bool:
        """Whether it is a text that somebody wrote, wherever in a message it stands."""
        if self.raw[leaf.start] != _QUOTE:  # a number that somebody chose may be one of a card
            return leaf.end - leaf.start > _SHORT and any(name in _FREE for name in leaf.path[1:])
        for place, name in enumerate(leaf.path):
            if name in _FREE and place > 0:
                return True
            if name in _NO_TEXT:
                return False
        *above, last = leaf.path or ("",)
        if last == "data":  # base64, but for a document that is plain text
            return self.value(*above, "type") == "text"
        return last != "result" or self.value(*above, "type") != "image_generation_call"

    def take(self, leaf: Leaf) -> Slot:
        """Makes a slot of a leaf."""
        slot = Slot(leaf.path, leaf.start, leaf.end, self.said(leaf))
        self.slots.append(slot)
        return slot

    @property
    def changed(self) -> bool:
        """Whether any text is to be another."""
        return any(slot.text != slot.was for slot in self.slots)

    def written(self) -> bytes:
        """The document with its texts as they are to be."""
        edits = [(slot.start, slot.end, _encoded(slot)) for slot in self.slots if slot.text != slot.was]
        if not edits:
            return self.raw
        edits += [(start, end, b"[]" if self.raw[start] == _LIST else b"null") for start, end in self._again]
        pieces: list[bytes] = []
        place = 0
        for start, end, text in sorted(edits):
            if start < place:
                continue  # inside what is emptied already
            pieces += (self.raw[place:start], text)
            place = end
        return b"".join([*pieces, self.raw[place:]])


def plain(raw: bytes) -> Document:
    """What is no JSON, as one text."""
    made = Document(b"")
    made.raw = raw
    made.slots = [Slot((), 0, len(raw), raw.decode("utf-8", "surrogateescape"), plain=True)]
    return made


def document(raw: bytes, under: Path = ()) -> Document:
    """A document; one plain text where it is no JSON."""
    try:
        msgspec.json.decode(raw, type=msgspec.Raw)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return plain(raw)
    return Document(raw, under)


def decoded(token: bytes) -> str:
    """A JSON string's text; half of a surrogate pair stays what it is."""
    try:
        return msgspec.json.decode(token, type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        try:
            return str(json.loads(token, strict=False))
        except ValueError:
            return token.decode("utf-8", "surrogateescape")


def _encoded(slot: Slot) -> bytes:
    if slot.plain:
        return slot.text.encode("utf-8", "surrogateescape")
    try:
        return msgspec.json.encode(slot.text)
    except UnicodeEncodeError:
        return json.dumps(slot.text).encode()


def _scanned(raw: bytes, under: Path) -> tuple[list[Leaf], list[tuple[int, int]]]:
    """Every leaf with its path, and the places of lists and objects that tell a text once more."""
    leaves: list[Leaf] = []
    again: list[tuple[int, int]] = []
    path: list[str | int] = list(under)
    begun: list[int] = []
    naming = False
    for token in _TOKEN.finditer(raw):
        start, end = token.span()
        first = raw[start]
        if first == _QUOTE and naming:
            path[-1] = decoded(token[0])
            naming = False
        elif first in (_OBJECT, _LIST):
            begun.append(start)
            naming = first == _OBJECT
            path.append("" if naming else 0)
        elif first in _ENDS:
            naming = False
            path.pop()
            opened = begun.pop()
            if path and path[-1] in _TOLD_AGAIN and not any(name in _FREE for name in path[1:]):
                again.append((opened, end))
        elif first == _COMMA:
            last = path[-1]
            naming = not isinstance(last, int)
            if isinstance(last, int):
                path[-1] = last + 1
        elif first != 0x3A:  # a colon says nothing
            leaves.append(Leaf(tuple(path), start, end))
    return leaves, again
