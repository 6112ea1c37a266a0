"""Suites as people write them: YAML files, with cases inside or in JSON Lines beside; read whole, or every fault of them."""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from holdfast.evals.model import Bars, Case, Expectation, Suite
from holdfast.evals.rules.cases import Check, read_case, read_defaults
from holdfast.evals.rules.fields import Fields
from holdfast.evals.rules.hashing import hashed
from holdfast.evals.rules.judging import Judge, Kind
from holdfast.evals.rules.located import Broken, Fault, Place, from_lines, from_yaml
from holdfast.evals.rules.written_judges import read_judges

MAX_CASES = 50_000
MAX_BYTES = 64 << 20
SUITE = ("name", "description", "system", "route", "bars", "defaults", "cases", "cases_from")
BARS = ("least", "margin", "alpha", "repeats", "by")
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
IS_SUITE = (".yaml", ".yml")
IS_CASES = ".jsonl"


@dataclass(frozen=True, slots=True)
class Read:
    """What files say: the suites and judges, or with any fault none."""

    suites: tuple[Suite, ...]
    faults: tuple[Fault, ...]
    judges: tuple[Judge, ...] = ()


def read(files: Mapping[str, bytes], check: Check, judges: Mapping[str, Kind] | None = None) -> Read:
    """Reads files by path (with `/`): each `.yaml` is a suite, or holds judges; each `.jsonl` is of one of them.

    `judges` are those that there are already, whatever the files hold; None: any may be named.
    """
    size = sum(map(len, files.values()))
    if size > MAX_BYTES:
        what = (
            f"these files have {size >> 20} MiB together, and at most {MAX_BYTES >> 20} are read; apply fewer"
        )
        return Read((), (Fault("", None, None, "", what),))
    faults: list[Fault] = []
    made: list[tuple[str, Suite]] = []
    named: set[str] = set()
    of_judges, declared = _judges(files, named, faults)
    known = None if judges is None else {**judges, **{one.name: one.kind for _, one in declared}}
    for path in sorted(files):
        if path in of_judges:
            continue
        if path.endswith(IS_SUITE):
            suite = _Reader(path, files, named, faults, _with_judges(check, known)).suite()
            if suite is not None:
                made.append((path, suite))
        elif not path.endswith(IS_CASES):
            faults.append(_of(path, "a suite is a .yaml file, its cases beside it a .jsonl file; rename it"))
    for path in sorted(files):
        if path.endswith(IS_CASES) and path not in named:
            faults.append(
                _of(
                    path,
                    "no suite names this file under cases_from, and no judge under labels_from; name it, or take it away",
                )
            )
    if not files:
        faults.append(_of("", "there is no suite here: no .yaml file"))
    faults += _same_names(made, "suite")
    faults += _same_names(declared, "judge")
    faults.sort(key=lambda one: (one.file, one.line or 0))
    if faults:
        return Read((), tuple(faults))
    return Read(tuple(suite for _, suite in made), (), tuple(judge for _, judge in declared))


def _judges(
    files: Mapping[str, bytes], named: set[str], faults: list[Fault]
) -> tuple[set[str], list[tuple[str, Judge]]]:
    """The files that hold judges, and the judges by file."""
    found: set[str] = set()
    made: list[tuple[str, Judge]] = []
    for path in sorted(files):
        try:
            written = from_yaml(files[path]) if path.endswith(IS_SUITE) and b"judges" in files[path] else None
        except Broken:
            continue  # whoever reads it as a suite says so
        if not isinstance(written, dict) or "judges" not in written:
            continue
        found.add(path)
        beside_it = _Beside(path, files, named, faults, "judges")
        made += [(path, one) for one in read_judges(written, Place(path, 1, 1), faults, beside_it.lines)]
    return found, made


