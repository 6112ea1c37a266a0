"""Eight days of calls of systems that stand differently: well, failing, slow, silent, and saying next to nothing."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from otlp_made import CHAT, body, span

DAYS = 8
PER_HOUR = 6
TOLD = {
    "holdfast.route": "answer",
    "holdfast.tenant": "northwind",
    "holdfast.feature": "chat",
    "user.id": "u-1",
    "session.id": "s-1",
    "gen_ai.agent.name": "agent",
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"hi"}]}]',
}
WELL, FAILING, SLOW, SILENT, BARE = "order-desk", "claims-triage", "search-helper", "night-batch", "newcomer"
SILENT_HOURS = 5
SILENT_SINCE = timedelta(hours=SILENT_HOURS, minutes=5)
"""How long before `now` the silent one called last."""


def bodies(now: datetime) -> Iterator[bytes]:
    """OTLP requests, one a system; the newest call is some minutes old."""
    for system in (WELL, FAILING, SLOW, SILENT):
        resource = {
            "service.name": system,
            "deployment.environment.name": "production",
            "service.version": "1.4.0",
        }
        yield body(
            [one for hours in range(DAYS * 24) for one in _hour(system, now, hours)], resource=resource
        )
    bare = {**CHAT, "gen_ai.request.model": "house-model-7b", "gen_ai.provider.name": "in-house"}
    began = now - timedelta(hours=2)
    spans = [
        span(attributes=bare, start_ns=_ns(began + timedelta(minutes=2 * number))) for number in range(40)
    ]
    yield body(spans, resource={"service.name": BARE})


def _hour(system: str, now: datetime, ago: int) -> Iterator[Any]:
    """The calls of one hour, so many hours ago."""
    if system == SILENT and ago < SILENT_HOURS:
        return
    for number in range(PER_HOUR):
        at = now - timedelta(hours=ago, minutes=5 + number * 9)
        told = {**CHAT, **TOLD}
        if system == FAILING and number % 3 == 0:
            told["holdfast.route"] = "assess"
        failed = system == FAILING and ago < 20 and number % 3 == 0
        if failed:
            told |= {"error.type": "500"}
        if system == WELL and (ago * PER_HOUR + number) % 90 == 0:
            told |= {"error.type": "timeout"}
        slow = system == SLOW and ago < 24
        lasted = (2600 if slow else 700) + 40 * ((ago + number) % 7)
        made = span(attributes=told, start_ns=_ns(at), duration_ms=lasted)
        if "error.type" in told:
            made.status.code = 2
        yield made


def _ns(at: datetime) -> int:
    return int(at.timestamp() * 1e9)
