"""What a run's score is worth that rests on judges: corrected by what people say of a sample of its answers."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from holdfast.evals.model import Case, Expectation, Grade, Trusted
from holdfast.evals.rules import correcting
from holdfast.evals.rules.labelling import chances_of, ranked
from holdfast.evals.rules.scoring import combined
from holdfast.evals.states import Graded

LEAST_LABELS = 5
"""Labels below which a run's figures are not corrected by them."""
UNTRUSTED = "uncorrected judge, not to be trusted"

Labels = Mapping[tuple[str, int, str], float | None]
"""(case, repeat, expectation) → what people say, 0 to 1; None: they cannot tell."""


def gathered(said: Iterable[tuple[str, int, str, float | None]]) -> dict[tuple[str, int, str], float | None]:
    """What several people say of each answer as one: the mean of those who can tell."""
    found: dict[tuple[str, int, str], list[float]] = {}
    for case, repeat, expectation, score in said:
        known = found.setdefault((case, repeat, expectation), [])
        if score is not None:
            known.append(score)
    return {place: math.fsum(known) / len(known) if known else None for place, known in found.items()}


class Checked(NamedTuple):
    """What a check of a judge showed: of how many that people call good it passed how many, and likewise of the bad."""

    judge: str
    caught: int
    good: int
    cleared: int
    bad: int


@dataclass(frozen=True, slots=True)
class Unit:
    """A family of cases that judges grade, and the one answer that stands for it. `mean`: of all of its answers.

    `judged` is the score of that answer by the judges, `label` as people have it (None: not asked yet). `unsure` is how
    far the judges' verdicts in the family disagree.
    """

    family: str
    case: str
    repeat: int
    weight: float
    mean: float
    judged: float
    unsure: float
    label: float | None
    segments: Mapping[str, str]
    criticality: str


class Side(NamedTuple):
    """A run's units in the order of labelling, of which the first `done` are labelled without a gap, and every unit's
    chance of having been among those.
    """

    units: Sequence[Unit]
    done: int
    chances: Sequence[float]


def key(one: Expectation) -> str:
    """What an expectation is called: its name, or its grader's."""
    return one.name or one.grader


def rests_on(case: Case) -> tuple[str, ...]:
    """The judges that have a say in a case's score."""
    return tuple(
        str(one.params.get("judge")) for one in case.expectations if one.grader == "judge" and one.weight > 0
    )


def units(cases: Sequence[Case], graded: Sequence[Graded], labels: Labels, seed: str) -> list[Unit]:
    """The families that judges grade, in the order in which their answers are to be labelled."""
    by_case = {case.id: case for case in cases}
    families: dict[str, list[tuple[Case, Graded]]] = {}
    for one in graded:
        case = by_case.get(one.case)
        if case is not None and one.score is not None and rests_on(case) and not _untold(case, one, labels):
            families.setdefault(case.family or case.id, []).append((case, one))
    found: list[Unit] = []
    draws: list[float] = []
    for name, members in sorted(families.items()):
        shares = [case.weight / sum(other.id == case.id for other, _ in members) for case, _ in members]
        whole = math.fsum(shares)
        if not whole:
            continue
        case, picked = _picked(members, shares, _uniform(f"{seed}/{name}/pick"))
        scores = [one.score or 0.0 for _, one in members]
        mean = math.fsum(share * score for share, score in zip(shares, scores, strict=True)) / whole
        unsure = math.sqrt(max(0.0, mean * (1 - mean)))
        found.append(
            Unit(
                name,
                case.id,
                picked.repeat,
                whole,
                mean,
                picked.score or 0.0,
                unsure,
                _label(case, picked, labels),
                case.segments,
                case.criticality.value,
            )
        )
        draws.append(_uniform(f"{seed}/{name}/order"))
    order, _ = ranked([one.unsure * one.weight for one in found], draws)
    return [found[place] for place in order]


def side(cases: Sequence[Case], graded: Sequence[Graded], labels: Labels, seed: str) -> Side:
    """What judges grade of a run, and how far it is labelled."""
    found = units(cases, graded, labels, seed)
    done = next((place for place, one in enumerate(found) if one.label is None), len(found))
    unsure = [one.unsure * one.weight for one in found]
    _, ranks = ranked(unsure, [_uniform(f"{seed}/{one.family}/order") for one in found])
    return Side(found, done, chances_of(unsure, ranks, done))


