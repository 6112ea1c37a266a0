"""Requests to operations, filled with one's own values but for the one that is tried out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import product
from typing import Any

import httpx2
from tests.scenarios.neighbours import Place, World
from tests.scenarios.routes import IDS, TOKENS, UNIQUE, Operation, choices, taken

FACETS = [
    "system",
    "environment",
    "route",
    "agent",
    "tenant",
    "user",
    "session",
    "model",
    "release",
    "quality",
]


@dataclass
class Ask:
    """A request before it is sent. `sent` are the texts that an answer may repeat."""

    method: str
    path: str
    query: dict[str, Any] = field(default_factory=dict)
    body: dict[str, Any] = field(default_factory=dict)
    form: bool = False
    sent: list[str] = field(default_factory=list)

    def by(self, client: httpx2.Client, **headers: str) -> httpx2.Response:
        """Sends it."""
        more: dict[str, Any] = {}
        if self.form:
            more["data"] = {name: as_form(value) for name, value in self.body.items()}
        elif self.body:
            more["json"] = self.body
        return client.request(self.method, self.path, params=self.query, headers=headers, **more)


def as_form(value: Any) -> str:
    """A value as a form's field writes it."""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list | tuple):
        return ",".join(map(str, value))
    return "" if value is None else str(value)


def own_value(place: Place, name: str) -> str:
    """What stands for a path parameter, of one's own."""
    found = place.ids.get(name) if name in IDS else place.values.get(name)
    assert found, f"nothing of this kind was made: {name}; make one in tests/scenarios/neighbours.py"
    return found


def asks(world: World, operation: Operation, place: Place, csrf: str, **instead: str) -> Iterator[Ask]:
    """Requests to an operation in one's own place, one for each choice it offers.

    `instead` replaces a value by the place where it stands: `path_member=…`, `query_system=…`, `body_user=…`.
    """
    offered = {
        name: choices(kind) or []
        for name, kind in (operation.path_names | operation.query).items()
        if choices(kind)
    }
    for values in product(*offered.values()):
        chosen = dict(zip(offered, values, strict=True))
        paths = {
            one: chosen.get(one) or instead.get(f"path_{one}") or own_value(place, one)
            for one in operation.path_names
        }
        path = re.sub(r"{(\w+)(?::path)?}", lambda found: paths[found[1]], operation.path)  # noqa: B023
        query = {one: chosen[one] for one in operation.query if one in chosen}
        if "name" in operation.query:
            query["name"] = FACETS
        if "measure" in operation.query:
            query |= {
                "measure": ["calls", "cost", "tool_calls", "agent_runs", "retrievals"],
                "group_by": ["system", "tenant"],
            }
        if "baseline" in operation.query:
            query["baseline"] = place.ids["other"]
        query |= {one[6:]: text for one, text in instead.items() if one.startswith("query_")}
        body = {}
        for one in operation.body:
            if f"body_{one}" in instead:
                body[one] = instead[f"body_{one}"]
            elif one in TOKENS:
                body[one] = csrf
            elif one in UNIQUE:
                body[one] = UNIQUE[one].format(n=world.number())
            else:
                own = one in ("system", "environment", "user", "subject")
                body[one] = place.values[one] if own else taken(one, operation.body[one])
        yield Ask(operation.method, path, query, body, operation.form, [path, *instead.values()])