def _with_judges(check: Check, known: Mapping[str, Kind] | None) -> Check:
    """The check, and that a judge that an expectation names is there and is given what it needs."""
    if known is None:
        return check

    def both(one: Expectation) -> Iterator[tuple[str, str]]:
        told = False
        for fault in check(one):
            told = True
            yield fault
        name = one.params.get("judge")
        if told or one.grader != "judge":
            return
        kind = known.get(str(name))
        if kind is None:
            there = f"there are {', '.join(sorted(known)[:20])}" if known else "there is none yet"
            yield (
                "params.judge",
                f"there is no judge {str(name)[:100]!r}; {there}: write it under judges in a file beside",
            )
        elif kind is Kind.REFERENCE and not one.params.get("reference"):
            yield (
                "params.reference",
                f"the judge {name} holds answers against a reference; write a good answer",
            )

    return both


def referenced(path: str, text: bytes) -> tuple[str, ...]:
    """The files of cases and labels that a text names, as far as it can be read."""
    try:
        found = from_yaml(text)
    except Broken:
        return ()
    if not isinstance(found, dict):
        return ()
    judges = found.get("judges")
    holders = [found, *(one for one in (judges if isinstance(judges, list) else []) if isinstance(one, dict))]
    listed: list[Any] = []
    for names in (one.get(field) for one in holders for field in ("cases_from", "labels_from")):
        listed += [names] if isinstance(names, str) else names if isinstance(names, list) else []
    places = (beside(path, one) for one in listed if isinstance(one, str))
    return tuple(one for one in places if one is not None)


def beside(path: str, name: str) -> str | None:
    """A file of cases as its suite names it; None where that is not beside or below the suite."""
    folder = posixpath.dirname(path)
    found = posixpath.normpath(posixpath.join(folder, name))
    outside = found.startswith(("/", "..")) if not folder else not found.startswith(f"{folder}/")
    return None if outside or not found.endswith(IS_CASES) else found


def _of(path: str, what: str) -> Fault:
    return Fault(path, None, None, "", what)


def _same_names(made: Sequence[tuple[str, Suite | Judge]], what: str) -> Iterator[Fault]:
    first: dict[str, str] = {}
    for path, one in made:
        if one.name in first:
            said = f"{first[one.name]} has a {what} {one.name!r} too; give one of them another name"
            yield Fault(path, None, None, "name", said)
        first.setdefault(one.name, path)


class _Beside:
    """Files in JSON Lines that a file names."""

    def __init__(
        self, path: str, files: Mapping[str, bytes], named: set[str], faults: list[Fault], of: str
    ) -> None:
        self._path, self._files, self._named, self._faults, self._of = path, files, named, faults, of

    def lines(self, name: Any, place: Place) -> Iterator[tuple[Any, Place]]:
        """What the lines of one say, each with its place."""
        file = beside(self._path, name) if isinstance(name, str) else None
        if file is None:
            what = f"this is the name of a .jsonl file beside or below the {self._of}"
            self._faults.append(place.fault(what))
        elif file not in self._files:
            self._faults.append(place.fault(f"there is no file {file}; correct the name, or add it"))
        elif file in self._named:
            self._faults.append(place.fault(f"{file} is read already; name it once"))
        else:
            self._named.add(file)

            def broken(error: Broken) -> None:
                self._faults.append(Fault(file, error.line, error.column, "", error.what))

            for number, value in from_lines(self._files[file], broken):
                yield value, Place(file, number, None, "")


