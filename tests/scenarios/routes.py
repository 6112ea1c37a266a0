"""Every route of the application as it is put together, and with what a request to it is filled.

A route, parameter or field that is not known here fails the tests that walk the routes: so that whoever adds one
says what of a neighbour's could be put into it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from fastapi import FastAPI
from pydantic import BaseModel

from holdfast.app import make_api
from holdfast.kernel.time import utc_now
from holdfast.platform.services import Services
from holdfast.platform.settings import Settings
from holdfast.telemetry.receiver.http import PATHS

OPEN = {
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/metrics"),
    ("GET", "/api/openapi.json"),
    ("GET", "/sign-in"),
    ("POST", "/sign-in"),
    ("GET", "/sign-in/link"),
    ("POST", "/sign-in/link"),
    ("GET", "/sign-in/oidc"),
    ("GET", "/sign-in/oidc/callback"),
    ("GET", "/f/{token}"),
    ("POST", "/f/{token}"),
    ("GET", "/f/{token}/widget"),
    ("POST", "/f/{token}/widget"),
    ("GET", "/feedback-widget.js"),
}
"""What answers without credentials. Nothing else may; the static files beside."""
OTHER = {"/api/openapi.json": "Route", "/static": "Mount"}
"""Routes that are no operations of ours."""


@dataclass(frozen=True)
class Operation:
    """One method of one path: the names of what it takes, and the kind of each field of its body."""

    method: str
    path: str
    path_names: dict[str, Any]
    query: dict[str, Any]
    body: dict[str, Any]
    form: bool

    @property
    def is_page(self) -> bool:
        return not self.path.startswith(("/api/", "/ofrep/"))

    @property
    def title(self) -> str:
        return f"{self.method} {self.path}"


def _walk(routes: Any) -> Iterator[Any]:
    for route in routes:
        if hasattr(route, "effective_route_contexts"):
            yield from route.effective_route_contexts()
        else:
            yield route


def _dependants(dependant: Any) -> Iterator[Any]:
    yield dependant
    for one in dependant.dependencies:
        yield from _dependants(one)


def _fields(params: Any) -> dict[str, Any]:
    """Names and types; those of a model stand for it."""
    found: dict[str, Any] = {}
    for param in params:
        kind = param.field_info.annotation
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            found |= {field.alias or name: field.annotation for name, field in kind.model_fields.items()}
        else:
            found[param.alias] = kind
    return found


def application() -> FastAPI:
    """The application, with nothing open behind it."""
    settings = Settings(data=Path("/nonexistent"))
    return make_api(Services(settings, utc_now, None, None), None)  # type: ignore[arg-type]


def operations(app: FastAPI) -> list[Operation]:
    """All operations. Fails on a kind of route that it cannot look into."""
    found = []
    for route in _walk(app.routes):
        dependant = getattr(route, "dependant", None)
        if dependant is None:
            kind = type(route).__name__
            assert OTHER.get(route.path) == kind, f"a route that nobody looks into: {kind} {route.path}"
            continue
        every = list(_dependants(dependant))
        body = [param for one in every for param in one.body_params]
        kinds = _fields(param for one in every for param in one.path_params)
        for method in sorted(route.methods - {"HEAD"}):
            found.append(
                Operation(
                    method,
                    route.path,
                    {name: kinds.get(name, str) for name in re.findall(r"{(\w+)(?::path)?}", route.path)},
                    _fields(param for one in every for param in one.query_params),
                    _fields(body),
                    any(type(param.field_info).__name__ in ("Form", "File") for param in body),
                )
            )
    return found


def otlp_paths() -> list[str]:
    """The paths that stand before the application."""
    return sorted(PATHS)


def choices(kind: Any) -> list[Any] | None:
    """The values of a Literal, or of a list of them; None for anything else."""
    if get_origin(kind) is Literal:
        return list(get_args(kind))
    return None


FREE: dict[str, Any] = {
    "role": "viewer",
    "content": False,
    "name": "a name",
    "zone": "UTC",
    "purpose": "a purpose",
    "owner": "an owner",
    "sponsor": "a sponsor",
    "escalation_contact": "a contact",
    "risk_tier": "unassessed",
    "regions": [],
    "scopes": ["read"],
    "expires_at": None,
    "capture": "on",
    "sample_rate": 1.0,
    "sample_percent": "100",
    "redact_kinds": [],
    "dlp_webhook": "",
    "content_days": 30,
    "span_days": 400,
    "call_days": 800,
    "password": "some five words of mine",
    "current": "four words make one",
    "token": "no-such-token",
    "next": "/",
    "query": "range=1h",
    "title": "a title",
    "dashboard": "",
    "change": "up",
    "panels": [{"title": "a title", "measures": ["calls"]}],
    "fault": "slow-upstream",
    "state": "break",
    "provider": "openai",
    "model_pattern": "a-model-of-mine",
    "rates": {"input_uncached": "1", "output": "1"},
    "effective_from": "2026-01-01T00:00:00Z",
    "effective_to": None,
    "currency": "USD",
    "service_tier": None,
    "note": "a note",
    "body": "bytes",
    "input_uncached": "1",
    "input_cache_read": "",
    "input_cache_write": "",
    "output": "2",
    "reason": "a reason",
    "from": "2026-01-01T00:00:00Z",
    "to": "2026-12-31T00:00:00Z",
    "from_at": "2026-01-01T00:00:00Z",
    "to_at": "2026-12-31T00:00:00Z",
    "kind": "no_data",
    "enabled": False,
    "host": "127.0.0.1",
    "port": 587,
    "tls": "starttls",
    "sender": "me@nobody.test",
    "recipients": ["you@nobody.test"],
    "url": "http://127.0.0.1:9/in",
    "secret": "",
    "severity": "info",
    "channels": None,
    "channel": "",
    "route": "",
    "tenant": "",
    "model": "",
    "window_minutes": 5,
    "min_calls": 20,
    "error_percent": 5.0,
    "percent": "5",
    "p95_ms": 1000.0,
    "ms": "1000",
    "period": "day",
    "amount": "100",
    "percents": [50, 80],
    "rule_id": "",
    "document": {},
    "value": "sk-made-up",
    "dialect": "openai",
    "key": "",
    "agent": "",
    "session": "",
    "feature": "",
    "run": "",
    "what": "budget",
    "scope": "tenant",
    "until": (utc_now() + timedelta(hours=20)).isoformat(),
    "minutes": "60",
    "extra": None,
    "person": "a person",
    "life": "",
    "routes": [],
    "models": [],
    "message": "hello",
    "instructions": "",
    "max_tokens": 5,
    "ask_model": "a-model-of-mine",
    "ask_dialect": "openai",
    "ask_key": "",
    "ask_route": "",
    "ask_message": "hello",
    "ask_instructions": "",
    "ask_max_tokens": "5",
    "ask_tenant": "",
    "ask_user": "",
    "ask_session": "",
    "ask_agent": "",
    "ask_system": "",
    "files": {"made.yaml": "cases:\n- {id: a, prompt: Hi, expect: {exact: x}}\n"},
    "dry_run": True,
    "expected": None,
    "author": "an expert",
    "review_on": (utc_now() + timedelta(days=300)).date().isoformat(),
    "text": "name: made\ncases:\n- {id: a, prompt: Hi, expect: {exact: x}}\n",
    "version": "0",
    "step": "check",
    "format": "jsonl",
    "file": "made.jsonl",
    "grader": "normalised",
    "columns": {},
    "suite": "no-such-suite",
    "anew": "",
    "release": "",
    "baseline": "",
    "repeats": 1,
    "least": 0.5,
    "margin": 0.05,
    "seed": 1,
    "concurrency": 1,
    "max_cost": "1",
    "reuse": True,
    "case": "no-such-case",
    "repeat": 0,
    "expectation": "judge",
    "policy": {},
    "decisions": {"tone": "unclear"},
    "decision": "unclear",
    "each": ["tone=unclear"],
    "dimension": "tone",
    "cron": "0 3 * * *",
    "time_zone": "UTC",
    "begins": "schedule",
    "id": None,
    "call_id": "ab" * 8,
    "trace_id": None,
    "rating": 1,
    "score": 0.5,
    "label": None,
    "comment": "a comment",
    "correction": None,
    "used": None,
    "created_at": None,
    "metadata": {},
    "handling": "dismissed",
    "right": "a right answer",
    "scale": None,
    "hypothesis": "a hypothesis",
    "category": "label:tone",
    "change_ref": "a change",
    "before_run": "run_none",
    "after_run": "run_none",
    "before_from": "2026-01-01T00:00:00Z",
    "before_to": "2026-01-02T00:00:00Z",
    "after_from": "2026-01-02T00:00:00Z",
    "after_to": "2026-01-03T00:00:00Z",
    "back": "",
    "origins": [],
    "days": 1.0,
    "link_key": "",
    "weeks": 2,
    "mode": "tone",
    "group": "0",
    "release_id": "rel_none",
    "declared": None,
    "class_because": "",
    "not_before": None,
    "rationale": "",
    "ticket": "",
    "source": "api",
    "content_hash": "0" * 64,
    "systems": [],
    "begins_at": None,
    "ends_at": None,
    "lets_emergencies": False,
    "expected_version": None,
    "number": 1,
    "commit": "abc",
    "configuration": "",
    "link": "",
    "at": None,
    "items": [{"session": "a session", "rating": 1}],
    "documents": [{"id": "a", "hash": "1"}],
    "digest": "",
    "beside": False,
    "hours": "",
    "versions": [{"messages": [{"role": "system", "content": "made"}]}],
    "dry": False,
}
"""Fields of bodies that name nobody's record, each with a value that is taken."""


