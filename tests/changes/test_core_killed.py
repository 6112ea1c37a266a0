"""A rollout whose core is killed as each stage begins: not lost, not repeated, and no guard takes it for a fault."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.changes.test_rolled_out import Desk, at, begun, shown, traffic
from tests.platform.notify.receivers import web_server

from running_core import until

__all__ = ["at"]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

ENDS = ("completed", "rolled_back", "held", "failed")
UNHEARD = 80
"""Calls that gateways serve while nothing decides: among them enough new people for a split to look wrong."""


def test_a_rollout_survives_a_core_that_is_killed_at_each_stage(at: Desk) -> None:
    met: list[tuple[str, int]] = []

    def moved(id: str) -> bool:
        change = shown(at, id)["change"]
        here = (str(change["state"]), int(change["stage"]))
        if here in met:
            return False
        met.append(here)
        return True

    with web_server() as web, traffic(at):
        hook = {"name": "hook", "kind": "webhook", "url": web.url()}
        answer = at.core.client.post("/api/v1/channels", json=hook, headers=at.headers)
        assert answer.status_code == 201, answer.text
        id = begun(at, "good")
        while not met or met[-1][0] not in ENDS:
            until(lambda: moved(id), 500, f"a step after {met}")
            if met[-1][0] not in ("ramping", "soaking"):
                continue
            at.core.kill()
            seen = len(at.vendor.seen)
            until(lambda n=seen: len(at.vendor.seen) > n + UNHEARD, 120, "answers without a core")
            at.core.start()
        until(lambda: web.hits, 120, "the notice")
    done: Any = shown(at, id)
    assert done["change"]["state"] == "completed", (done["change"]["reason"], met)
    steps = [(one["after"], one["stage"]) for one in done["evidence"] if one["event"] != "looked"]
    assert len(steps) == len(set(steps)), "no step is taken twice"
    assert [one for one in met if one[0] == "ramping"] == [("ramping", 0), ("ramping", 1), ("ramping", 2)]
    told = {hit.headers["webhook-id"]: json.loads(hit.body) for hit in web.hits}
    (notice,) = (one["data"] for one in told.values())
    assert (notice["title"], notice["alert"]) == ("Change completed: to good", id)
    assert notice["link"].startswith("http") and notice["link"].endswith(f"/changes/{id}")