def figure(
    chosen: Sequence[Unit],
    of: Side,
    exact: Sequence[tuple[float, float]],
    judges: tuple[str, ...],
    checked: Sequence[Checked],
    confidence: float,
) -> Trusted | None:
    """The score of a group: `chosen` of the run's units, and what no judge has a say in, `exact`: (weight, score).

    None where no judge has a say.
    """
    if not chosen:
        return None
    weight = math.fsum(one.weight for one in chosen)
    other = math.fsum(one for one, _ in exact)
    known = math.fsum(one * score for one, score in exact)
    judged = (math.fsum(one.weight * one.mean for one in chosen) + known) / (weight + other)
    sample = {(one.case, one.repeat) for one in of.units[: of.done]}
    labelled = sum((one.case, one.repeat) in sample for one in chosen)
    part = _corrected(chosen, of, confidence) if labelled >= LEAST_LABELS else None
    note = ""
    if part is None and not exact:
        part = _by_checks(chosen, checked, judges, confidence)
    if part is None:
        more = LEAST_LABELS - labelled
        note = (
            f"{UNTRUSTED}: label {more} more of its answers"
            if more > 0
            else f"{UNTRUSTED}: label more of its answers"
        )
        return Trusted(judges, judged, None, None, None, confidence, labelled, "", note)
    share = weight / (weight + other)
    # What no judge has a say in is a sample of cases too: its own error stays as it is.
    half = _half_width(exact, confidence) * (1 - share)
    middle = share * part.value + known / (weight + other)
    low = middle - math.hypot(share * (part.value - part.low), half)
    high = middle + math.hypot(share * (part.high - part.value), half)
    labels = part.labels if part.method == "Rogan-Gladen" else labelled
    return Trusted(
        judges, judged, middle, max(0.0, low), min(1.0, high), confidence, labels, part.method, note
    )


def _corrected(chosen: Sequence[Unit], of: Side, confidence: float) -> correcting.Corrected | None:
    scale = len(chosen) / math.fsum(one.weight for one in chosen)
    sizes = [one.weight * scale for one in chosen]
    inside = {(one.case, one.repeat): place for place, one in enumerate(of.units)}
    places = [inside[one.case, one.repeat] for one in chosen]
    ours = [of.chances[place] for place in places]
    labelled = [place < of.done for place in places]
    pairs = list(zip(chosen, sizes, labelled, strict=True))
    if max(ours) - min(ours) < 1e-9:
        found = correcting.ppi_mean(
            [(one.label or 0.0) * size for one, size, told in pairs if told],
            [one.judged * size for one, size, told in pairs if told],
            [one.mean * size for one, size, told in pairs if not told],
            confidence=confidence,
        )
        return found
    return correcting.active_mean(
        [one.judged * size for one, size, _ in pairs],
        [(one.label or 0.0) * size if told else None for one, size, told in pairs],
        ours,
        confidence=confidence,
    )


def _by_checks(
    chosen: Sequence[Unit], checked: Sequence[Checked], judges: tuple[str, ...], confidence: float
) -> correcting.Corrected | None:
    """By what the judge's own labelled set shows: of one judge that says pass or fail, where it alone has a say."""
    alike = len({one.weight for one in chosen}) == 1 and all(one.judged in (0.0, 1.0) for one in chosen)
    found = [one for one in checked if one.judge in judges]
    if len(judges) != 1 or len(found) != 1 or not alike or not found[0].good or not found[0].bad:
        return None
    of = found[0]
    passed = sum(one.judged == 1.0 for one in chosen)
    return correcting.rogan_gladen(
        passed, len(chosen), of.caught, of.good, of.cleared, of.bad, confidence=confidence
    )


def with_human(case: Case, grades: Sequence[Grade], told: Mapping[str, float | None]) -> float | None:
    """The score that an answer has with what people say in the place of every judge; None where they do not say all."""
    made = []
    for one, grade in zip(case.expectations, grades, strict=True):
        if one.grader == "judge" and one.weight > 0:
            score = told.get(key(one))
            if score is None:
                return None
            made.append(replace(grade, score=score, passed=True))
        else:
            made.append(grade)
    return combined(case.expectations, made)[0]


def _label(case: Case, one: Graded, labels: Labels) -> float | None:
    told = {name: labels.get((one.case, one.repeat, name)) for name in map(key, case.expectations)}
    return with_human(case, one.grades, told)


def _untold(case: Case, one: Graded, labels: Labels) -> bool:
    """Whether people were asked and cannot tell: such an answer is no part of what is estimated."""
    names = [key(each) for each in case.expectations if each.grader == "judge"]
    places = [(one.case, one.repeat, name) for name in names]
    return any(place in labels and labels[place] is None for place in places)


def _picked(
    members: Sequence[tuple[Case, Graded]], shares: Sequence[float], draw: float
) -> tuple[Case, Graded]:
    left = draw * math.fsum(shares)
    for member, share in zip(members, shares, strict=True):
        left -= share
        if left < 0:
            return member
    return members[-1]


def _half_width(exact: Sequence[tuple[float, float]], confidence: float) -> float:
    if len(exact) < 2:
        return 0.0 if not exact else 0.5
    from scipy import special

    total = math.fsum(weight for weight, _ in exact)
    mean = math.fsum(weight * score for weight, score in exact) / total
    spread = math.fsum((weight * (score - mean)) ** 2 for weight, score in exact) / total**2
    n = len(exact)
    return float(special.stdtrit(n - 1, (1 + confidence) / 2)) * math.sqrt(spread * n / (n - 1))


def _uniform(text: str) -> float:
    return int.from_bytes(hashlib.sha256(text.encode(errors="replace")).digest()[:7], "big") / 2**56
