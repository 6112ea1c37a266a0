"""Redis as the counter of shared budgets; `shared` says what is safe when, `scripts` what runs there."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Any, cast

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError

from holdfast.gateway.limits.counters import Ask, Heard, Known, Told
from holdfast.gateway.limits.scripts import LEASE, LEAVE, REGISTER

GRACE = 3.0
PATIENCE = 60.0
ALIVE = 5.0
"""Seconds after which a gateway that says nothing is no longer counted when leases and rates are parted."""
FORGOTTEN = 86_400.0
"""Seconds after which it is no longer expected; what it was granted stays counted."""
WANTED = 3.0
"""Seconds for which gateways give back what lies idle after another was refused for want of it."""
KEPT = 86_400.0
"""Seconds for which an account is kept in Redis after its window."""
AWAY = 1.0
"""Seconds after a failed call in which no request waits for another."""
AT_ONCE = 200
"""Accounts in one registering call."""


def connect(url: str, timeout: float = 0.5) -> Redis:
    """A client for `RedisCounter`: a request that needs more waits at most about twice `timeout` seconds for it."""
    once = Retry(NoBackoff(), 1)  # a connection that the server closed meanwhile
    return Redis.from_url(url, socket_timeout=timeout, socket_connect_timeout=timeout, retry=once)


class RedisCounter:
    """`gateway` is this gateway's name, the same after a restart; `clock` gives Unix seconds; `redis` as `connect` makes it.

    Not for two calls of one workspace at once: `Shared` makes them one after the other.
    """

    def __init__(
        self,
        redis: Redis,
        gateway: str,
        clock: Callable[[], float],
        *,
        grace: float = GRACE,
        patience: float = PATIENCE,
    ) -> None:
        self._gateway = gateway
        self._clock = clock
        self._times = [int(seconds * 1000) for seconds in (grace, patience, ALIVE, FORGOTTEN)]
        self._lease = redis.register_script(LEASE)
        self._register = redis.register_script(REGISTER)
        self._leave = redis.register_script(LEAVE)
        self._number = 0
        self.away = False
        self.retry_at = 0.0

    async def ask(
        self, workspace: str, roster: Sequence[str], asks: Sequence[Ask], known: Known
    ) -> Heard | None:
        """As `Counter.ask`; registers first where Redis does not know this gateway."""
        keys = [*_keys(workspace), *(_account(workspace, one.name) for one in asks)]
        for _ in range(3):
            head: list[str | int] = [self._gateway, self._next(), *self._times]
            answer = await self._call(
                self._lease, keys, [*head, *(part for one in asks for part in _said(one))]
            )
            if answer is None:
                return None
            if answer[0] == b"ok":
                return _heard(answer)
            if answer[0] == b"stale":
                self._number = max(self._number, int(answer[1]))
            elif not await self._introduce(workspace, roster, known()):
                return None
        return None

    async def leave(self, workspace: str) -> None:
        """As `Counter.leave`."""
        await self._call(self._leave, _keys(workspace), [self._gateway])

    async def _introduce(
        self, workspace: str, roster: Sequence[str], known: list[tuple[str, float, list[tuple[str, int]]]]
    ) -> bool:
        """Registers: tells Redis of all leases that this gateway holds and of those that it saw others hold."""
        for start in range(0, max(len(known), 1), AT_ONCE):
            part = known[start : start + AT_ONCE]
            last = "1" if start + AT_ONCE >= len(known) else "0"
            given: list[str | int] = [self._gateway, self._next(), last, len(roster), *roster]
            for _, ends, pairs in part:
                given += [_expiry(ends), len(pairs), *(one for pair in pairs for one in pair)]
            keys = [*_keys(workspace), *(_account(workspace, name) for name, _, _ in part)]
            answer = await self._call(self._register, keys, given)
            if answer is not None and answer[0] == b"stale":
                self._number = max(self._number, int(answer[1]))  # its clock was ahead before
            if answer is None or answer[0] != b"ok":
                return False
        return True

    def _next(self) -> int:
        """Rises with every call, also over restarts; below 2^53."""
        self._number = max(self._number + 1, int(self._clock() * 1_000_000))
        return self._number

    async def _call(
        self, script: Callable[..., Any], keys: Iterable[str], arguments: Iterable[str | int]
    ) -> Any | None:
        """What a script answered; None where Redis is away."""
        try:
            answer = await cast("Awaitable[Any]", script(keys=list(keys), args=list(arguments)))
        except (RedisError, OSError, TimeoutError):
            self.away = True
            self.retry_at = self._clock() + AWAY
            return None
        self.away = False
        self.retry_at = 0.0
        return answer


def _keys(workspace: str) -> list[str]:
    return [f"holdfast:{{{workspace}}}:{name}" for name in ("state", "gateways", "roster")]


def _account(workspace: str, name: str) -> str:
    return f"holdfast:{{{workspace}}}:account:{name}"


def _expiry(ends: float) -> int:
    return int((ends + KEPT) * 1000)


def _said(one: Ask) -> tuple[str | int, ...]:
    give = "" if one.give is None else one.give
    return give, one.least, one.need, one.cap, _expiry(one.ends), "1" if one.closed else "0"


def _heard(answer: Sequence[Any]) -> Heard:
    told = []
    for mine, closed, wanted, pairs in answer[4:]:
        others = {pairs[at].decode(): int(pairs[at + 1]) for at in range(0, len(pairs), 2)}
        told.append(Told(int(mine), others, closed == b"1", 0 <= int(wanted) < WANTED * 1000))
    roster = frozenset(name.decode() for name in answer[3])
    return Heard(answer[1] == b"1", max(int(answer[2]), 1), roster, tuple(told))
