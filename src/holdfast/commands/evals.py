"""`holdfast eval`: runs of suites from the command line and from CI, of a core on this machine or elsewhere."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

import httpx2

from holdfast.commands import only_workspace, refused, running
from holdfast.kernel.errors import Invalid, Unavailable
from holdfast.platform import outbound
from holdfast.platform.settings import Settings

PATH = "/api/v1/evals/runs"
LOOK_SECONDS = 0.5
CODES = {"pass": 0, "fail": 1, "inconclusive": 2}
OVER = ("done", "stopped", "cancelled")
_WIDTH = 24


@dataclass(frozen=True, slots=True)
class Where:
    """The core that is asked: the one on the data folder, or one elsewhere by its address and a key."""

    settings: Settings
    workspace: str = ""
    url: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Files:
    """Where reports are written; `-` is standard output."""

    json: str = ""
    junit: str = ""
    markdown: str = ""


def run(where: Where, wanted: dict[str, Any], files: Files, tell: TextIO = sys.stderr) -> int:
    """Makes a run, follows it, writes its reports. 0 pass, 1 fail, 2 inconclusive or without a verdict.

    An interruption (Ctrl-C) cancels the run. Raises Invalid, Unavailable.
    """
    try:
        with core(where) as ask:
            found = _made(ask, wanted, tell)
            _write(ask, found, files)
    except KeyboardInterrupt:
        return 2
    verdict = found["verdict"]
    outcome = verdict["outcome"] if verdict else None
    print(f"{(outcome or found['state']).upper()}", file=tell)
    for reason in verdict["reasons"] if verdict else [found["note"]]:
        print(f"  {reason}", file=tell)
    return CODES.get(str(outcome), 2) if found["state"] == "done" or outcome == "fail" else 2


def finished(where: Where, wanted: dict[str, Any], tell: TextIO) -> dict[str, Any]:
    """Makes a run and waits for its end; the run with its verdict. Raises Invalid, Unavailable."""
    with core(where) as ask:
        return _made(ask, wanted, tell)


def listed(where: Where, suite: str) -> str:
    """The latest runs, a line for each."""
    with core(where) as ask:
        found = ask("GET", PATH, params={"suite": suite} if suite else {})
    lines = [
        f"{one['id']}  {one['created_at']}  {one['suite']}@{one['version']}  {_answering(one)}  "
        f"{one['outcome'] or one['state']}"
        for one in found
    ]
    return "\n".join(lines) or "there is no run yet; make one with holdfast eval run SUITE"


def report(where: Where, id: str, format: str) -> str:
    """A run's report: markdown, junit or json."""
    with core(where) as ask:
        if format == "json":
            return json.dumps(ask("GET", f"{PATH}/{id}"), indent=2)
        return str(ask("GET", f"{PATH}/{id}/report", params={"format": format}))


def _made(ask: Any, wanted: dict[str, Any], tell: TextIO) -> dict[str, Any]:
    """A run from its making to its end; cancelled where that is interrupted."""
    made = ask("POST", PATH, json=wanted)
    print(f"run {made['id']}: {made['suite']}@{made['version']}, {_answering(made)}", file=tell)
    try:
        return _followed(ask, made["id"], tell)
    except KeyboardInterrupt:
        ask("POST", f"{PATH}/{made['id']}/cancel")
        print("\ncancelled; what was answered is kept", file=tell)
        raise


def _answering(made: dict[str, Any]) -> str:
    said = [made["release"] and f"release {made['release']}", made["route"] and f"route {made['route']}"]
    return ", ".join(part for part in (*said, made["model"]) if part)


def _followed(ask: Any, id: str, tell: TextIO) -> dict[str, Any]:
    """The run when it is over; its progress on a line that is written again and again on a terminal."""
    last = ""
    while True:
        found: dict[str, Any] = ask("GET", f"{PATH}/{id}")
        line = _line(found)
        if tell.isatty():
            print(f"\r\033[K{line}", end="", file=tell, flush=True)
        elif line != last and (found["state"] in OVER or _steps(found) != _steps_of(last)):
            print(line, file=tell, flush=True)
            last = line
        if found["state"] in OVER:
            if tell.isatty():
                print(file=tell)
            return found
        time.sleep(LOOK_SECONDS)


def _line(found: dict[str, Any]) -> str:
    told = found["progress"]
    share = told["done"] / told["total"] if told["total"] else 1.0
    full = round(share * _WIDTH)
    left = told["seconds_left"]
    parts = [
        f"[{'#' * full}{'.' * (_WIDTH - full)}] {told['done']}/{told['total']}",
        f"{told['passed']} passed, {told['failed']} failed, {told['unknown']} unknown",
        f"{told['cost_usd']} USD" + (f" + {told['unpriced']} of unknown cost" if told["unpriced"] else ""),
    ]
    if left is not None and found["state"] == "running":
        parts.append(f"about {_time(left)} left")
    if found["note"]:
        parts.append(found["note"])
    return "  ".join(parts)


def _steps(found: dict[str, Any]) -> int:
    """In a log, a line for each tenth."""
    told = found["progress"]
    return int(10 * told["done"] / told["total"]) if told["total"] else 10


def _steps_of(line: str) -> int:
    count, _, rest = line.partition("] ")[2].partition("/")
    total = rest.split(" ", 1)[0]
    return int(10 * int(count) / int(total)) if count.isdecimal() and total.isdecimal() and int(total) else -1


def _time(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s" if minutes else f"{rest} s"


def _write(ask: Any, found: dict[str, Any], files: Files) -> None:
    id = found["id"]
    if files.json:
        whole = {**found, "cases_with_answers": ask("GET", f"{PATH}/{id}/cases")}
        _put(files.json, json.dumps(whole, indent=2) + "\n")
    for format, path in (("junit", files.junit), ("markdown", files.markdown)):
        if path:
            _put(path, ask("GET", f"{PATH}/{id}/report", params={"format": format}))


def _put(path: str, text: str) -> None:
    if path == "-":
        print(text, end="")
        return
    try:
        Path(path).write_text(text, encoding="utf-8")
    except OSError as error:
        raise Invalid(f"{path} cannot be written: {error.strerror}", where="file") from error


@contextmanager
def core(where: Where) -> Iterator[Any]:
    """A function that asks the core and returns what it answers, JSON or text."""
    if where.url:
        if not where.key:
            raise Invalid("give a key with --key or HOLDFAST_API_KEY: scopes read and operate", where="key")
        client = outbound.client(where.settings, httpx2.Timeout(60))
        client.base_url = httpx2.URL(where.url)
        headers = {"authorization": f"Bearer {where.key}"}
    else:
        slug = only_workspace(where.settings, where.workspace)
        found = running(where.settings)
        if found is None:
            raise Unavailable(
                "no core runs on this data folder, and runs need one; start it with holdfast up, or name one with --url"
            )
        client, headers = found, {"x-holdfast-workspace": slug}

    def ask(method: str, path: str, **more: Any) -> Any:
        try:
            answer = client.request(method, path, headers=headers, **more)
        except httpx2.HTTPError as error:
            raise Unavailable(f"the core cannot be reached ({type(error).__name__})") from error
        if answer.status_code >= 400:
            raise refused(answer)
        return answer.json() if "json" in answer.headers.get("content-type", "") else answer.text

    try:
        yield ask
    finally:
        client.close()
