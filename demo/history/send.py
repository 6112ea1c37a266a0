"""Sends the generated past over OTLP/HTTP (protobuf, gzip), patiently.

    python -m demo.history.send --days 28

Reads the standard OTEL_EXPORTER_OTLP_ENDPOINT and OTEL_EXPORTER_OTLP_HEADERS.
"""

from __future__ import annotations

import argparse
import gzip
import os
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

from demo.history.generate import spans
from demo.lifeline import die_with_parent, say, stop_on_signal

ATTEMPTS = 20
RETRIED = frozenset({429, 502, 503, 504})  # as the OTLP specification lists them


class NotSent(RuntimeError):
    """The receiver refused for good, or did not answer after all attempts."""


@dataclass(frozen=True)
class Sent:
    """What was delivered, and how many spans the receiver declined one by one."""

    requests: int = 0
    spans: int = 0
    rejected: int = 0


def send(
    requests: Iterable[ExportTraceServiceRequest],
    endpoint: str,
    headers: Mapping[str, str],
    *,
    wait: Callable[[float], bool],
    progress: Callable[[str], None] = say,
) -> Sent:
    """Posts each request to `endpoint`/v1/traces and goes on only when it was accepted.

    429, 502, 503, 504 and a broken connection are tried again, after Retry-After seconds where the receiver
    says so. `wait(seconds)` pauses and answers True where the work shall stop. Raises NotSent where it cannot
    be delivered.
    """
    done = Sent()
    for request in requests:
        body = gzip.compress(_bytes(request), compresslevel=1)
        rejected = _deliver(body, endpoint, headers, wait)
        count = sum(len(scope.spans) for group in request.resource_spans for scope in group.scope_spans)
        done = Sent(done.requests + 1, done.spans + count, done.rejected + rejected)
        if done.requests % 10 == 0:
            progress(f"past calls: {done.spans:,} spans sent")
        if wait(0.0):
            raise NotSent("stopped before the past was sent")
    return done


def _deliver(body: bytes, endpoint: str, headers: Mapping[str, str], wait: Callable[[float], bool]) -> int:
    """Posts one body until it is accepted; returns how many of its spans were declined."""
    pause, reason = 0.5, ""
    for _ in range(ATTEMPTS):
        try:
            return _post(body, endpoint, headers)
        except urllib.error.HTTPError as error:
            if error.code not in RETRIED:
                raise NotSent(f"{endpoint} answered {error.code}: {error.read(300)!r}") from error
            reason = f"status {error.code}"
            pause = _retry_after(error.headers.get("Retry-After")) or pause
        except OSError as error:
            reason = str(error)
        if wait(pause):
            raise NotSent("stopped before the past was sent")
        pause = min(pause * 2, 30.0)
    raise NotSent(f"{endpoint} did not take it after {ATTEMPTS} attempts: {reason}")


def _post(body: bytes, endpoint: str, headers: Mapping[str, str]) -> int:
    request = urllib.request.Request(f"{endpoint.rstrip('/')}/v1/traces", data=body, method="POST")
    for name, value in headers.items():
        request.add_header(name, value)
    request.add_header("Content-Type", "application/x-protobuf")
    request.add_header("Content-Encoding", "gzip")
    with urllib.request.urlopen(request, timeout=60) as answer:
        told: Any = ExportTraceServiceResponse()
        told.ParseFromString(answer.read())
    return int(told.partial_success.rejected_spans)


def _bytes(request: Any) -> bytes:
    return bytes(request.SerializeToString())


def _retry_after(value: str | None) -> float | None:
    return float(value) if value and value.isdigit() else None


def headers_from(text: str) -> dict[str, str]:
    """Reads the form of OTEL_EXPORTER_OTLP_HEADERS: `name=value,name=value`, values percent-encoded."""
    pairs = (pair.partition("=") for pair in text.split(",") if "=" in pair)
    return {name.strip(): urllib.parse.unquote(value.strip()) for name, _, value in pairs}


def main() -> None:
    """Generates and sends, then ends."""
    parser = argparse.ArgumentParser(prog="demo.history.send", description=__doc__.split("\n", 1)[0])
    parser.add_argument("--days", type=int, default=28)
    parser.add_argument("--calls-per-day", type=int, default=600)
    parser.add_argument("--seed", type=int, default=20)
    parser.add_argument("--parent", type=int, default=None, help="process id whose end ends this process")
    args = parser.parse_args()
    stop: threading.Event = stop_on_signal()
    die_with_parent(args.parent)
    say(f"sending {args.days} days of sample calls …")
    try:
        done = send(
            spans(args.days, args.calls_per_day, args.seed),
            os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"],
            headers_from(os.environ.get("OTEL_EXPORTER_OTLP_HEADERS", "")),
            wait=stop.wait,
        )
    except NotSent as error:
        say(f"the past is not complete: {error}")
        raise SystemExit(1) from error
    say(f"past calls complete: {done.spans:,} spans, {done.rejected} declined")


if __name__ == "__main__":
    main()
