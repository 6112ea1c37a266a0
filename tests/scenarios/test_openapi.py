"""The published description of the API holds: made-up requests to the real process, read by schemathesis."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from tests.gateway.running_gateway import GatewayProcess

from otlp_made import body, span
from running_core import CoreProcess, Workspace
from stand import free_port

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

EXAMPLES = 8
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
PUBLIC = {"/healthz", "/readyz"}
EVERY = {"401", "403", "404", "422", "503"}
"""What each operation says that it may answer, as problem details."""


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    port = free_port()
    core = CoreProcess(
        tmp_path_factory.mktemp("described") / "data",
        min_free_bytes=1,
        outbound_allow="127.0.0.1",
        gateway_url=f"http://127.0.0.1:{port}",
    )
    core.start()
    gateway = GatewayProcess(core.data, port)
    gateway.start()
    made = core.workspace("described", "read,content,operate,admin,ingest")
    said = {"gen_ai.operation.name": "chat", "gen_ai.request.model": "gpt-4o-mini", "gen_ai.prompt": "hello"}
    traces = [span(f"{number:032x}", attributes=said) for number in range(1, 6)]
    assert made.post(body(traces)).status_code == 200
    yield made
    gateway.kill()
    core.stop()


@pytest.fixture(scope="module")
def document(workspace: Workspace) -> dict[str, Any]:
    found: dict[str, Any] = workspace.core.client.get("/api/openapi.json").json()
    return found


def operations(document: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and description of each operation."""
    for path, methods in document["paths"].items():
        for method, described in methods.items():
            yield method.upper(), path, described


def test_every_operation_says_how_it_fails(document: dict[str, Any]) -> None:
    for method, path, described in operations(document):
        if path in PUBLIC:
            continue
        missing = EVERY - described["responses"].keys()
        assert not missing, f"{method} {path} does not describe {sorted(missing)}"
        for status in EVERY:
            assert "application/problem+json" in described["responses"][status]["content"], (path, status)


def test_without_credentials_each_operation_is_refused(
    workspace: Workspace, document: dict[str, Any]
) -> None:
    for method, path, _ in operations(document):
        if path in PUBLIC:
            continue
        filled = path.replace("{", "").replace("}", "")
        answer = workspace.core.client.request(method, filled, json={})
        assert answer.status_code in (401, 422), f"{method} {path}: {answer.status_code}"
        if answer.status_code == 422:  # the form is looked at first; it must say nothing else
            assert answer.headers["content-type"] == "application/problem+json"
        elif method != "HEAD":
            assert answer.json()["type"] == "urn:holdfast:problem:unauthenticated"


def test_what_is_described_is_what_is_answered(workspace: Workspace, document: dict[str, Any]) -> None:
    """Requests made up from the description, good ones and bad ones, seeded: no 5xx, and each answer as described."""
    schema = schemathesis.openapi.from_dict(document)
    base = f"http://127.0.0.1:{workspace.core.port}"
    headers = {"authorization": f"Bearer {workspace.key}"}
    faults: list[str] = []
    tried = 0
    for result in schema.get_all_operations():
        operation = result.ok()

        @settings(
            max_examples=EXAMPLES,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            phases=[Phase.explicit, Phase.generate],
        )
        @given(case=operation.as_strategy())
        def holds(case: schemathesis.Case) -> None:
            nonlocal tried
            tried += 1
            answer = case.call(base_url=base, headers=headers)
            case.validate_response(answer, checks=CHECKS)

        try:
            holds()
        except BaseExceptionGroup as group:
            faults.append(f"{operation.method.upper()} {operation.path}: {group.exceptions}")
        except AssertionError as error:
            faults.append(f"{operation.method.upper()} {operation.path}: {error}")
    assert not faults, "\n\n".join(faults)
    assert tried > EXAMPLES * 10


ODD = (
    {"from": "0001-01-01T00:00:00+14:00"},
    {"to": "9999-12-31T23:59:59-12:00"},
    {"from": "yesterday"},
    {"from": "2026-01-01T00:00:00"},
    {"cursor": "WyJ0aW1lIiwgMTAwMDAwMDAwMDAwMDAwMDAwMDAwMDAwMCwgIngiXQ"},
    {"cursor": "WyJjb3N0IiwgIk5hTiIsICJ4Il0", "order": "cost"},
    {"cursor": "WyJjb3N0IiwgImEiLCAieCJd", "order": "cost"},
    {"cursor": "%%%"},
)


@pytest.mark.parametrize("query", ODD, ids=str)
def test_odd_instants_and_cursors_are_invalid(workspace: Workspace, query: dict[str, str]) -> None:
    headers = {"authorization": f"Bearer {workspace.key}"}
    paths = ["/api/v1/calls", "/w/described/calls"]
    if "cursor" not in query:
        paths += ["/api/v1/calls/count", "/w/described/calls/summary", "/w/described/calls/facets"]
    sorts = {"sort": "-cost_amount"} if "order" in query else {}
    for path in paths:
        params = (
            query if path.startswith("/api") else {k: v for k, v in query.items() if k != "order"} | sorts
        )
        answer = workspace.core.client.get(path, params=params, headers=headers)
        assert answer.status_code == 422, f"{path}: {answer.status_code} {answer.text[:300]}"
    for after in ("soon", "0001-01-01T00:00:00Z"):
        answer = workspace.core.client.get(
            "/w/described/calls/tail", params={"after": after}, headers=headers
        )
        assert answer.status_code == 422, f"{after}: {answer.status_code}"
