"""What a format gives, and what becomes of it: cases as we write them, each good or left out with its reason."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from holdfast.evals.graders import shelf
from holdfast.evals.model import Case, Expectation, Provenance, Source, Suite
from holdfast.evals.rules.cases import OWN, Defaults, read_case
from holdfast.evals.rules.hashing import hashed
from holdfast.evals.rules.located import Broken, Fault, Place
from holdfast.evals.rules.written import MAX_CASES, NAME

ANSWER_GRADERS = ("normalised", "exact", "contains", "similarity")
"""By which an answer can be held against one that a data set gives."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """How to read data that does not say it all: the grader of given answers, and our field → their column."""

    grader: str = "normalised"
    columns: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(slots=True)
class Reading:
    """A file that is read, and what of it was left out so far."""

    file: str
    text: bytes
    wishes: Wishes
    left: list[Fault] = field(default_factory=list)

    def leave(self, place: Place, what: str) -> None:
        """Says that this does not convert, and why."""
        self.left.append(place.fault(what))


Format = Callable[[Reading], Iterator[tuple[dict[str, Any], Place]]]
"""Cases as we write them, each with its place in the file. Raises Broken where the file is no such file."""


@dataclass(frozen=True, slots=True)
class Converted:
    """The suite, None where no case converted, and what did not convert."""

    suite: Suite | None
    left: tuple[Fault, ...]


def convert(read: Format, file: str, text: bytes, wishes: Wishes, name: str = "") -> Converted:
    """Reads another tool's file into a suite. `name`: of the suite; the file's where empty."""
    source = Reading(file, text, wishes)
    cases: dict[str, Case] = {}
    try:
        for number, (draft, place) in enumerate(read(source), 1):
            if len(cases) == MAX_CASES:
                source.leave(place, f"a suite has at most {MAX_CASES:,} cases; the rest is left out")
                break
            case = _case(draft, place, number, cases, source)
            if case is not None:
                cases[case.id] = case
    except Broken as error:
        source.left.append(Fault(file, error.line, error.column, "", error.what))
    if not cases:
        return Converted(None, tuple(source.left))
    made = Suite(
        name or _name(file), tuple(cases.values()), description=f"Imported from {posixpath.basename(file)}"
    )
    return Converted(hashed(made), tuple(source.left))


def _case(
    draft: dict[str, Any], place: Place, number: int, taken: Mapping[str, Case], source: Reading
) -> Case | None:
    wanted = " ".join(str(draft.get("id") or "").split())[:180] or f"case-{number}"
    wanted = "".join(one for one in wanted if one.isprintable())
    case_id = next(one for one in _ids(wanted) if one not in taken)
    before = len(source.left)
    expect = [one for one in draft.get("expect") or [] if _good(one, place, source)]
    if not expect:
        if len(source.left) == before and not draft.get("told"):
            source.leave(place, "this says nothing of what is expected; add an answer or an assertion")
        return None
    names: set[str] = set()
    for one in expect:
        one["name"] = next(each for each in _ids(str(one.get("name") or one["grader"])) if each not in names)
        names.add(one["name"])
        if one["name"] == one["grader"]:
            del one["name"]
    written = {
        name: value for name, value in draft.items() if value not in (None, "", [], {}) and name != "told"
    }
    written |= {"id": case_id, "expect": expect}
    faults: list[Fault] = []
    defaults = Defaults(provenance=Provenance(Source.IMPORT, reference=source.file[-2000:]))
    case = read_case(written, place, defaults, faults, lambda _: ())
    source.left += faults
    return case


def _good(one: dict[str, Any], place: Place, source: Reading) -> bool:
    """Whether a grader can be asked for this; else it is left out, and why."""
    params = {name: value for name, value in one.items() if name not in ("grader", *OWN)}
    found = [f"{where}: {what}" for where, what in shelf.faults(Expectation(one["grader"], params))]
    if found:
        source.leave(place, f"an expectation is left out: {one['grader']}: {'; '.join(found)}")
    return not found


def _ids(wanted: str) -> Iterator[str]:
    yield wanted
    number = 2
    while True:
        yield f"{wanted} {number}"
        number += 1


def _name(file: str) -> str:
    stem = posixpath.basename(file).partition(".")[0].lower()
    name = re.sub(r"[^a-z0-9._-]+", "-", stem).strip("-._")[:100]
    return name if NAME.fullmatch(name) else "imported"
