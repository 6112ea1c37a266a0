"""What is wrong with a release as configured: its chain, its parameters, its prompt."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any

from holdfast.gateway.model import Agent, Prompt, Release, Retrieval, Upstream, Variable
from holdfast.gateway.rules.placeholders import Placeholder, Stray, position, scanned
from holdfast.gateway.rules.rendering import LONGEST, TYPES
from holdfast.gateway.rules.written import DEEPEST, Fault, inexact

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_STEP = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
MOST_STEPS = 100_000
MOST_FOUND = 10_000
_OWN = frozenset({"model", "stream", "messages", "input", "contents", "system", "prompt"})
"""What is no parameter: the chain, the client and the prompt say it."""


def release_faults(
    name: str,
    release: Release,
    upstreams: Mapping[str, Upstream],
    guardrails: Collection[str],
    manifests: Collection[str] = (),
) -> Iterator[Fault]:
    """Every fault of a release. `guardrails` are the names of those that there are, `manifests` ids of manifests."""
    where = f"releases.{name}"
    if not release.chain:
        yield Fault(f"{where}.chain", "a chain has at least one upstream")
    for index, target in enumerate(release.chain):
        upstream = upstreams.get(target.upstream)
        place = f"{where}.chain[{index}]"
        if upstream is None:
            yield Fault(
                f"{place}.upstream", f"there is no upstream {target.upstream[:120]!r} under upstreams"
            )
        elif target.model and upstream.models and target.model not in upstream.models:
            yield Fault(f"{place}.model", f"the upstream {target.upstream} does not list this model")
    yield from _parameters(f"{where}.parameters", release.parameters)
    for index, one in enumerate(release.guardrails):
        place = f"{where}.guardrails[{index}]"
        if one not in guardrails:
            yield Fault(place, f"there is no guardrail {one[:120]!r} under guardrails")
        elif one in release.guardrails[:index]:
            yield Fault(place, "this guardrail is listed already")
    if release.prompt is not None:
        yield from _prompt(f"{where}.prompt", release.prompt)
    if release.agent is not None:
        yield from _agent(f"{where}.agent", release.agent, release.parameters)
    if release.retrieval is not None:
        yield from _retrieval(f"{where}.retrieval", release.retrieval, manifests)


def _parameters(where: str, parameters: Mapping[str, Any]) -> Iterator[Fault]:
    for parameter in parameters:
        if parameter in _OWN:
            yield Fault(f"{where}.{parameter}", "this is no parameter: chain, client and prompt say it")
    yield from inexact(parameters, where)


def _agent(where: str, agent: Agent, parameters: Mapping[str, Any]) -> Iterator[Fault]:
    names = [one.name for one in agent.steps]
    tools = _tool_names(parameters.get("tools"))
    for index, step in enumerate(agent.steps):
        place = f"{where}.steps[{index}]"
        if not _STEP.fullmatch(step.name):
            yield Fault(f"{place}.name", "a step's name is letters, digits and . _ -, 100 at most")
        elif step.name in names[:index]:
            yield Fault(f"{place}.name", "there is a step of this name already")
        for at, follows in enumerate(step.next):
            if follows not in names:
                yield Fault(f"{place}.next[{at}]", f"there is no step {follows[:120]!r} in this graph")
        for at, tool in enumerate(step.tools):
            if tools is not None and tool not in tools:
                yield Fault(f"{place}.tools[{at}]", f"there is no tool {tool[:120]!r} under parameters.tools")
    if agent.step_limit is not None and not 1 <= agent.step_limit <= MOST_STEPS:
        yield Fault(f"{where}.step_limit", f"a step limit is from 1 to {MOST_STEPS}")
    if agent.cost_limit is not None and not (agent.cost_limit.is_finite() and 0 < agent.cost_limit < 10**9):
        yield Fault(f"{where}.cost_limit", "a cost limit is an amount in USD above 0")


def _tool_names(tools: Any) -> set[str] | None:
    """Names of the tools that a request is sent; None where the release lays none over it, so that nobody can tell."""
    if not isinstance(tools, list | tuple):
        return None
    found = set()
    for one in tools:
        if isinstance(one, Mapping):
            function = one.get("function")
            name = function.get("name") if isinstance(function, Mapping) else one.get("name")
            found.add(str(name))
    return found


def _retrieval(where: str, retrieval: Retrieval, manifests: Collection[str]) -> Iterator[Fault]:
    if retrieval.snapshot and retrieval.snapshot not in manifests:
        yield Fault(
            f"{where}.snapshot",
            "there is no manifest of this id in this workspace; push one with holdfast knowledge push, which tells its id",
        )
    if retrieval.top_k is not None and not 1 <= retrieval.top_k <= MOST_FOUND:
        yield Fault(f"{where}.top_k", f"top_k is from 1 to {MOST_FOUND}")
    yield from inexact(retrieval.index, f"{where}.index")
    yield from inexact(retrieval.chunking, f"{where}.chunking")


def variables(messages: Sequence[Mapping[str, Any]]) -> dict[str, Variable]:
    """A declaration for each placeholder: json where parts of it are asked for, else a string."""
    found: dict[str, Variable] = {}
    for message in messages:
        for _, text in _texts(message, ""):
            for tag in scanned(text):
                if isinstance(tag, Placeholder) and (tag.path or tag.name not in found):
                    found[tag.name] = Variable(type="json") if tag.path else Variable()
    return found


def prompt_faults(where: str, prompt: Prompt) -> list[Fault]:
    """Why a prompt is not applied; empty where it is."""
    return list(_prompt(where, prompt))


def _prompt(where: str, prompt: Prompt) -> Iterator[Fault]:
    if not prompt.messages:
        yield Fault(f"{where}.messages", "a prompt has at least one message")
    used: set[str] = set()
    strays, room = False, LONGEST
    for index, message in enumerate(prompt.messages):
        place = f"{where}.messages[{index}]"
        if not isinstance(message.get("role"), str) or "content" not in message:
            yield Fault(place, "a message has a role and content")
        yield from inexact(message, place)
        for at, text in _texts(message, place):
            room -= len(text)
            for tag in scanned(text):
                said = tag.said if isinstance(tag, Stray) else _misplaced(tag, prompt.variables, used)
                strays |= isinstance(tag, Stray)
                if said:
                    yield Fault(at, f"{position(text, tag.at)}: {said}")
    if room < 0:
        yield Fault(f"{where}.messages", f"a prompt has at most {LONGEST} characters")
    for name, variable in prompt.variables.items():
        if name not in used and not strays:
            yield Fault(f"{where}.variables.{name}", "no message has a place for it; remove it")
        yield from _variable(f"{where}.variables.{name}", name, variable)


def _misplaced(tag: Placeholder, variables: Mapping[str, Variable], used: set[str]) -> str:
    """What is wrong with a placeholder, '' where nothing is; a name that is not declared is told once."""
    seen = tag.name in used
    used.add(tag.name)
    variable = variables.get(tag.name)
    if variable is None:
        return "" if seen else f"{{{{{tag.name[:100]}}}}} is not declared under variables"
    if tag.path and variable.type != "json":
        return f"{tag.name} has no parts: it is a {variable.type[:100]}; declare it as json, or remove what follows the dot"
    return ""


def _variable(where: str, name: str, variable: Variable) -> Iterator[Fault]:
    if not _VARIABLE.fullmatch(name):
        yield Fault(where, "a variable's name is letters, digits and _, 100 at most")
    kinds = TYPES.get(variable.type)
    default = variable.default
    if kinds is None:
        yield Fault(f"{where}.type", f"a type is one of {', '.join(TYPES)}")
    elif default is not None and (
        not isinstance(default, kinds) or (isinstance(default, bool) and bool not in kinds)
    ):
        yield Fault(f"{where}.default", f"this is no {variable.type}")
    yield from inexact(default, f"{where}.default")


def _texts(value: Any, where: str, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Every text inside a value, with its place, down to the depth below which it is a fault already."""
    if isinstance(value, str):
        yield where, value
    elif depth >= DEEPEST:
        return
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _texts(inner, f"{where}.{name}", depth + 1)
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _texts(inner, f"{where}[{index}]", depth + 1)
