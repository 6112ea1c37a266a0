"""A small client for applications that render their own prompts: it keeps what it knows, and goes on when Holdfast is away.

    prompts = Prompts("https://holdfast.example", key, folder="/var/lib/app/prompts")
    found = prompts.get("support", key=session_id)
    messages = found.render({"name": "Ada"})

Needs the standard library and httpx2 only. Threads may share one client.
"""

from __future__ import annotations

import json
import os
import re
import tempfile
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2

_PLACEHOLDER = re.compile(r"\{\{\s*+([A-Za-z_][A-Za-z0-9_]*+)((?:\.[A-Za-z0-9_]++)*+)\s*+\}\}")
_TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "boolean": (bool,),
    "json": (str, int, float, bool, list, dict),
}
LONGEST = 1 << 20


class Missing(Exception):
    """Holdfast has no such prompt, or does not answer and none was known before."""


class Unfit(ValueError):
    """The variables do not fit the prompt; says which."""


@dataclass(frozen=True, slots=True)
class Prompt:
    """A prompt as Holdfast handed it out. `age` is the number of seconds since Holdfast last said that it holds; `error` is
    why it could not be asked since, empty where it could.
    """

    body: Mapping[str, Any]
    age: float
    error: str

    @property
    def release(self) -> str | None:
        """The release's id: send it with telemetry, so that calls are told apart by it."""
        found: str | None = self.body["release"]
        return found

    @property
    def model(self) -> str | None:
        """The first model of the release's chain."""
        found: str | None = self.body["model"]
        return found

    @property
    def parameters(self) -> Mapping[str, Any]:
        """What to call the model with."""
        found: Mapping[str, Any] = self.body["parameters"]
        return found

    def render(self, variables: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """The messages with variables in place, as the gateway renders them. Raises Unfit."""
        values = _values(self.body["variables"], variables or {})
        room = [LONGEST]
        return [
            {name: _in_place(one, values, room) for name, one in said.items()}
            for said in self.body["messages"]
        ]


@dataclass(slots=True)
class _Known:
    body: dict[str, Any]
    tag: str
    confirmed: float  # Unix seconds
    asked: float
    error: str = ""
    busy: bool = False


class Prompts:
    """Prompts by name, kept. What is older than `fresh` seconds is asked for again in the background; what was known last
    is used meanwhile, however old. With a `folder` it also outlives the process: after a restart without Holdfast
    everybody gets the release that was wholly decided on, as gateways do.
    """

    def __init__(
        self,
        url: str,
        key: str,
        *,
        folder: str | Path | None = None,
        fresh: float = 5.0,
        timeout: float = 3.0,
        most: int = 1000,
        clock: Callable[[], float] = time.time,
        run: Callable[[Callable[[], None]], None] | None = None,
    ) -> None:
        self._url = url.rstrip("/")
        self._http = httpx2.Client(timeout=timeout, headers={"authorization": f"Bearer {key}"})
        self._folder = Path(folder) if folder is not None else None
        self._fresh, self._most, self._clock = fresh, most, clock
        self._run = run or _in_thread
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._one = threading.Lock()

    def get(
        self, name: str, *, key: str = "", label: str = "", version: int | None = None, began: str = ""
    ) -> Prompt:
        """The prompt. `key` decides the share of a rollout that the asker falls into: a session, a user, a tenant. Raises
        Missing.
        """
        asked = {"label": label, "version": version or "", "key": key, "began": began}
        query = {one: str(value) for one, value in asked.items() if value}
        at = json.dumps([name, query], sort_keys=True)
        with self._one:
            known = self._known.get(at)
            if known is not None:
                self._known.move_to_end(at)
                due = not known.busy and self._clock() - max(known.confirmed, known.asked) >= self._fresh
                known.busy = known.busy or due
        if known is None:
            known = self._first(at, name, query)
        elif due:
            self._run(lambda: self._again(at, name, query))
        return Prompt(known.body, max(0.0, self._clock() - known.confirmed), known.error)

    def close(self) -> None:
        """Ends its connections."""
        self._http.close()

    def _first(self, at: str, name: str, query: dict[str, str]) -> _Known:
        try:
            return self._asked(at, name, query, None)
        except Missing as error:
            kept = self._read(name, query)
            if kept is None:
                raise
            kept.error = str(error)
            return self._keep(at, kept)

    def _again(self, at: str, name: str, query: dict[str, str]) -> None:
        with self._one:
            known = self._known.get(at)
        try:
            self._asked(at, name, query, known)
        except Missing as error:
            if known is not None:
                known.error, known.asked = str(error), self._clock()
        finally:
            if known is not None:
                known.busy = False

    def _asked(self, at: str, name: str, query: dict[str, str], known: _Known | None) -> _Known:
        headers = {"if-none-match": known.tag} if known is not None else {}
        now = self._clock()
        try:
            got = self._http.get(f"{self._url}/api/v1/prompts/{quote(name)}", params=query, headers=headers)
            if got.status_code == 304 and known is not None:
                body, tag = known.body, known.tag
            elif got.status_code == 200:
                body, tag = got.json(), got.headers.get("etag", "")
            else:
                raise Missing(f"Holdfast answers {got.status_code} for the prompt {name}: {got.text[:300]}")
        except (httpx2.HTTPError, ValueError) as error:
            raise Missing(f"Holdfast does not answer for the prompt {name}: {error}") from error
        made = _Known(body, tag, now, now)
        self._write(name, query, made)
        return self._keep(at, made)

    def _keep(self, at: str, made: _Known) -> _Known:
        with self._one:
            self._known[at] = made
            self._known.move_to_end(at)
            while len(self._known) > self._most:
                self._known.popitem(last=False)
        return made

    def _file(self, name: str, query: Mapping[str, str]) -> Path | None:
        """One for all who ask for the same thing: nobody's session or name is in it."""
        if self._folder is None:
            return None
        said = [self._url, name, query.get("label", ""), query.get("version", "")]
        return self._folder / f"{sha256(json.dumps(said).encode()).hexdigest()[:32]}.json"

    def _write(self, name: str, query: Mapping[str, str], made: _Known) -> None:
        path = self._file(name, query)
        if path is None or not (made.body.get("stable") or not path.exists()):
            return
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            handle, part = tempfile.mkstemp(dir=path.parent, suffix=".part")
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                json.dump({"body": made.body, "tag": made.tag, "confirmed": made.confirmed}, file)
            Path(part).replace(path)
        except OSError:
            return  # the file is for worse times; these are not they

    def _read(self, name: str, query: Mapping[str, str]) -> _Known | None:
        path = self._file(name, query)
        if path is None:
            return None
        try:
            kept = json.loads(path.read_text(encoding="utf-8"))
            return _Known(kept["body"], kept["tag"], float(kept["confirmed"]), self._clock())
        except (OSError, ValueError, KeyError, TypeError):
            return None


def _in_thread(work: Callable[[], None]) -> None:
    threading.Thread(target=work, name="holdfast prompts", daemon=True).start()


def _values(declared: Mapping[str, Mapping[str, Any]], given: Mapping[str, Any]) -> dict[str, Any]:
    for name in given:
        if name not in declared:
            raise Unfit(f"the prompt declares no variable {name}")
    values: dict[str, Any] = {}
    for name, variable in declared.items():
        value, default = given.get(name), variable.get("default")
        if value is None:
            if variable.get("required", True) and default is None:
                raise Unfit(f"the prompt needs the variable {name}")
            value = "" if default is None else default
        elif not _is(value, variable.get("type", "string")):
            raise Unfit(f"the variable {name} must be a {variable.get('type', 'string')}")
        values[name] = value
    return values


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool) and kind not in ("boolean", "json"):
        return False
    return isinstance(value, _TYPES.get(kind, (str,)))


def _in_place(part: Any, values: Mapping[str, Any], room: list[int]) -> Any:
    if isinstance(part, str):
        made = _PLACEHOLDER.sub(lambda found: _fitting(_text(found[1], found[2], values), room), part)
        return made if len(made) <= LONGEST else _fitting(made, [LONGEST])
    if isinstance(part, Mapping):
        return {name: _in_place(inner, values, room) for name, inner in part.items()}
    if isinstance(part, list):
        return [_in_place(inner, values, room) for inner in part]
    return part


def _fitting(text: str, room: list[int]) -> str:
    room[0] -= len(text)
    if room[0] < 0:
        raise Unfit(f"the rendered prompt is over {LONGEST} characters")
    return text


def _text(name: str, path: str, values: Mapping[str, Any]) -> str:
    if name not in values:
        raise Unfit(f"the prompt uses {name}, which it does not declare")
    value: Any = values[name]
    for step in path.split(".")[1:]:
        if isinstance(value, dict) and step in value:
            value = value[step]
        elif isinstance(value, list) and step.isdecimal() and len(step) <= 9 and int(step) < len(value):
            value = value[int(step)]
        else:
            raise Unfit(f"the variable {name} has no {name}{path}")
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))
