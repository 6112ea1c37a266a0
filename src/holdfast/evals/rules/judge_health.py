"""How good a judge is, by what it said of its labelled answers: agreement, bias, place, length, and drift since before."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from holdfast.evals.model import Comparison
from holdfast.evals.rules import agreement
from holdfast.evals.rules.agreement import Agreement, Slope, Swaps
from holdfast.evals.rules.judging import TIE, Judge, Kind, Label, place


@dataclass(frozen=True, slots=True)
class Heard:
    """A labelled answer and what the judge said of it; None: it did not say. `forth` and `back` of a pair."""

    label: Label
    score: float | None
    forth: float | None = None
    back: float | None = None


@dataclass(frozen=True, slots=True)
class Bias:
    """How much higher the judge scores than people do, with its interval; 0: not at all."""

    value: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Drift:
    """Now less before, over the answers that both checks heard: how right the judge is, and how high it scores."""

    right: Comparison
    score: Comparison


@dataclass(frozen=True, slots=True)
class Health:
    """Of one check. `unknown` answers the judge did not say anything of. None: it cannot be told, or does not apply."""

    labels: int
    unknown: int
    right: float | None  # share on the same side of the bar as people
    kappa: Agreement
    alpha: Agreement
    bias: Bias | None
    caught: tuple[int, int]  # of how many that people call good it passes how many
    cleared: tuple[int, int]  # of the bad, it fails
    swaps: Swaps | None
    length: Slope | None
    drift: Drift | None


def health(judge: Judge, heard: Sequence[Heard], before: Sequence[Heard] = (), *, seed: int = 0) -> Health:
    """What the check shows; `before`: what an earlier check of the judge heard."""
    rng = np.random.default_rng(seed)
    told = [(one, one.score) for one in heard if one.score is not None]
    people = [one.label.label for one, _ in told]
    scores = [score for _, score in told]
    pair = judge.kind is Kind.PAIRWISE
    sides = [
        (_side(label, pair=pair), _side(score, pair=pair))
        for label, score in zip(people, scores, strict=True)
    ]
    good = [said for true, said in sides if true == "good"]
    bad = [said for true, said in sides if true == "bad"]
    return Health(
        labels=len(heard),
        unknown=len(heard) - len(told),
        right=sum(true == said for true, said in sides) / len(sides) if sides else None,
        kappa=agreement.cohen_kappa([true for true, _ in sides], [said for _, said in sides], rng),
        alpha=agreement.krippendorff_alpha(list(zip(people, scores, strict=True)), rng, interval=True),
        bias=None if pair else _bias(scores, people),
        caught=(good.count("good"), len(good)),
        cleared=(bad.count("bad"), len(bad)),
        swaps=_swaps(heard) if pair else None,
        length=_length(told, pair=pair),
        drift=_drift(heard, before, rng),
    )


def _side(score: float, *, pair: bool) -> str:
    if pair and score == TIE:
        return "tie"
    return "good" if score >= TIE else "bad"


def _bias(scores: Sequence[float], people: Sequence[float]) -> Bias | None:
    apart = np.asarray(scores) - np.asarray(people)
    n = len(apart)
    if n < 2:
        return None
    half = float(special.stdtrit(n - 1, 0.975)) * float(apart.std(ddof=1)) / math.sqrt(n)
    middle = float(apart.mean())
    return Bias(middle, middle - half, middle + half)


def _swaps(heard: Sequence[Heard]) -> Swaps | None:
    both = [(one.forth, one.back) for one in heard if one.forth is not None and one.back is not None]
    forth = [place(one) for one, _ in both if one is not None]
    return agreement.position_swaps(forth, [place(other) for _, other in both if other is not None])


def _length(told: Sequence[tuple[Heard, float]], *, pair: bool) -> Slope | None:
    """Of pairs: whether the longer wins. Of single answers: whether longer ones pass rather than people pass them, among
    the answers where judge and people differ.
    """
    won: list[bool] = []
    longer: list[float] = []
    lengths = [math.log(max(1, len(one.label.answer))) for one, _ in told]
    middle = sum(lengths) / len(lengths) if lengths else 0.0
    for (one, score), length in zip(told, lengths, strict=True):
        if pair and score != TIE:
            won.append(score > TIE)
            longer.append(length - math.log(max(1, len(one.label.other))))
        elif not pair and (score >= TIE) != (one.label.label >= TIE):
            won.append(score >= TIE)
            longer.append(length - middle)
    return agreement.length_bias(won, longer)


def _drift(heard: Sequence[Heard], before: Sequence[Heard], rng: np.random.Generator) -> Drift | None:
    past = {(one.label.input, one.label.answer, one.label.other): one.score for one in before}
    both = [
        (str(number), one.label.label, old, one.score)
        for number, one in enumerate(heard)
        if one.score is not None
        and (old := past.get((one.label.input, one.label.answer, one.label.other))) is not None
    ]
    if not both:
        return None
    names, labels, old_scores, new_scores = zip(*both, strict=True)
    found = agreement.drift(names, labels, old_scores, new_scores, rng)
    return None if found is None else Drift(*found)
