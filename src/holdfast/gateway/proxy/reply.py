"""What one client is told: the head once, then the body; and the record, kept before the last byte goes out."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from holdfast.gateway.dialects.speech import Answer, Asked, Speech
from holdfast.gateway.proxy.gateway import Gateway
from holdfast.gateway.proxy.records import Record
from holdfast.gateway.rules.resolving import Decision
from holdfast.pricing.rules.charge import charge

Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]
KEPT = 256 << 10
"""Bytes of a request and of an answer that go into the record; what is longer is left out and so is unknown."""
JSON = (b"content-type", b"application/json")


class Reply:
    """The answer to one request. `answer` is what is known of it so far."""

    __slots__ = (
        "_kept",
        "_send",
        "answer",
        "asked",
        "decision",
        "gateway",
        "record",
        "shown",
        "speech",
        "started",
    )

    def __init__(
        self, gateway: Gateway, send: Send, speech: Speech, asked: Asked, decision: Decision, record: Record
    ) -> None:
        self.gateway = gateway
        self.speech = speech
        self.asked = asked
        self.decision = decision
        self.record = record
        self.answer = Answer(complete=False)
        self.started = False
        self.shown: list[bytes] | None = None
        """What was sent of the body, where somebody wants it kept."""
        self._send = send
        self._kept = False

    async def whole(self, status: int, headers: Headers, body: bytes) -> None:
        """Answers at once. The record is kept first."""
        self.settle()
        record = self.record
        made = [*headers, *self.own_headers(), (b"content-length", str(len(body)).encode())]
        if record.cost is not None:
            made.append((b"x-holdfast-cost", f"{record.cost:f} {record.currency}".encode()))
        self.started = True
        self._show(body)
        await self._send({"type": "http.response.start", "status": status, "headers": made})
        await self._send({"type": "http.response.body", "body": body})

    async def begin(self, status: int, headers: Headers) -> None:
        """The head of a stream."""
        self.started = True
        await self._send(
            {"type": "http.response.start", "status": status, "headers": [*headers, *self.own_headers()]}
        )

    async def piece(self, body: bytes) -> None:
        """Some of a stream."""
        if body:
            self._show(body)
            await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def end(self, body: bytes) -> None:
        """The end of a stream. The record is kept first."""
        self.settle()
        self._show(body)
        await self._send({"type": "http.response.body", "body": body})

    def own_headers(self) -> list[tuple[bytes, bytes]]:
        """What the gateway says of the call."""
        record = self.record
        made = [
            (b"x-holdfast-call-id", record.span_id.hex().encode()),
            (b"x-holdfast-trace-id", record.trace_id.hex().encode()),
            (b"x-holdfast-upstream", record.upstream.encode()),
        ]
        if record.release:
            made.append((b"x-holdfast-release", record.release.encode()))
        return made

    def settle(self) -> None:
        """Keeps the record, once: nobody has an answer that is not on disk."""
        if self._kept:
            return
        self._kept = True
        record, answer = self.record, self.answer
        record.ended_ns = time.time_ns()
        record.response_id, record.response_model = answer.id, answer.model
        record.finish_reasons, record.service_tier = answer.finish_reasons, answer.service_tier
        self._price()
        if answer.id and self.asked.stores:
            self.gateway.remember(record.workspace, answer.id, record.upstream)
        self.gateway.keep(record)

    def _price(self) -> None:
        """Works out the cost of what the upstream said it used; it stays None where it is unknown."""
        record, usage = self.record, self.answer.usage
        if usage is None:
            return
        record.usage = tuple(usage)
        rates = self.decision.workspace.rates.get(record.upstream, {}).get(record.request_model)
        if rates is not None:
            charged = charge(usage, rates)
            record.cost, record.currency, record.price = charged.amount, charged.currency, charged.price_id

    def _show(self, body: bytes) -> None:
        if self.shown is not None:
            self.shown.append(body)
