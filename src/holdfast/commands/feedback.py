"""`holdfast feedback triage`: asks the running core for a triage, shows how far it is, and tells what it found."""

from __future__ import annotations

import sys
import time
from typing import Any, TextIO

from holdfast.commands.evals import Where, core

PATH = "/api/v1/feedback-triage"
LOOK_SECONDS = 0.5
_ROWS = 10


def triage(where: Where, weeks: int, tell: TextIO = sys.stderr) -> str:
    """Has a triage made and waits for its end; what it found, in lines. Raises Invalid, Unavailable."""
    with core(where) as ask:
        made = ask("POST", PATH, json={"weeks": weeks})
        last = ""
        while made["state"] in ("queued", "running"):
            line = f"{made['phase']} {made['done']:,} of {made['total']:,}{_left(made)}"
            if tell.isatty():
                print(f"\r\033[K{line}", end="", file=tell, flush=True)
            elif made["phase"] != last:
                print(line, file=tell, flush=True)
            last = made["phase"]
            time.sleep(LOOK_SECONDS)
            made = ask("GET", f"{PATH}/{made['id']}")
        if tell.isatty():
            print(file=tell)
        names = {one["id"]: one["name"] for one in ask("GET", f"{PATH}/categories")}
    if made["summary"] is None:
        return f"the triage failed: {made['note']}"
    return "\n".join(_said(made["summary"], names))


def _left(made: dict[str, Any]) -> str:
    return "" if made["seconds_left"] is None else f", about {made['seconds_left']:.0f} s left"


def _said(found: dict[str, Any], names: dict[str, str]) -> list[str]:
    lines = [
        f"{found['items']:,} items, {found['distinct']:,} without copies, in {len(found['categories'])} categories; "
        f"{found['unclustered']:,} in none"
    ]
    for row in found["categories"][:_ROWS]:
        lines.append(f"  {row['items']:6,}  {names.get(row['id'], row['id'])}{_moved(row['trend'])}")
    lines.append("what went wrong:")
    lines += [f"  {row['items']:6,}  {row['id']}{_moved(row['trend'])}" for row in found["modes"]]
    if not found["calibration"]:
        lines.append(f"scores are not calibrated yet: {found['confirmed']} of 20 decisions")
    return lines


def _moved(trend: dict[str, Any]) -> str:
    low, high, ratio = trend["low"], trend["high"], trend["ratio"]
    if ratio is None or low is None:
        return ""
    up, down = low > 1, high is not None and high < 1
    return f"  {'up' if up else 'down'} ×{ratio:.2f} this week" if up or down else ""
