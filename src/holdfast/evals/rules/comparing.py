"""Two runs whose scores rest on judges, compared as people would have them."""

from __future__ import annotations

import math
from collections.abc import Collection, Sequence
from typing import NamedTuple

import numpy as np
from scipy import special

from holdfast.evals.model import Bars, Outcome, Versus
from holdfast.evals.rules.correcting import FEW, Floats
from holdfast.evals.rules.trusting import LEAST_LABELS, Side


class _Parts(NamedTuple):
    """What each family adds to the score, whose weighted mean is the corrected score."""

    values: Floats
    floor: float  # half an interval is no narrower: judge's errors that so few labels may have missed


def versus(
    mine: Side,
    theirs: Side,
    families: Collection[str],
    exact: Sequence[tuple[float, float]],
    confidence: float,
) -> Versus:
    """Candidate less baseline over `families`, which both answered, and over what no judge has a say in, `exact`:
    (weight, difference).

    Each side's score is λ·judged + the weighted mean of what labels differ from that by (PPI++; chances of having been
    labelled as in Zrnic & Candès 2024, with their sum known, Hájek 1971). The difference is taken family by family, so
    that what both runs find hard cancels. Variance of a weighted mean of families; t with two degrees less than the
    smaller number of labels; never narrower than z²/(G+z²) of G families, nor than errors of the judge that as many
    labels would miss (as in `ppi_mean`). Without LEAST_LABELS on each side there is none: `value` None, and what to label.
    """
    ours = {one.family: one for one in mine.units if one.family in families}
    before = {one.family: one for one in theirs.units if one.family in families}
    common = [name for name in ours if name in before]
    told, known = (
        sum(one.family in before and one.family in ours for one in side.units[: side.done])
        for side in (mine, theirs)
    )
    if min(told, known) < LEAST_LABELS:
        more = [
            f"{LEAST_LABELS - count} more answers of the {name}"
            for count, name in ((told, "candidate"), (known, "baseline"))
            if count < LEAST_LABELS
        ]
        return Versus(None, None, None, confidence, told, known, len(common), "label " + " and ".join(more))
    z2 = float(special.ndtri((1 + confidence) / 2)) ** 2
    weights = np.asarray([ours[name].weight for name in common] + [weight for weight, _ in exact])
    shares = weights / weights.sum()
    by_judges = float(shares[: len(common)].sum())
    after, past = _parts(mine, common, z2), _parts(theirs, common, z2)
    apart = np.concatenate((after.values - past.values, [difference for _, difference in exact]))
    value = float(shares @ apart)
    many = len(apart)
    se = math.sqrt(float(((shares * (apart - value)) ** 2).sum()) * many / (many - 1))
    t = float(special.stdtrit(max(1, min(told, known) - 2), (1 + confidence) / 2))
    unseen = z2 / (1 / float((shares**2).sum()) + z2)
    half = max(t * se, unseen, by_judges * math.hypot(after.floor, past.floor))
    low, high = max(-1.0, value - half), min(1.0, value + half)
    return Versus(min(max(value, -1.0), 1.0), low, high, confidence, told, known, len(common))


def held(of: Versus, bars: Bars) -> Outcome:
    """PASS where a fall is shown to be smaller than the margin, FAIL where there is shown to be one."""
    if of.low is None or of.high is None:
        return Outcome.INCONCLUSIVE
    if of.low > -bars.margin:
        return Outcome.PASS
    return Outcome.FAIL if of.high < 0 else Outcome.INCONCLUSIVE


def labels_wanted(of: Versus, margin: float) -> int | None:
    """About how many labels of each run would show that the fall is within the margin, if it is as measured."""
    if of.value is None or of.low is None or of.value <= -margin:
        return None
    ratio = (of.value - of.low) / (of.value + margin)
    wanted = math.ceil(min(of.labels, of.baseline_labels) * ratio**2)
    return wanted if wanted <= of.families else None


def _parts(side: Side, families: Sequence[str], z2: float) -> _Parts:
    place_of = {one.family: place for place, one in enumerate(side.units)}
    places = [place_of[name] for name in families]
    chosen = [side.units[place] for place in places]
    told = np.asarray([place < side.done for place in places])
    sizes = np.asarray([one.weight for one in chosen]) / math.fsum(one.weight for one in chosen)
    counts = np.where(told, sizes / np.asarray([side.chances[place] for place in places]), 0.0)
    counts /= counts.sum()
    label = np.asarray([one.label or 0.0 for one in chosen])
    judged = np.asarray([one.judged for one in chosen])
    trust = _trust(label, judged, counts, float(told.mean()))
    rest = label - trust * judged
    middle = float(counts @ rest)
    values = trust * np.asarray([one.mean for one in chosen]) + middle + counts / sizes * (rest - middle)
    return _Parts(values, _floor(label[told], judged[told], trust, float(told.mean()), z2))


def _trust(label: Floats, judged: Floats, counts: Floats, share: float) -> float:
    """λ of PPI++ from labels that count as `counts` (sum 1), `share` of all being labelled."""
    middle = float(counts @ judged)
    spread = float(counts @ (judged - middle) ** 2)
    if spread < 1e-12:
        return 0.0
    together = float(counts @ ((judged - middle) * (label - float(counts @ label))))
    return min(max(together / (spread * (1 + share)), 0.0), 1.0)


def _floor(label: Floats, judged: Floats, trust: float, share: float, z2: float) -> float:
    if not set(np.unique(np.concatenate((label, judged)))) <= {0.0, 1.0} or (label != judged).sum() >= FEW:
        return 0.0
    return (1 - share) * trust * z2 / (len(label) + z2)
