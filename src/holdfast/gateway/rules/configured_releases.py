"""What is wrong with a release as configured: its chain, its parameters, its prompt."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping
from typing import Any

from holdfast.gateway.model import Prompt, Release, Upstream, Variable
from holdfast.gateway.rules.placeholders import Placeholder, Stray, position, scanned
from holdfast.gateway.rules.rendering import LONGEST, TYPES
from holdfast.gateway.rules.written import DEEPEST, Fault, inexact

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_OWN = frozenset({"model", "stream", "messages", "input", "contents", "system", "prompt"})
"""What is no parameter: the chain, the client and the prompt say it."""


def release_faults(
    name: str, release: Release, upstreams: Mapping[str, Upstream], guardrails: Collection[str]
) -> Iterator[Fault]:
    """Every fault of a release. `guardrails` are the names of those that there are."""
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
    for parameter in release.parameters:
        if parameter in _OWN:
            yield Fault(
                f"{where}.parameters.{parameter}", "this is no parameter: chain, client and prompt say it"
            )
    yield from inexact(release.parameters, f"{where}.parameters")
    for index, one in enumerate(release.guardrails):
        place = f"{where}.guardrails[{index}]"
        if one not in guardrails:
            yield Fault(place, f"there is no guardrail {one[:120]!r} under guardrails")
        elif one in release.guardrails[:index]:
            yield Fault(place, "this guardrail is listed already")
    if release.prompt is not None:
        yield from _prompt(f"{where}.prompt", release.prompt)


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
