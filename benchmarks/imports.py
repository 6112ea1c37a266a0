"""A million calls from an export file: `make bench NAME=imports [QUICK=1]`. The last line is one JSON object.

Rows of LiteLLM's spend log, as its table is exported (JSON lines), are written by this script in the shape that its own
writer gives them (a test holds our reader to what LiteLLM itself writes). They are imported by `holdfast import`, a
process of its own, into a running core on a fresh folder. The time is that of the whole command: until all is durable,
counted and priced. The calls are then counted by the API and, after `kill -9`, by a process without our code. Then the
same file is imported again, which must add nothing, and once more into a folder where no core runs.
"""

from __future__ import annotations

import json
import os
import platform
import random
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

from benchmarks import aims
from benchmarks.ingest import Holdfast
from benchmarks.recount import recount

DAYS = 180
MODELS = (
    ("openai", "gpt-4o-mini", "gpt-4o-mini-2024-07-18"),
    ("openai", "gpt-4o", "gpt-4o-2024-08-06"),
    ("anthropic", "claude-sonnet-4-5", "claude-sonnet-4-5-20250929"),
)
ASKED = (
    "How many days of leave do I have left this year, and until when must I take them? I began in {month}."
)
ANSWERED = "You have {days} days left. They must be taken until the end of March, unless your manager agrees in writing."


def row(number: int, rng: random.Random, end: int) -> str:
    """One row, about one kilobyte."""
    provider, model, served = MODELS[number % len(MODELS)]
    start = end - DAYS * 86_400 + number % (DAYS * 86_400) + rng.random()
    lasted = rng.uniform(0.2, 9.0)
    prompt, cached, completion = rng.randrange(200, 4000), rng.randrange(0, 200), rng.randrange(5, 900)
    usage = {
        "completion_tokens": completion,
        "prompt_tokens": prompt,
        "total_tokens": prompt + completion,
        "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": None},
        "prompt_tokens_details": {"audio_tokens": None, "cached_tokens": cached},
    }
    answer = ANSWERED.format(days=number % 31)
    made = {
        "request_id": f"chatcmpl-{number:012x}-{rng.getrandbits(64):016x}",
        "call_type": "acompletion",
        "api_key": f"{number % 97:064x}",
        "spend": round(prompt * 1.5e-7 + completion * 6e-7, 12),
        "total_tokens": prompt + completion,
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "startTime": _iso(start),
        "endTime": _iso(start + lasted),
        "completionStartTime": _iso(start + lasted / 5),
        "model": model,
        "model_group": model,
        "custom_llm_provider": provider,
        "api_base": "https://example.com/v1",
        "user": "",
        "metadata": json.dumps({"usage_object": usage, "user_api_key_team_alias": f"team-{number % 7}"}),
        "cache_hit": "False",
        "request_tags": '["hr"]',
        "team_id": f"team-{number % 7}",
        "end_user": f"user-{number % 5000}",
        "messages": [{"role": "user", "content": ASKED.format(month=number % 12 + 1)}],
        "response": {
            "id": f"chatcmpl-{number:012x}",
            "model": served,
            "choices": [
                {"finish_reason": "stop", "index": 0, "message": {"role": "assistant", "content": answer}}
            ],
        },
        "session_id": f"session-{number // 4}",
        "status": "success",
    }
    return json.dumps(made)


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()


def write(path: Path, calls: int) -> None:
    """The export file."""
    rng = random.Random(7)
    end = int(time.time()) - 3600
    with path.open("w", encoding="utf-8") as file:
        for number in range(calls):
            file.write(row(number, rng, end) + "\n")


def imported(path: Path, data: Path, report: Path) -> tuple[float, dict[str, Any], float]:
    """Runs the command: seconds, its report, its own CPU seconds."""
    command = [sys.executable, "-m", "holdfast", "import", "litellm", str(path), "--system", "hr"]
    command += ["--workspace", "bench", "--data", str(data), "--report", str(report)]
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    seconds = time.monotonic() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    told: dict[str, Any] = json.loads(report.read_text())
    return seconds, told, cpu


def measure(work: Path, calls: int, alone: int) -> tuple[dict[str, Any], bool]:
    """Figures, and whether every call is there once."""
    path, report = work / "spend-logs.jsonl", work / "report.json"
    write(path, calls)
    size = path.stat().st_size
    print(f"{calls} rows of {size / calls:.0f} bytes", flush=True)
    holdfast = Holdfast(work)
    try:
        load = os.getloadavg()[0]
        cpu = holdfast.server.cpu_seconds()
        seconds, told, own = imported(path, holdfast.data, report)
        cpu = holdfast.server.cpu_seconds() - cpu
        counted = holdfast.counted(calls, 60)
        rss = holdfast.server.rss_mb()
        print(f"first: {seconds:.1f} s, {told['imported']} imported", flush=True)
        again, second, _ = imported(path, holdfast.data, report)
        after = holdfast.counted(calls, 60)
        holdfast.server.kill()
        found = recount(holdfast.data / "columns")
    finally:
        holdfast.server.kill()
    some = work / "some.jsonl"
    write(some, alone)
    stopped, third, _ = imported(some, work / "stopped", report)
    biggest = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    figures = {
        "calls": calls,
        "bytes_per_call": round(size / calls),
        "seconds": round(seconds, 1),
        "calls_per_second": round(calls / seconds),
        "seconds_per_million": round(seconds * 1e6 / calls, 1),
        "cpu_ms_per_call": round((cpu + own) * 1000 / calls, 4),
        "reader_cpu_ms_per_call": round(own * 1000 / calls, 4),
        "again_seconds": round(again, 1),
        "again_calls_per_second": round(calls / again),
        "stopped_calls_per_second": round(alone / stopped),
        "core_rss_after_mb": round(rss, 1),
        "largest_process_mb": round(biggest, 1),
        "load_average": round(load, 2),
        "added_by_the_second_import": second["imported"],
        "recounted_calls": found["calls"],
    }
    sound = (
        told["imported"] == counted["calls"] == after["calls"] == found["calls"] == calls
        and (second["imported"], second["already_there"]) == (0, calls)
        and told["refused"] == 0
        and third["imported"] == alone
        and not told["unpriced"]
    )
    return figures, sound


def main(*, quick: bool) -> dict[str, Any]:
    """Runs it all; returns the last line's object."""
    wanted = aims.read("imports")
    calls = int(os.environ.get("CALLS") or (60_000 if quick else 1_000_000))
    work = Path(tempfile.mkdtemp(prefix="holdfast-bench-"))
    try:
        figures, sound = measure(work, calls, max(calls // 10, 1))
    finally:
        shutil.rmtree(work, ignore_errors=True)
    about = {
        "versions": {name: version(name) for name in ("holdfast", "chdb", "msgspec")}
        | {"python": platform.python_version()},
        "machine": {"cpus": os.cpu_count(), "load_average_at_end": os.getloadavg()[0]},
        "quick": quick,
    }
    return aims.last_line("imports", wanted, figures, {}, about, sound=sound)


if __name__ == "__main__":
    print(json.dumps(main(quick=os.environ.get("QUICK", "") not in ("", "0"))))
