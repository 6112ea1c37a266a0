"""The life of one call: from what is kept, or by the first upstream of its chain that can, or in the workspace's words."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

from holdfast.gateway.dialects import errors, own_words
from holdfast.gateway.dialects.speech import Answer, Asked, Body, Speech
from holdfast.gateway.model import Dialect
from holdfast.gateway.proxy import caching
from holdfast.gateway.proxy import headers as heads
from holdfast.gateway.proxy.exchange import Cut, Exchange, Failed
from holdfast.gateway.proxy.gateway import Gateway
from holdfast.gateway.proxy.panel import Blocked
from holdfast.gateway.proxy.purse import OverLimit
from holdfast.gateway.proxy.records import Record
from holdfast.gateway.proxy.reply import JSON, KEPT, Reply
from holdfast.gateway.proxy.serving import Send
from holdfast.gateway.proxy.trying import Try, first_of
from holdfast.gateway.proxy.upstreams import Live, now
from holdfast.gateway.rules import pacing
from holdfast.gateway.rules.rendering import rendered
from holdfast.gateway.rules.resolving import Decision, Step
from holdfast.gateway.translation import Untranslatable
from holdfast.kernel.errors import HoldfastError, Invalid, Unavailable

LONGEST_WAIT = 20.0


class Call:
    """One request on its way. Made when it is resolved; raises Invalid where its prompt cannot be rendered."""

    __slots__ = ("_body", "_cache_key", "_gateway", "_headers", "_prompt", "_query", "_reply", "_trace")

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
        self._prompt: list[dict[str, Any]] = []
        if prompt is not None:
            self._prompt = rendered(prompt, variables)
            record.variables = dict(variables)
        elif variables:
            raise Invalid(
                "variables are for routes with a prompt of their own, and this has none", where="variables"
            )
        self._gateway = gateway
        self._body = body
        self._headers = headers
        self._query = query
        self._trace = trace
        self._cache_key = b""
        self._reply = Reply(gateway, send, speech, asked, decision, record)

    async def serve(self, *, anew: bool = False) -> None:
        """Answers the client. Raises HoldfastError before the first byte. `anew`: never from what is kept."""
        record = self._reply.record
        self._gateway.live[record.span_id] = record
        try:
            if self._reply.decision.release.guardrails:
                self._body, self._prompt = await self._reply.guarded(self._body, self._prompt)
            if self._reply.decision.route.cache_seconds > 0 and not anew:
                await self._cached()
            else:
                await self._try_all()
        except asyncio.CancelledError:
            record.error = record.error or "client_closed_request"
            record.status = record.status or 499
            raise
        except Blocked as blocked:
            await self._reply.refuse(blocked)
        except HoldfastError as error:
            record.error, record.status = type(error).__name__.lower(), error.status
            if isinstance(error, OverLimit):
                record.error = f"{error.refused.kind}_limit"
            raise
        finally:
            del self._gateway.live[record.span_id]
            self._reply.settle()

    async def _cached(self) -> None:
        """Answers from what is kept; else asks, once for all that ask the same together."""
        reply, cache = self._reply, self._gateway.cache
        route = reply.decision.route
        if caching.may_act(self._body) and not route.cache_tools:
            await self._try_all()
            return
        operation, model = reply.speech.operation, reply.asked.model
        key = caching.key_of(reply.decision, operation, model, self._body, self._prompt)
        while True:
            kept = cache.get(key, route.cache_seconds)
            if kept is not None:
                await self._replay(kept, b"hit")
                return
            if await cache.lead(key):
                break
        self._cache_key, reply.shown = key, []
        try:
            await self._try_all()
            self._keep_answer()
        finally:
            cache.land(key)

    async def _replay(self, kept: caching.Kept, how: bytes) -> None:
        reply, record = self._reply, self._reply.record
        record.cache_hit, record.cost_avoided, record.status = True, kept.cost, 200
        reply.watch = None  # what is kept was judged when it was made, for the same release
        record.response = kept.body if len(kept.body) <= KEPT else b""
        reply.answer = Answer(
            id=kept.response_id, model=kept.response_model, finish_reasons=kept.finish_reasons
        )
        await reply.whole(200, [(b"content-type", kept.content_type), (b"x-holdfast-cache", how)], kept.body)

    def _keep_answer(self) -> None:
        reply, answer = self._reply, self._reply.answer
        record = reply.record
        if record.status != 200 or record.error or record.cache_hit or not answer.complete:
            return
        kind = b"text/event-stream" if record.stream else b"application/json"
        body = b"".join(reply.shown or ())
        made = time.monotonic()
        kept = caching.Kept(kind, body, made, record.cost, answer.id, answer.model, answer.finish_reasons)
        self._gateway.cache.put(self._cache_key, kept)

    async def _try_all(self) -> None:
        reply = self._reply
        chain, route = reply.decision.chain, reply.decision.route
        tries, place = 0, 0
        failed: Failed | None = None
        cut: Cut | None = None
        refused: HoldfastError | None = None
        barred: set[str] = set()
        asked: set[str] = set()
        while tries <= route.retries:
            step, place = self._next(place, barred)
            if step is None:
                break
            tried = self._tried(step, cut)
            if step.name not in asked:
                asked.add(step.name)
                tried.live.retries.earned()
            try:
                tried = await self._opened(tried, barred)
                await tried.answer()
                return
            except (Untranslatable, Unavailable) as error:  # nothing was sent: the request cannot go there
                refused = error
                barred.add(step.name)
                continue
            except Cut as error:
                cut, tries = error, tries + 1
                tried.noted(reply.record, error)
                barred.add(tried.step.name)
                continue
            except Failed as error:
                failed, tries = error, tries + 1
                tried.noted(reply.record, error)
            except HoldfastError:
                if cut is None:
                    raise
                break
            if failed.status in pacing.ANOTHER:
                barred.add(step.name)
            alone = all(one.name in barred or one.name == step.name for one in chain)
            if alone and (tries > route.retries or not await self._may_repeat(tried.live, tries, failed)):
                break
        if cut is not None:
            reply.record.error = cut.error
            await reply.end(cut.end)
        else:
            await self._without(failed, refused)

    def _tried(self, step: Step, cut: Cut | None) -> Try:
        live = self._gateway.upstreams.live(self._reply.decision.workspace, step.name, step.upstream)
        exchange = Exchange(
            self._reply, step, self._body, self._prompt, self._headers, self._query, self._trace, cut
        )
        return Try(step, live, exchange)

    async def _opened(self, tried: Try, barred: set[str]) -> Try:
        """The try, once its upstream begins to answer; or a hedge that was quicker. Raises what `Try.open` does."""
        route, record = self._reply.decision.route, self._reply.record
        if route.hedge_seconds <= 0 or self._reply.started:
            try:
                await tried.open(route.priority, route.deadline)
            except asyncio.CancelledError:
                tried.exchange.hand_over()  # the client left: what was sent is settled with the call
                raise
            return tried

        def another() -> Try | None:
            step, _ = self._next(0, barred | {tried.step.name})
            second = None if step is None else self._tried(step, None)
            if second is None or not second.live.retries.take():
                return None
            return second

        return await first_of(
            tried,
            lambda one: asyncio.create_task(one.open(route.priority, route.deadline)),
            route.hedge_seconds,
            another,
            lambda one, error: one.noted(record, error),
        )

    async def _without(self, failed: Failed | None, refused: HoldfastError | None) -> None:
        """What is left when no upstream answered. Raises HoldfastError where nothing is."""
        if await self._stale() or (
            (failed is None or failed.status not in pacing.ANOTHER) and await self._own_words(failed)
        ):
            return
        if failed is None:
            raise refused or Unavailable(
                "every upstream of this route is left alone after failures", retry_after=5
            )
        await self._give_up(failed)

    def _next(self, place: int, barred: set[str]) -> tuple[Step | None, int]:
        """The next step whose breaker lets it through, from a place on and around."""
        decision = self._reply.decision
        chain = decision.chain
        for offset in range(len(chain)):
            step = chain[(place + offset) % len(chain)]
            if step.name in barred:
                continue
            live = self._gateway.upstreams.live(decision.workspace, step.name, step.upstream)
            if live.breaker(step.model).allows(now()):
                return step, place + offset + 1
        return None, place

    async def _may_repeat(self, live: Live, tries: int, failed: Failed) -> bool:
        """Whether the same upstream is asked again, after waiting as it wishes."""
        if failed.status is not None and failed.status not in pacing.RETRIED:
            return False
        draw = int.from_bytes(self._reply.record.span_id[:2]) / 65536
        wait = pacing.pause(tries, draw, failed.wait)
        if wait > LONGEST_WAIT or not live.retries.take():
            return False
        await asyncio.sleep(wait)
        return True

    async def _stale(self) -> bool:
        """Answers with what was kept too long ago; whether there was anything."""
        kept = self._gateway.cache.get(self._cache_key, caching.STALE_SECONDS) if self._cache_key else None
        if kept is not None:
            await self._replay(kept, b"stale")
        return kept is not None

    async def _own_words(self, failed: Failed | None) -> bool:
        """Answers with the workspace's own message; whether it has one. The record says what really happened."""
        reply, record = self._reply, self._reply.record
        text = reply.decision.route.message
        created = record.started_ns // 10**9
        said = (
            own_words.spoken(reply.speech, reply.asked, text, record.span_id.hex(), created) if text else None
        )
        if said is None:
            return False
        reply.watch = None
        record.error = failed.error if failed is not None else "unavailable"
        record.status = failed.status if failed is not None else 503
        await reply.whole(200, [(b"content-type", said[0]), (b"x-holdfast-degraded", b"message")], said[1])
        return True

    async def _give_up(self, failed: Failed) -> None:
        """Tells the client what the last upstream said, or that none could be reached."""
        record = self._reply.record
        record.error, record.status = failed.error, failed.status
        record.attempts.pop()
        record.cost, record.estimated = failed.cost, failed.cost is not None
        if failed.status is not None and failed.raw:
            await self._reply.whole(failed.status, failed.headers, failed.raw)
            return
        timeout = failed.error == "timeout"
        record.status = failed.status or (504 if timeout else 502)
        words = "did not answer in time" if timeout else "could not be reached or broke off"
        said = f"the upstream {record.upstream} {words}".replace("  ", " ")
        body = errors.error(record.status, said, failed.error, self._reply.speech.dialect)
        await self._reply.whole(record.status, [JSON], body)


def problem(error: HoldfastError, dialect: Dialect) -> tuple[int, bytes, list[tuple[bytes, bytes]]]:
    """An error of our own as status, body and headers."""
    status = 400 if error.status == 422 else error.status
    kind = "holdfast_" + type(error).__name__.lower()
    body = errors.error(status, error.detail, kind, dialect, error.where)
    made = [JSON, (b"content-length", str(len(body)).encode())]
    if isinstance(error, OverLimit):
        made += error.headers()
    if error.retry_after is not None:
        made.append((b"retry-after", str(error.retry_after).encode()))
    return status, body, made
