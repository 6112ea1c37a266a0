"""What one client is told: the head once, then the body; and the record, kept before the last byte goes out."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from holdfast.gateway.dialects.speech import Answer, Asked, Speech
from holdfast.gateway.proxy.gateway import Gateway
from holdfast.gateway.proxy.purse import Held
from holdfast.gateway.proxy.records import Record
from holdfast.gateway.rules.counting import estimate
from holdfast.gateway.rules.resolving import Decision
from holdfast.pricing.model import Usage
from holdfast.pricing.rules.charge import charge

Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = Sequence[tuple[bytes, bytes]]
KEPT = 256 << 10
"""Bytes of a request and of an answer that go into the record; what is longer is left out and so is unknown."""
UNSEEN = 16
"""Tokens that an upstream may have written after the last that arrived of a stream that was cut."""
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
        "held",
        "record",
        "sent",
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
        self.held: Held | None = None
        """What is set aside for the try that is under way."""
        self.sent = 0
        """Bytes of the request as it went upstream; 0 where none went, or what went was not billed."""
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
        held, self.held = self.held, None
        if held is not None:
            if record.usage is None and not self.sent:
                self.gateway.purse.release(held)
            else:
                tokens = _tokens(record.usage)
                self.gateway.purse.settle(held, record.cost, tokens)

    def _price(self) -> None:
        """Works out the cost of what the upstream said it used; where it did not say, of what was counted here.

        It stays None where neither is known, or where there is no price.
        """
        record, usage = self.record, self.answer.usage
        if self.sent and (usage is None or usage.output is None):
            usage = self._counted(usage)
            record.estimated = usage is not None
        if usage is None:
            return
        record.usage = tuple(usage)
        rates = self.decision.workspace.rates.get(record.upstream, {}).get(record.request_model)
        if rates is not None:
            charged = charge(usage, rates)
            record.cost, record.currency, record.price = charged.amount, charged.currency, charged.price_id

    def _counted(self, said: Usage | None) -> Usage | None:
        """Tokens of an answer whose upstream did not say, or not all: an estimate."""
        if self.answer.complete and not self.record.stream and not self.answer.output_bytes:
            return said  # a whole answer that says nothing of its usage: what it wrote was not read either
        limit = self.held.bound if self.held is not None else None
        most = self.asked.max_output or 1_000_000
        return estimate(
            input_bytes=self.sent,
            output_bytes=self.answer.output_bytes,
            tokens_in=limit.tokens_in if limit else self.sent,
            tokens_out=limit.tokens_out if limit else most,
            unseen=UNSEEN if self.answer.output_bytes else 0,
            input_tokens=said.input_total if said is not None else None,
        )

    def _show(self, body: bytes) -> None:
        if self.shown is not None:
            self.shown.append(body)


def _tokens(usage: tuple[int | None, ...] | None) -> int | None:
    """Input and output together; None where either is unknown."""
    if usage is None or usage[5] is None or usage[:3] == (None, None, None):
        return None
    return sum(count or 0 for count in usage[:3]) + usage[5]
