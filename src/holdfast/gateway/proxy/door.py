"""The gateway's ASGI application: who asks, for what; then the call lives in `call`, or is passed through."""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode

import msgspec

from holdfast.gateway import keys
from holdfast.gateway.dialects import shelf
from holdfast.gateway.dialects.anthropic import Messages
from holdfast.gateway.dialects.openai import Chat
from holdfast.gateway.dialects.speech import HOLDFAST, OBJECT, Asked, field, parse
from holdfast.gateway.model import ClientKey, Dialect, Pass, Workspace
from holdfast.gateway.proxy import headers as heads
from holdfast.gateway.proxy import shadowing
from holdfast.gateway.proxy.batches import Batches
from holdfast.gateway.proxy.beside import CREATED, beside, held_by
from holdfast.gateway.proxy.call import Call, problem
from holdfast.gateway.proxy.gateway import Gateway
from holdfast.gateway.proxy.passing import ClientLeft, operation, pass_through
from holdfast.gateway.proxy.records import Record
from holdfast.gateway.proxy.reply import KEPT
from holdfast.gateway.proxy.serving import Client, Send, client_of, send_whole
from holdfast.gateway.rules import resolving
from holdfast.gateway.rules.resolving import Decision, Step
from holdfast.kernel.errors import (
    HoldfastError,
    Invalid,
    NotFound,
    TooLarge,
    Unauthenticated,
    Unavailable,
    Unsupported,
    WrongMethod,
)

log = logging.getLogger("holdfast.gateway")

Scoped = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
BODY_SECONDS = 60.0
REALTIME = (
    "Realtime and WebSocket are not served by the gateway: connect to the vendor for them, or use /v1/responses"
    " or /v1/chat/completions"
)
OUTSIDE = Pass("", "", datetime.min.replace(tzinfo=UTC))
"""What clients with a key of their own come with: nothing beyond it."""
UNJUDGED = (
    "this route has guardrails, and what is passed through whole cannot be judged by them: ask by a route without, or by"
    " /v1/chat/completions, /v1/responses, /v1/messages or Gemini's generateContent"
)


