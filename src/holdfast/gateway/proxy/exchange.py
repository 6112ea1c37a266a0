"""One try at one upstream: said in its dialect, its answer passed on to the client, in the client's."""

from __future__ import annotations

import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import msgspec

from holdfast.gateway import translation
from holdfast.gateway.dialects import errors, shelf
from holdfast.gateway.dialects.anthropic import Messages
from holdfast.gateway.dialects.openai import Chat, tells_usage
from holdfast.gateway.dialects.speech import (
    Answer,
    Body,
    Changes,
    Meter,
    NamedEvents,
    encode,
    parse,
)
from holdfast.gateway.model import Dialect
from holdfast.gateway.proxy import headers as heads
from holdfast.gateway.proxy import signing
from holdfast.gateway.proxy.purse import Held
from holdfast.gateway.proxy.reply import JSON, KEPT, Reply
from holdfast.gateway.proxy.response import Failure, Response, Unreached
from holdfast.gateway.rules import pacing
from holdfast.gateway.rules.continuing import Fitted, SoFar, continued, fitted, so_far
from holdfast.gateway.rules.resolving import Step
from holdfast.kernel.errors import HoldfastError
from holdfast.pricing.model import Usage

_EVENTS = (b"content-type", b"text/event-stream; charset=utf-8")


class Failed(Exception):
    """An upstream did not answer so that the client could be told. `raw` is what it said, if anything."""

    def __init__(
        self, error: str, *, status: int | None = None, raw: bytes = b"", wait: float | None = None
    ) -> None:
        super().__init__(error)
        self.error = error
        self.status = status
        self.raw = raw
        self.wait = wait
        self.headers: list[tuple[bytes, bytes]] = []
        self.cost: Decimal | None = None
        """What it counts at though no answer came."""
        self.usage: Usage | None = None


class Cut(Failed):
    """A stream broke off of which the client has the beginning; what it was `told` can go on at another upstream. `end` is
    what is sent where none takes over."""

    def __init__(self, error: str, told: SoFar, pieces: list[bytes], end: bytes) -> None:
        super().__init__(error)
        self.told = told
        self.pieces = pieces
        self.end = end


