"""Guardrails on the live path: a request before anything is set aside for it, an answer before it goes out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from holdfast.gateway.dialects.speech import HOLDFAST, Body, Speech, encode
from holdfast.gateway.guardrails import places
from holdfast.gateway.guardrails.framing import Event, Framing, TooLong
from holdfast.gateway.guardrails.json_texts import document
from holdfast.gateway.guardrails.judging import Verdict
from holdfast.gateway.model import Side
from holdfast.gateway.proxy import hooks
from holdfast.gateway.proxy.arming import Armed
from holdfast.gateway.proxy.panel import Blocked, Panel
from holdfast.gateway.proxy.records import Record

KEPT = 256 << 10
KIND = "holdfast_guardrail"
"""What clients are told as the error's code."""


class Watch:
    """Stands between an answer and the client. Each method says what may go out; raises Blocked."""

    __slots__ = ("_events", "_framing", "_kept", "_panel", "_pieces", "_size", "_speech")

    def __init__(self, panel: Panel, speech: Speech) -> None:
        self._panel = panel
        self._speech = speech
        self._framing: Framing | None = None
        self._pieces: list[bytes] = []
        """Of a stream that is not of events: all of it, until it has ended."""
        self._events: list[Event] = []
        """The newest event: the last of all goes out when the call's record is kept."""
        self._kept: list[bytes] = []
        self._size = 0

    @property
    def sent(self) -> bytes:
        """What went out; empty where it is too long to be kept."""
        return b"".join(self._kept) if self._size <= KEPT else b""

    def verdicts(self) -> list[Verdict]:
        """What the guardrails made of it."""
        return self._panel.verdicts()

    def begin(self, headers: Sequence[tuple[bytes, bytes]]) -> None:
        """A stream begins."""
        kind = next((value for name, value in headers if name.lower() == b"content-type"), b"")
        if kind.startswith(b"text/event-stream"):
            self._framing = Framing(self._speech)

    async def whole(self, body: bytes) -> bytes:
        """A whole answer."""
        read = document(body)
        event = Event(body, b"", read)
        if not read.slots:
            places.read_answer(read, self._speech)
        return self._out(await self._judged([event], last=True))

    async def feed(self, chunk: bytes, *, last: bool) -> bytes:
        """Some of a stream; `last` where nothing of worth can follow."""
        if self._framing is None:
            self._pieces.append(chunk)
            return await self.end(b"") if last else b""
        try:
            events = self._framing.feed(chunk)
        except TooLong:
            raise Blocked("", "the upstream sent an event that is too long to be judged", 502) from None
        events = [*self._events, *await self._judged(events, last=last)]
        self._events = [] if last else events[-1:]
        return self._out(events if last else events[:-1])

    async def end(self, rest: bytes) -> bytes:
        """The end of a stream."""
        if self._framing is None:
            pieces, self._pieces = [*self._pieces, rest], []
            return await self.whole(b"".join(pieces)) if any(pieces) else b""
        events = [*self._framing.end(), *self._framing.feed(rest), *self._framing.end()]
        events = [*self._events, *await self._judged(events, last=True)]
        self._events = []
        return self._out(events)

    def tell(self, body: bytes) -> None:
        """Something of the gateway's own went out."""
        self._kept.append(body)
        self._size += len(body)

    async def _judged(self, events: list[Event], *, last: bool) -> list[Event]:
        found = await self._panel.judge(events, last=last)
        if self._panel.blocked is not None:
            raise self._panel.blocked
        return found

    def _out(self, events: list[Event]) -> bytes:
        made = b"".join(event.written() for event in events)
        self.tell(made)
        return made


async def request(
    armed: Sequence[Armed],
    speech: Speech,
    body: Body,
    prompt: list[dict[str, Any]],
    record: Record,
    ask: hooks.Asking,
) -> tuple[Body, list[dict[str, Any]]]:
    """Judges a request as its client said it, with the release's prompt; what of it may go on. Raises Blocked.

    The record holds the request without what was found, also where that is why it goes nowhere.
    """
    panel = Panel(armed, Side.INPUT, ask, keep=False)
    fields = [name for name in places.asked(speech) if name in body]
    events = [_asked_event(bytes(body[name]), name) for name in fields]
    if prompt:
        events.append(_asked_event(encode(prompt), "messages"))
    try:
        await panel.judge(events, last=True)
    finally:
        record.verdicts = [*record.verdicts, *panel.verdicts()]
    written = {name: event.written() for name, event in zip(fields, events, strict=False)}
    changed = {name: msgspec.Raw(raw) for name, raw in written.items() if raw != bytes(body[name])}
    if changed:
        body = {**body, **changed}
    said_anew = prompt and events[-1].document is not None and events[-1].document.changed
    if said_anew:
        prompt = msgspec.json.decode(events[-1].written())
        record.variables = {}
    if record.request and (changed or said_anew):
        aside = (HOLDFAST, "metadata")  # they say the variables once more
        record.request = encode({name: raw for name, raw in body.items() if name not in aside})
    if panel.blocked is not None:
        raise panel.blocked
    return body, prompt


async def beginning(armed: Sequence[Armed], text: str, record: Record, ask: hooks.Asking) -> str:
    """What of a beginning that one upstream made may go up to another. Raises Blocked."""
    panel = Panel(armed, Side.INPUT, ask, keep=False)
    event = _asked_event(encode([{"role": "assistant", "content": text}]), "messages")
    try:
        await panel.judge([event], last=True)
    finally:
        record.verdicts = [*record.verdicts, *panel.verdicts()]
    if panel.blocked is not None:
        raise panel.blocked
    return event.slots[0].text


def _asked_event(raw: bytes, field: str) -> Event:
    read = document(raw, (field,))
    return Event(raw, b"", read if read.slots else places.read_request(read))