def taken(field: str, kind: Any) -> Any:
    """A value that a field of a body takes."""
    known = choices(kind)
    return known[0] if known and FREE[field] not in known else FREE[field]


UNIQUE = {"slug": "made-{n}", "email": "new-{n}@nobody.test"}
"""Fields that must differ each time."""
TOKENS = {"csrf", "csrf_token"}
"""Fields that the credential fills."""
PLAIN_QUERY = {
    "measure",
    "group_by",
    "step",
    "zone",
    "limit",
    "order",
    "format",
    "from",
    "to",
    "min_duration_ms",
    "next",
    "token",
    "streaming",
    "refusal",
    "sample",
    "attempt",
    "cache_hit",
    "configuration",
    "which",
    "add",
    "expected_version",
    "note",
    "before",
    "version",
    "offset",
    "suite",
    "baseline",
    "standing",
    "mode",
    "call_id",
    "source",
    "sentiment",
    "label",
    "stage",
    "joined",
    "open",
    "unique",
    "dimension",
    "hours",
    "at",
    "state",
    "number",
    "old",
    "new",
    "key",
    "began",
    "match",
}
"""Query parameters that name nobody's record."""
LOCAL = "/local"
"""What only the data folder's own socket answers; for everybody else there is nothing there."""
EVERY_PAGE = ("system", "environment", "session", "user", "tenant", "trace_id", "q", "span", "cursor")
"""What pages read from their address without declaring it."""
IDS = {
    "member",
    "grant",
    "key",
    "trace_id",
    "view",
    "price",
    "workspace",
    "hold",
    "erasure",
    "channel",
    "rule",
    "panel",
    "lift",
    "suite",
    "run",
    "other",
    "judge",
    "check",
    "item",
    "trigger",
    "feedback",
    "link_key",
    "token",
    "improvement",
    "triage",
    "category",
    "change",
    "frozen",
    "component",
    "registered",
    "manifest",
    "prompt",
    "flag",
    "configuration",
}
"""Path parameters that name a record: a neighbour's is as good as none."""
NAMES = {"label", "system", "environment", "what", "dashboard", "secret", "version"}
"""Path parameters that are texts of the caller's own choice."""


def unknown_parts(operation: Operation, query_values: set[str]) -> list[str]:
    """What of an operation nobody said how to fill."""
    found = [
        f"path parameter {name}"
        for name, kind in operation.path_names.items()
        if name not in IDS | NAMES and choices(kind) is None
    ]
    for name, kind in operation.query.items():
        if name not in PLAIN_QUERY | query_values | {"name", "what"} and choices(kind) is None:
            found.append(f"query parameter {name}")
    known = FREE.keys() | UNIQUE.keys() | TOKENS | {"system", "environment", "user", "subject"}
    found += [f"field {name} of the body" for name in operation.body if name not in known]
    return found
