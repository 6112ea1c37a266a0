"""One try at one upstream: said in its dialect, its answer passed on to the client, in the client's."""

from __future__ import annotations

import time
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import aiohttp
import msgspec

from holdfast.gateway import translation
from holdfast.gateway.dialects import errors, shelf
from holdfast.gateway.dialects.openai import Chat, tells_usage
from holdfast.gateway.dialects.speech import Answer, Body, Changes, NamedEvents, Speech, encode, parse
from holdfast.gateway.model import Dialect
from holdfast.gateway.proxy import headers as heads
from holdfast.gateway.proxy.reply import JSON, KEPT, Reply
from holdfast.gateway.rules import pacing
from holdfast.gateway.rules.resolving import Step

_TRANSLATED: Mapping[Dialect, Speech] = {
    Dialect.OPENAI: shelf.SPEECHES["/v1/chat/completions"],
    Dialect.ANTHROPIC: shelf.SPEECHES["/v1/messages"],
}
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


class Exchange:
    """A request to one step of a chain, and its answer."""

    __slots__ = ("_body", "_headers", "_prompt", "_query", "_reply", "_step", "_trace", "_up")

    def __init__(
        self,
        reply: Reply,
        step: Step,
        body: Body,
        prompt: list[dict[str, Any]],
        headers: Mapping[str, str],
        query: str,
        trace: heads.Trace,
    ) -> None:
        self._reply = reply
        self._step = step
        self._body = body
        self._prompt = prompt
        self._headers = headers
        self._query = "" if step.translated else query
        self._trace = trace
        self._up = _TRANSLATED[step.upstream.dialect] if step.translated else reply.speech

    async def run(self) -> bool:
        """Answers the client; whether all went well, also to the end of a stream.

        Raises Failed where another try may follow, Untranslatable where the request cannot be said there, OverLimit where
        it may not be sent.
        """
        try:
            return await self._run()
        except Failed as failed:
            self._account(failed)
            raise

    def _account(self, failed: Failed) -> None:
        """A try that failed: what may have been billed counts at its bound, what surely was not at nothing."""
        reply = self._reply
        held, reply.held, reply.sent = reply.held, None, 0
        if held is None:
            return
        if failed.status is not None or failed.error == "connection_refused":
            reply.gateway.purse.release(held)
        else:
            failed.cost = held.bound.amount if held.bound else None
            reply.gateway.purse.settle(held, None, None)

    async def _run(self) -> bool:
        reply, step = self._reply, self._step
        upstream, gateway = step.upstream, reply.gateway
        hide = (
            reply.asked.stream
            and isinstance(self._up, Chat)
            and (step.translated or not tells_usage(self._body))
        )
        body = self._said(hide)
        credential = await gateway.credentials.of(reply.decision.workspace, upstream.credential)
        headers = heads.upwards(
            self._headers, shelf.auth_of(upstream), credential, self._trace, reply.record.span_id
        )
        headers["content-type"] = "application/json"
        if step.translated:
            headers = {**heads.foreign(headers), **heads.needs_version(upstream.dialect)}
        headers.update(upstream.headers)
        path = self._up.path(step.model, reply.asked) + self._query
        asked = reply.asked if upstream.dialect is Dialect.GEMINI else self._up.asked(path, parse(body))
        record = reply.record
        self._take()
        reply.held = await gateway.purse.reserve(
            reply.decision, step, record, asked, body, first=not record.attempts
        )
        reply.sent = len(body)
        try:
            response = await gateway.upstreams.send(upstream, "POST", path, headers, body)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise failure(error) from None
        try:
            if response.status in pacing.RETRIED or response.status in pacing.ANOTHER:
                raise await self._refusal(response)
            if response.status < 300 and (reply.asked.stream or _streams(response)):
                return await self._relay(response, hide=hide and not step.translated)
            return await self._pass_whole(response)
        finally:
            if reply.answer.complete:
                response.release()
            else:
                response.close()

    def _said(self, ask_usage: bool) -> bytes:
        reply, step = self._reply, self._step
        route, release = reply.decision.route, reply.decision.release
        most = route.max_output_tokens if reply.asked.max_output is None else None
        field = "max_completion_tokens" if shelf.provider_of(step.upstream) == "openai" else "max_tokens"
        if not step.translated:
            changes = Changes(step.model, release.parameters, most, field, ask_usage, self._prompt)
            return reply.speech.prepared(self._body, changes)
        changes = Changes(step.model, release.parameters, most, prompt=self._prompt)
        own = msgspec.json.decode(reply.speech.prepared(self._body, changes))
        there = translation.request(own, reply.speech.dialect, step.upstream.dialect)
        if field == "max_tokens" and "max_completion_tokens" in there:
            there[field] = there.pop("max_completion_tokens")
        said = encode(there)
        return self._up.prepared(parse(said), Changes(step.model, ask_usage=True)) if ask_usage else said

    def _take(self) -> None:
        """The record is of this upstream from here on."""
        record, step = self._reply.record, self._step
        record.upstream, record.region = step.name, step.upstream.region
        record.provider, record.address = shelf.provider_of(step.upstream), step.upstream.base_url
        record.request_model = step.model

    async def _pass_whole(self, response: aiohttp.ClientResponse) -> bool:
        reply, record = self._reply, self._reply.record
        try:
            raw = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise failure(error) from None
        reply.answer = self._up.answer(raw)._replace(complete=True)
        record.status = response.status
        if response.status >= 300:
            reply.sent = 0  # refused as it stood: not billed
        if response.status >= 400:
            record.error = reply.answer.error or str(response.status)
        headers = heads.downwards(response.raw_headers)
        if self._step.translated:
            raw = self._in_own_words(response.status, raw)
            headers = [JSON]
        record.response = raw if len(raw) <= KEPT else b""
        await reply.whole(response.status, headers, raw)
        return response.status < 500

    def _in_own_words(self, status: int, raw: bytes) -> bytes:
        """An answer of the other dialect in the client's."""
        own, theirs = self._reply.speech.dialect, self._step.upstream.dialect
        if status >= 400:
            message, kind = errors.read(raw)
            return errors.error(status, message or f"the upstream answered {status}", kind, own)
        try:
            found = msgspec.json.decode(raw)
            return encode(translation.answer(found, theirs, own, created=self._created()))
        except (msgspec.DecodeError, translation.Untranslatable, KeyError, TypeError, AttributeError):
            raise Failed("answer_unreadable", status=None) from None

    def _created(self) -> int:
        return self._reply.record.started_ns // 10**9

    async def _relay(self, response: aiohttp.ClientResponse, *, hide: bool) -> bool:
        """Passes a stream on as it comes, reading it beside."""
        reply, record = self._reply, self._reply.record
        record.status = response.status
        meter = self._up.meter(reply.asked, hide_usage=hide)
        translator = self._translator()
        names = NamedEvents()
        pieces: list[bytes] = []
        size, broken = 0, ""
        headers = [_EVENTS] if translator else heads.downwards(response.raw_headers)
        try:
            async for chunk in response.content.iter_any():
                if record.first_ns is None:
                    record.first_ns = time.time_ns()
                    _wait_between(response, self._step.upstream.timeouts.between_bytes)
                    await reply.begin(response.status, headers)
                shown = meter.feed(chunk)
                if translator is not None:
                    shown = b"".join(translator.feed(name, data) for name, data in names.named(chunk))
                size += len(shown)
                if size <= KEPT:
                    pieces.append(shown)
                if meter.done and translator is None:
                    self._whole_stream(meter.answer(), pieces, size)
                await reply.piece(shown)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            broken = failure(error).error
        except (translation.Untranslatable, msgspec.DecodeError):
            broken = "answer_unreadable"
        finally:
            reply.answer = meter.answer()
        if not reply.started:
            raise Failed(broken or "empty_stream")
        rest = meter.end() if translator is None else b"" if broken else translator.end()
        if broken or not reply.answer.complete:
            record.error = reply.answer.error or broken or "stream_ended_early"
            if reply.answer.error is None and (translator is None or broken):
                words = "the upstream's stream broke off before its end"
                rest += errors.error_event(words, record.error, reply.speech.dialect)
        if size <= KEPT:
            record.response = b"".join([*pieces, rest])
        await reply.end(rest)
        return record.error is None

    def _whole_stream(self, answer: Answer, pieces: list[bytes], size: int) -> None:
        """The stream has said its last word: the record is kept before the client has it."""
        self._reply.answer = answer
        self._reply.record.response = b"".join(pieces) if size <= KEPT else b""
        self._reply.settle()

    def _translator(self) -> translation.Stream | None:
        if not self._step.translated:
            return None
        own = self._reply.speech.dialect
        wanted = own is Dialect.OPENAI and tells_usage(self._body)
        theirs = self._step.upstream.dialect
        return translation.stream(theirs, own, created=self._created(), include_usage=wanted)

    async def _refusal(self, response: aiohttp.ClientResponse) -> Failed:
        try:
            raw = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError):
            raw = b""
        wait = heads.retry_after({name.lower(): value for name, value in response.headers.items()})
        headers = heads.downwards(response.raw_headers)
        if self._step.translated and raw:
            raw = self._in_own_words(response.status, raw)
            headers = [JSON]
        made = Failed(str(response.status), status=response.status, raw=raw, wait=wait)
        made.headers = headers
        return made


def failure(error: BaseException) -> Failed:
    """What went wrong on the way, in a word."""
    if isinstance(error, TimeoutError | aiohttp.ServerTimeoutError):
        return Failed("timeout")
    if isinstance(error, aiohttp.ClientConnectorError):
        return Failed("connection_refused")
    return Failed("connection_broken")


def _streams(response: aiohttp.ClientResponse) -> bool:
    return response.headers.get("content-type", "").startswith(("text/event-stream", "application/x-ndjson"))


def _wait_between(response: aiohttp.ClientResponse, seconds: float) -> None:
    """From the first byte on another time limit holds."""
    connection = response.connection
    protocol = connection.protocol if connection is not None else None
    if protocol is not None:
        protocol.read_timeout = seconds
