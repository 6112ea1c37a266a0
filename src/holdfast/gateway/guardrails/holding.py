"""The held window: texts of a stream, held back until it is certain what is to become of them.

A running text comes in pieces, each in an event. It is judged as it grows. What stands further from its end than the window
is settled, but never in the middle of something found, of a word such as a key is, or of a row of digits. Events go on in
their order, each when all its texts are settled; a finding that goes over several events is replaced in the first of them.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

from holdfast.gateway.guardrails.framing import Event
from holdfast.gateway.guardrails.json_texts import Path, Slot

CONTEXT = 256
"""Characters before what is not settled yet that a judge sees again, at least."""
MOST_HELD = 64 << 10
"""Characters of one text that are held at most; longer than that no finding can be."""
_LONGEST_WORD = 16 << 10
_ATOM = re.compile(r"(?:[A-Za-z0-9_~+/=.:@%-]++|(?<=[0-9().\-/])[ \u00a0()]{1,3}+(?=[0-9().\-/]))++")
"""What is never cut: an unbroken word of the letters that keys and addresses are made of, and digits in a row."""
_GROWTH = 8
"""A text that is held long is judged again when it has grown by an eighth, so that the work stays in proportion."""


class Found(NamedTuple):
    """A finding in a channel's own places. `owner`: whose it is. `replacement`: what is to stand there; None: as it is."""

    start: int
    end: int
    owner: int
    label: str
    replacement: str | None


class Channel:
    """One text, running or whole. Places are characters from its beginning."""

    __slots__ = ("_edits", "_kept", "base", "closed", "is_json", "judged", "settled", "text")

    def __init__(self, *, keep: bool, is_json: bool) -> None:
        self.is_json = is_json
        self.text = ""
        """From `base` on: some that is settled, and all that is not."""
        self.base = 0
        self.settled = 0
        self.judged = 0
        self.closed = False
        self._edits: list[tuple[int, int, str]] = []
        self._kept: list[str] | None = [] if keep else None

    @property
    def length(self) -> int:
        """Characters so far."""
        return self.base + len(self.text)

    @property
    def held(self) -> int:
        """Characters that are not settled."""
        return self.length - self.settled

    @property
    def fresh(self) -> str:
        """The text that is not settled."""
        return self.text[self.settled - self.base :]

    @property
    def before(self) -> str:
        """What stands before it, as far as it is still known."""
        return self.text[: self.settled - self.base]

    def add(self, text: str) -> None:
        """Goes on."""
        self.text += text
        if self._kept is not None:
            self._kept.append(text)

    def is_all(self, text: str) -> bool:
        """Whether this is the whole of it."""
        return self._kept is not None and len(text) == self.length and "".join(self._kept) == text

    def settle(self, found: Sequence[Found], window: int) -> list[Found]:
        """Settles what can be; the findings in it."""
        cut = self.length if self.closed else self._cut(self.length - window)
        whole = [one for one in found if one.replacement is not None]
        while split := [one.start for one in whole if one.start < cut < one.end]:
            cut = min(split)
        cut = max(cut, self.settled)
        done = [one for one in sorted(found) if self.settled < one.end <= cut]
        for one in done:
            if one.replacement is not None:
                self._edit(max(one.start, self.settled), one.end, one.replacement)
        self.judged, self.settled = self.length, cut
        behind = self._cut(cut - CONTEXT) - self.base
        if behind > CONTEXT:
            self.text = self.text[behind:]
            self.base += behind
        return done

    def rewritten(self, begin: int, text: str) -> str:
        """A piece of the text, from `begin` on, as it is to be."""
        end, place = begin + len(text), begin
        made: list[str] = []
        first = bisect_right(self._edits, begin, key=lambda edit: edit[1])
        for start, stop, replacement in self._edits[first:]:
            if start >= end:
                break
            if start >= begin:
                made += (text[place - begin : start - begin], replacement)
            place = max(place, min(stop, end))
        return "".join([*made, text[place - begin :]])

    def _edit(self, start: int, end: int, replacement: str) -> None:
        if self._edits and start < self._edits[-1][1]:
            begun, until, kept = self._edits[-1]
            self._edits[-1] = (begun, max(until, end), kept)
        else:
            self._edits.append((start, end, replacement))

    def _cut(self, place: int) -> int:
        """The last place up to this one that is not in the middle of a word; not before what the text still holds."""
        at = place - self.base
        if at <= 0:
            return self.base
        for atom in _ATOM.finditer(self.text, max(0, at - _LONGEST_WORD)):
            if atom.end() >= at:
                return place if not atom.start() < at < atom.end() else self.base + atom.start()
        return place


class Held:
    """Events that wait for their texts, in order."""

    __slots__ = ("_channels", "_due", "_holds", "_keep", "_queue", "_step", "_window")

    def __init__(self, window: int, *, step: int = 1, keep: bool = False, holds: bool = True) -> None:
        """`step`: characters beyond the window from which on a text is judged again. `keep`: whole texts are kept, for a
        protocol that says them once more at the end. `holds`: False where no text can change, so that all goes on at once.
        """
        self._holds = holds
        self._window = window
        self._step = step
        self._keep = keep
        self._channels: dict[Path, Channel] = {}
        self._queue: deque[tuple[Event, list[tuple[Slot, Channel, int]]]] = deque()
        self._due: dict[int, Channel] = {}

    def push(self, event: Event) -> None:
        """Takes an event and its texts."""
        placed = []
        for slot in event.slots:
            channel, begin = self._channel(slot)
            placed.append((slot, channel, begin))
            self._due[id(channel)] = channel
        if event.closes is not None:
            self.close(event.closes)
        self._queue.append((event, placed))

    def close(self, under: Path = ()) -> None:
        """Running texts whose names begin so are complete; without one, all are."""
        for name, channel in self._channels.items():
            if name[: len(under)] == under and not channel.closed:
                channel.closed = True
                self._due[id(channel)] = channel

    def due(self) -> list[Channel]:
        """Texts that are to be judged now."""
        found = []
        for channel in list(self._due.values()):
            if not channel.held:
                del self._due[id(channel)]
                continue
            grown = channel.length - channel.judged
            enough = max(self._step, channel.held // _GROWTH if channel.held > 2 * self._window else 0)
            if channel.closed or (channel.held >= self._window + self._step and grown >= enough):
                found.append(channel)
                del self._due[id(channel)]
        return found

    def out(self) -> list[Event]:
        """The events whose texts are settled, with the texts as they are to be."""
        found = []
        while self._queue and (
            not self._holds
            or all(begin + len(slot.text) <= channel.settled for slot, channel, begin in self._queue[0][1])
        ):
            event, placed = self._queue.popleft()
            for slot, channel, begin in placed:
                slot.text = channel.rewritten(begin, slot.text)
            found.append(event)
        return found

    def _channel(self, slot: Slot) -> tuple[Channel, int]:
        """Where a text belongs: its own, or one that runs on. One that says a running text once more shares its fate."""
        if slot.channel is None:
            for known in self._channels.values():
                if slot.text and known.is_all(slot.text):
                    known.closed = True
                    return known, 0
            channel = Channel(keep=False, is_json=slot.is_json)
            channel.closed = True
        else:
            found = self._channels.get(slot.channel)
            if found is None or found.closed:
                found = self._channels[slot.channel] = Channel(keep=self._keep, is_json=slot.is_json)
            channel = found
        begin = channel.length
        channel.add(slot.text)
        return channel, begin
