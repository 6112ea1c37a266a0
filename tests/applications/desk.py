"""An application that renders its own prompts and sends nothing but telemetry."""

from __future__ import annotations

import json
import time
from typing import Any

import httpx2

from holdfast.kernel.context import Actor, Context
from holdfast.kernel.time import utc_now
from holdfast.platform.audit import reads as audit
from holdfast.platform.tenancy import reads as tenancy
from holdfast.storage.sql import Database
from otlp_made import CHAT, body, span
from running_core import CoreProcess, Workspace

PROMPT = "You are the help desk of {{shop}}.\nBe brief. Be kind.\nNever promise a refund."
SENT = PROMPT.replace("{{shop}}", "Ada's")


class Desk:
    """One, with a workspace of its own."""

    def __init__(self, core: CoreProcess, name: str = "") -> None:
        self.door: Workspace = core.workspace(name, "ingest,read,operate,content")
        self.at = time.time_ns() - 30 * 60 * 10**9

    def calls(self, n: int, prompt: str = SENT, **told: Any) -> None:
        for number in range(n):
            self.at += 10**9
            question = {"role": "user", "parts": [{"type": "text", "content": f"Question {number}"}]}
            attributes = {
                **CHAT,
                "holdfast.system": "desk",
                "holdfast.route": "support",
                "gen_ai.response.model": "gpt-4o-mini-2024-07-18",
                "gen_ai.request.temperature": 0.2,
                "gen_ai.system_instructions": json.dumps([{"type": "text", "content": prompt}]),
                "gen_ai.input.messages": json.dumps([question]),
                **told,
            }
            made = span(f"{self.at:032x}", start_ns=self.at, attributes=attributes)
            assert self.door.post(body([made])).status_code == 200

    def ask(self, method: str, path: str, **more: Any) -> httpx2.Response:
        headers = {"authorization": f"Bearer {self.door.key}"}
        return self.door.core.client.request(method, f"/api/v1/{path}", headers=headers, **more)

    def found(self) -> list[dict[str, Any]]:
        self.door.count()
        made: list[dict[str, Any]] = self.door.get("unrecorded", system="desk")
        return made

    def audited(self, action: str) -> list[dict[str, Any]]:
        database = Database(self.door.core.settings.sql)
        with database.reading() as tx:
            workspace = tenancy.workspace_by_slug(tx, self.door.slug)
            ctx = Context(workspace.id, Actor("cli", "tester", "Tester"), utc_now())
            found = [audit.said(one) for one in audit.entries(ctx, tx, action=action).items]
        database.close()
        return [{"subject": one.subject, "details": one.details} for one in found if one is not None]
