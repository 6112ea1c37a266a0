"""OTLP over gRPC: the three Export services, sharing the intake of the HTTP door."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable
from typing import Any

import grpc
from google.protobuf.duration_pb2 import Duration  # type: ignore[attr-defined]
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status

from holdfast.kernel.errors import Denied, HoldfastError, Invalid, TooLarge, Unauthenticated, Unavailable
from holdfast.platform.access.model import Scope
from holdfast.telemetry.ingest.intake import Intake
from holdfast.telemetry.receiver.http import PROTOBUF, answer, too_large
from holdfast.telemetry.receiver.keys import Keys, bearer

log = logging.getLogger("holdfast.receiver")

SERVICES = {
    "opentelemetry.proto.collector.trace.v1.TraceService": "traces",
    "opentelemetry.proto.collector.metrics.v1.MetricsService": "metrics",
    "opentelemetry.proto.collector.logs.v1.LogsService": "logs",
}
CODES: tuple[tuple[type[HoldfastError], Any], ...] = (
    (Unauthenticated, grpc.StatusCode.UNAUTHENTICATED),
    (Denied, grpc.StatusCode.PERMISSION_DENIED),
    (Invalid, grpc.StatusCode.INVALID_ARGUMENT),
    (TooLarge, grpc.StatusCode.INVALID_ARGUMENT),
    (Unavailable, grpc.StatusCode.UNAVAILABLE),
)


def _handler(signal: str, intake: Intake, keys: Keys) -> Callable[[bytes, Any], Awaitable[bytes]]:
    async def export(body: bytes, context: Any) -> bytes:
        try:
            headers = {
                name.lower(): value for name, value in context.invocation_metadata() if isinstance(value, str)
            }
            key = keys.check(bearer(headers), Scope.INGEST)
            if len(body) > intake.max_body_bytes:
                raise too_large(intake.max_body_bytes)
            intake.reserve(len(body))
            try:
                outcome = await intake.accept(key.workspace, signal, body, is_json=False)
            finally:
                intake.release(len(body))
            return answer(signal, outcome, PROTOBUF)
        except HoldfastError as error:
            await _abort(context, error)
        except Exception:
            log.exception("an OTLP/gRPC request could not be handled")
            await _abort(
                context, Unavailable("Holdfast could not handle this request; send it again", retry_after=5)
            )
        raise AssertionError("abort does not return")

    return export


async def _abort(context: Any, error: HoldfastError) -> None:
    code = next((code for kind, code in CODES if isinstance(error, kind)), grpc.StatusCode.INTERNAL)
    if isinstance(error, Unavailable):
        status = Status(code=code.value[0], message=error.detail)
        status.details.add().Pack(RetryInfo(retry_delay=Duration(seconds=error.retry_after or 5)))
        context.set_trailing_metadata((("grpc-status-details-bin", status.SerializeToString()),))
    await context.abort(code, error.detail)


async def serve(host: str, port: int, intake: Intake, keys: Keys) -> Any:
    """Starts the server. Raises RuntimeError where the port cannot be had."""
    limit = intake.max_body_bytes + (1 << 20)
    server = grpc.aio.server(options=[("grpc.max_receive_message_length", limit), ("grpc.so_reuseport", 0)])
    for service, signal in SERVICES.items():
        method = grpc.unary_unary_rpc_method_handler(_handler(signal, intake, keys))
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(service, {"Export": method}),))
    if server.add_insecure_port(f"{host}:{port}") == 0:
        raise RuntimeError(f"port {port} cannot be had for OTLP/gRPC")
    await server.start()
    return server
