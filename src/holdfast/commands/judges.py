"""`holdfast judges`: how good judges are, of a core on this machine or elsewhere."""

from __future__ import annotations

import time
from typing import Any

from holdfast.commands.evals import LOOK_SECONDS, OVER, Where, core

PATH = "/api/v1/evals/judges"


def listed(where: Where) -> str:
    """A line for each judge, with the agreement that its last check shows."""
    with core(where) as ask:
        lines = []
        for one in ask("GET", PATH):
            last = next((made for made in ask("GET", f"{PATH}/{one['name']}/checks") if made["health"]), None)
            said = "never checked" if last is None else f"agreement {_between(last['health']['kappa'])}"
            lines.append(
                f"{one['name']}  version {one['version']}  {one['kind']}  {one['labels']} labels  {said}"
            )
    return "\n".join(lines) or "there is no judge yet; write one beside your suites and apply them"


def check(where: Where, judge: str) -> tuple[int, str]:
    """Has a judge checked and waits for the end. Exit code (1: not all could be asked) and what it shows."""
    with core(where) as ask:
        found = ask("POST", f"{PATH}/{judge}/checks")
        while found["state"] not in OVER:
            time.sleep(LOOK_SECONDS)
            found = ask("GET", f"/api/v1/evals/checks/{found['id']}")
    health = found["health"]
    if health is None:
        return (
            1,
            f"{judge} {found['version']}: {found['state']} after {found['done']} of {found['labels']}: {found['note']}",
        )
    lines = [
        f"{judge} {found['version']}: {health['labels']} labelled answers, {health['unknown']} without a verdict, "
        f"{found['cost_usd']} USD",
        f"  agreement (kappa): {_between(health['kappa'])}",
        f"  agreement (Krippendorff's alpha): {_between(health['alpha'])}",
    ]
    if health["bias"]:
        lines.append(f"  scores higher than people by: {_between(health['bias'])}")
    if health["swaps"]:
        lines.append(f"  same verdict in both orders: {health['swaps']['consistent']:.1%}")
    if health["length"]:
        lines.append(f"  length (log odds for each e-fold): {_between(health['length'])}")
    if health["drift"]:
        drift = health["drift"]["right"]
        lines.append(
            f"  how right it is, since the check before: {_between({**drift, 'value': drift['difference']})}"
        )
    return 0, "\n".join(lines)


def _between(one: dict[str, Any]) -> str:
    if one["value"] is None:
        return "unknown"
    between = "" if one["low"] is None else f" ({one['low']:.3f} to {one['high']:.3f})"
    return f"{one['value']:.3f}{between}"
