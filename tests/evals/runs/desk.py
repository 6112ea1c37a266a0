"""A core, a gateway and a vendor, and a suite to ask."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from tests.gateway.running_gateway import GatewayProcess
from tests.gateway.vendor import Vendor

from holdfast.commands import gateway as gateway_commands
from holdfast.commands import open_database
from holdfast.commands import suites as suite_commands
from holdfast.platform.epochs import reads as epochs
from running_core import CoreProcess, Workspace, until
from stand import free_port

RUNS = "/api/v1/evals/runs"
WORDS = "Hello there, friend."
"""What the vendor answers."""


@dataclass
class Desk:
    """Where tests apply suites and make runs."""

    core: CoreProcess
    gateway: GatewayProcess
    vendor: Vendor
    workspace: Workspace
    folder: Path

    @property
    def headers(self) -> dict[str, str]:
        return {"authorization": f"Bearer {self.workspace.key}"}

    def configure(self, **more: Any) -> None:
        """Puts the gateway's file in force with `more` in it, and waits until the gateway lives by it."""
        file = self.folder / "gateway.yaml"
        if more:
            document = json.loads(file.read_text()) | more
            file = self.folder / "changed.yaml"
            file.write_text(json.dumps(document))
        gateway_commands.apply(self.core.settings, file, self.workspace.slug, "", None, dry_run=False)
        with closing(open_database(self.core.settings)) as database, database.reading() as tx:
            epoch = epochs.current(tx)
        until(lambda: self.gateway.epoch() >= epoch, 30, "the gateway's next epoch")

    def suite(self, name: str, cases: list[dict[str, Any]], **more: Any) -> None:
        """Applies a suite from a file."""
        file = self.folder / f"{name}.yaml"
        file.write_text(json.dumps({"name": name, "route": "r", "cases": cases, **more}))
        suite_commands.apply(self.core.settings, [file], self.workspace.slug, "", dry_run=False)

    def make(self, suite: str, **more: Any) -> dict[str, Any]:
        """Makes a run."""
        answer = self.core.client.post(RUNS, json={"suite": suite, **more}, headers=self.headers)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    def get(self, id: str, rest: str = "", **params: Any) -> Any:
        answer = self.core.client.get(f"{RUNS}/{id}{rest}", params=params, headers=self.headers)
        assert answer.status_code == 200, answer.text
        return answer.json() if "json" in answer.headers["content-type"] else answer.text

    def over(self, id: str, seconds: float = 60) -> dict[str, Any]:
        """The run, when it is over."""
        until(lambda: self.get(id)["state"] not in ("queued", "running"), seconds, "the end of the run")
        found: dict[str, Any] = self.get(id)
        return found

    def ran(self, suite: str, **more: Any) -> dict[str, Any]:
        """Makes a run and waits for its end."""
        return self.over(self.make(suite, **more)["id"])

    def cancel(self, id: str) -> httpx2.Response:
        return self.core.client.post(f"{RUNS}/{id}/cancel", headers=self.headers)


@contextmanager
def desk(folder: Path, vendor: Vendor | None = None, slug: str = "acme", **settings: str) -> Iterator[Desk]:
    """All of it, running; `settings` of the core."""
    vendor, port = vendor or Vendor(), free_port()
    vendor.start()
    core = CoreProcess(
        folder / "data", outbound_allow="127.0.0.1", gateway_url=f"http://127.0.0.1:{port}", **settings
    ).start()
    gateway = GatewayProcess(core.data, port)
    gateway.start()
    made = Desk(
        core, gateway, vendor, core.workspace(slug, "read,operate,admin,ingest,gateway,content"), folder
    )
    price = {"input_uncached": "1", "output": "2"}
    upstream = {"dialect": "openai", "base_url": vendor.url + "/v1", "prices": {"m": price, "late": price}}
    written = {
        "upstreams": {"one": upstream},
        "releases": {
            "v1": {"chain": [{"upstream": "one", "model": "m"}]},
            "late": {"chain": [{"upstream": "one", "model": "late"}]},
        },
        "routes": {"r": {"release": "v1", "cache_seconds": 300, "retries": 0}},
    }
    (folder / "gateway.yaml").write_text(json.dumps(written))
    made.configure()
    try:
        yield made
    finally:
        gateway.kill()
        core.stop()
        vendor.stop()


def cases(count: int, expected: str = WORDS, **more: Any) -> list[dict[str, Any]]:
    """Cases that the vendor's answer passes, unless something else is expected."""
    return [
        {"id": f"c{number}", "prompt": f"question {number}", "expect": [{"exact": expected}], **more}
        for number in range(count)
    ]
