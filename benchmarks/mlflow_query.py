"""The peer's own metrics query: MLflow's tracking server, over as many calls as it takes in within a bounded time."""

from __future__ import annotations

import http.client
import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.mlflow_peer import HEADERS, START_SECONDS, VERSION, installed, serve
from benchmarks.payloads import CALLS_PER_TRACE, SPANS_PER_REQUEST, build
from benchmarks.processes import free_port
from benchmarks.sender import send, write

SPANS = 40_000
"""About a minute of what it takes in."""
CONNECTIONS = 4
ROUNDS = 10
QUESTIONS: tuple[dict[str, Any], ...] = (
    {"metric_name": "trace_count", "aggregations": [{"aggregation_type": "COUNT"}]},
    {"metric_name": "latency", "aggregations": [{"aggregation_type": "PERCENTILE", "percentile_value": 95}]},
    {"metric_name": "input_tokens", "aggregations": [{"aggregation_type": "SUM"}]},
)
"""What a portfolio asks, of all traces together: how many, how slow, how many tokens."""


def measure(spans: int = SPANS) -> dict[str, Any]:
    """Milliseconds of its answers to the questions together, over the calls that it holds by then."""
    home = installed()
    work = Path(tempfile.mkdtemp(prefix="holdfast-bench-mlflow-"))
    made = build(spans, time.time_ns() - 3600 * 10**9)
    payload = work / "payload"
    write(payload, made.bodies)
    port = free_port()
    server = serve(home, work, port)
    try:
        server.wait_for(port, "/health", START_SECONDS)
        sent = send(payload, port, CONNECTIONS, (0, len(made.bodies)), HEADERS)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        times, counted = [], 0
        for number in range(ROUNDS + 1):
            began = time.perf_counter()
            for question in QUESTIONS:
                points = _ask(connection, question)
                if question["metric_name"] == "trace_count":
                    counted = sum(int(point["values"]["COUNT"]) for point in points)
            if number:
                times.append((time.perf_counter() - began) * 1e3)
        rss = server.rss_mb()
    finally:
        server.kill()
        shutil.rmtree(work, ignore_errors=True)
    return {
        "name": f"MLflow {VERSION} tracking server, 1 worker, SQLite",
        "spans_taken_in": sent.acknowledged * SPANS_PER_REQUEST,
        "seconds_to_take_in": round(sent.seconds, 1),
        "calls": counted * CALLS_PER_TRACE,
        "p50_ms": round(statistics.median(times), 1),
        "slowest_ms": round(max(times), 1),
        "rss_mb": round(rss),
    }


def _ask(connection: http.client.HTTPConnection, question: dict[str, Any]) -> list[dict[str, Any]]:
    body = {"experiment_ids": ["0"], "view_type": "TRACES", **question}
    connection.request(
        "POST", "/api/3.0/mlflow/traces/metrics", json.dumps(body), {"content-type": "application/json"}
    )
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 200:
        raise RuntimeError(f"the peer answered {answer.status}: {text[:300]!r}")
    found: list[dict[str, Any]] = json.loads(text).get("data_points", [])
    return found


if __name__ == "__main__":
    print(json.dumps(measure()))
