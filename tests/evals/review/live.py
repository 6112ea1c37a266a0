"""A running core that gets live calls by OTLP."""

from __future__ import annotations

import json
import os
import time
from dataclasses import dataclass
from typing import Any

import httpx2

from otlp_made import CHAT, body, span
from running_core import Workspace, until

SCOPES = "ingest,read,operate,admin,content"
QUESTION = "May I give shoes back?"


@dataclass
class Live:
    """A workspace of a running core, and its review."""

    at: Workspace

    def ask(self, method: str, path: str, **more: Any) -> httpx2.Response:
        headers = {"authorization": f"Bearer {self.at.key}"}
        return self.at.core.client.request(method, f"/api/v1/review/{path}", headers=headers, **more)

    def get(self, path: str, **params: Any) -> Any:
        answer = self.ask("GET", path, params=params)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def items(self, **params: Any) -> list[dict[str, Any]]:
        return list(self.get("items", limit=200, **params)["items"])

    def followed(self) -> None:
        """Waits until the job follows this workspace: what comes from now on is live."""
        until(lambda: self.get("rates")["standing"]["turned_at"] is not None, 30, "the first turn")

    def looked(self, calls: int) -> None:
        """Waits until so many calls were looked at."""
        until(lambda: self.get("rates")["standing"]["looked"] >= calls, 60, f"{calls} calls looked at")

    def rate(self, dimension: str, method: str = "rules") -> dict[str, Any]:
        (one,) = (
            each
            for each in self.get("rates")["rates"]
            if each["dimension"] == dimension and each["method"] == method
        )
        return dict(one)


def chat(answer: str | None, *, documents: tuple[str, ...] = (), **more: Any) -> list[Any]:
    """The spans of one call, with what it retrieved before; `answer` None: no content."""
    trace = os.urandom(16).hex()
    start = more.pop("start_ns", time.time_ns() - 5 * 10**9)
    told: dict[str, Any] = {**CHAT, "holdfast.route": "ask", **more}
    if answer is not None:
        told["gen_ai.input.messages"] = _messages("user", QUESTION)
        told["gen_ai.output.messages"] = _messages("assistant", answer)
    made = [span(trace=trace, start_ns=start, attributes=told)]
    if documents:
        found = [{"id": f"d{n}", "content": text} for n, text in enumerate(documents)]
        named = {"gen_ai.operation.name": "retrieval", "gen_ai.retrieval.documents": json.dumps(found)}
        made.append(span(trace=trace, start_ns=start - 10**8, name="retrieval shop", attributes=named))
    return made


def _messages(role: str, text: str) -> str:
    return json.dumps([{"role": role, "parts": [{"type": "text", "content": text}]}])


def sent(*calls: list[Any], environment: str = "prod") -> bytes:
    """One request of some calls."""
    resource = {"service.name": "shop", "deployment.environment.name": environment}
    return body([one for call in calls for one in call], resource=resource)
