"""A triage whose core is killed while it works: it begins again, ends, and puts every item in one place."""

from __future__ import annotations

import io
import random
import signal
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from tests.browser.test_triage_page import told

from holdfast.commands.evals import Where
from holdfast.commands.feedback import triage as triage_command
from running_core import PAUSE, CoreProcess, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]
KILLS = 1


def test_a_killed_triage_begins_again_and_counts_nothing_twice(tmp_path: Path) -> None:
    rng = random.Random(3)
    core = CoreProcess(tmp_path / "data", min_free_bytes=1).start()
    try:
        workspace = core.workspace(scopes="ingest,read,content,operate,admin")
        headers = {"authorization": f"Bearer {workspace.key}"}
        now = datetime.now(UTC)
        items = told(
            now,
            "fb",
            tuple(f" {word}" for word in ["now", "again", "today", "please", "soon", "here", "there"]),
        )
        answer = core.client.post("/api/v1/feedback/batch", json={"items": items}, headers=headers)
        assert answer.status_code == 201, answer.text

        def triage() -> dict[str, Any]:
            found: dict[str, Any] = core.client.get(
                f"/api/v1/feedback-triage/{made['id']}", headers=headers
            ).json()
            return found

        made = core.client.post("/api/v1/feedback-triage", json={}, headers=headers).json()
        for _ in range(KILLS):
            until(lambda: triage()["state"] in ("running", "done"), 60, "its beginning")
            PAUSE.wait(rng.uniform(0, 0.5))
            core.stop(signal.SIGKILL)
            core.start()
        until(lambda: triage()["state"] == "done", 120, "its end")
        found = triage()["summary"]
        assert found["items"] == len(items)
        assert sum(row["items"] for row in found["modes"]) == len(items)
        assert sum(row["items"] for row in found["categories"]) + found["unclustered"] == len(items)
        names = core.client.get("/api/v1/feedback-triage/categories", headers=headers).json()
        assert {one["id"] for one in names} == {row["id"] for row in found["categories"]}
        tell = io.StringIO()
        said = triage_command(Where(core.settings, workspace.slug), 12, tell)
        assert f"{len(items)} items" in said
        assert "scores are not calibrated yet: 0 of 20 decisions" in said
        assert any(one["name"] in said for one in names)
        assert "of" in tell.getvalue(), "how far it is was shown"
    finally:
        core.stop()