class Door:
    """The application of one gateway process."""

    def __init__(self, gateway: Gateway, batches: Batches) -> None:
        self._gateway = gateway
        self._batches = batches

    async def __call__(self, scope: Scoped, receive: Receive, send: Send) -> None:
        """Answers one request."""
        if scope["type"] != "http":
            return
        path = scope["path"]
        if not path.startswith("/v1"):
            await self._about(path, send)
            return
        started = False

        async def sending(message: dict[str, Any]) -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._serve(scope, path, receive, sending)
        except HoldfastError as error:
            self._gateway.refused += 1
            if not started:
                await _answer(send, *problem(error, shelf.dialect_of(path)))
        except ClientLeft:
            return
        except Exception:
            log.exception("a request could not be handled")
            if started:
                raise
            fault = Unavailable("the gateway could not handle this request; ask again", retry_after=1)
            await _answer(send, *problem(fault, shelf.dialect_of(path)))

    async def _about(self, path: str, send: Send) -> None:
        gateway = self._gateway
        if path == "/healthz":
            await _json(send, 200, {"status": "ok"})
        elif path == "/readyz":
            ready = gateway.ready()
            said = {"status": "ready" if ready else "not ready", "epoch": gateway.snapshot.epoch}
            await _json(send, 200 if ready else 503, said)
        else:
            fault = NotFound(
                "there is nothing here: the base URL of clients ends in /v1 (OpenAI), or in nothing (Anthropic)"
            )
            await _answer(send, *problem(fault, Dialect.OPENAI))

    async def _serve(self, scope: Scoped, path: str, receive: Receive, send: Send) -> None:
        headers = heads.read(scope["headers"])
        if "upgrade" in headers or path.startswith("/v1/realtime"):
            raise Invalid(REALTIME, where="path")
        said = scope["query_string"]
        query = dict(parse_qsl(said.decode("latin-1"))) if said else {}
        key, workspace, inner = self._client(headers, query)
        self._gateway.admit()
        if path == "/v1/models" or path.startswith("/v1/models/"):
            await _json(send, 200, _models(workspace, key, path, headers))
            return
        query.pop("key", None)
        rest = "?" + urlencode(query, quote_via=quote) if query else ""
        speech = shelf.speech_of(path)
        if speech is None:
            await self._pass(scope, path, rest, headers, key, workspace, receive, send)
            return
        if scope["method"] != "POST":
            raise WrongMethod("send POST to this path")
        raw = await self._body(headers, receive)
        body = parse(raw)
        asked = speech.asked(path, body)
        own = field(body, HOLDFAST, OBJECT, {})
        dimensions = heads.dimensions(headers, asked.metadata, own, asked.user)
        ids = os.urandom(24)
        trace = heads.trace(headers, ids[:16])
        resolve = partial(
            resolving.resolve,
            workspace,
            key,
            dimensions,
            asked.model,
            speech.dialect,
            ids[16:].hex(),
            translates=type(speech) in (Chat, Messages),
            release=inner.release,
            unheard=self._gateway.unheard,
        )
        decision = resolve()
        if decision.dimensions.session and decision.route.variants and not inner.release:
            pin = (workspace.id, decision.dimensions.route, decision.dimensions.session)
            began = await self._gateway.memory.found(*pin)
            if began is not None and began != decision.release_name:
                decision = resolve(began=began)
            self._gateway.memory.keep(decision.release_name, *pin)
        record = _record(decision, trace, ids[16:], speech.operation, speech.dialect, asked)
        if workspace.content and len(raw) <= KEPT:
            record.request = raw
        variables = _variables(own, asked.metadata)
        if inner.once:

            async def ask(heard: Send) -> None:
                parts = (speech, asked, body, headers, rest, decision, trace, record, variables)
                await Call(self._gateway, heard, *parts).serve(anew=True)

            serve = partial(self._gateway.once.serve, workspace.id, inner.once, ask, send)
            await _unless_left(serve, client_of(scope))
            return
        call = Call(
            self._gateway, send, speech, asked, body, headers, rest, decision, trace, record, variables
        )
        if decision.route.shadow is not None:
            shadowing.copy(self._gateway, speech, asked, body, headers, rest, decision, record, variables)
        await _unless_left(call.serve, client_of(scope))

    def _client(
        self, headers: Mapping[str, str], query: Mapping[str, str]
    ) -> tuple[ClientKey, Workspace, Pass]:
        text = heads.key_text(headers, query)
        if not text:
            raise Unauthenticated(
                "no API key: give a Holdfast key with the scope gateway where the vendor's key would be"
            )
        if text.startswith(keys.PASS):
            found = keys.opened_pass(self._gateway.public_key, text, self._gateway.clock())
            workspace = self._gateway.snapshot.workspaces.get(found.workspace)
            if workspace is None:
                raise Unauthenticated("this gateway does not know the workspace of this pass yet")
            return ClientKey(found.key, found.workspace, found.expires_at), workspace, found
        hashed = hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()
        return *resolving.client(self._gateway.snapshot, hashed, self._gateway.clock()), OUTSIDE

    async def _body(self, headers: Mapping[str, str], receive: Receive) -> bytes:
        limit = self._gateway.settings.max_body_bytes
        declared = headers.get("content-length", "")
        if declared.isdecimal() and int(declared) > limit:
            raise TooLarge(f"the request is over {limit} bytes (HOLDFAST_MAX_BODY_BYTES)")
        if headers.get("content-encoding", "identity") not in ("", "identity"):
            raise Unsupported("the body must not be compressed")
        message = await receive()
        chunk: bytes = message.get("body", b"")
        if message["type"] == "http.request" and not message.get("more_body", False):
            if len(chunk) > limit:
                raise TooLarge(f"the request is over {limit} bytes (HOLDFAST_MAX_BODY_BYTES)")
            return chunk
        chunks, size = [chunk], len(chunk)
        try:
            async with asyncio.timeout(BODY_SECONDS):
                while message["type"] == "http.request" and message.get("more_body", False):
                    message = await receive()
                    chunk = message.get("body", b"")
                    size += len(chunk)
                    if size > limit:
                        raise TooLarge(f"the request is over {limit} bytes (HOLDFAST_MAX_BODY_BYTES)")
                    chunks.append(chunk)
        except TimeoutError:
            raise Invalid("the request's body did not arrive in time", where="body") from None
        if message["type"] == "http.disconnect":
            raise ClientLeft
        return b"".join(chunks)

    async def _pass(
        self,
        scope: Scoped,
        path: str,
        query: str,
        headers: dict[str, str],
        key: ClientKey,
        workspace: Workspace,
        receive: Receive,
        send: Send,
    ) -> None:
        dialect = shelf.passes(path)
        if dialect is None:
            raise NotFound(f"the gateway does not serve {path}")
        ids = os.urandom(24)
        trace = heads.trace(headers, ids[:16])
        dimensions = heads.dimensions(headers, {}, {}, "")
        model = headers.get(heads.OURS + "model", "")
        decision = resolving.resolve(
            workspace, key, dimensions, model, dialect, ids[16:].hex(), unheard=self._gateway.unheard
        )
        if decision.release.guardrails and scope["method"] != "DELETE":
            raise Invalid(UNJUDGED, where="route")
        raw = None
        if scope["method"] == "POST" and path in CREATED and (path == "/v1/batches" or _capped(workspace)):
            raw = await self._body(headers, receive)
        step = await self._keeper(held_by(path, raw), decision)
        does = operation(path) if scope["method"] == "POST" else ""
        record = _record(decision, trace, ids[16:], does, dialect, Asked(step.model))
        there = scope["raw_path"].decode("latin-1").removeprefix("/v1")
        await pass_through(
            self._gateway,
            scope["method"],
            there + query,
            headers,
            receive,
            send,
            decision,
            step,
            trace,
            record,
            raw,
            beside(
                self._gateway,
                self._batches,
                scope["method"],
                path,
                headers,
                decision,
                step,
                record,
                raw,
            ),
        )

    async def _keeper(self, kept: str, decision: Decision) -> Step:
        """The upstream that keeps a response, file or batch, where that is known; else the first of the chain."""
        if kept:
            made_by = await self._gateway.memory.found(decision.workspace.id, kept)
            for step in decision.chain:
                if step.name == made_by:
                    return step
        return decision.chain[0]