class Exchange:
    """A request to one step of a chain, and its answer."""

    __slots__ = (
        "_begun", "_body", "_foreign", "_headers", "_held", "_hide", "_prompt", "_query", "_reply", "_response", "_sent",
        "_step", "_trace", "_up",
    )  # fmt: skip

    def __init__(
        self,
        reply: Reply,
        step: Step,
        body: Body,
        prompt: list[dict[str, Any]],
        headers: Mapping[str, str],
        query: str,
        trace: heads.Trace,
        begun: Cut | None = None,
    ) -> None:
        """`begun`: a stream that broke off elsewhere and is to go on here."""
        self._reply = reply
        self._step = step
        self._body = body
        self._prompt = prompt
        self._headers = headers
        self._foreign = step.upstream.dialect is not reply.speech.dialect
        self._query = "" if self._foreign else query
        self._trace = trace
        self._up = shelf.CONVERSATIONS[step.upstream.dialect] if self._foreign else reply.speech
        self._begun = begun
        self._hide = False
        self._held: Held | None = None
        self._sent = 0
        self._response: Response | None = None

    async def open(self) -> None:
        """Sends the request; returns when the upstream begins to answer.

        Raises Failed where another try may follow, Untranslatable where the request cannot be said there, OverLimit where
        it may not be sent.
        """
        try:
            await self._open()
        except Failed as failed:
            self._account(failed)
            raise

    async def answer(self) -> bool:
        """Answers the client; whether all went well, also to the end of a stream. Raises Failed as `open` does."""
        response = self._response
        assert response is not None
        reply = self._reply
        self._take()
        self.hand_over()
        try:
            if response.status < 300 and (reply.asked.stream or _streams(response)):
                return await self._relay(response, hide=self._hide and not self._step.translated)
            if self._begun is not None:
                raise Failed("not_a_stream")
            return await self._pass_whole(response)
        except Cut as cut:
            cut.usage, cut.cost = reply.part()
            raise
        except Failed as failed:
            self._held, reply.held = reply.held, None
            self._account(failed)
            raise
        finally:
            response.release()

    def hand_over(self) -> None:
        """What is set aside for this try becomes the reply's: its end is the call's."""
        self._reply.held, self._held = self._held, None
        self._reply.sent = self._sent

    def drop(self) -> Failed:
        """Another try answered first: this one is closed, and counts at its bound if it was sent."""
        if self._response is not None:
            self._response.release()
        failed = Failed("hedged")
        self._account(failed)
        return failed

    def _account(self, failed: Failed) -> None:
        """A try that failed: what may have been billed counts at its bound, what surely was not at nothing."""
        if failed.status is not None or failed.error == Unreached.kind:
            self._unbilled()
            return
        reply = self._reply
        held, self._held, reply.sent = self._held, None, 0
        if held is not None:
            failed.cost = held.bound.amount if held.bound else None
            reply.gateway.purse.settle(held, None, None)

    def _unbilled(self) -> None:
        held, self._held, self._reply.sent = self._held, None, 0
        if held is not None:
            self._reply.gateway.purse.release(held)

    async def _open(self) -> None:
        reply, step = self._reply, self._step
        upstream, gateway = step.upstream, reply.gateway
        self._hide = hide = (
            reply.asked.stream
            and isinstance(self._up, Chat)
            and (step.translated or not tells_usage(self._body))
        )
        body = self._said(hide)
        if self._begun is not None:
            told = await reply.goes_up(self._begun.told)
            body = continued(body, told, shelf.words_of(upstream.dialect))
        credential = await gateway.credentials.of(reply.decision.workspace, upstream)
        headers = heads.upwards(
            self._headers, shelf.auth_of(upstream), credential, self._trace, reply.record.span_id
        )
        headers["content-type"] = "application/json"
        if self._foreign:
            headers = {**heads.foreign(headers), **heads.needs_version(upstream.dialect)}
        headers.update(upstream.headers)
        path = self._up.path(step.model, reply.asked) + self._query
        if signing.signs(upstream):
            headers = signing.signed(upstream, "POST", path, headers, body, credential)
        asked = self._up.asked(path, parse(body)) if self._asks_otherwise() else reply.asked
        self._take()
        reply.tries += 1
        self._held = await gateway.purse.reserve(reply.decision, step, reply.record, asked, body, reply.tries)
        self._sent = len(body)
        try:
            response = await gateway.upstreams.send(upstream, "POST", path, headers, body)
        except Failure as error:
            raise Failed(error.kind) from None
        except HoldfastError:  # nothing can be sent there
            self._unbilled()
            raise
        if response.status in pacing.RETRIED or response.status in pacing.ANOTHER:
            try:
                raise await self._refusal(response)
            finally:
                response.release()
        self._response = response

    def _asks_otherwise(self) -> bool:
        """Whether the request that goes up may ask for another maximum, or for more answers, than the client's."""
        reply, decision = self._reply, self._reply.decision
        if self._up.dialect is Dialect.GEMINI:
            return False
        limited = decision.route.max_output_tokens is not None and reply.asked.max_output is None
        return self._foreign or limited or bool(decision.release.parameters) or self._begun is not None

    def _said(self, ask_usage: bool) -> bytes:
        reply, step = self._reply, self._step
        route, release = reply.decision.route, reply.decision.release
        most = route.max_output_tokens if reply.asked.max_output is None else None
        field = "max_completion_tokens" if shelf.provider_of(step.upstream) == "openai" else "max_tokens"
        if not step.translated:
            betas = [one.strip() for one in self._headers.get("anthropic-beta", "").split(",") if one.strip()]
            changes = Changes(step.model, release.parameters, most, field, ask_usage, self._prompt, betas)
            return self._up.prepared(self._body, changes)
        changes = Changes(step.model, release.parameters, most, prompt=self._prompt)
        own = msgspec.json.decode(reply.speech.prepared(self._body, changes))
        there = translation.request(own, reply.speech.dialect, shelf.words_of(step.upstream.dialect))
        if field == "max_tokens" and "max_completion_tokens" in there:
            there[field] = there.pop("max_completion_tokens")
        said = encode(there)
        if not ask_usage and self._up.dialect is not Dialect.BEDROCK:
            return said
        return self._up.prepared(parse(said), Changes(step.model, ask_usage=ask_usage))

    def _take(self) -> None:
        """The record is of this upstream from here on."""
        record, step = self._reply.record, self._step
        record.upstream, record.region = step.name, step.upstream.region
        record.provider, record.address = shelf.provider_of(step.upstream), step.upstream.base_url
        record.request_model = step.model

    async def _pass_whole(self, response: Response) -> bool:
        reply, record = self._reply, self._reply.record
        try:
            raw = await response.read()
        except Failure as error:
            raise Failed(error.kind) from None
        reply.answer = self._up.answer(raw)._replace(complete=True)
        record.status = response.status
        if response.status >= 300:
            reply.sent = 0  # refused as it stood: not billed
        if response.status >= 400:
            record.error = reply.answer.error or str(response.status)
        headers = heads.downwards(response.headers)
        if self._foreign:
            raw = self._in_own_words(response, raw)
            headers = [JSON]
        record.response = raw if len(raw) <= KEPT else b""
        await reply.whole(response.status, headers, raw)
        return response.status < 500

    def _in_own_words(self, response: Response, raw: bytes) -> bytes:
        """An answer of the other dialect in the client's."""
        own, theirs = self._reply.speech.dialect, shelf.words_of(self._step.upstream.dialect)
        if response.status >= 400:
            message, kind = errors.read(raw)
            kind = kind or response.header(b"x-amzn-errortype").partition(":")[0]
            said = message or f"the upstream answered {response.status}"
            return errors.error(response.status, said, kind, own)
        if own is theirs:
            return raw
        try:
            found = msgspec.json.decode(raw)
            return encode(translation.answer(found, theirs, own, created=self._created()))
        except (msgspec.DecodeError, translation.Untranslatable, KeyError, TypeError, AttributeError):
            raise Failed("answer_unreadable", status=None) from None

    def _created(self) -> int:
        return self._reply.record.started_ns // 10**9

    async def _relay(self, response: Response, *, hide: bool) -> bool:
        """Passes a stream on as it comes, reading it beside."""
        reply, record, begun = self._reply, self._reply.record, self._begun
        record.status = response.status
        meter = self._up.meter(reply.asked, hide_usage=hide)
        fit = None if begun is None else fitted(reply.speech.dialect, begun.told)
        line = _Line(meter, self._translator(), fit)
        pieces: list[bytes] = [] if begun is None else begun.pieces
        size, broken, came = sum(map(len, pieces)), "", False
        headers = [_EVENTS] if self._foreign else heads.downwards(response.headers)
        try:
            async for chunk in response:
                if not came:
                    came = True
                    record.first_ns = record.first_ns or time.time_ns()
                    if not reply.started:
                        await reply.begin(response.status, headers)
                shown = line.feed(chunk)
                size += len(shown)
                if size <= KEPT:
                    pieces.append(shown)
                if meter.done and not self._step.translated:
                    self._whole_stream(meter.answer(), pieces, size)
                await reply.piece(shown)
        except Failure as error:
            broken = error.kind
        except (translation.Untranslatable, msgspec.DecodeError):
            broken = "answer_unreadable"
        finally:
            reply.answer = meter.answer()
        if not came:
            raise Failed(broken or "empty_stream")
        rest = line.end(broken=bool(broken))
        if broken or not reply.answer.complete:
            fault = reply.answer.error or broken or "stream_ended_early"
            if reply.answer.error is None and (broken or not self._step.translated):
                words = "the upstream's stream broke off before its end"
                rest += errors.error_event(words, fault, reply.speech.dialect)
            self._may_go_on(fault, pieces, size, rest)
            record.error = fault
        if size <= KEPT:
            record.response = b"".join([*pieces, rest])
        await reply.end(rest)
        return record.error is None

    def _may_go_on(self, error: str, pieces: list[bytes], size: int, end: bytes) -> None:
        """Raises Cut where another upstream could go on from here."""
        reply, speech = self._reply, self._reply.speech
        wanted = reply.decision.release.continue_on_fallback
        if not wanted or size > KEPT or type(speech) not in (Chat, Messages) or reply.asked.choices > 1:
            return
        told = so_far(speech.dialect, b"".join(pieces))
        if told is not None:
            raise Cut(error, told, pieces, end)

    def _whole_stream(self, answer: Answer, pieces: list[bytes], size: int) -> None:
        """The stream has said its last word: the record is kept before the client has it."""
        self._reply.answer = answer
        self._reply.record.response = b"".join(pieces) if size <= KEPT else b""
        if self._reply.watch is None:  # else it is kept when the rest was judged
            self._reply.settle()

    def _translator(self) -> translation.Stream | None:
        if not self._step.translated:
            return None
        own = self._reply.speech.dialect
        wanted = own is Dialect.OPENAI and tells_usage(self._body)
        theirs = shelf.words_of(self._step.upstream.dialect)
        return translation.stream(theirs, own, created=self._created(), include_usage=wanted)

    async def _refusal(self, response: Response) -> Failed:
        try:
            raw = await response.read()
        except Failure:
            raw = b""
        wait = heads.retry_after(heads.read(response.headers))
        headers = heads.downwards(response.headers)
        if self._foreign and raw:
            raw = self._in_own_words(response, raw)
            headers = [JSON]
        made = Failed(str(response.status), status=response.status, raw=raw, wait=wait)
        made.headers = headers
        return made


class _Line:
    """A stream on its way to the client: metered, said in its dialect, fitted to what it was told before."""

    __slots__ = ("_fit", "_meter", "_names", "_translator")

    def __init__(self, meter: Meter, translator: translation.Stream | None, fit: Fitted | None) -> None:
        self._meter = meter
        self._translator = translator
        self._fit = fit
        self._names = NamedEvents()

    def feed(self, chunk: bytes) -> bytes:
        shown = self._meter.feed(chunk)
        if self._translator is not None:
            shown = b"".join(self._translator.feed(name, data) for name, data in self._names.named(shown))
        return shown if self._fit is None else self._fit.feed(shown)

    def end(self, *, broken: bool) -> bytes:
        rest = self._meter.end()
        if self._translator is not None:
            rest = b"" if broken else self._translator.end()
        return rest if self._fit is None else self._fit.feed(rest)


def _streams(response: Response) -> bool:
    return response.header(b"content-type").startswith(("text/event-stream", "application/x-ndjson"))
