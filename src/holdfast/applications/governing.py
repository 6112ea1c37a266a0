"""How what applications run stands to what is registered."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from holdfast.applications.model import Deployment, Flagged
from holdfast.registry.model import Kind, Version
from holdfast.telemetry.reads import recorded
from holdfast.telemetry.reads.configurations import Observed
from holdfast.telemetry.reads.recorded import Compared, Match, Stated


@dataclass(frozen=True, slots=True)
class Finding:
    """A configuration and how it stands to the registry.

    `version`: the registered prompt that it was sent, if there is one. `deployment`: the announced one that could have
    brought it; None: nobody knows who did. `flagged`: when it was found and by whom it was raised; None: not told yet.
    """

    seen: Observed
    compared: Compared
    version: Version | None
    deployment: Deployment | None
    flagged: Flagged | None

    @property
    def unrecorded(self) -> bool:
        """Whether no release says it."""
        return self.compared.match is Match.UNRECORDED


def stated(id: str, bodies: Mapping[Kind, Mapping[str, Any]]) -> Stated:
    """A release by the bodies of its components, in the words of telemetry."""
    model, retrieval = bodies.get(Kind.MODEL, {}), bodies.get(Kind.RETRIEVAL, {})
    flat = {**retrieval.get("index", {}), **retrieval.get("chunking", {})}
    if retrieval.get("top_k") is not None:
        flat["top_k"] = retrieval["top_k"]
    return recorded.stated(
        id,
        bodies.get(Kind.PROMPT, {}).get("messages", ()),
        bodies.get(Kind.TOOLS, {}).get("tools", ()),
        [one.get("model") or "" for one in model.get("chain", ())],
        model.get("parameters", {}),
        flat,
    )
