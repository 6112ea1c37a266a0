"""The door for gateway processes, a bare ASGI application: snapshots out, records and states in.

    GET  /gateway/v1/snapshot?after=EPOCH    a newer snapshot, waited for up to 25 s; 204 where none came
    GET  /gateway/v1/key                     the public key that verifies snapshots: 32 bytes
    POST /gateway/v1/records/WORKSPACE       OTLP spans of calls that a gateway served
    POST /gateway/v1/state                   how a gateway is doing

A gateway on this machine comes through the data folder's own socket; over TCP it needs HOLDFAST_GATEWAY_TOKEN.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any
from urllib.parse import parse_qs

import msgspec

from holdfast.gateway import keys
from holdfast.gateway.actions import budgets, processes
from holdfast.gateway.reads import snapshot as reads
from holdfast.gateway.reads.states import States
from holdfast.gateway.states import State
from holdfast.kernel.errors import (
    Denied,
    HoldfastError,
    Invalid,
    NotFound,
    TooLarge,
    Unauthenticated,
    Unavailable,
    WrongMethod,
)
from holdfast.platform.access.guard import LOCAL
from holdfast.platform.secrets import reads as secrets
from holdfast.platform.services import Services
from holdfast.platform.tenancy import reads as tenancy
from holdfast.pricing.reads import Pricer
from holdfast.web import problems

log = logging.getLogger("holdfast.gateway")

Scoped = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Sender = Callable[[dict[str, str]], Awaitable[str]]
"""Tells the workspace that a request's records belong to, from its headers. Raises."""
Deliver = Callable[[str, Sender, Scoped, Receive, Send], Awaitable[None]]
"""Takes an OTLP request of a signal for whom `Sender` says, and answers it."""

PREFIX = "/gateway/v1/"
MSGPACK = "application/msgpack"
LONGEST_WAIT = 25.0
STEP = 0.2
"""Seconds between two looks at the epoch, however many gateways wait."""
NOTE_SECONDS = 10.0
TOKEN_SECONDS = 30.0
MAX_STATE = 4 << 20
MOST_TOLD = 100_000


