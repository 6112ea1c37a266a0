"""Which configuration a call ran under, from what was really sent: system prompt, tools, model, parameters, settings of
retrieval. Pure.

Calls of one family (a route of a system) that were sent alike have one configuration. What differs with nearly every
call is no change of configuration but a variable: a name in a prompt, a token limit that the application reckons, tools
chosen per request. It is found out as calls come (`learned`) and left out from then on (`canonical`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from difflib import SequenceMatcher
from hashlib import blake2b
from typing import Any, NamedTuple

from holdfast.telemetry.model import RETRIEVAL, Facts

RECENT = 32
"""Calls of a family that are looked at."""
MANY = 12
"""So many different values among them make a variable."""
ALIKE = 0.3
"""Prompts that share this much of their sentences come from one template."""
SLOT = 0
"""Stands in a prompt for any number of sentences that vary."""
VARIES = "*"
_PER_CALL = frozenset(("seed",))
"""Parameters that are meant to differ from call to call."""


class Parts(NamedTuple):
    """What a call was configured with. `prompt`: fingerprints of sentences; None: unknown. `tools`: name#fingerprint.

    Among the parameters are settings of retrieval, whose names begin with `retrieval.`.
    """

    prompt: tuple[int, ...] | None
    tools: tuple[str, ...] | None
    model: str
    parameters: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Variation:
    """What varies from call to call in a family: prompts with slots, names of parameters, the tools."""

    templates: tuple[tuple[int, ...], ...] = ()
    parameters: frozenset[str] = field(default_factory=frozenset)
    tools: bool = False


def parts_of(facts: Facts) -> Parts:
    """What a call's facts say of its configuration."""
    stated = tuple(
        (name, json.dumps(value, sort_keys=True, default=str))
        for name, value in sorted(facts.parameters.items())
        if name not in _PER_CALL and value is not None
    )
    return Parts(facts.instructions, facts.tools, facts.request_model or facts.response_model or "", stated)


def canonical(parts: Parts, variation: Variation) -> Parts:
    """The parts without what varies."""
    prompt, tools = parts.prompt, parts.tools
    if prompt is not None:
        prompt = next((one for one in variation.templates if matches(one, prompt)), prompt)
    if variation.tools and tools is not None:
        tools = (VARIES,)
    parameters = tuple(
        (name, VARIES if name in variation.parameters else value) for name, value in parts.parameters
    )
    return Parts(prompt, tools, parts.model, parameters)


def identity(family: tuple[str, str], parts: Parts) -> str:
    """The name of a configuration: equal for equal parts of one family (system, route)."""
    said = json.dumps([family, parts], separators=(",", ":"))
    return blake2b(said.encode("utf-8", "surrogatepass"), digest_size=8).hexdigest()


def matches(template: Sequence[int], prompt: Sequence[int]) -> bool:
    """Whether a prompt has a template's sentences in order, with others only where it has a slot."""
    return located(template, prompt) is not None


def located(template: Sequence[int], prompt: Sequence[int]) -> list[tuple[int, int]] | None:
    """Where the runs of sentences that a template states begin and end in a prompt; None where it is of another."""
    if SLOT not in template:
        return [(0, len(prompt))] if list(template) == list(prompt) else None
    runs: list[list[int]] = [[]]
    for one in template:
        if one == SLOT:
            runs.append([])
        else:
            runs[-1].append(one)
    first, *middle, last = runs
    if len(prompt) < len(first) + len(last) or list(prompt[: len(first)]) != first:
        return None
    if last and list(prompt[len(prompt) - len(last) :]) != last:
        return None
    at, end = len(first), len(prompt) - len(last)
    stated = [(0, at)]
    for run in middle:
        found = next(
            (n for n in range(at, end - len(run) + 1) if list(prompt[n : n + len(run)]) == run), None
        )
        if found is None:
            return None
        at = found + len(run)
        stated.append((found, at))
    return [*stated, (end, len(prompt))]


def learned(recent: Sequence[Parts], variation: Variation) -> Variation:
    """What varies, now that these calls (canonical, the latest last) were seen; as before where nothing new does."""
    values: dict[str, set[str]] = {}
    for parts in recent:
        for name, value in parts.parameters:
            values.setdefault(name, set()).add(value)
    varying = {name for name, seen in values.items() if len(seen) >= MANY}
    if varying:
        variation = replace(variation, parameters=variation.parameters | varying)
    if len({parts.tools for parts in recent} - {None}) >= MANY:
        variation = replace(variation, tools=True)
    prompts = list(dict.fromkeys(parts.prompt for parts in recent if parts.prompt is not None))
    if len(prompts) >= MANY:
        template = _template(prompts)
        if template is not None:
            known = sorted((*variation.templates, template), key=_stated, reverse=True)
            variation = replace(variation, templates=tuple(known))
    return variation


