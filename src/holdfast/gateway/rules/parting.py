"""A release as configured, taken apart for the registry and put together again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from holdfast.gateway.model import Guardrail, Release
from holdfast.kernel.errors import Invalid
from holdfast.registry.model import Kind

_TOOLS = ("tools", "tool_choice", "parallel_tool_calls")
_AGENT = "agent"

Guardrails = Mapping[str, Guardrail]
Parts = tuple[dict[str, Any], dict[Kind, Mapping[str, Any]]]
"""Body and components of a release in the registry."""


def parts(release: Release, guardrails: Mapping[str, Guardrail]) -> Parts:
    """Chain and parameters are its model; tools among the parameters and the agent's graph its tools; prompt and retrieval
    are parts of their own; the rest is its body.

    Of its guardrails the whole content is a part, in their order: to weaken one makes another release.
    """
    rest: dict[str, Any] = msgspec.to_builtins(release)
    parameters = dict(rest.pop("parameters", {}))
    tools = {name: parameters.pop(name) for name in _TOOLS if name in parameters}
    components: dict[Kind, Mapping[str, Any]] = {
        Kind.MODEL: {"chain": rest.pop("chain", []), "parameters": parameters}
    }
    agent = rest.pop(_AGENT, None)
    if agent is not None:
        tools[_AGENT] = agent
        if release.agent is not None and release.agent.cost_limit is not None:
            agent["cost_limit"] = f"{release.agent.cost_limit.normalize():f}"  # 0.50 is 0.5
    if tools:
        components[Kind.TOOLS] = tools
    prompt = rest.pop("prompt", None)
    if prompt is not None:
        components[Kind.PROMPT] = prompt
    retrieval = rest.pop("retrieval", None)
    if retrieval is not None:
        components[Kind.RETRIEVAL] = retrieval
    names = rest.pop("guardrails", ())
    if names:
        judges = [{"name": name, **msgspec.to_builtins(guardrails[name])} for name in names]
        components[Kind.GUARDRAILS] = {"guardrails": judges}
    return rest, components


def joined(
    body: Mapping[str, Any], components: Mapping[Kind, Mapping[str, Any]]
) -> tuple[Release, Guardrails]:
    """What `parts` took apart: the release, and its guardrails by name. Raises Invalid for what no version of it wrote."""
    model = components.get(Kind.MODEL, {})
    judges = components.get(Kind.GUARDRAILS, {}).get("guardrails", ())
    guardrails = {one["name"]: {field: one[field] for field in one if field != "name"} for one in judges}
    tools = dict(components.get(Kind.TOOLS, {}))
    agent = tools.pop(_AGENT, None)
    whole = {
        **body,
        "chain": model.get("chain", []),
        "parameters": {**model.get("parameters", {}), **tools},
        "guardrails": list(guardrails),
    }
    if Kind.PROMPT in components:
        whole["prompt"] = components[Kind.PROMPT]
    if Kind.RETRIEVAL in components:
        whole["retrieval"] = components[Kind.RETRIEVAL]
    if agent is not None:
        whole["agent"] = agent
    try:
        release = msgspec.convert(whole, Release)
        return release, msgspec.convert(guardrails, dict[str, Guardrail])
    except msgspec.ValidationError as error:
        raise Invalid(f"this release was not made for the gateway: {error}") from error
