"""Picks the target for a configuration, and reads configurations."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Protocol

from holdfast.kernel.errors import Invalid
from holdfast.telemetry.rules.ledger import Sums

WHERE = "HOLDFAST_METRICS_EXPORT"
_NEEDED = {"otlp": "endpoint", "emf": "path"}
_TYPES: dict[str, type | tuple[type, ...]] = {
    "workspaces": list,
    "headers": dict,
    "minutes": int,
    "delay_seconds": (int, float),
}


@dataclass(frozen=True, slots=True)
class ExportConfig:
    """One target. `workspaces`: short names, or `*` for each there is. A point is `minutes` long, and sent
    `delay_seconds` after its end. Values of `headers` may be references (env:, file:, vault:).
    """

    name: str
    kind: str
    workspaces: tuple[str, ...]
    endpoint: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    duration: str = "inference"
    path: str = ""
    namespace: str = "Holdfast"
    minutes: int = 1
    delay_seconds: float = 60.0

    def covers(self, slug: str) -> bool:
        """Whether a workspace is exported."""
        return "*" in self.workspaces or slug in self.workspaces


class Target(Protocol):
    """Takes what is new of a workspace in a span of time."""

    @property
    def config(self) -> ExportConfig:
        """Its configuration."""

    def send(self, workspace: str, start: datetime, end: datetime, news: Sums) -> int:
        """Delivers, and returns how many points the receiver refused for good. Raises Unavailable to be asked again."""


def read_configs(text: str) -> tuple[ExportConfig, ...]:
    """Configurations from the setting's JSON. Raises Invalid, naming what is wrong."""
    try:
        listed = json.loads(text)
    except ValueError as error:
        raise Invalid(f"{WHERE} is not JSON: {error}", where=WHERE) from error
    if not isinstance(listed, list) or not all(isinstance(one, dict) for one in listed):
        raise Invalid(f"{WHERE} is not a JSON list of objects", where=WHERE)
    configs = tuple(map(_config, listed))
    if len({one.name for one in configs}) < len(configs):
        raise Invalid("two targets have one name; their positions are kept by it", where=WHERE)
    return configs


def _config(value: Mapping[str, Any]) -> ExportConfig:
    kind = value.get("kind")
    if kind not in _NEEDED:
        raise Invalid(f"a target is of kind {' or '.join(_NEEDED)}, not {kind!r}", where=WHERE)
    unknown = value.keys() - {one.name for one in fields(ExportConfig)}
    if unknown:
        raise Invalid(f"a target has no {min(unknown)}", where=WHERE)
    for name in (_NEEDED[kind], "workspaces"):
        if not value.get(name):
            raise Invalid(f"a target of kind {kind} needs {name}", where=WHERE)
    for name, given in value.items():
        if not isinstance(given, _TYPES.get(name, str)) or isinstance(given, bool):
            raise Invalid(f"{name} of a target is of another type", where=WHERE)
    texts = [*value["workspaces"], *value.get("headers", {}).values()]
    if not all(isinstance(text, str) for text in texts):
        raise Invalid("workspaces and headers of a target are texts", where=WHERE)
    made = ExportConfig(**{"name": kind, **value, "workspaces": tuple(value["workspaces"])})
    if kind == "otlp" and not made.endpoint.startswith(("http://", "https://")):
        raise Invalid("an OTLP target needs an endpoint that begins with http", where=WHERE)
    if made.duration not in ("inference", "operation"):
        raise Invalid("duration of a target is inference or operation", where=WHERE)
    if not 1 <= made.minutes <= 60 or 60 % made.minutes or not 30 <= made.delay_seconds <= 3600:
        raise Invalid(
            "minutes of a target divide 60, and delay_seconds is 30 to 3600 (stored figures settle in 30 seconds)",
            where=WHERE,
        )
    return made
