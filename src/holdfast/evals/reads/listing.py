"""A suite's cases as a list that can be narrowed down: by segment, criticality, origin, grader and words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from holdfast.evals.model import Case
from holdfast.evals.rules.case_words import asked, expected

SEGMENT = "in."
"""What a filter on a segment begins with: `in.language`."""
LABELS = {"criticality": "Criticality", "source": "Comes from", "grader": "Expects", "holdout": "Holdout"}


@dataclass(frozen=True, slots=True)
class Facet:
    """A filter with its values, each with the number of cases that have it, whatever else is chosen."""

    name: str
    label: str
    values: tuple[tuple[str, int], ...]


def facets(cases: Iterable[Case]) -> list[Facet]:
    """What the cases can be told apart by: filters with one value for all are left out."""
    cases = list(cases)
    counts: dict[str, Counter[str]] = {}
    for case in cases:
        for name, values in _values(case).items():
            counts.setdefault(name, Counter()).update(values)
    found = []
    for name, counted in sorted(counts.items(), key=lambda one: _order(one[0])):
        if len(counted) > 1 or next(iter(counted.values())) < len(cases):
            label = LABELS.get(name) or name.removeprefix(SEGMENT).capitalize()
            found.append(Facet(name, label, tuple(counted.most_common(30))))
    return found


def filtered(cases: Sequence[Case], chosen: Mapping[str, Sequence[str]], words: str) -> list[Case]:
    """The cases with one of the chosen values of every filter, and all of the words in them."""
    wanted = [word.lower() for word in words.split()]
    found = []
    for case in cases:
        values = _values(case)
        if all(set(values.get(name, ())) & set(few) for name, few in chosen.items() if few) and (
            not wanted or _holds(case, wanted)
        ):
            found.append(case)
    return found


def names(cases: Iterable[Case]) -> tuple[str, ...]:
    """Every filter that the cases can be narrowed by."""
    dimensions = {f"{SEGMENT}{name}" for case in cases for name in case.segments}
    return (*LABELS, *sorted(dimensions))


def _order(name: str) -> tuple[int, str]:
    known = list(LABELS)
    return (known.index(name) + 1 if name in known else 0, name)


def _values(case: Case) -> dict[str, list[str]]:
    made = {f"{SEGMENT}{name}": [value] for name, value in case.segments.items()}
    made["criticality"] = [case.criticality.value]
    made["source"] = [case.provenance.source.value]
    made["grader"] = sorted({one.grader for one in case.expectations})
    if case.holdout:
        made["holdout"] = ["yes"]
    return made


def _holds(case: Case, words: list[str]) -> bool:
    said = [case.id, asked(case), *(text for one in case.expectations for text in expected(one))]
    text = " ".join(said).lower()
    return all(word in text for word in words)
