"""Runs of the demo's suite on the real local model: `make bench NAME=eval_runs [QUICK=1]`. The last line is one JSON object.

What must be told apart is declared first: a regression (an edit puts the policy into a field that the model does not read),
no change, and a change too small for 67 cases (a word of the prompt). Each is judged over seeds against a baseline with
another seed, every question through the gateway; beside it stands what a plain threshold (the pass rate fell by 5 points)
says of the same answers. Then the throughput of a run beside what the upstream alone gives at the same concurrency.
"""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from benchmarks import aims
from benchmarks.processes import Server, free_port
from holdfast.commands.demo import ASK, PROMPT

QUICK = bool(os.environ.get("QUICK"))
SEEDS = 2 if QUICK else 20
REPEATS = 1
CONCURRENCY = 4
CASES = Path(__file__).resolve().parents[1] / "demo" / "suites"
MODEL = "smollm2-135m-instruct"
FALL = 0.05
"""What the plain threshold takes for a regression."""
RUNS = "/api/v1/evals/runs"
LATENCY = 0.25
"""Seconds that the upstream takes for an answer: a fast vendor's for a short one."""
AT_ONCE = 16
QUESTIONS = 640 if QUICK else 1600


def _prompt(system: str, **user: str) -> dict[str, Any]:
    said = {"role": "user", "content": "Policy: {{policy}}\n\nQuestion: {{question}}", **user}
    return {
        "messages": [{"role": "system", "content": system}, said],
        "variables": {"policy": {}, "question": {}},
    }


SAID = str(PROMPT["messages"][0]["content"])  # type: ignore[index]
KINDS = {
    "unchanged": PROMPT,
    "regression": _prompt(SAID, content="Question: {{question}}", name="{{policy}}"),
    "small": _prompt(SAID.replace("in one short sentence", "in one sentence")),
}
"""Kind of change → the candidate's prompt."""