class _Reader:
    """Reads one suite."""

    def __init__(
        self, path: str, files: Mapping[str, bytes], named: set[str], faults: list[Fault], check: Check
    ) -> None:
        self._path, self._files, self._named = path, files, named
        self._faults, self._check = faults, check

    def suite(self) -> Suite | None:
        """The suite; None where anything of it is wrong."""
        before = len(self._faults)
        try:
            written = from_yaml(self._files[self._path])
        except Broken as error:
            self._faults.append(Fault(self._path, error.line, error.column, "", error.what))
            return None
        top = Place(self._path, 1, 1)
        if not isinstance(written, dict):
            what = (
                f"a suite is a mapping of {', '.join(SUITE)}"
                if written
                else "this suite is empty; write cases"
            )
            self._faults.append(top.fault(what))
            return None
        found = Fields(written, top, self._faults, SUITE)
        cases = self._cases(found)
        made = Suite(
            name=self._name(found),
            cases=tuple(cases),
            bars=self._bars(found, cases),
            description=found.text("description", most=10_000),
            system=found.text("system"),
            route=found.text("route"),
        )
        return hashed(made) if len(self._faults) == before else None

    def _name(self, found: Fields) -> str:
        stem = posixpath.splitext(posixpath.basename(self._path))[0]
        name = found.text("name", stem)
        if not NAME.fullmatch(name):
            what = "a suite's name is small letters, digits and . _ -, 100 at most"
            found.at("name", what if "name" in found else f"{what}; rename the file or write name")
        return name

    def _bars(self, found: Fields, cases: list[Case]) -> Bars:
        if "bars" not in found:
            return Bars()
        bars = Fields(found.given["bars"], found.of("bars"), self._faults, BARS)
        usual = Bars()
        by = bars.texts("by")
        dimensions = sorted({name for case in cases for name in case.segments})
        for one in by:
            if one not in dimensions:
                there = f"there are {', '.join(dimensions)}" if dimensions else "they have none"
                bars.at("by", f"no case has a segment {one!r}; {there}")
        if len(set(by)) < len(by):
            bars.at("by", "a segment comes twice; leave one out")
        alpha = bars.number("alpha", usual.alpha, 0, 0.5)
        if alpha == 0:
            bars.at(
                "alpha", "with 0 nothing can ever be shown; it is the accepted chance of error, like 0.05"
            )
        return Bars(
            least=bars.number("least", None, 0, 1),
            margin=_or(bars.number("margin", usual.margin, 0, 1), usual.margin),
            alpha=_or(alpha, usual.alpha),
            repeats=bars.whole("repeats", usual.repeats, 1, 1000),
            by=by,
        )

    def _cases(self, found: Fields) -> list[Case]:
        defaults = read_defaults(
            found.given.get("defaults") or {}, found.of("defaults"), self._faults, self._check
        )
        made: list[Case] = []
        places: dict[str, Place] = {}
        seen = 0
        for value, place in self._written(found):
            seen += 1
            if seen > MAX_CASES:
                found.at("cases", f"a suite has at most {MAX_CASES:,} cases; part it")
                break
            case = read_case(value, place, defaults, self._faults, self._check)
            case_id = _id(value)
            if case_id in places:
                first = places[case_id]
                at = first.file if first.line is None else f"{first.file}:{first.line}"
                what = f"the id {case_id!r} is taken by the case at {at}; give this one another"
                self._faults.append(place.of(value, "id").fault(what))
            elif case_id:
                places[case_id] = place.of(value, "id")
            if case is not None:
                made.append(case)
        if not seen and not self._faults:
            found.at(
                "cases", "this suite has no cases; write some under cases, or name a file under cases_from"
            )
        elif made and not any(case.weight for case in made):
            found.at("cases", "all weights of the cases are 0; give one a weight")
        return made

    def _written(self, found: Fields) -> Iterator[tuple[Any, Place]]:
        yield from found.items("cases")
        value = found.given.get("cases_from")
        listed = (
            [(value, found.of("cases_from"))] if isinstance(value, str) else list(found.items("cases_from"))
        )
        read = _Beside(self._path, self._files, self._named, self._faults, "suite")
        for name, place in listed:
            yield from read.lines(name, place)


def _id(value: Any) -> str:
    found = value.get("id") if isinstance(value, dict) else None
    return str(found) if isinstance(found, str | int) and not isinstance(found, bool) else ""


def _or(number: float | None, otherwise: float) -> float:
    return otherwise if number is None else number