def _stated(template: Sequence[int]) -> int:
    """How many sentences a template states: those that state most are tried first."""
    return len(template) - template.count(SLOT)


def _template(prompts: Sequence[tuple[int, ...]]) -> tuple[int, ...] | None:
    """What prompts like the latest one have in common, with slots; None where too few are like it."""
    latest = prompts[-1]
    alike = [one for one in prompts if _shared(latest, one) >= ALIKE]
    if len(alike) < MANY:
        if len(prompts) < 2 * MANY:
            return None
        alike = list(prompts)  # nearly every call has a prompt of its own
    common = alike[0]
    for one in alike[1:]:
        common = _common(common, one)
    return common


def _shared(one: Sequence[int], two: Sequence[int]) -> float:
    both = len(set(one) & set(two))
    return both / max(min(len(one), len(two)), 1)


def _common(one: Sequence[int], two: Sequence[int]) -> tuple[int, ...]:
    """The sentences that two prompts share, in order, with a slot wherever either has others between."""
    made: list[int] = []
    at_one = at_two = 0
    for a, b, size in SequenceMatcher(None, one, two, autojunk=False).get_matching_blocks():
        if (a > at_one or b > at_two) and made[-1:] != [SLOT]:
            made.append(SLOT)
        for sentence in one[a : a + size]:
            if sentence != SLOT or made[-1:] != [SLOT]:
                made.append(sentence)
        at_one, at_two = a + size, b + size
    return tuple(made)


def differences(before: Parts, after: Parts) -> list[str]:
    """What changed from one configuration to another, in words, the weightiest first."""
    found = []
    if before.model != after.model:
        found.append(f"model {before.model or 'unknown'} → {after.model or 'unknown'}")
    if before.prompt != after.prompt:
        found.append(_prompt_change(before.prompt, after.prompt))
    found += _tool_changes(before.tools or (), after.tools or ())
    old, new = dict(before.parameters), dict(after.parameters)
    for name in sorted(old.keys() | new.keys()):
        if old.get(name) != new.get(name):
            told = f"retrieval {setting}" if (setting := name.removeprefix(RETRIEVAL)) != name else name
            found.append(f"{told} {old.get(name, 'not set')} → {new.get(name, 'not set')}")
    return found


def settings_of(parts: Parts) -> tuple[dict[str, str], dict[str, str]]:
    """Parameters of the model, and settings of retrieval, each as JSON text (or VARIES) by name."""
    model, retrieval = {}, {}
    for name, value in parts.parameters:
        if name.startswith(RETRIEVAL):
            retrieval[name.removeprefix(RETRIEVAL)] = value
        else:
            model[name] = value
    return model, retrieval


def _prompt_change(before: tuple[int, ...] | None, after: tuple[int, ...] | None) -> str:
    if before is None or after is None:
        return "system prompt: known since" if before is None else "system prompt: no longer captured"
    if not before or not after:
        return "system prompt added" if after else "system prompt removed"
    gone, come = 0, 0
    for tag, a, b, c, d in SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if tag != "equal":
            gone, come = gone + b - a, come + d - c
    return f"system prompt edited: {come} sentences added, {gone} removed of {len(before)}"


def _tool_changes(before: Sequence[str], after: Sequence[str]) -> list[str]:
    old, new = dict(_split(before)), dict(_split(after))
    found = [f"tool {name} added" for name in sorted(new.keys() - old.keys())]
    found += [f"tool {name} removed" for name in sorted(old.keys() - new.keys())]
    return found + [
        f"tool {name} changed" for name in sorted(old.keys() & new.keys()) if old[name] != new[name]
    ]


def _split(tools: Sequence[str]) -> list[tuple[str, str]]:
    return [(name, mark) for name, _, mark in (one.rpartition("#") for one in tools)]


def to_json(parts: Parts) -> dict[str, Any]:
    """Parts as they are kept."""
    return {
        "prompt": None if parts.prompt is None else [f"{one:x}" for one in parts.prompt],
        "tools": None if parts.tools is None else list(parts.tools),
        "model": parts.model,
        "parameters": [list(one) for one in parts.parameters],
    }


def from_json(kept: dict[str, Any]) -> Parts:
    """Parts as they were kept."""
    prompt, tools = kept["prompt"], kept["tools"]
    return Parts(
        None if prompt is None else tuple(int(one, 16) for one in prompt),
        None if tools is None else tuple(tools),
        kept["model"],
        tuple((name, value) for name, value in kept["parameters"]),
    )
