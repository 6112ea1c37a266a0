"""What one client is told: the head once, then the body; and the record, kept before the last byte goes out."""

from __future__ import annotations

import time
from collections.abc import Sequence
from decimal import Decimal
from typing import Any

from holdfast.gateway.dialects import errors
from holdfast.gateway.dialects.responses import Responses
from holdfast.gateway.dialects.speech import Answer, Asked, Body, Speech
from holdfast.gateway.guardrails.judging import Verdict
from holdfast.gateway.model import Side
from holdfast.gateway.proxy import guarding, hooks
from holdfast.gateway.proxy.arming import Armed
from holdfast.gateway.proxy.gateway import Gateway
from holdfast.gateway.proxy.panel import Blocked, Panel
from holdfast.gateway.proxy.purse import Held
from holdfast.gateway.proxy.records import Record
from holdfast.gateway.proxy.serving import Send, send_whole
from holdfast.gateway.rules.continuing import SoFar
from holdfast.gateway.rules.counting import estimate
from holdfast.gateway.rules.resolving import Decision
from holdfast.pricing.model import Charge, Usage
from holdfast.pricing.rules.charge import charge

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
        "tries",
        "watch",
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
        self.tries = 0
        self.watch: guarding.Watch | None = None
        """Judges what goes out, where the release has guardrails for answers."""
        self._send = send
        self._kept = False

    async def guarded(self, body: Body, prompt: list[dict[str, Any]]) -> tuple[Body, list[dict[str, Any]]]:
        """Has the release's guardrails judge the request; what of it may go on. From here on they watch the answer.

        Raises Blocked.
        """
        armed, ask = self._armed()
        asked = [one for one in armed if one.guardrail.at is not Side.OUTPUT]
        if asked:
            body, prompt = await guarding.request(asked, self.speech, body, prompt, self.record, ask)
        answered = [one for one in armed if one.guardrail.at is not Side.INPUT]
        if answered:
            keep = isinstance(self.speech, Responses)
            self.watch = guarding.Watch(Panel(answered, Side.OUTPUT, ask, keep=keep), self.speech)
        return body, prompt

    async def goes_up(self, told: SoFar) -> SoFar:
        """The beginning of an answer that is to go on at another upstream, judged like a request. Raises Blocked."""
        if not self.decision.release.guardrails:
            return told
        armed, ask = self._armed()
        asked = [one for one in armed if one.guardrail.at is not Side.OUTPUT]
        return told._replace(text=await guarding.beginning(asked, told.text, self.record, ask))

    def _armed(self) -> tuple[list[Armed], hooks.Asking]:
        """The release's guardrails, and how they ask webhooks."""
        gateway, workspace = self.gateway, self.decision.workspace
        ask = hooks.asking(gateway.upstreams, gateway.credentials, workspace, self.record)
        return gateway.guards.of(workspace, self.decision.release.guardrails), ask

    async def refuse(self, blocked: Blocked) -> None:
        """Tells the client that a guardrail lets this not pass; a stream ends with it. The record is kept first."""
        self.record.error, self.record.status = blocked.error, blocked.status
        dialect = self.speech.dialect
        if self.started:
            body = errors.error_event(blocked.message, guarding.KIND, dialect, status=blocked.status)
        else:
            body = errors.error(blocked.status, blocked.message, guarding.KIND, dialect)
        if self.watch is not None:
            self.watch.tell(body)
        if self.started:
            await self._finish(body)
        else:
            await self._answer(blocked.status, [JSON], body)

    async def whole(self, status: int, headers: Headers, body: bytes) -> None:
        """Answers at once. The record is kept first. Raises Blocked."""
        if self.watch is not None:
            body = await self.watch.whole(body)
        await self._answer(status, headers, body)

    async def _answer(self, status: int, headers: Headers, body: bytes) -> None:
        self.settle()
        record = self.record
        made = [*headers, *self.own_headers(), (b"content-length", str(len(body)).encode())]
        if record.cost is not None:
            made.append((b"x-holdfast-cost", f"{record.cost:f} {record.currency}".encode()))
        self.started = True
        self._show(body)
        await send_whole(self._send, status, made, body)

    async def begin(self, status: int, headers: Headers) -> None:
        """The head of a stream."""
        self.started = True
        if self.watch is not None:
            self.watch.begin(headers)
        await self._send(
            {"type": "http.response.start", "status": status, "headers": [*headers, *self.own_headers()]}
        )

    async def piece(self, body: bytes) -> None:
        """Some of a stream. Raises Blocked."""
        if self.watch is not None:
            body = await self.watch.feed(body, last=self.answer.complete)
            if self.answer.complete:
                self.settle()
        if body:
            self._show(body)
            await self._send({"type": "http.response.body", "body": body, "more_body": True})

    async def end(self, body: bytes) -> None:
        """The end of a stream. The record is kept first. Raises Blocked."""
        if self.watch is not None:
            body = await self.watch.end(body)
        await self._finish(body)

    async def _finish(self, body: bytes) -> None:
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
        if record.attempts:
            tried = ", ".join(f"{one.upstream} {one.model}: {one.error}" for one in record.attempts)
            made.append((b"x-holdfast-attempts", tried.encode("ascii", "replace")))
        if record.lifted:
            lifted = ", ".join(record.lifted).encode("ascii", "replace")
            made.append((b"x-holdfast-limit-lifted", lifted))
        if self.decision.release.guardrails:
            said = [f"{one.guardrail}={one.verdict}" for one in self._verdicts() if one.verdict != "allow"]
            if said:
                made.append((b"x-holdfast-guardrail", ", ".join(dict.fromkeys(said)).encode()))
        return made

    def _verdicts(self) -> list[Verdict]:
        """What guardrails said so far."""
        if self.watch is None or self._kept:
            return self.record.verdicts
        return [*self.record.verdicts, *self.watch.verdicts()]

    def settle(self) -> None:
        """Keeps the record, once: nobody has an answer that is not on disk."""
        if self._kept:
            return
        record, answer = self.record, self.answer
        if self.watch is not None:
            record.verdicts, record.response = self._verdicts(), self.watch.sent
        self._kept = True
        record.ended_ns = time.time_ns()
        record.response_id, record.response_model = answer.id, answer.model
        record.finish_reasons, record.service_tier = answer.finish_reasons, answer.service_tier
        self._price()
        if answer.id and self.asked.stores and not record.cache_hit:
            self.gateway.memory.keep(record.upstream, record.workspace, answer.id)
        self.gateway.keep(record)
        held, self.held = self.held, None
        if held is not None:
            if record.usage is None and not self.sent:
                self.gateway.purse.release(held)
            else:
                tokens = tokens_of(record.usage)
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
        charged = self._charged(usage)
        if charged is not None:
            record.cost, record.currency, record.price = charged.amount, charged.currency, charged.price_id

    def _charged(self, usage: Usage) -> Charge | None:
        rates = self.decision.workspace.rates_of(self.record.upstream, self.record.request_model)
        return None if rates is None else charge(usage, rates)

    def part(self) -> tuple[Usage | None, Decimal | None]:
        """Settles a part of an answer that another try is to go on from; what it used and cost, an estimate."""
        usage = self._counted(self.answer.usage)
        charged = None if usage is None else self._charged(usage)
        cost = None if charged is None else charged.amount
        held, self.held, self.sent = self.held, None, 0
        if held is not None:
            self.gateway.purse.settle(held, cost, None if usage is None else tokens_of(tuple(usage)))
        self.answer = Answer(complete=False)
        return usage, cost

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


def tokens_of(usage: tuple[int | None, ...] | None) -> int | None:
    """Input and output together; None where either is unknown."""
    if usage is None or usage[5] is None or usage[:3] == (None, None, None):
        return None
    return sum(count or 0 for count in usage[:3]) + usage[5]