class Link:
    """The ASGI application. One for a process."""

    def __init__(self, services: Services, states: States, deliver: Deliver, pricer: Pricer) -> None:
        self._services = services
        self._states = states
        self._deliver = deliver
        self._pricer = pricer
        self._asking, self._making = asyncio.Lock(), asyncio.Lock()
        self._epoch: tuple[float, int] | None = None  # when it was read, and what it was
        self._made: tuple[int, bytes] | None = None
        self._token: tuple[float, str] | None = None
        self._workspaces: set[str] = set()
        self._told: set[str] = set()
        """Budget events that this process knows to be kept."""
        self._noted: dict[str, tuple[int, float]] = {}
        """Gateway process → the epoch that is kept of it, and when it was."""
        self.closing: Callable[[], bool] = lambda: False
        """Whether the process is about to end; then nobody is kept waiting."""

    async def __call__(self, scope: Scoped, receive: Receive, send: Send) -> None:
        """Answers one request to a path under PREFIX."""
        try:
            place = scope["path"].removeprefix(PREFIX)
            if place.startswith("records/"):
                sender = partial(self._workspace, scope, place.removeprefix("records/"))
                await self._deliver("traces", sender, scope, receive, send)
                return
            await self._trust(scope, _headers(scope))
            if place == "snapshot":
                _only(scope, "GET")
                await self._snapshot(scope, receive, send)
            elif place == "key":
                _only(scope, "GET")
                await _answer(send, 200, "application/octet-stream", keys.public_bytes(await self._key()))
            elif place == "state":
                _only(scope, "POST")
                await self._take(_state(await _body(receive)))
                await _answer(send, 204)
            else:
                raise NotFound("there is nothing here")
        except HoldfastError as error:
            await _refuse(send, scope["path"], error)
        except Exception:
            log.exception("a gateway's request could not be handled")
            await _refuse(send, scope["path"], Unavailable("try again", retry_after=5))

    async def _snapshot(self, scope: Scoped, receive: Receive, send: Send) -> None:
        query = parse_qs(scope["query_string"].decode("latin-1"))
        after = _number(query, "after", None)
        wait = min(_number(query, "wait", LONGEST_WAIT) or 0.0, LONGEST_WAIT)
        loop = asyncio.get_running_loop()
        until = loop.time() + wait
        gone = asyncio.ensure_future(_gone(receive))
        try:
            epoch = await self._current(0.0)
            while epoch == after:
                if gone.done() or self.closing() or loop.time() >= until:
                    await _answer(send, 204)
                    return
                await asyncio.wait({gone}, timeout=min(STEP, max(until - loop.time(), 0.0)))
                epoch = await self._current(STEP)
        finally:
            gone.cancel()
        await _answer(send, 200, MSGPACK, await self._signed(epoch))

    async def _take(self, state: State) -> None:
        """Keeps what a gateway says of itself; what people must be told is kept before it is answered."""
        loop = asyncio.get_running_loop()
        new = {
            budgets.event_id(kind, one): one
            for one in state.events
            if (kind := one.event) is not None and budgets.event_id(kind, one) not in self._told
        }
        if new:
            await loop.run_in_executor(None, budgets.tell, self._services, new.values())
            if len(self._told) > MOST_TOLD:
                self._told.clear()
            self._told.update(new)
        noted, now = self._noted.get(state.id), loop.time()
        if noted is None or noted[0] != state.epoch or now - noted[1] >= NOTE_SECONDS:
            await loop.run_in_executor(
                None, processes.note_process, self._services, state.id, state.epoch, state.admin
            )
            self._noted[state.id] = (state.epoch, now)
        self._states.put(state)

    async def _current(self, seconds: float) -> int:
        """The epoch, at most so many seconds old."""
        loop = asyncio.get_running_loop()
        async with self._asking:
            if self._epoch is None or loop.time() - self._epoch[0] >= seconds:
                found = await loop.run_in_executor(None, reads.epoch, self._services)
                self._epoch = (loop.time(), found)
            return self._epoch[1]

    async def _signed(self, epoch: int) -> bytes:
        """The signed snapshot of an epoch or a later one, made once for all gateways that ask."""
        async with self._making:
            if self._made is None or self._made[0] != epoch:
                self._made = await asyncio.get_running_loop().run_in_executor(None, self._make)
            return self._made[1]

    def _make(self) -> tuple[int, bytes]:
        with self._services.database.reading() as tx:
            made = reads.snapshot(tx, self._services.clock(), self._pricer)
        return made.epoch, reads.signed(self._services.settings.data, made)

    async def _key(self) -> Any:
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(None, keys.load, self._services.settings.data)

    async def _workspace(self, scope: Scoped, workspace: str, headers: dict[str, str]) -> str:
        """The workspace that records are for. Raises Unauthenticated, Denied, NotFound."""
        await self._trust(scope, headers)
        if workspace not in self._workspaces:
            await asyncio.get_running_loop().run_in_executor(None, self._find, workspace)
            self._workspaces.add(workspace)  # they are never removed
        return workspace

    def _find(self, workspace: str) -> None:
        with self._services.database.reading() as tx:
            tenancy.workspace_by_id(tx, workspace)

    async def _trust(self, scope: Scoped, headers: dict[str, str]) -> None:
        """Raises Denied, Unauthenticated for whoever is no gateway of ours."""
        if scope.get(LOCAL) is True:
            return
        wanted = await self._wanted_token()
        if not wanted:
            raise Denied(
                "gateways are answered on the data folder's own socket alone;"
                " to let them in over TCP, set HOLDFAST_GATEWAY_TOKEN"
            )
        scheme, _, given = headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not hmac.compare_digest(given.strip().encode(), wanted.encode()):
            raise Unauthenticated("send the token of HOLDFAST_GATEWAY_TOKEN: 'authorization: Bearer …'")

    async def _wanted_token(self) -> str:
        settings = self._services.settings
        written = settings.gateway_token.get_secret_value()
        if not secrets.is_reference(written):
            return written
        loop = asyncio.get_running_loop()
        if self._token is None or loop.time() - self._token[0] >= TOKEN_SECONDS:
            text = await loop.run_in_executor(None, secrets.operator_secret, settings, written)
            self._token = (loop.time(), text)
        return self._token[1]


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _body(receive: Receive) -> bytes:
    chunks, size, more = [], 0, True
    while more:
        message = await receive()
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > MAX_STATE:
            raise TooLarge(f"a gateway's state has at most {MAX_STATE >> 20} MiB")
        chunks.append(chunk)
        more = message.get("more_body", False)
    return b"".join(chunks)


def _state(body: bytes) -> State:
    try:
        return msgspec.msgpack.decode(body, type=State)
    except msgspec.MsgspecError as error:
        raise Invalid(
            "this is not a gateway's state; gateway and core may be of different versions"
        ) from error


def _headers(scope: Scoped) -> dict[str, str]:
    return {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}


def _number(query: dict[str, list[str]], name: str, default: float | None) -> float | None:
    text = query.get(name, [""])[0]
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise Invalid(f"{name} is a whole number", where=name)
    return int(text)


def _only(scope: Scoped, method: str) -> None:
    if scope["method"] != method:
        raise WrongMethod(f"this path answers to {method}")


async def _refuse(send: Send, path: str, error: HoldfastError) -> None:
    problem = problems.of_error(error)
    headers = [(name.encode(), value.encode()) for name, value in problem.headers.items()]
    await _answer(send, problem.status, problems.MEDIA_TYPE, msgspec.json.encode(problem.body(path)), headers)


async def _answer(
    send: Send,
    status: int,
    content_type: str = "",
    body: bytes = b"",
    more: list[tuple[bytes, bytes]] | None = None,
) -> None:
    headers = [*(more or [])]
    if content_type:
        headers += [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
