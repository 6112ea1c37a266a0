"""Judges as people write them, beside suites: a YAML file with `judges`, their labels inside or in JSON Lines beside."""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal, InvalidOperation
from typing import Any

from holdfast.evals.rules.fields import Fields
from holdfast.evals.rules.judging import MOST_STEPS, TIE, Judge, Kind, Label, hashed, too_few
from holdfast.evals.rules.located import Fault, Place, plain
from holdfast.kernel.errors import Invalid

JUDGE = (
    "name", "description", "kind", "rubric", "scale", "route", "release", "model", "parameters", "max_cost", "labeller",
    "date", "labels", "labels_from",
)  # fmt: skip
LABEL = ("id", "input", "answer", "answers", "reference", "label", "labeller", "date")
MAX_LABELS = 10_000
MAX_TEXT = 1 << 18
MAX_RUBRIC = 50_000
NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
WORDS = {"pass": 1.0, "fail": 0.0}
PAIRS = {"first": 1.0, "second": 0.0, "tie": TIE}
_NO_DATE = dt.date.min

Lines = Callable[[str, Place], Iterator[tuple[Any, Place]]]
"""The lines of a file of labels, by the name that a judge gives it."""


def read_judges(written: Any, top: Place, faults: list[Fault], lines: Lines) -> list[Judge]:
    """The judges of one file that are without a fault."""
    found = Fields(written, top, faults, ("judges",))
    made = []
    for value, place in found.items("judges"):
        before = len(faults)
        judge = _judge(value, place, faults, lines)
        if judge is not None and len(faults) == before:
            made.append(judge)
    if not made and not faults:
        found.at("judges", "there is no judge here; write one, or take the file away")
    return made


def _judge(value: Any, place: Place, faults: list[Fault], lines: Lines) -> Judge | None:
    found = Fields(value, place, faults, JUDGE)
    if not isinstance(value, dict):
        return None
    name = found.text("name")
    if not NAME.fullmatch(name):
        found.at("name", "a judge's name is small letters, digits and . _ -, 100 at most")
    kind = found.word("kind", Kind, Kind.RUBRIC)
    rubric = found.text("rubric", most=MAX_RUBRIC)
    if not rubric.strip():
        found.at("rubric", "say what is good and what is not: the judge goes by this alone")
    steps = _steps(found, kind)
    route, release, model = found.name("route"), found.name("release"), found.name("model")
    if not (route or release or model):
        found.at("route", "say which model judges: a route or release of the gateway, or a model")
    before = len(faults)
    labels = _labels(found, kind, faults, lines)
    if len(faults) == before and (why := too_few(kind, labels)):
        found.at("labels_from" if "labels_from" in found else "labels", why)
    made = Judge(
        name, kind, rubric, tuple(labels), steps, route, release, model, plain(found.mapping("parameters")),
        _amount(found), found.text("description", most=10_000),
    )  # fmt: skip
    try:
        return hashed(made)
    except Invalid as error:
        faults.append(place.fault(str(error.detail)))
        return None


def _steps(found: Fields, kind: Kind) -> int:
    value = found.given.get("scale")
    if value is None or value == "pass/fail":
        return 1
    if kind is Kind.PAIRWISE:
        found.at("scale", "a judge of pairs says which is better; leave the scale out")
    elif isinstance(value, bool) or not isinstance(value, int) or not 2 <= value <= MOST_STEPS:
        found.at("scale", f"this is pass/fail, or the best of whole numbers from 0: 2 to {MOST_STEPS}")
    else:
        return value
    return 1


def _amount(found: Fields) -> Decimal | None:
    value = found.given.get("max_cost")
    if value is None:
        return None
    try:
        amount = None if isinstance(value, bool) else Decimal(str(value))
    except InvalidOperation:
        amount = None
    if amount is None or not amount.is_finite() or amount <= 0:
        found.at("max_cost", "this is an amount in USD above 0: the most that the judge may cost in one run")
        return None
    return amount


def _labels(found: Fields, kind: Kind, faults: list[Fault], lines: Lines) -> list[Label]:
    usual = Label("", "", "", 0.0, found.text("labeller"), found.date("date") or _NO_DATE)
    made: dict[str, Label] = {}
    for number, (value, place) in enumerate(_written(found, lines), 1):
        if number > MAX_LABELS:
            found.at("labels", f"a judge has at most {MAX_LABELS:,} labels")
            break
        label = _label(value, place, kind, faults, usual)
        if label is None:
            continue
        label = replace(label, id=label.id or str(number))
        if label.id in made:
            faults.append(place.of(value, "id").fault(f"the id {label.id!r} is taken; give this one another"))
        made[label.id] = label
    return list(made.values())


def _written(found: Fields, lines: Lines) -> Iterator[tuple[Any, Place]]:
    yield from found.items("labels")
    value = found.given.get("labels_from")
    listed = [(value, found.of("labels_from"))] if isinstance(value, str) else found.items("labels_from")
    for name, place in listed:
        yield from lines(name, place)


def _label(value: Any, place: Place, kind: Kind, faults: list[Fault], usual: Label) -> Label | None:
    before = len(faults)
    found = Fields(value, place, faults, LABEL)
    if not isinstance(value, dict):
        return None
    asked = found.text("input", most=MAX_TEXT)
    if not asked:
        found.at("input", "write what was asked")
    answer, other = found.text("answer", most=MAX_TEXT), ""
    if kind is Kind.PAIRWISE:
        pair = found.texts("answers")
        if len(pair) != 2 or "answer" in found:
            found.at("answers", "write the two answers that were compared, as a list")
        else:
            answer, other = pair
    elif "answers" in found:
        found.at("answers", "this judge is shown one answer; write it under answer")
    elif not answer:
        found.at("answer", "write the answer that was judged")
    reference = found.text("reference", most=MAX_TEXT)
    if kind is Kind.REFERENCE and not reference:
        found.at("reference", "this judge holds answers against a reference; write the one that was used")
    score = _score(found, kind)
    labeller, date = found.text("labeller", usual.labeller), found.date("date") or usual.date
    if not labeller:
        found.at("labeller", "say who judged this; once for all of a judge, beside its labels")
    if date == _NO_DATE:
        found.at("date", "say on which day this was judged; once for all of a judge, beside its labels")
    if len(faults) > before or score is None:
        return None
    return Label(found.name("id"), asked, answer, score, labeller, date, other, reference)


def _score(found: Fields, kind: Kind) -> float | None:
    value = found.given.get("label")
    words = PAIRS if kind is Kind.PAIRWISE else WORDS
    if isinstance(value, str) and value in words:
        return words[value]
    if (
        kind is not Kind.PAIRWISE
        and isinstance(value, int | float)
        and not isinstance(value, bool)
        and 0 <= value <= 1
    ):
        return float(value)
    said = ", ".join(words)
    found.at(
        "label", f"this is what a person says: {said}" + ("" if kind is Kind.PAIRWISE else ", or 0 to 1")
    )
    return None