def _capped(workspace: Workspace) -> bool:
    """Whether there may be a budget over a request."""
    return bool(workspace.configuration.budgets or workspace.configuration.limits)


def _variables(own: Mapping[str, Any], metadata: Mapping[str, Any]) -> Mapping[str, Any]:
    """Variables of a managed prompt: `holdfast.variables`, or JSON text under `holdfast_variables` of the metadata."""
    given = own.get("variables")
    if given is None and metadata.get("holdfast_variables"):
        try:
            given = msgspec.json.decode(metadata["holdfast_variables"])
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, TypeError):
            raise Invalid("holdfast_variables must be a JSON object as text", where="metadata") from None
    if given is not None and not isinstance(given, dict):
        raise Invalid("variables must be an object", where="holdfast.variables")
    return given or {}


def _record(
    decision: Decision, trace: heads.Trace, span: bytes, does: str, dialect: Dialect, asked: Asked
) -> Record:
    return Record(
        workspace=decision.workspace.id,
        trace_id=trace.trace_id,
        span_id=span,
        parent_id=trace.parent_id,
        started_ns=time.time_ns(),
        operation=does,
        dialect=dialect,
        dimensions=decision.dimensions,
        key=decision.key.id,
        request_model=asked.model,
        stream=asked.stream,
        release=decision.release_id,
        asked_model=asked.model,
    )


async def _unless_left(serve: Callable[[], Awaitable[None]], client: Client) -> None:
    """Serves, and stops at once when the client goes away, also before the first byte: nobody would read the rest."""
    serving = asyncio.current_task()
    assert serving is not None
    left = False

    def gone() -> None:
        nonlocal left
        left = True
        serving.cancel()

    client.on_leaving(gone)
    try:
        await serve()
    except asyncio.CancelledError:
        if not left:
            raise
        serving.uncancel()
        raise ClientLeft from None
    finally:
        client.on_leaving(None)


def _models(workspace: Workspace, key: ClientKey, path: str, headers: Mapping[str, str]) -> dict[str, Any]:
    """What this key can ask for: names of routes, and models of upstreams, in the form of the dialect that asks."""
    configuration = workspace.configuration
    use = configuration.keys.get(key.id, resolving.NO_USE)
    owners: dict[str, str] = {}
    for name, route in configuration.routes.items():
        if not use.routes or name in use.routes:
            owners.update(dict.fromkeys(route.models, "holdfast"))
    for upstream in configuration.upstreams.values():
        for model in upstream.models:
            owners.setdefault(model, shelf.provider_of(upstream))
    names = [name for name in owners if not use.models or name in use.models]
    wanted = path.removeprefix("/v1/models").strip("/")
    if wanted and wanted not in names:
        raise NotFound(f"this key can ask for no model {wanted}", where="model")
    if "anthropic-version" in headers:
        when = "1970-01-01T00:00:00Z"
        shown: list[dict[str, Any]] = [
            {"type": "model", "id": one, "display_name": one, "created_at": when} for one in names
        ]
        first, last = (names[0], names[-1]) if names else (None, None)
        whole: dict[str, Any] = {"data": shown, "has_more": False, "first_id": first, "last_id": last}
    else:
        shown = [{"id": one, "object": "model", "created": 0, "owned_by": owners[one]} for one in names]
        whole = {"object": "list", "data": shown}
    return next(one for one in shown if one["id"] == wanted) if wanted else whole


async def _json(send: Send, status: int, value: Any) -> None:
    body = msgspec.json.encode(value)
    made = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await _answer(send, status, body, made)


async def _answer(send: Send, status: int, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    await send_whole(send, status, headers, body)
