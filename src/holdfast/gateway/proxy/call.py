"""The life of one call: resolved, sent to an upstream of its chain, answered, recorded."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import aiohttp

from holdfast.gateway.dialects import errors, own_words, shelf
from holdfast.gateway.dialects.openai import Chat, tells_usage
from holdfast.gateway.dialects.speech import Answer, Asked, Body, Changes, Speech
from holdfast.gateway.model import Dialect
from holdfast.gateway.proxy import caching
from holdfast.gateway.proxy import headers as heads
from holdfast.gateway.proxy.gateway import Gateway
from holdfast.gateway.proxy.records import Attempt, Record
from holdfast.gateway.proxy.upstreams import DEFAULT_WAIT, Live, now
from holdfast.gateway.rules import pacing
from holdfast.gateway.rules.rendering import rendered
from holdfast.gateway.rules.resolving import Decision, Step
from holdfast.kernel.errors import HoldfastError, Invalid, Unavailable
from holdfast.pricing.rules.charge import charge

Send = Callable[[dict[str, Any]], Awaitable[None]]
KEPT = 256 << 10
"""Bytes of a request and of an answer that go into the record; what is longer is left out and so is unknown."""
LONGEST_WAIT = 20.0
_JSON = (b"content-type", b"application/json")


class Failed(Exception):
    """An upstream did not answer so that the client could be told. `response` is what it said, if anything."""

    def __init__(
        self, error: str, *, status: int | None = None, raw: bytes = b"", wait: float | None = None
    ) -> None:
        super().__init__(error)
        self.error = error
        self.status = status
        self.raw = raw
        self.wait = wait
        self.headers: list[tuple[bytes, bytes]] = []


class Call:
    """One request on its way. Made when it is resolved."""

    __slots__ = (
        "_answer",
        "_body",
        "_cache_key",
        "_gateway",
        "_headers",
        "_kept",
        "_prompt",
        "_query",
        "_send",
        "_started",
        "asked",
        "decision",
        "record",
        "speech",
        "trace",
    )

    def __init__(
        self,
        gateway: Gateway,
        send: Send,
        speech: Speech,
        asked: Asked,
        body: Body,
        headers: Mapping[str, str],
        query: str,
        decision: Decision,
        trace: heads.Trace,
        record: Record,
        variables: Mapping[str, Any],
    ) -> None:
        prompt = decision.release.prompt
        if prompt is not None:
            self._prompt = rendered(prompt, variables)
            record.variables = dict(variables)
        elif variables:
            raise Invalid(
                "variables are for routes with a prompt of their own, and this has none", where="variables"
            )
        else:
            self._prompt = []
        self._gateway = gateway
        self._send = send
        self._body = body
        self._headers = headers
        self._query = query
        self._started = False
        self._kept = False
        self._cache_key = b""
        self._answer = Answer(complete=False)
        self.speech = speech
        self.asked = asked
        self.decision = decision
        self.trace = trace
        self.record = record

    async def serve(self, *, shadow: bool = False) -> None:
        """Answers the client, by the first upstream of the chain that can. Raises HoldfastError before the first byte.

        A shadow copy is asked for anew, never answered from what is kept.
        """
        record = self.record
        self._gateway.live[record.span_id] = record
        try:
            if self.decision.route.cache_seconds > 0 and not shadow:
                await self._cached()
            else:
                await self._try_all()
        except asyncio.CancelledError:
            record.error = record.error or "client_closed_request"
            record.status = record.status or 499
            raise
        except HoldfastError as error:
            record.error, record.status = type(error).__name__.lower(), error.status
            raise
        finally:
            del self._gateway.live[record.span_id]
            self._settle()

    async def _cached(self) -> None:
        """Answers from what is kept; else asks, once for all that ask the same together."""
        route, cache = self.decision.route, self._gateway.cache
        if caching.may_act(self._body) and not route.cache_tools:
            await self._try_all()
            return
        key = caching.key_of(self.decision, self.speech.operation, self.asked.model, self._body, self._prompt)
        while True:
            kept = cache.get(key, route.cache_seconds)
            if kept is not None:
                await self._replay(kept, b"hit")
                return
            if await cache.lead(key):
                break
        self._cache_key = key
        try:
            await self._try_all()
        finally:
            cache.land(key)

    async def _replay(self, kept: caching.Kept, how: bytes) -> None:
        record = self.record
        record.cache_hit, record.cost_avoided, record.status = True, kept.cost, kept.status
        record.response = kept.body if len(kept.body) <= KEPT else b""
        self._answer = Answer(model=kept.response_model, finish_reasons=kept.finish_reasons)
        self._settle()
        self._started = True
        made = [*kept.headers, *self._own_headers(), (b"x-holdfast-cache", how)]
        if not record.stream:
            made.append((b"content-length", str(len(kept.body)).encode()))
        await self._send({"type": "http.response.start", "status": kept.status, "headers": made})
        await self._send({"type": "http.response.body", "body": kept.body})

    def _keep_answer(self, response: aiohttp.ClientResponse, body: bytes) -> None:
        if not self._cache_key or response.status != 200 or not self._answer.complete or self._answer.error:
            return
        named = [(b"content-type", response.headers.get("content-type", "application/json").encode())]
        answer, cost = self._answer, self.record.cost
        self._gateway.cache.put(
            self._cache_key,
            caching.Kept(200, named, body, time.monotonic(), cost, answer.model, answer.finish_reasons),
        )

    async def _stale(self) -> bool:
        """Answers with what was kept too long ago, where nothing else is left; whether there was anything."""
        kept = self._gateway.cache.get(self._cache_key, caching.STALE_SECONDS) if self._cache_key else None
        if kept is None or self._started:
            return False
        await self._replay(kept, b"stale")
        return True

    async def _own_words(self, failed: Failed | None) -> bool:
        """Answers with the workspace's own message, where it has one and the client can do nothing; whether it has.

        Not for what the client can mend: those answers are the upstream's.
        """
        text, record = self.decision.route.message, self.record
        if not text or self._started or (failed is not None and failed.status in pacing.ANOTHER):
            return False
        said = own_words.spoken(
            self.speech, self.asked, text, record.span_id.hex(), record.started_ns // 10**9
        )
        if said is None:
            return False
        record.error = failed.error if failed is not None else "unavailable"
        record.status = failed.status if failed is not None else 503
        self._settle()
        self._started = True
        made = [*self._own_headers(), (b"content-type", said[0]), (b"x-holdfast-degraded", b"message")]
        made.append((b"content-length", str(len(said[1])).encode()))
        await self._send({"type": "http.response.start", "status": 200, "headers": made})
        await self._send({"type": "http.response.body", "body": said[1]})
        return True

    async def _try_all(self) -> None:
        chain, route = self.decision.chain, self.decision.route
        tries, place, failed = 0, 0, None
        barred: set[str] = set()
        asked: set[str] = set()
        while True:
            step, place = self._next(place, barred)
            if step is None:
                break
            live = self._gateway.upstreams.live(self.decision.workspace, step.name, step.upstream)
            started, tries = time.time_ns(), tries + 1
            if step.name not in asked:
                asked.add(step.name)
                live.retries.earned()
            try:
                await self._try(step, live)
                return
            except Failed as error:
                failed = error
                self._note(step, started, error)
            if self._started or tries > route.retries:
                break
            if failed.status in pacing.ANOTHER:
                barred.add(step.name)
            alone = all(one.name in barred or one.name == step.name for one in chain)
            if alone and not await self._may_repeat(live, tries, failed):
                break
        if await self._stale() or await self._own_words(failed):
            return
        if failed is None:
            raise Unavailable("every upstream of this route is left alone after failures", retry_after=5)
        await self._give_up(failed)

    def _next(self, place: int, barred: set[str]) -> tuple[Step | None, int]:
        """The next step whose breaker lets it through, from a place on and around."""
        chain = self.decision.chain
        for offset in range(len(chain)):
            step = chain[(place + offset) % len(chain)]
            if step.name in barred:
                continue
            live = self._gateway.upstreams.live(self.decision.workspace, step.name, step.upstream)
            if live.breaker(step.model).allows(now()):
                return step, place + offset + 1
        return None, place

    async def _may_repeat(self, live: Live, tries: int, failed: Failed) -> bool:
        """Whether the same upstream is asked again, after waiting as it wishes."""
        if failed.status is not None and failed.status not in pacing.RETRIED:
            return False
        draw = int.from_bytes(self.record.span_id[:2]) / 65536
        wait = pacing.pause(tries, draw, failed.wait)
        if wait > LONGEST_WAIT or not live.retries.take():
            return False
        await asyncio.sleep(wait)
        return True

    async def _try(self, step: Step, live: Live) -> None:
        """One try. Raises Failed where another one may follow; else the client has its answer."""
        breaker = live.breaker(step.model)
        try:
            await live.enter(self.decision.route.priority, self.decision.route.deadline or DEFAULT_WAIT)
        except BaseException:
            breaker.left()
            raise
        live.sent += 1
        started = now()
        told = False
        try:
            await self._exchange(step)
            told = True
            breaker.succeeded(now())
            live.concurrency.succeeded()
            live.latencies.append(now() - started)
        except Failed as error:
            told = True
            live.failed += 1
            if error.status is None or error.status in pacing.FAULTS:
                breaker.failed(now())
            else:
                breaker.succeeded(now())
            if error.status in pacing.OVERLOADED or error.error == "timeout":
                live.concurrency.overloaded(now())
            raise
        finally:
            if not told:
                breaker.left()
            live.leave()

    async def _exchange(self, step: Step) -> None:
        upstream, record = step.upstream, self.record
        credential = await self._gateway.credentials.of(self.decision.workspace, upstream.credential)
        hide = self._hides_usage()
        body = self.speech.prepared(self._body, self._changes(step, hide))
        headers = heads.upwards(
            self._headers, shelf.auth_of(upstream), credential, self.trace, record.span_id
        )
        headers["content-type"] = "application/json"
        headers.update(upstream.headers)
        path = self.speech.path(step.model, self.asked) + self._query
        try:
            response = await self._gateway.upstreams.send(upstream, "POST", path, headers, body)
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _failure(error) from None
        try:
            self._take(step)
            status = response.status
            if status in pacing.RETRIED or status in pacing.ANOTHER:
                raise await _refusal(response)
            if status < 300 and (self.asked.stream or _streams(response)):
                await self._relay(response, step, hide)
            else:
                await self._pass_whole(response)
        finally:
            if self._answer.complete:
                response.release()
            else:
                response.close()

    def _hides_usage(self) -> bool:
        return self.asked.stream and isinstance(self.speech, Chat) and not tells_usage(self._body)

    def _changes(self, step: Step, ask_usage: bool) -> Changes:
        most = self.decision.route.max_output_tokens if self.asked.max_output is None else None
        field = "max_completion_tokens" if shelf.provider_of(step.upstream) == "openai" else "max_tokens"
        return Changes(step.model, self.decision.release.parameters, most, field, ask_usage, self._prompt)

    def _take(self, step: Step) -> None:
        """The record is of this upstream from here on."""
        record, upstream = self.record, step.upstream
        record.upstream, record.region = step.name, upstream.region
        record.provider, record.address = shelf.provider_of(upstream), upstream.base_url
        record.request_model = step.model

    async def _pass_whole(self, response: aiohttp.ClientResponse) -> None:
        try:
            raw = await response.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise _failure(error) from None
        record = self.record
        self._answer = self.speech.answer(raw)._replace(complete=True)
        record.status = response.status
        if response.status >= 400:
            record.error = self._answer.error or str(response.status)
        record.response = raw if len(raw) <= KEPT else b""
        self._settle()
        made = heads.downwards(response.raw_headers) + self._own_headers()
        made.append((b"content-length", str(len(raw)).encode()))
        if record.cost is not None:
            made.append((b"x-holdfast-cost", f"{record.cost:f} {record.currency}".encode()))
        self._keep_answer(response, raw)
        self._started = True
        await self._send({"type": "http.response.start", "status": response.status, "headers": made})
        await self._send({"type": "http.response.body", "body": raw})

    async def _relay(self, response: aiohttp.ClientResponse, step: Step, hide: bool) -> None:
        """Passes a stream on as it comes, reading it beside."""
        record, send = self.record, self._send
        record.status = response.status
        meter = self.speech.meter(self.asked, hide_usage=hide)
        pieces: list[bytes] = []
        size = 0
        shown_pieces: list[bytes] = []
        times = step.upstream.timeouts
        made = heads.downwards(response.raw_headers) + self._own_headers()
        broken = ""
        try:
            async for chunk in response.content.iter_any():
                if record.first_ns is None:
                    record.first_ns = time.time_ns()
                    _wait_between(response, times.between_bytes)
                    await send({"type": "http.response.start", "status": response.status, "headers": made})
                    self._started = True
                size += len(chunk)
                if size <= KEPT:
                    pieces.append(chunk)
                shown = meter.feed(chunk)
                if meter.done and not self._kept:
                    record.response = b"".join(pieces) if size <= KEPT else b""
                    self._answer = meter.answer()
                    self._settle()
                if self._cache_key:
                    shown_pieces.append(shown)
                if shown:
                    await send({"type": "http.response.body", "body": shown, "more_body": True})
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            broken = _failure(error).error
        finally:
            self._answer = meter.answer()
        if not self._started:
            raise Failed(broken or "empty_stream")
        record.response = b"".join(pieces) if size <= KEPT else b""
        rest = meter.end()
        if broken or not self._answer.complete:
            record.error = self._answer.error or broken or "stream_ended_early"
            if self._answer.error is None:
                rest += errors.error_event(
                    "the upstream's stream broke off before its end", record.error, self.speech.dialect
                )
        self._settle()
        self._keep_answer(response, b"".join([*shown_pieces, rest]))
        await send({"type": "http.response.body", "body": rest})

    def _own_headers(self) -> list[tuple[bytes, bytes]]:
        record = self.record
        made = [
            (b"x-holdfast-call-id", record.span_id.hex().encode()),
            (b"x-holdfast-trace-id", record.trace_id.hex().encode()),
            (b"x-holdfast-upstream", record.upstream.encode()),
        ]
        if record.release:
            made.append((b"x-holdfast-release", record.release.encode()))
        return made

    def _note(self, step: Step, started: int, error: Failed) -> None:
        self.record.attempts.append(
            Attempt(
                (int.from_bytes(self.record.span_id) + len(self.record.attempts) + 1).to_bytes(9)[-8:],
                step.name,
                shelf.provider_of(step.upstream),
                step.upstream.base_url,
                step.model,
                started,
                time.time_ns(),
                error.status,
                error.error,
            )
        )

    async def _give_up(self, failed: Failed) -> None:
        """Tells the client what the last upstream said, or that none could be reached."""
        record = self.record
        record.error, record.status = failed.error, failed.status
        record.attempts.pop()
        if self._started:
            return
        made = self._own_headers()
        if failed.status is not None and failed.raw:
            made += failed.headers
            body, status = failed.raw, failed.status
        else:
            timeout = failed.error == "timeout"
            status = record.status = 504 if timeout else 502
            words = "did not answer in time" if timeout else "could not be reached or broke off"
            body = errors.error(
                status, f"the upstream {record.upstream or ''} {words}", failed.error, self.speech.dialect
            )
            made.append(_JSON)
        made.append((b"content-length", str(len(body)).encode()))
        self._settle()
        self._started = True
        await self._send({"type": "http.response.start", "status": status, "headers": made})
        await self._send({"type": "http.response.body", "body": body})

    def _price(self) -> None:
        """Works out the cost of what the upstream said it used; it stays None where it is unknown."""
        record, usage = self.record, self._answer.usage
        if usage is None:
            return
        record.usage = tuple(usage)
        rates = self.decision.workspace.rates.get(record.upstream, {}).get(record.request_model)
        if rates is not None:
            charged = charge(usage, rates)
            record.cost, record.currency, record.price = charged.amount, charged.currency, charged.price_id

    def _settle(self) -> None:
        """Keeps the record, once: before the client has its last byte, so that nobody has an answer that is not on disk."""
        if self._kept:
            return
        self._kept = True
        record, answer = self.record, self._answer
        record.ended_ns = time.time_ns()
        record.response_id, record.response_model = answer.id, answer.model
        record.finish_reasons, record.service_tier = answer.finish_reasons, answer.service_tier
        self._price()
        if answer.id and self.speech is shelf.SPEECHES["/v1/responses"]:
            self._gateway.remember(record.workspace, answer.id, record.upstream)
        self._gateway.keep(record)


def _streams(response: aiohttp.ClientResponse) -> bool:
    return response.headers.get("content-type", "").startswith(("text/event-stream", "application/x-ndjson"))


def _failure(error: BaseException) -> Failed:
    if isinstance(error, TimeoutError | aiohttp.ServerTimeoutError):
        return Failed("timeout")
    if isinstance(error, aiohttp.ClientConnectorError):
        return Failed("connection_refused")
    return Failed("connection_broken")


async def _refusal(response: aiohttp.ClientResponse) -> Failed:
    try:
        raw = await response.read()
    except (aiohttp.ClientError, TimeoutError, OSError):
        raw = b""
    wait = heads.retry_after({name.lower(): value for name, value in response.headers.items()})
    made = Failed(str(response.status), status=response.status, raw=raw, wait=wait)
    made.headers = heads.downwards(response.raw_headers)
    return made


def _wait_between(response: aiohttp.ClientResponse, seconds: float) -> None:
    """From the first byte on another time limit holds."""
    connection = response.connection
    protocol = connection.protocol if connection is not None else None
    if protocol is not None:
        protocol.read_timeout = seconds


def problem(error: HoldfastError, dialect: Dialect) -> tuple[int, bytes, list[tuple[bytes, bytes]]]:
    """An error of our own as status, body and headers."""
    status = 400 if error.status == 422 else error.status
    kind = "holdfast_" + type(error).__name__.lower()
    body = errors.error(status, error.detail, kind, dialect, error.where)
    made = [_JSON, (b"content-length", str(len(body)).encode())]
    if error.retry_after is not None:
        made.append((b"retry-after", str(error.retry_after).encode()))
    return status, body, made
