"""Whole answers kept in memory for routes that ask for it, and one question asked once however many ask it together.

An answer is keyed by everything that can change it: workspace, tenant, release, operation, model, and every field of the
request but those that only say who asks. What is kept is dropped oldest first when it grows too large, and with the process.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from decimal import Decimal
from hashlib import blake2b
from typing import Any, NamedTuple

import msgspec

from holdfast.gateway.dialects.speech import HOLDFAST, Body
from holdfast.gateway.rules.resolving import Decision

MOST_BYTES = 64 << 20
LARGEST = 1 << 20
STALE_SECONDS = 86_400.0
"""How long an answer that is too old is kept for when every upstream is away."""
_WHO = frozenset((HOLDFAST, "metadata", "user", "safety_identifier", "prompt_cache_key", "stream_options"))
_ACTS = ("tools", "functions", "mcp_servers")


class Kept(NamedTuple):
    """An answer as it went to the client."""

    content_type: bytes
    body: bytes
    made: float
    cost: Decimal | None
    response_id: str | None
    response_model: str | None
    finish_reasons: tuple[str, ...]


def key_of(
    decision: Decision, operation: str, model: str, body: Body, prompt: Sequence[Mapping[str, Any]]
) -> bytes:
    """What an answer is kept under."""
    parts = [
        decision.workspace.id,
        decision.dimensions.tenant,
        decision.release_id,
        decision.dimensions.route,
    ]
    digest = blake2b("\0".join([*parts, operation, model]).encode(), digest_size=32)
    digest.update(msgspec.json.encode(prompt))
    for name in sorted(body):
        if name not in _WHO:
            digest.update(b"\0" + name.encode() + b"\0" + bytes(body[name]))
    return digest.digest()


def may_act(body: Body) -> bool:
    """Whether the request gives the model tools, whose use may have effects that a kept answer would not have."""
    return any(bytes(body.get(name, b"")).strip() not in (b"", b"null", b"[]") for name in _ACTS)


class Cache:
    """One process's kept answers."""

    __slots__ = ("_bytes", "_flights", "_kept")

    def __init__(self) -> None:
        self._kept: OrderedDict[bytes, Kept] = OrderedDict()
        self._bytes = 0
        self._flights: dict[bytes, asyncio.Future[None]] = {}

    def get(self, key: bytes, seconds: float) -> Kept | None:
        """An answer that is at most so old."""
        found = self._kept.get(key)
        if found is None or time.monotonic() - found.made > seconds:
            return None
        self._kept.move_to_end(key)
        return found

    def put(self, key: bytes, kept: Kept) -> None:
        """Keeps an answer, unless it is large."""
        if len(kept.body) > LARGEST:
            return
        before = self._kept.pop(key, None)
        self._bytes += len(kept.body) - (len(before.body) if before else 0)
        self._kept[key] = kept
        while self._bytes > MOST_BYTES:
            self._bytes -= len(self._kept.popitem(last=False)[1].body)

    async def lead(self, key: bytes) -> bool:
        """True for the one that is to ask: it must `land`. The others wait until it has, and look again."""
        flight = self._flights.get(key)
        if flight is None:
            self._flights[key] = asyncio.get_running_loop().create_future()
            return True
        await asyncio.shield(flight)
        return False

    def land(self, key: bytes) -> None:
        """The one that asked is done, whatever came of it."""
        flight = self._flights.pop(key)
        if not flight.done():
            flight.set_result(None)
