"""A release as configured, taken apart for the registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from holdfast.gateway.model import Release
from holdfast.registry.model import Kind

_TOOLS = ("tools", "tool_choice", "parallel_tool_calls")

Parts = tuple[dict[str, Any], dict[Kind, Mapping[str, Any]]]
"""Body and components of a release in the registry."""


def parts(release: Release) -> Parts:
    """Chain and parameters are its model, tools among the parameters its tools, the prompt its prompt; the rest its body."""
    rest: dict[str, Any] = msgspec.to_builtins(release)
    parameters = dict(rest.pop("parameters", {}))
    tools = {name: parameters.pop(name) for name in _TOOLS if name in parameters}
    components: dict[Kind, Mapping[str, Any]] = {
        Kind.MODEL: {"chain": rest.pop("chain", []), "parameters": parameters}
    }
    if tools:
        components[Kind.TOOLS] = tools
    prompt = rest.pop("prompt", None)
    if prompt is not None:
        components[Kind.PROMPT] = prompt
    return rest, components
