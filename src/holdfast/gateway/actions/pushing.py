"""What is in force now, pushed straight to every gateway: for when the core cannot tell them, or not soon enough."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import msgspec

from holdfast.gateway.states import Process
from holdfast.kernel.time import iso
from holdfast.platform import outbound
from holdfast.platform.settings import Settings

TIMEOUT = httpx2.Timeout(10.0, connect=2.0)
NEAR = Path("gateway") / "admin.sock"
"""Where the gateway of a data folder listens."""


@dataclass(frozen=True, slots=True)
class Told:
    """What a gateway process serves after a push. `epoch` None: nobody knows, and `why`."""

    id: str
    epoch: int | None
    why: str = ""


def push(settings: Settings, raw: bytes, known: Sequence[Process]) -> list[Told]:
    """Hands a signed snapshot to all gateways at once: the data folder's own, and those that said where they take it."""
    places = sorted({one.admin for one in known if one.admin})
    near = settings.data.resolve() / NEAR
    if near.exists():
        places.insert(0, "")
    with ThreadPoolExecutor(max(1, min(32, len(places)))) as pool:
        answers = list(pool.map(lambda place: _put(settings, near, place, raw), places))
    serving: dict[str, int] = {}
    failed: dict[str, str] = {}
    for place, answer in zip(places, answers, strict=True):
        if isinstance(answer, str):
            failed[place] = answer
        else:
            serving |= answer
    told = [Told(id, epoch) for id, epoch in serving.items()]
    for one in known:
        if one.id not in serving:
            why = failed.get(one.admin) or "it takes nothing that is pushed from this machine"
            told.append(Told(one.id, None, f"{why}; last heard of at {iso(one.at)}, with epoch {one.epoch}"))
    return sorted(told, key=lambda one: one.id)


def _put(settings: Settings, near: Path, place: str, raw: bytes) -> dict[str, int] | str:
    """The epoch of each worker there, or why it cannot be known."""
    try:
        with closing(_client(settings, near, place)) as client:
            answer = client.put("/snapshot", content=raw)
            said: dict[str, Any] = msgspec.json.decode(answer.content, type=dict[str, Any])
            if answer.status_code == 409:
                said = msgspec.json.decode(client.get("/epoch").content, type=dict[str, Any])
            elif answer.status_code != 200:
                return f"it refused the snapshot: {said.get('detail', answer.status_code)}"
            return {str(id): int(epoch) for id, epoch in said["workers"].items() if epoch >= 0}
    except (httpx2.HTTPError, msgspec.MsgspecError, KeyError, ValueError) as error:
        return f"it does not answer ({type(error).__name__})"


def _client(settings: Settings, near: Path, place: str) -> httpx2.Client:
    if place:
        found = outbound.client(settings, TIMEOUT)
        found.base_url = httpx2.URL(f"http://{place}")
        return found
    transport = httpx2.HTTPTransport(uds=str(near))
    return httpx2.Client(transport=transport, base_url="http://gateway", timeout=TIMEOUT, trust_env=False)
