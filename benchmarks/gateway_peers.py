"""What the gateway is measured beside: LiteLLM's proxy, Portkey's gateway, nginx, and the barest proxy on our own stack.

Peers are installed on first use into a cache of their own, at pinned versions; nginx is Debian's and left out where it is
not installed. All are bound to loopback, without telemetry, with one worker.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.mlflow_peer import CACHE, ROOT
from benchmarks.processes import Server, free_port

LITELLM, PORTKEY = "1.106.2", "1.15.2"
KEY = "sk-bench-0123456789abcdef"


class Peer:
    """One of them, running."""

    path = "/v1/chat/completions"

    def __init__(self, name: str, command: list[str], work: Path, port: int, **environment: str) -> None:
        self.name = name
        self.port = port
        self.headers = [f"Authorization: Bearer {KEY}"]
        self.server = Server(command, work / f"{name.split()[0].lower()}.log", environment)

    def ready(self, path: str, seconds: float) -> Peer:
        """Returns when it answers. Raises RuntimeError, TimeoutError."""
        try:
            self.server.wait_for(self.port, path, seconds)
        except (RuntimeError, TimeoutError):
            self.server.kill()
            raise
        return self

    def stop(self) -> None:
        """kill -9."""
        self.server.kill()


def bare(work: Path, vendor: int) -> Peer:
    """uvicorn and aiohttp forwarding bytes, with no feature at all: the floor of this machine for our stack."""
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.gateway_bare", str(port), str(vendor)]
    return Peer("bare uvicorn and aiohttp", command, work, port).ready("/healthz", 30)


def nginx(work: Path, vendor: int) -> Peer | None:
    """One worker of nginx; None where it is not installed."""
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if found is None:
        return None
    port = free_port()
    file = work / "nginx.conf"
    file.write_text(
        f"""daemon off; worker_processes 1; pid {work}/nginx.pid; error_log {work}/nginx-error.log;
events {{ worker_connections 2048; }}
http {{
  access_log off; keepalive_requests 10000000; client_body_temp_path {work}/nginx-body; proxy_temp_path {work}/nginx-proxy;
  fastcgi_temp_path {work}/f; uwsgi_temp_path {work}/u; scgi_temp_path {work}/s;
  upstream vendor {{ server 127.0.0.1:{vendor}; keepalive 512; }}
  server {{
    listen 127.0.0.1:{port} backlog=1024;
    location = /healthz {{ return 200; }}
    location / {{
      proxy_pass http://vendor; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_buffering off;
    }}
  }}
}}
"""
    )
    return Peer("nginx", [found, "-c", str(file), "-p", str(work)], work, port).ready("/healthz", 20)


def litellm(work: Path, vendor: int) -> Peer:
    """LiteLLM's proxy with a master key, one worker, no database."""
    home = CACHE / f"litellm-{LITELLM}"
    if not (home / "complete").exists():
        uv = str(ROOT / ".bootstrap" / "bin" / "uv")
        print(f"installing litellm {LITELLM} into {home} …", flush=True)
        shutil.rmtree(home, ignore_errors=True)
        home.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([uv, "venv", "-q", "-p", "python3", str(home)], check=True)
        python = str(home / "bin" / "python")
        subprocess.run([uv, "pip", "install", "-q", "-p", python, f"litellm[proxy]=={LITELLM}"], check=True)
        (home / "complete").touch()
    port = free_port()
    model = {"model": "openai/bench-1", "api_base": f"http://127.0.0.1:{vendor}/v1", "api_key": "x"}
    model |= {"input_cost_per_token": "5e-7", "output_cost_per_token": "1.5e-6"}
    file = work / "litellm.yaml"
    settings = {"model_list": [{"model_name": "bench-1", "litellm_params": model}]}
    file.write_text(json.dumps(settings | {"general_settings": {"master_key": KEY}}))
    command = [str(home / "bin" / "litellm"), "--config", str(file), "--host", "127.0.0.1"]
    command += ["--port", str(port), "--num_workers", "1", "--telemetry", "False"]
    peer = Peer(
        f"LiteLLM {LITELLM}", command, work, port, LITELLM_LOCAL_MODEL_COST_MAP="True", LITELLM_LOG="ERROR"
    )
    return peer.ready("/health/liveliness", 180)


def portkey(work: Path, vendor: int) -> Peer:
    """Portkey's gateway in one Node process. It has no option for its address, so a preload binds it to loopback; its
    streams need the HTTP libraries that its own lock names."""
    home = CACHE / f"portkey-{PORTKEY}"
    node = ROOT / ".bootstrap" / "bin"
    if not (home / "complete").exists():
        print(f"installing @portkey-ai/gateway {PORTKEY} into {home} …", flush=True)
        shutil.rmtree(home, ignore_errors=True)
        home.mkdir(parents=True)
        (home / "package.json").write_text(
            json.dumps(
                {
                    "private": True,
                    "dependencies": {"@portkey-ai/gateway": PORTKEY},
                    "overrides": {"hono": "4.9.7", "@hono/node-server": "1.13.5"},
                }
            )
        )
        (home / "bind.cjs").write_text(
            "const net = require('net'); const listen = net.Server.prototype.listen;\n"
            "net.Server.prototype.listen = function (first, ...rest) {\n"
            "  if (first && typeof first === 'object') return listen.call(this, {...first, host: '127.0.0.1'}, ...rest);\n"
            "  return listen.call(this, first, '127.0.0.1', ...rest.filter((one) => typeof one === 'function'));\n"
            "};\n"
        )
        npm = [str(node / "npm"), "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]
        subprocess.run(npm, cwd=home, check=True, env={**os.environ, "PATH": f"{node}:{os.environ['PATH']}"})
        (home / "complete").touch()
    port = free_port()
    start = home / "node_modules/@portkey-ai/gateway/build/start-server.js"
    command = [str(node / "node"), "-r", str(home / "bind.cjs"), str(start), f"--port={port}", "--headless"]
    peer = Peer(f"Portkey {PORTKEY}", command, work, port, NODE_ENV="production").ready("/", 60)
    peer.headers += ["x-portkey-provider: openai", f"x-portkey-custom-host: http://127.0.0.1:{vendor}/v1"]
    return peer
