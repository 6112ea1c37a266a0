"""Which share of each system's traffic passes through Holdfast, by calls that are counted once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from holdfast.gateway.model import SCOPE
from holdfast.storage.columns import Columns
from holdfast.telemetry.model import TimeRange
from holdfast.telemetry.reads import observers
from otlp_made import CHAT, body, span
from running_core import CoreProcess, Workspace
from telemetry.recounted import World

SECOND = 10**9


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Workspace]:
    core = CoreProcess(tmp_path_factory.mktemp("share") / "data").start()
    yield core.workspace("acme", "ingest,read,admin")
    core.stop()


def of(system: str, **more: Any) -> dict[str, Any]:
    return {**CHAT, "holdfast.system": system, **more}


def test_calls_count_once_whoever_saw_them_and_unknown_is_none(desk: Workspace) -> None:
    now = time.time_ns() - 600 * SECOND
    day = 86_400 * SECOND

    def one(number: int, system: str, parent: str = "", at: int = now, **more: Any) -> Any:
        told = of(system, **{"gen_ai.response.id": f"r{number}", **more})
        return span(
            f"{number:032x}", f"{number:015x}{1 if parent else 0}", parent, start_ns=at, attributes=told
        )

    direct = [one(number, "shop") for number in (1, 2)]
    old = [one(3, "shop", at=now - 3 * day)]
    both = [one(4, "shop")]  # an application that is instrumented, and calls through the gateway
    sample = [one(5, "shop", **{"holdfast.sample": True})]
    assert desk.post(body([*direct, *old, *both, *sample])).status_code == 200
    inner = one(4, "shop", f"{4:015x}0")
    alone = one(6, "desk")
    assert desk.post(body([inner, alone], scope=SCOPE)).status_code == 200
    core = desk.core.client
    admin = {"authorization": f"Bearer {desk.key}"}
    register = {
        "name": "Quiet", "purpose": "-", "owner": "-", "sponsor": "-",
        "escalation_contact": "-",
    }  # fmt: skip
    made = core.put("/api/v1/systems/quiet", json=register, headers=admin)
    assert made.status_code < 300, made.text
    desk.count()

    def share(window: str) -> dict[str, tuple[int, int, float | None]]:
        answer: httpx2.Response = core.get(f"/api/v1/gateway/share?window={window}", headers=admin)
        assert answer.status_code == 200, answer.text
        return {one["system"]: (one["calls"], one["through_gateway"], one["share"]) for one in answer.json()}

    assert share("24h") == {"desk": (1, 1, 1.0), "quiet": (0, 0, None), "shop": (3, 1, 1 / 3)}
    assert share("7d")["shop"] == (4, 1, 0.25)
    assert core.get("/api/v1/gateway/share?window=1y", headers=admin).status_code == 422
    other = desk.core.workspace("birch", "read")
    theirs = core.get("/api/v1/gateway/share", headers={"authorization": f"Bearer {other.key}"})
    assert theirs.json() == []


def test_of_very_many_calls_some_stand_for_all(columns: Columns, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(columns)
    world.store([world.call(number, world.now - timedelta(minutes=number % 50 + 1)) for number in range(400)])
    within = TimeRange(world.now - timedelta(hours=2), world.now)
    exact = observers.observed(columns, "ws", within, "none", ())
    monkeypatch.setattr(observers, "MOST", 200)
    some = observers.observed(columns, "ws", within, "none", ())
    assert sum(one.calls for one in exact) > 300
    assert not any(one.estimated for one in exact)
    assert all(one.estimated for one in some)
    assert abs(sum(one.calls for one in some) / sum(one.calls for one in exact) - 1) < 0.5
