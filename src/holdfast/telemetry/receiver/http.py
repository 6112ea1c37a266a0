"""OTLP over HTTP as a bare ASGI application: `POST /v1/traces|metrics|logs`, protobuf or JSON, gzip or plain.

Answers follow the OTLP specification: 200 with partial success, 400 for what can never be read, 413, 415, 401, 403,
and 503 with Retry-After for what should be sent again. Error bodies are google.rpc.Status.
"""

from __future__ import annotations

import asyncio
import logging
import zlib
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from holdfast.kernel.errors import HoldfastError, Invalid, TooLarge, Unavailable, Unsupported, WrongMethod
from holdfast.platform.access.model import Scope
from holdfast.telemetry.ingest.intake import Intake, Outcome
from holdfast.telemetry.receiver.keys import Keys, bearer

log = logging.getLogger("holdfast.receiver")

Scoped = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Sender = Callable[[dict[str, str]], Awaitable[str]]
"""Tells whose a request is, from its headers (lower-case names). Raises Unauthenticated, Denied, NotFound."""

PATHS = {"/v1/traces": "traces", "/v1/metrics": "metrics", "/v1/logs": "logs"}
PROTOBUF = "application/x-protobuf"
JSON = "application/json"
# signal → (response message, field of the number of refused records, its JSON name)
ANSWERS = {
    "traces": (ExportTraceServiceResponse, "rejected_spans", "rejectedSpans"),
    "metrics": (ExportMetricsServiceResponse, "rejected_data_points", "rejectedDataPoints"),
    "logs": (ExportLogsServiceResponse, "rejected_log_records", "rejectedLogRecords"),
}
# HTTP status → google.rpc.Code
CODES = {400: 3, 401: 16, 403: 7, 405: 12, 413: 3, 415: 3, 422: 3, 429: 8, 503: 14}


MOST_MEMBERS = 1000
PIECE = 1 << 16
"""Bytes of gzip that are looked at at once: what follows a member is copied, so a body of many stays linear."""


class ClientLeft(Exception):
    """The sender went away before its request was complete; there is nobody to answer."""


class OtlpHttp:
    """The ASGI application."""

    def __init__(self, intake: Intake, keys: Keys, body_seconds: float = 60.0) -> None:
        """A body has to arrive within `body_seconds`: a stalled sender must not hold the others' room."""
        self._intake = intake
        self._keys = keys
        self._body_seconds = body_seconds

    async def __call__(self, scope: Scoped, receive: Receive, send: Send) -> None:
        """Answers one request to one of PATHS."""
        await self.take(PATHS[scope["path"]], self._owner, scope, receive, send)

    async def _owner(self, headers: dict[str, str]) -> str:
        return self._keys.check(bearer(headers), Scope.INGEST).workspace

    async def take(self, signal: str, sender: Sender, scope: Scoped, receive: Receive, send: Send) -> None:
        """Stores a request of a signal for the workspace that `sender` tells, and answers it."""
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]
        }
        content_type = headers.get("content-type", "").split(";")[0].strip().lower()
        answer_type = JSON if content_type == JSON else PROTOBUF
        try:
            if scope["method"] != "POST":
                raise WrongMethod("send POST to this path")
            workspace = await sender(headers)
            if content_type not in (PROTOBUF, JSON):
                raise Unsupported(f"the content type must be {PROTOBUF} or {JSON}")
            size = _declared_size(headers, self._intake.max_body_bytes)
            self._intake.reserve(size)
            try:
                body = await self._body(headers, receive)
                if len(body) > size:  # unpacked, or not declared
                    self._intake.reserve(len(body) - size)
                    size = len(body)
                outcome = await self._intake.accept(workspace, signal, body, is_json=answer_type == JSON)
            finally:
                self._intake.release(size)
            await _respond(send, 200, answer_type, answer(signal, outcome, answer_type))
        except ClientLeft:
            return
        except HoldfastError as error:
            status = 400 if isinstance(error, Invalid) else error.status
            await _respond(
                send, status, answer_type, problem(status, error.detail, answer_type), error.retry_after
            )
        except Exception:
            log.exception("an OTLP request could not be handled")
            detail = "Holdfast could not handle this request; nothing of it was acknowledged, send it again"
            await _respond(send, 503, answer_type, problem(503, detail, answer_type), 5)

    async def _body(self, headers: dict[str, str], receive: Receive) -> bytes:
        limit = self._intake.max_body_bytes
        try:
            async with asyncio.timeout(self._body_seconds):
                body = await _received(receive, limit)
        except TimeoutError as error:
            raise Unavailable("the request did not arrive in time; send it again", retry_after=5) from error
        encoding = headers.get("content-encoding", "identity").strip().lower()
        if encoding in ("", "identity"):
            return body
        if encoding != "gzip":
            raise Unsupported("the content encoding must be gzip or none")
        if len(body) < 1 << 14:
            return gunzip(body, limit)
        return await asyncio.get_running_loop().run_in_executor(None, gunzip, body, limit)


