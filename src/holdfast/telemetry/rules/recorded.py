"""Whether a configuration seen in traffic is one that somebody registered. Pure.

What telemetry shows is compared: the system prompt sentence by sentence, tools, model, parameters, settings of retrieval.
A sentence of a registered prompt that holds a variable may read as it will.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from enum import StrEnum

from holdfast.telemetry.model import RETRIEVAL
from holdfast.telemetry.rules.configurations import SLOT, VARIES, Parts, differences, located


class Match(StrEnum):
    """How a configuration stands to what is registered. `unknown`: nothing differs, but not all of it could be seen."""

    RECORDED = "recorded"
    UNRECORDED = "unrecorded"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Stated:
    """What a registered release says, as telemetry would show it. `models`: any of them; empty text: whichever is asked.

    `id` names it; `parameters` are JSON texts by canonical name, those of retrieval with their prefix.
    """

    id: str
    prompt: tuple[int, ...]
    tools: tuple[str, ...]
    models: tuple[str, ...]
    parameters: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Compared:
    """`release` is the one that says it, or the nearest where none does. `differs` from that in words; `unseen` parts."""

    match: Match
    release: str | None
    differs: tuple[str, ...] = ()
    unseen: tuple[str, ...] = ()


def compared(parts: Parts, releases: Sequence[Stated]) -> Compared:
    """A configuration against all releases: the first that says it, else one of which too little was seen to tell, else
    the one that differs least. `releases`: those to be named first come first.
    """
    found = [_against(parts, one) for one in releases]
    if not found:
        return Compared(Match.UNRECORDED, None, ("no release is registered",))
    order = (Match.RECORDED, Match.UNKNOWN, Match.UNRECORDED)
    return min(found, key=lambda one: (order.index(one.match), len(one.differs)))


def _against(parts: Parts, release: Stated) -> Compared:
    unseen = []
    before = Parts(release.prompt, release.tools, parts.model, parts.parameters)
    after = parts
    if parts.prompt is None:
        unseen.append("system prompt")
    if parts.prompt is None or located(release.prompt, parts.prompt) is not None:
        before, after = before._replace(prompt=()), after._replace(prompt=())
    elif parts.prompt:
        before = before._replace(prompt=_filled(release.prompt, parts.prompt))
    if parts.tools is None and release.tools:
        unseen.append("tools")
    if parts.tools is None or (parts.tools == (VARIES,) and release.tools):
        before, after = before._replace(tools=None), after._replace(tools=None)
    if not parts.model:
        unseen.append("model")
    elif parts.model not in release.models and "" not in release.models:
        before = before._replace(model=" or ".join(dict.fromkeys(release.models)))
    said, seen = dict(release.parameters), dict(parts.parameters)
    unseen += [name for name in said.keys() - seen.keys() if not name.startswith(RETRIEVAL)]
    # What varies from call to call is set by the application, and what was not seen is not compared.
    alike = {name for name, value in seen.items() if value == VARIES or _same(said.get(name), value)}
    before = before._replace(parameters=_without(said, alike | (said.keys() - seen.keys())))
    after = after._replace(parameters=_without(seen, alike))
    differs = tuple(differences(before, after))
    match = Match.UNRECORDED if differs else Match.UNKNOWN if unseen else Match.RECORDED
    return Compared(match, release.id, differs, tuple(sorted(unseen)))


def says_prompt(parts: Parts, release: Stated) -> bool:
    """Whether a registered prompt is the one that was sent. One that says nothing of its own stands for none."""
    said = any(one != SLOT for one in release.prompt)
    return bool(parts.prompt) and said and located(release.prompt, parts.prompt or ()) is not None


def template_of(pieces: Sequence[tuple[str, int]], prompt: Sequence[int]) -> str | None:
    """A call's system prompt with variables `{{varies_1}}`, … for what its configuration leaves open.

    `pieces`: its sentences as they stand, each with its fingerprint. None where the text is not what the configuration says,
    as where it was masked or cut.
    """
    runs = located(prompt, [one for _, one in pieces])
    if runs is None:
        return None
    kept = {number for begin, end in runs for number in range(begin, end)}
    made: list[str] = []
    count = 0
    for number, (piece, _) in enumerate(pieces):
        if number in kept:
            made.append(piece)
        elif number == 0 or number - 1 in kept:
            count += 1
            made.append(f"{{{{varies_{count}}}}}{piece[len(piece.rstrip()) :]}")
    return "".join(made)


def _filled(template: Sequence[int], prompt: Sequence[int]) -> tuple[int, ...]:
    """A registered prompt with what was sent where it has variables: these are no difference."""
    made: list[int] = []
    for tag, a, b, c, d in SequenceMatcher(None, template, prompt, autojunk=False).get_opcodes():
        slots = tag == "replace" and set(template[a:b]) == {SLOT}
        made += prompt[c:d] if slots else template[a:b]
    return tuple(made)


def _without(values: Mapping[str, str], names: Iterable[str]) -> tuple[tuple[str, str], ...]:
    left_out = set(names)
    return tuple((name, value) for name, value in sorted(values.items()) if name not in left_out)


def _same(one: str | None, two: str) -> bool:
    """0.2 and 0.20, or 1 and 1.0, are one value."""
    return one is not None and (one == two or bool(json.loads(one) == json.loads(two)))