class Stand:
    """A core, a gateway, and an upstream that it leads to."""

    def __init__(self, work: Path, upstream: str, releases: dict[str, Any]) -> None:
        self._work, self.data = work, work / "data"
        self.port, core_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{core_port}"
        environment = {
            "HOLDFAST_OUTBOUND_ALLOW": "127.0.0.1",
            "HOLDFAST_GATEWAY_URL": f"http://127.0.0.1:{self.port}",
        }
        options = ("--data", str(self.data))
        ports = ("--port", str(core_port), "--grpc-port", "0")
        self._servers = [Server([*_HOLDFAST, "serve", *options, *ports], work / "core.log", environment)]
        self.core = self._servers[0]
        self._servers[0].wait_for(core_port, "/readyz", 120)
        made = ("key", "create", *options, "--workspace", "bench", "--scopes", "read,operate,gateway")
        self.key = subprocess.run(
            [*_HOLDFAST, *made], check=True, stdout=subprocess.PIPE, text=True
        ).stdout.strip()
        price = {"input_uncached": "0.05", "output": "0.20"}
        written = {
            "upstreams": {
                "one": {
                    "dialect": "openai",
                    "base_url": upstream,
                    "models": [MODEL],
                    "prices": {MODEL: price},
                }
            },
            "releases": releases,
            "routes": {ASK: {"release": next(iter(releases)), "models": [ASK]}},
        }
        file = work / "gateway.json"
        file.write_text(json.dumps(written))
        for command in (("gateway", "apply", str(file)), ("suites", "apply", str(CASES))):
            subprocess.run(
                [*_HOLDFAST, *command, *options, "--workspace", "bench"],
                check=True,
                stdout=subprocess.DEVNULL,
            )
        serve = ("gateway", "serve", *options, "--gateway-port", str(self.port))
        self._servers.append(Server([*_HOLDFAST, *serve], work / "gateway.log", environment))
        self._servers[1].wait_for(self.port, "/readyz", 60)

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Asks the core's API."""
        request = urllib.request.Request(
            self.url + path,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"authorization": f"Bearer {self.key}", "content-type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            return json.load(answer)

    def run(self, suite: str = "northwind-hr", **wanted: Any) -> dict[str, Any]:
        """Makes a run and waits for its end."""
        made = self.ask("POST", RUNS, {"suite": suite, "reuse": False, **wanted})
        while True:
            found: dict[str, Any] = self.ask("GET", f"{RUNS}/{made['id']}")
            if found["state"] not in ("queued", "running"):
                return found
            time.sleep(0.5)

    def stop(self) -> None:
        """Ends all of it."""
        for server in reversed(self._servers):
            server.kill()
        shutil.rmtree(self.data, ignore_errors=True)


def story(work: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """Figures, and those of the plain threshold."""
    port = free_port()
    model = Server(
        [sys.executable, "-m", "demo.model_server", "--port", str(port), "--parent", str(os.getpid())],
        work / "model.log",
    )
    model.wait_for(port, "/health", 120)
    chain = [{"upstream": "one", "model": MODEL}]
    parameters = {"temperature": 0.2, "max_tokens": 32}
    releases = {
        name: {"chain": chain, "parameters": parameters, "prompt": prompt} for name, prompt in KINDS.items()
    }
    stand = Stand(work, f"http://127.0.0.1:{port}/v1", releases)
    told: dict[str, list[str]] = {kind: [] for kind in KINDS}
    fell: dict[str, int] = dict.fromkeys(KINDS, 0)
    needs: list[Any] = []
    began = time.monotonic()
    try:
        common: dict[str, Any] = {"repeats": REPEATS, "concurrency": CONCURRENCY}
        base = stand.run(release="unchanged", seed=SEEDS, **common)
        for seed in range(SEEDS):
            before = base
            for kind in KINDS:
                found = stand.run(release=kind, seed=seed, baseline=before["id"], **common)
                if kind == "unchanged":
                    base = found  # the next seed is held against this one
                verdict = found["verdict"]
                compared = verdict["suite"]["comparison"]
                outcome = verdict["suite"]["outcome"] if verdict["outcome"] != "fail" else "fail"
                told[kind].append(outcome)
                fell[kind] += compared["difference"] <= -FALL
                if kind == "small":
                    needs.append(verdict["suite"]["needs"])
                print(
                    f"seed {seed:2} {kind:10} {before['verdict']['suite']['score']['value']:.3f} →"
                    f" {verdict['suite']['score']['value']:.3f}"
                    f" ({compared['low']:+.3f} to {compared['high']:+.3f}) {outcome}",
                    flush=True,
                )
    finally:
        stand.stop()
        model.stop()
    figures = {
        "seeds": SEEDS,
        "regression_caught_share": told["regression"].count("fail") / SEEDS,
        "unchanged_failed_share": told["unchanged"].count("fail") / SEEDS,
        "small_inconclusive_share": told["small"].count("inconclusive") / SEEDS,
        "small_says_what_it_needs_share": sum(
            bool(one and (one["more_cases"] or one["repeats"])) for one in needs
        )
        / SEEDS,
        "outcomes": {kind: {one: told[kind].count(one) for one in sorted(set(told[kind]))} for kind in told},
        "needs": needs[:3],
        "seconds": round(time.monotonic() - began),
    }
    return figures, {f"plain_threshold_{kind}_flagged_share": fell[kind] / SEEDS for kind in KINDS}


def throughput(work: Path) -> dict[str, Any]:
    """Answers per second of a run, beside those that the upstream alone gives at the same concurrency."""
    port = free_port()
    vendor = Server(
        [sys.executable, "-m", "benchmarks.eval_upstream", str(port), str(LATENCY)], work / "vendor.log"
    )
    vendor.wait_for(port, "/health", 30)
    chain = [{"upstream": "one", "model": MODEL}]
    stand = Stand(work, f"http://127.0.0.1:{port}/v1", {"unchanged": {"chain": chain}})
    cases = [
        {"id": f"c{number}", "prompt": f"question {number}", "expect": [{"contains": "fine"}]}
        for number in range(QUESTIONS)
    ]
    file = work / "many.yaml"
    file.write_text(json.dumps({"name": "many", "route": ASK, "cases": cases}))
    command = ("suites", "apply", str(file), "--data", str(stand.data), "--workspace", "bench")
    subprocess.run([*_HOLDFAST, *command], check=True, stdout=subprocess.DEVNULL)
    try:
        before = stand.core.cpu_seconds()
        found = stand.run("many", concurrency=AT_ONCE)
        cpu = stand.core.cpu_seconds() - before
        began, ended = _instant(found["started_at"]), _instant(found["finished_at"])
        ours = QUESTIONS / (ended - began)
    finally:
        stand.stop()
    alone = direct(port)
    vendor.stop()
    return {
        "answers_per_second": round(ours, 1),
        "upstream_alone_per_second": round(alone, 1),
        "share_of_upstream": round(ours / alone, 3),
        "core_cpu_ms_per_answer": round(1000 * cpu / QUESTIONS, 2),
    }


def direct(port: int) -> float:
    """The upstream's own answers per second, asked by as many threads."""
    import http.client

    body = json.dumps({"model": MODEL, "messages": [{"role": "user", "content": "x"}]})

    def some(count: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        for _ in range(count):
            connection.request("POST", "/v1/chat/completions", body, {"content-type": "application/json"})
            connection.getresponse().read()
        connection.close()

    began = time.monotonic()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(some, [QUESTIONS // AT_ONCE] * AT_ONCE))
    return QUESTIONS // AT_ONCE * AT_ONCE / (time.monotonic() - began)


def _instant(text: str) -> float:
    from datetime import datetime

    return datetime.fromisoformat(text).timestamp()


def main() -> None:
    """Prints what was measured."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        (work / "speed").mkdir()
        (work / "story").mkdir()
        speed = throughput(work / "speed")
        print(json.dumps(speed), flush=True)
        figures, plain = story(work / "story")
    about = {"quick": QUICK, "python": platform.python_version(), "cases": 67, "repeats": REPEATS}
    whole = aims.last_line(
        "eval_runs", aims.read("eval_runs"), {**figures, **speed}, plain, about, sound=True
    )
    print(json.dumps(whole))


_HOLDFAST = (sys.executable, "-m", "holdfast")

if __name__ == "__main__":
    main()