async def _received(receive: Receive, limit: int) -> bytes:
    chunks: list[bytes] = []
    received, more = 0, True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        chunk = message.get("body", b"")
        received += len(chunk)
        if received > limit:
            raise too_large(limit)
        chunks.append(chunk)
        more = message.get("more_body", False)
    return b"".join(chunks)


def _declared_size(headers: dict[str, str], limit: int) -> int:
    declared = headers.get("content-length", "")
    size = int(declared) if declared.isascii() and declared.isdigit() else 1 << 20
    if size > limit:
        raise too_large(limit)
    return size


def too_large(limit: int) -> TooLarge:
    """The error for a request over the limit."""
    return TooLarge(
        f"the request is over {limit} bytes: send smaller batches, or raise HOLDFAST_MAX_BODY_BYTES"
    )


def gunzip(body: bytes, limit: int) -> bytes:
    """Decompresses up to `limit` bytes. Raises TooLarge, and Invalid for what is not whole gzip."""
    found: list[bytes] = []
    size = position = members = 0
    while position < len(body):
        members += 1
        if members > MOST_MEMBERS:
            raise Invalid(f"the gzip body has more than {MOST_MEMBERS} members", where="body")
        stream = zlib.decompressobj(wbits=31)
        while not stream.eof:
            piece = stream.unconsumed_tail or body[position : position + PIECE]
            if not piece:
                raise Invalid("the gzip body was cut off", where="body")
            if not stream.unconsumed_tail:
                position += len(piece)
            try:
                part = stream.decompress(piece, limit + 1 - size)
            except zlib.error as error:
                raise Invalid(f"the body is not gzip: {error}", where="body") from error
            size += len(part)
            if size > limit:
                raise too_large(limit)
            found.append(part)
        position -= len(stream.unused_data)
    return b"".join(found)


def answer(signal: str, outcome: Outcome, content_type: str) -> bytes:
    """The body of a 200."""
    message, field, json_field = ANSWERS[signal]
    if content_type == JSON:
        if not outcome.message:
            return b"{}"
        partial = {json_field: str(outcome.rejected), "errorMessage": outcome.message}
        return msgspec.json.encode({"partialSuccess": partial})
    response = message()
    if outcome.message:
        setattr(response.partial_success, field, outcome.rejected)
        response.partial_success.error_message = outcome.message
    return bytes(response.SerializeToString())


def problem(status: int, detail: str, content_type: str) -> bytes:
    """The body of an error: google.rpc.Status."""
    code = CODES.get(status, 2)
    if content_type == JSON:
        return msgspec.json.encode({"code": code, "message": detail})
    return bytes(Status(code=code, message=detail).SerializeToString())


async def _respond(
    send: Send, status: int, content_type: str, body: bytes, retry_after: int | None = None
) -> None:
    headers = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
    if status == 503 or retry_after is not None:
        headers.append((b"retry-after", str(retry_after or 5).encode()))
    if status == 405:
        headers.append((b"allow", b"POST"))
    if status == 401:
        headers.append((b"www-authenticate", b"Bearer"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
