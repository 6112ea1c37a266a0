"""A gateway with guardrails of every kind, and how its routes are asked."""

from __future__ import annotations

from typing import Any

import httpx2
from hook import Hook
from running_gateway import KEY, Worker, rates
from vendor import Vendor

from holdfast.gateway.proxy.records import Record
from running_core import NO_TLS

MAIL = "jane.doe@example.com"
SECRET = "ghp_abcdefghijklmnopqrstuvwxyz0123456789"
FORM = {"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}
WORDS = ["Hello", " there", ",", " friend", "."]
GUARDRAILS: dict[str, Any] = {
    "mask": {"kind": "pii", "action": "redact"},
    "keys": {"kind": "secrets", "action": "block", "message": "Take the key out"},
    "note": {"kind": "pii", "action": "flag"},
    "short": {"kind": "size", "action": "block", "at": "input", "max_bytes": 400},
    "form": {"kind": "schema", "action": "block", "at": "output", "schema": FORM},
    "names": {
        "kind": "rules",
        "action": "redact",
        "rules": [{"name": "project", "pattern": r"(?i)project \w+"}],
    },
}
CHAINS = {
    "gpt": [{"upstream": "gpt", "model": "m"}],
    "claude": [{"upstream": "claude", "model": "m"}],
    "google": [{"upstream": "google", "model": "m"}],
}


def configure(worker: Worker, vendor: Vendor, hook: Hook) -> None:
    """Upstreams of three dialects, and a route for each release: what it leads to, and its guardrails, in its name."""

    def webhook(**more: Any) -> dict[str, Any]:
        return {"kind": "webhook", "action": "block", "url": hook.url, **more}

    guardrails = {
        **GUARDRAILS,
        "hook": webhook(credential="env:HOME"),
        "hook-open": webhook(at="input", timeout_ms=300, on_failure="open"),
        "hook-closed": webhook(at="input", timeout_ms=300),
        "hook-note": webhook(action="flag"),
        "metadata": webhook(url="http://169.254.169.254/latest", at="input"),
    }
    releases = {
        f"{chain}-{'-'.join(names)}": {"chain": CHAINS[chain], "guardrails": names}
        for chain, names in [
            *((chain, [name]) for chain in CHAINS for name in ("mask", "keys", "hook")),
            *(("gpt", [name]) for name in guardrails if name not in ("mask", "keys", "hook")),
            ("gpt", ["mask", "hook"]),
            ("gpt", []),
        ]
    }
    releases["prompted"] = {
        "chain": CHAINS["gpt"],
        "guardrails": ["mask"],
        "prompt": {
            "messages": [{"role": "system", "content": "Write to {{to}}."}],
            "variables": {"to": {}},
        },
    }
    releases["gone-on"] = {
        "chain": [{"upstream": "gpt", "model": "broken"}, {"upstream": "other", "model": "m"}],
        "guardrails": ["mask"],
        "continue_on_fallback": True,
    }
    releases["plain"] = {"chain": [{"upstream": "gpt", "model": "copy"}]}
    routes: dict[str, Any] = {name: {"release": name, "retries": 0} for name in releases}
    routes["gone-on"]["retries"] = 1
    routes["cached"] = {"release": "gpt-mask", "cache_seconds": 300}
    routes["shadowed"] = {"release": "gpt-mask", "shadow": {"release": "plain", "percent": 100}}
    worker.apply(
        {
            "upstreams": {
                "gpt": {"dialect": "openai", "base_url": vendor.url + "/v1"},
                "other": {"dialect": "openai", "base_url": vendor.url + "/v1"},
                "claude": {"dialect": "anthropic", "base_url": vendor.url + "/v1"},
                "google": {"dialect": "gemini", "base_url": vendor.url + "/v1beta"},
            },
            "guardrails": guardrails,
            "releases": releases,
            "routes": routes,
        },
        {"gpt": {"m": rates(input_uncached="1", output="2")}},
        release_ids={name: f"rel_{name}" for name in releases},
    )


def post(worker: Worker, route: str, path: str = "/v1/chat/completions", **body: Any) -> httpx2.Response:
    headers = {"authorization": f"Bearer {KEY}", "x-holdfast-route": route}
    if path.startswith("/v1/"):
        body = {"model": "m", **body}
    return httpx2.post(worker.url + path, json=body, headers=headers, verify=NO_TLS, timeout=20)


def chat(worker: Worker, route: str, text: str = "hi", **more: Any) -> httpx2.Response:
    return post(worker, route, messages=[{"role": "user", "content": text}], **more)


def verdicts(record: Record) -> list[tuple[str, str, str, int]]:
    return [(one.guardrail, one.at, one.verdict, one.count) for one in record.verdicts]
