"""What is wrong with a release as configured: its chain, its parameters, its prompt."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from holdfast.gateway.model import Prompt, Release, Upstream, Variable
from holdfast.gateway.rules.rendering import PLACEHOLDER, TYPES
from holdfast.gateway.rules.written import Fault, inexact

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,99}")
_OWN = frozenset({"model", "stream", "messages", "input", "contents", "system", "prompt"})
"""What is no parameter: the chain, the client and the prompt say it."""


def release_faults(name: str, release: Release, upstreams: Mapping[str, Upstream]) -> Iterator[Fault]:
    """Every fault of a release."""
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
    if release.prompt is not None:
        yield from _prompt(f"{where}.prompt", release.prompt)


def _prompt(where: str, prompt: Prompt) -> Iterator[Fault]:
    if not prompt.messages:
        yield Fault(f"{where}.messages", "a prompt has at least one message")
    used: set[str] = set()
    for index, message in enumerate(prompt.messages):
        place = f"{where}.messages[{index}]"
        if not isinstance(message.get("role"), str) or "content" not in message:
            yield Fault(place, "a message has a role and content")
        yield from inexact(message, place)
        for at, text in _texts(message, place):
            used |= {found[0] for found in PLACEHOLDER.findall(text)}
            if "{{" in PLACEHOLDER.sub("", text):
                yield Fault(at, "a placeholder is {{name}}, with letters, digits and _")
    for name in sorted(used - prompt.variables.keys()):
        yield Fault(f"{where}.messages", f"{{{{{name}}}}} is not declared under variables")
    for name, variable in prompt.variables.items():
        if name not in used:
            yield Fault(f"{where}.variables.{name}", "no message has a place for it; remove it")
        yield from _variable(f"{where}.variables.{name}", name, variable)


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


def _texts(value: Any, where: str) -> Iterator[tuple[str, str]]:
    """Every text inside a value, with its place."""
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _texts(inner, f"{where}.{name}")
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            yield from _texts(inner, f"{where}[{index}]")
