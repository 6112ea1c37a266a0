"""Server-sent events cut out of a stream whole, each as the very bytes that came (WHATWG HTML, 9.2.6)."""

from __future__ import annotations

import re

from holdfast.gateway.dialects.speech import LONGEST_EVENT, Speech
from holdfast.gateway.guardrails import places
from holdfast.gateway.guardrails.json_texts import Document, Path, Slot, document

_END = re.compile(rb"(?>\r\n|\n|\r)(?>\r\n|\n|\r)")
_LINE = re.compile(rb"\r\n|\n|\r")
_DONE = b"[DONE]"


class TooLong(Exception):
    """An event is longer than what is read."""


class Event:
    """One event, or one whole document: its bytes, its texts, and which running texts it ends."""

    __slots__ = ("_after", "_before", "_raw", "closes", "document")

    def __init__(
        self, raw: bytes, before: bytes = b"", read: Document | None = None, after: bytes = b""
    ) -> None:
        self._raw = raw
        self._before = before
        self._after = after
        self.document = read
        self.closes: Path | None = None

    @property
    def slots(self) -> list[Slot]:
        """Its texts."""
        return self.document.slots if self.document is not None else []

    @property
    def calls_tools(self) -> bool:
        """Whether it calls a tool."""
        return self.document is not None and places.calls_tools(self.document)

    def written(self) -> bytes:
        """Its bytes: as they came, unless a text of it is to be another."""
        if self.document is None or not self.document.changed:
            return self._raw
        return self._before + self.document.written() + self._after


class Framing:
    """Cuts a stream, over any cuts in between."""

    __slots__ = ("_rest", "_searched", "_speech")

    def __init__(self, speech: Speech) -> None:
        self._speech = speech
        self._rest = b""
        self._searched = 0

    def feed(self, chunk: bytes) -> list[Event]:
        """The events that are complete. Raises TooLong."""
        text = self._rest + chunk
        events, begin, search = [], 0, max(0, self._searched - 3)
        while found := _END.search(text, search):
            events.append(self._event(text[begin : found.end()]))
            begin = search = found.end()
        self._rest = text[begin:]
        self._searched = len(self._rest)
        if self._searched > LONGEST_EVENT:
            raise TooLong
        return events

    def end(self) -> list[Event]:
        """An event that only lacks the empty line after it; half of one is dropped: nobody can judge it, or read it."""
        rest, self._rest, self._searched = self._rest, b"", 0
        if not rest.strip():
            return [Event(rest)] if rest else []
        event = self._event(rest)
        return [] if event.slots and event.slots[0].plain else [event]

    def _event(self, raw: bytes) -> Event:
        data = [(start + 5, end) for start, end in _lines(raw) if raw.startswith(b"data:", start)]
        said = b" ".join(raw[start:end].strip() for start, end in data)
        if not said or said == _DONE:
            return Event(raw)
        read = document(said)
        if len(data) == 1:
            start, end = data[0]
            start += len(raw[start:end]) - len(raw[start:end].lstrip())
            event = Event(raw, raw[:start], read, raw[start + len(said) :])
        else:  # a document over several lines goes out in one, where it is changed
            others = b"".join(
                raw[start:end] + b"\n"
                for start, end in _lines(raw)
                if end > start and not raw.startswith(b"data:", start)
            )
            event = Event(raw, others + b"data: ", read, b"\n\n")
        if not read.slots:  # JSON
            places.read_event(read, self._speech)
            event.closes = places.closes(read, self._speech)
        return event


def _lines(raw: bytes) -> list[tuple[int, int]]:
    found, begin = [], 0
    for end in _LINE.finditer(raw):
        found.append((begin, end.start()))
        begin = end.end()
    return [*found, (begin, len(raw))]
