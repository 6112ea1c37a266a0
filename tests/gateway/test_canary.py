"""Credentials planted in every place that takes one, and looked for in everything that comes out of core and gateway."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest
from running_gateway import GatewayProcess
from vendor import Vendor

from holdfast.commands import gateway as commands
from holdfast.kernel.errors import Invalid
from running_core import NO_TLS, CoreProcess, Workspace, independent, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
CANARIES = {
    "from the environment": "sk-canary-env-31f0aa97",
    "from a file": "sk-canary-file-77c2de01",
    "kept as a secret": "sk-canary-secret-902bd4f6",
}
HEADER = "canary-header-5e01b7c3"
"""The value of a header of an upstream: shown where the configuration is shown, and nowhere else."""
WAYS = (
    "well",
    "400",
    "401",
    "403",
    "429",
    "500",
    "529",
    "reset",
    "half",
    "close mid",
    "reset mid",
    "error mid",
)


@pytest.fixture
def core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CoreProcess]:
    monkeypatch.setenv("CANARY_ENV", CANARIES["from the environment"])
    monkeypatch.setenv("HOLDFAST_LOG_LEVEL", "debug")
    monkeypatch.setenv("PYTHONFAULTHANDLER", "1")
    made = CoreProcess(tmp_path / "data", outbound_allow="127.0.0.1").start()
    yield made
    made.kill()


@pytest.fixture
def gateway(core: CoreProcess) -> Iterator[GatewayProcess]:
    made = GatewayProcess(core.data)
    made.start()
    yield made
    if made.process is not None and made.process.poll() is None:
        made.kill()


class Said:
    """Everything that anybody was told, with from where."""

    def __init__(self) -> None:
        self.all: list[tuple[str, bytes]] = []

    def response(self, where: str, got: httpx2.Response) -> httpx2.Response:
        self.all.append((where, got.content + str(got.headers).encode() + str(got.url).encode()))
        return got

    def text(self, where: str, text: str | bytes) -> None:
        self.all.append((where, text.encode() if isinstance(text, str) else text))

    def holding(self, secret: str) -> list[str]:
        """Where a secret is to be found, as it is or in a form that it is often written in."""
        forms = (secret.encode(), secret.encode().hex().encode(), secret.encode()[::-1])
        return [where for where, text in self.all if any(form in text for form in forms)]


def ask(gateway: GatewayProcess, key: str, path: str, **body: Any) -> httpx2.Response:
    headers = {"authorization": f"Bearer {key}", "x-holdfast-tenant": "acme"}
    try:
        return httpx2.post(
            f"http://127.0.0.1:{gateway.port}{path}", json=body, headers=headers, verify=NO_TLS, timeout=20
        )
    except httpx2.RemoteProtocolError as error:
        return httpx2.Response(200, text=str(error), request=error.request)


def planted(core: CoreProcess, workspace: Workspace, vendor: Vendor, tmp_path: Path, said: Said) -> None:
    """A configuration in which each credential is used by an upstream of its own."""
    file = tmp_path / "credential"
    file.write_text(CANARIES["from a file"] + "\n")
    headers = {"authorization": f"Bearer {workspace.key}"}
    kept = core.client.put(
        "/api/v1/gateway/secrets/vendor", json={"value": CANARIES["kept as a secret"]}, headers=headers
    )
    said.response("the secret's own answer", kept)
    common = {"dialect": "openai", "base_url": vendor.url + "/v1", "headers": {"x-organisation": HEADER}}
    quick = {"first_byte": 1, "between_bytes": 1}
    credentials = {"env": "env:CANARY_ENV", "file": f"file:{file}", "secret": kept.json()["reference"]}
    upstreams: dict[str, Any] = {
        name: {**common, "credential": credential, "models": [name], "timeouts": quick}
        for name, credential in credentials.items()
    }
    upstreams["missing"] = {**common, "credential": "env:CANARY_MISSING", "models": ["missing"]}
    upstreams["claude"] = {
        **common,
        "dialect": "anthropic",
        "credential": "env:CANARY_ENV",
        "models": ["claude"],
    }
    document = tmp_path / "gateway.yaml"
    document.write_text(json.dumps({"upstreams": upstreams}))
    said.text("apply", commands.apply(core.settings, document, workspace.slug, "", None, dry_run=False))
    for name, value in (("credential", CANARIES["from the environment"]), ("headers", {"x-api-key": HEADER})):
        wrong = {"upstreams": {"bad": {**common, "headers": {}, name: value}}}
        document.write_text(json.dumps(wrong))
        with pytest.raises(Invalid) as refused:
            commands.apply(core.settings, document, workspace.slug, "", None, dry_run=False)
        said.text("a refused document", str(refused.value))


def test_a_planted_credential_comes_out_nowhere(
    core: CoreProcess, gateway: GatewayProcess, vendor: Vendor, tmp_path: Path
) -> None:
    said, shown = Said(), Said()
    workspace = core.workspace("main", scopes="gateway,read,content,ingest,admin")
    planted(core, workspace, vendor, tmp_path, said)
    names = ("env", "file", "secret")
    until(
        lambda: (
            ask(gateway, workspace.key, "/v1/chat/completions", model="env", messages=[]).status_code < 401
        ),
        20,
    )
    messages = [{"role": "user", "content": "hi"}]
    for name in names:
        for way in WAYS:
            vendor.tell(name, way)
            for stream in (False, True):
                got = ask(
                    gateway, workspace.key, "/v1/chat/completions",
                    model=name, messages=messages, stream=stream,
                )  # fmt: skip
                said.response(f"{name} {way}", got)
        used = {
            one["headers"].get("authorization") for one in vendor.seen if one["body"].get("model") == name
        }
        assert used & {f"Bearer {canary}" for canary in CANARIES.values()}, "it is really used"
    for path, body in (
        ("/v1/chat/completions", {"model": "missing", "messages": messages}),
        ("/v1/messages", {"model": "claude", "messages": messages, "max_tokens": 5}),
        ("/v1/messages", {"model": "env", "messages": messages, "max_tokens": 5}),
        ("/v1/responses", {"model": "env", "input": "hi"}),
        ("/v1/embeddings", {"model": "env", "input": "hi"}),
        ("/v1/moderations", {"model": "env", "input": "hi"}),
        ("/v1/chat/completions", {"model": "env"}),
        ("/v1/nothing", {}),
    ):
        said.response(path, ask(gateway, workspace.key, path, **body))
    said.response("a stranger", ask(gateway, "hf_stranger", "/v1/chat/completions", model="env"))
    workspace.count()
    until(lambda: workspace.count()[1] >= 30, 30, "the spans")

    headers = {"authorization": f"Bearer {workspace.key}"}
    until(
        lambda: bool(core.client.get("/api/v1/gateway/state", headers=headers).json()),
        20,
        "the gateway's state",
    )
    for path in (
        "calls?limit=500",
        "gateway/state",
        "gateway/secrets",
        "configurations",
        "calls/export?format=jsonl",
    ):
        assert said.response(path, core.client.get(f"/api/v1/{path}", headers=headers)).status_code == 200
    for call in workspace.calls():
        said.response("a trace", core.client.get(f"/api/v1/traces/{call['trace_id']}", headers=headers))
    for page in ("gateway", "gateway?ask_model=env", "gateway?ask_model=missing", "calls", "today"):
        assert said.response(page, core.client.get(f"/w/main/{page}", headers=headers)).status_code == 200
    for model in (*names, "missing"):
        said.text("explain", commands.explain(core.settings, "main", {"model": model}))
    for where, text in (
        ("show", commands.show(core.settings, "main", None).encode()),
        ("the configuration", core.client.get("/api/v1/gateway", headers=headers).content),
        ("its versions", core.client.get("/api/v1/gateway/versions/1", headers=headers).content),
    ):
        shown.text(where, text)

    [worker] = gateway.workers()
    os.kill(worker, signal.SIGABRT)
    until(lambda: gateway.workers() not in ([worker], []), 20, "another worker")
    assert gateway.process is not None
    gateway.process.terminate()
    gateway.process.wait(60)
    core.stop()
    log = (tmp_path / "gateway.log").read_bytes()
    assert b"Fatal Python error: Aborted" in log, "the crash wrote its dump"
    for path in tmp_path.rglob("*"):
        if path.is_file() and path.name not in ("credential", "gateway.yaml"):
            (shown if path.name.startswith(("holdfast.db", "snapshot")) else said).text(
                str(path), path.read_bytes()
            )
    stored = independent(
        core.data,
        "SELECT toString(tuple(*)) FROM spans",
    )
    assert len(stored) >= 30
    said.text("the stored spans", str(stored))

    for planted_as, secret in CANARIES.items():
        assert not said.holding(secret), planted_as
        assert not shown.holding(secret), planted_as
    assert not said.holding(HEADER)
    assert "show" in shown.holding(HEADER), "it is looked for where it is"
