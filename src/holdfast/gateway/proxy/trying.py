"""One try at one upstream: a place there, what its breaker learns, the exchange; and a second one where that is slow."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from holdfast.gateway.dialects import shelf
from holdfast.gateway.proxy.exchange import Exchange, Failed
from holdfast.gateway.proxy.records import Attempt, Record
from holdfast.gateway.proxy.upstreams import DEFAULT_WAIT, Live, now
from holdfast.gateway.rules import pacing
from holdfast.gateway.rules.resolving import Step


class Try:
    """Holds a place at the upstream from `open` to the end of `answer`."""

    __slots__ = ("_began", "_entered", "_told", "exchange", "live", "started_ns", "step")

    def __init__(self, step: Step, live: Live, exchange: Exchange) -> None:
        self.step = step
        self.live = live
        self.exchange = exchange
        self.started_ns = time.time_ns()
        self._began = 0.0
        self._entered = self._told = False

    async def open(self, priority: int, wait: float) -> None:
        """Returns when the upstream begins to answer. Raises what `Exchange.open` does, and Unavailable without a place."""
        try:
            await self.live.enter(priority, wait or DEFAULT_WAIT)
            self._entered = True
            self.live.sent += 1
            self._began = now()
            await self.exchange.open()
        except Failed as error:
            self._failed(error)
            raise
        except BaseException:
            self._leave()
            raise

    async def answer(self) -> None:
        """Answers the client. Raises Failed where another try may follow."""
        breaker = self.live.breaker(self.step.model)
        try:
            good = await self.exchange.answer()
            self._told = True
            if good:
                breaker.succeeded(now())
                self.live.concurrency.succeeded()
            else:
                self.live.failed += 1
                breaker.failed(now())
            self.live.latencies.append(now() - self._began)
        except Failed as error:
            self._failed(error)
            raise
        finally:
            self._leave()

    def drop(self) -> Failed:
        """Another one answered first. It says nothing of the upstream."""
        self._leave()
        return self.exchange.drop()

    def noted(self, record: Record, error: Failed) -> None:
        """Adds it to the call's record, as one that did not become the answer."""
        upstream = self.step.upstream
        record.attempts.append(
            Attempt(
                (int.from_bytes(record.span_id) + len(record.attempts) + 1).to_bytes(9)[-8:],
                self.step.name,
                shelf.provider_of(upstream),
                upstream.base_url,
                self.step.model,
                self.started_ns,
                time.time_ns(),
                error.status,
                error.error,
                error.cost,
                tuple(error.usage) if error.usage is not None else None,
            )
        )

    def _failed(self, error: Failed) -> None:
        breaker, live = self.live.breaker(self.step.model), self.live
        self._told = True
        live.failed += 1
        if error.status is None or error.status in pacing.FAULTS:
            breaker.failed(now())
        else:
            breaker.succeeded(now())
        if error.status in pacing.OVERLOADED or error.error == "timeout":
            live.concurrency.overloaded(now())
        self._leave()

    def _leave(self) -> None:
        if not self._told:
            self._told = True
            self.live.breaker(self.step.model).left()
        if self._entered:
            self._entered = False
            self.live.leave()


async def first_of(
    one: Try,
    open_: Callable[[Try], asyncio.Task[None]],
    seconds: float,
    another: Callable[[], Try | None],
    note: Callable[[Try, Failed], None],
) -> Try:
    """The try that is answered first: `one`, or `another` that begins when `seconds` have passed without an answer.

    The loser is dropped and noted. Raises what the last of them raised where none was answered. (Dean and Barroso, "The
    Tail at Scale", 2013: hedged requests.)
    """
    opening = {open_(one): one}
    try:
        done, _ = await asyncio.wait(opening, timeout=seconds)
        second = None if done else another()
        if second is not None:
            opening[open_(second)] = second
        while True:
            done, _ = await asyncio.wait(opening, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                tried = opening.pop(task)
                error = task.exception()
                if error is None:
                    return tried
                if not opening or not isinstance(error, Failed):
                    raise error
                note(tried, error)
    finally:
        for task, tried in opening.items():
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)
            note(tried, tried.drop())
