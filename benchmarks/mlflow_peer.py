"""The peer: MLflow's tracking server in an environment of its own, sent the same requests, recounted in its SQLite."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import subprocess
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.processes import Server, free_port
from benchmarks.sender import send

VERSION = "3.17.2"
CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "holdfast-bench"
ROOT = Path(__file__).resolve().parent.parent
HEADERS = ("x-mlflow-experiment-id: 0",)
CONNECTIONS = 4
START_SECONDS = 240.0


def installed() -> Path:
    """Its environment, made on first use (about 700 MB, a minute or two). Raises CalledProcessError."""
    home = CACHE / f"mlflow-{VERSION}"
    if not (home / "complete").exists():
        uv = str(ROOT / ".bootstrap" / "bin" / "uv")
        print(f"installing mlflow {VERSION} into {home} …", flush=True)
        shutil.rmtree(home, ignore_errors=True)
        home.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([uv, "venv", "-q", "-p", "python3", str(home)], check=True)
        python = str(home / "bin" / "python")
        subprocess.run([uv, "pip", "install", "-q", "-p", python, f"mlflow[genai]=={VERSION}"], check=True)
        (home / "complete").touch()
    return home


def measure(payload: Path, sha256: str, requests: int, spans_per_request: int) -> dict[str, Any]:
    """Starts it, warms it up, sends `requests` of the payload, kills it, recounts. Keeps the result for quick runs."""
    home = installed()
    work = Path(tempfile.mkdtemp(prefix="holdfast-bench-mlflow-"))
    try:
        figures = _run(home, work, payload, requests, spans_per_request)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    figures |= {
        "name": f"MLflow {VERSION} tracking server, 1 worker, SQLite",
        "peer_from": "this run",
        "payload_sha256": sha256,
    }
    (CACHE / "mlflow-last.json").write_text(json.dumps({**figures, "at": datetime.now(UTC).isoformat()}))
    return figures


def remembered() -> dict[str, Any]:
    """The result of the last full run on this machine, marked as such; without one, only that it is unknown."""
    try:
        found: dict[str, Any] = json.loads((CACHE / "mlflow-last.json").read_text())
    except (OSError, ValueError):
        return {"name": "MLflow", "peer_from": "unknown: run the benchmark once without QUICK"}
    return {**found, "peer_from": f"cached run at {found.pop('at')}"}


def serve(home: Path, work: Path, port: int) -> Server:
    """Its tracking server with one worker, on SQLite in a folder of its own."""
    return Server(
        [
            str(home / "bin" / "mlflow"),
            "server",
            *("--host", "127.0.0.1", "--port", str(port), "--workers", "1"),
            *(
                "--backend-store-uri",
                f"sqlite:///{work / 'mlflow.db'}",
                "--artifacts-destination",
                str(work / "artifacts"),
            ),
        ],
        work / "log",
        {
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "DO_NOT_TRACK": "true",
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",  # its background jobs would only slow it down
            "PATH": f"{home / 'bin'}:{os.environ['PATH']}",
        },
    )


def _run(home: Path, work: Path, payload: Path, requests: int, spans_per_request: int) -> dict[str, Any]:
    port = free_port()
    server = serve(home, work, port)
    try:
        started = server.wait_for(port, "/health", START_SECONDS)
        send(payload, port, 1, (0, 2), HEADERS)
        time.sleep(3)
        before = server.cpu_seconds()
        sent = send(payload, port, CONNECTIONS, (2, 2 + requests), HEADERS)
        cpu = server.cpu_seconds() - before
        rss = server.rss_mb()
    finally:
        server.kill()
    acknowledged = sent.acknowledged * spans_per_request
    with closing(sqlite3.connect(work / "mlflow.db")) as opened:
        ids = opened.execute("SELECT count(*), count(DISTINCT trace_id || span_id) FROM spans").fetchone()
    durable = ids[1] - 2 * spans_per_request
    return {
        "started_seconds": round(started, 1),
        "sent_spans": requests * spans_per_request,
        "connections": CONNECTIONS,
        "acknowledged_spans": acknowledged,
        "recounted_spans": durable,
        "durable_spans_per_second": round(min(durable, acknowledged) / sent.seconds, 1),
        "cpu_ms_per_span": round(cpu * 1000 / max(acknowledged, 1), 3),
        "answer_p50_ms": round(sent.p50_ms, 1),
        "answer_p99_ms": round(sent.p99_ms, 1),
        "rss_after_load_mb": round(rss, 1),
        "refusal": sent.first_refusal,
    }
