"""How much of what production asks a suite covers, told from vectors of questions and of cases.

Questions are grouped by what they mean. A case belongs to the group whose middle is nearest, if it lies no further from it
than three in four of the group's own questions do (REACH), or says nearly the same (NEAR); a group is covered where a case
belongs to it. Questions near to no group are unknown, neither covered nor uncovered. Shares are of traffic: each call counts
for as many as it was drawn for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from holdfast.text import clusters
from holdfast.text.clusters import LEAST, UNCLUSTERED, Cluster

REACH = 0.25
"""A case belongs to a group where this share of the group's questions lies no nearer to its middle."""
NEAR = 0.7
"""Cosine with the middle from which a case belongs to a group in any case: the questions of some are all but copies."""
EXAMPLES = 4
FEW = 10
"""Degrees of freedom below which a spread within groups is not to be told."""
Vectors = NDArray[np.float32]
Places = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Share:
    """A share of traffic with its 95 % interval. None: there is nothing to tell it from."""

    value: float | None = None
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True, slots=True)
class Ref:
    """Where a call is."""

    trace: str
    call: str


@dataclass(frozen=True, slots=True)
class HeldCase:
    """A case as it was when its group was told."""

    id: str
    hash: str


@dataclass(frozen=True, slots=True)
class Group:
    """Questions that mean the same. `share` is of the traffic whose questions are known; `x` and `y` from -1 to 1.

    `refs` are calls that ask it, the most typical first, each in other words. `cases` is empty where nothing covers it.
    """

    number: int
    calls: int
    share: float
    keywords: tuple[str, ...]
    refs: tuple[Ref, ...]
    cases: tuple[HeldCase, ...]
    x: float
    y: float

    @property
    def covered(self) -> bool:
        """Whether a case belongs to it."""
        return bool(self.cases)


@dataclass(frozen=True, slots=True)
class Found:
    """What a map of coverage shows. `traffic` calls there were, of which `drawn` were looked at, and of `read` the question
    was kept; `blind` is the share of traffic of systems of which no question was.

    Shares are of the traffic whose questions are known. `unseen`: Good & Turing's estimate of the share of questions of a
    kind that the sample has none of, with its upper 95 % bound. `apart` are cases that belong to no group.
    """

    traffic: int
    drawn: int
    read: int
    blind: float
    cases: int
    uncovered: Share
    unclustered: Share
    unseen: float | None
    unseen_high: float | None
    groups: tuple[Group, ...]
    apart: tuple[HeldCase, ...]

    @property
    def proposals(self) -> list[Group]:
        """Groups without a case, those of most traffic first: their most typical call is worth a case."""
        return sorted((one for one in self.groups if not one.covered), key=lambda one: -one.share)


@dataclass(frozen=True, slots=True)
class Headline:
    """A run's score weighted by what is asked, over the traffic that its cases can speak for.

    `unknown` is the share of all traffic that no graded case speaks for. `plain` is the mean over the same run's cases.
    `stratified`: the interval leaves out how groups differ, which is not by chance; else there are too few cases for that.
    """

    value: float
    low: float
    high: float
    unknown: float
    plain: float
    cases: int
    groups: int
    stratified: bool


@dataclass(frozen=True, slots=True)
class Grouping:
    """Groups of the distinct questions; `labels` (d,) and `owner` (c,) are places in `clusters`, or UNCLUSTERED."""

    clusters: tuple[Cluster, ...]
    labels: Places
    owner: Places


def grouped(questions: Vectors, times: Sequence[int], cases: Vectors, rng: np.random.Generator) -> Grouping:
    """Groups distinct questions (d, dimensions), each asked so many `times`, and puts cases (c, dimensions) to them.

    What is asked often in the very same words is a group by itself, and does not drown the rest: copies up to LEAST count.
    """
    entries = np.repeat(np.arange(len(questions)), np.minimum(np.asarray(times, dtype=int), LEAST))
    found = clusters.cluster(questions[entries], rng)
    labels = np.full(len(questions), UNCLUSTERED, dtype=np.int64)
    labels[entries] = found.labels
    kept = tuple(
        Cluster(one.size, int(entries[one.medoid]), one.radius, one.centroid) for one in found.clusters
    )
    return Grouping(kept, labels, belonging(questions[entries], found.labels, kept, cases))


def belonging(
    questions: Vectors, labels: Places, groups: Sequence[Cluster], cases: Vectors, reach: float = REACH
) -> Places:
    """(c,): the group that each case belongs to, UNCLUSTERED where it is too far from the nearest one."""
    owner = np.full(len(cases), UNCLUSTERED, dtype=np.int64)
    if not groups or not len(cases):
        return owner
    near = cases @ np.stack([one.centroid for one in groups]).T
    for case, group in enumerate(near.argmax(axis=1)):
        own = questions[labels == group] @ groups[group].centroid
        if near[case, group] >= min(NEAR, np.quantile(own, reach) - 1e-6):
            owner[case] = group
    return owner


def share(of: NDArray[np.bool_], weights: Floats, units: Places) -> Share:
    """The weighted share of calls (n,) that are so, with Wilson's interval on the effective number of units.

    `units` (n,) are what was asked independently, such as traces. Effective: (Σw)² / Σ over units of (Σw)² (Kish 1965).
    """
    from holdfast.evals.rules.intervals import wilson  # scipy: half a second

    whole = float(weights.sum())
    if whole <= 0:
        return Share()
    value = float(weights[of].sum()) / whole
    each = np.bincount(units, weights=weights)
    effective = whole**2 / float((each**2).sum())
    low, high = wilson(value * effective, effective)
    return Share(value, low, high)


def unseen(kinds: Places, units: Places) -> tuple[float | None, float | None]:
    """Good & Turing's f₁/n: the share of questions of a kind that was never seen, and its upper 95 % bound (Esty 1983).

    `kinds` (n,) of calls; a kind counts once in a unit. None of no calls.
    """
    if not len(kinds):
        return None, None
    pairs = np.unique(np.stack([kinds, units]), axis=1)
    n = pairs.shape[1]
    _, times = np.unique(pairs[0], return_counts=True)
    once, twice = int((times == 1).sum()), int((times == 2).sum())
    value = once / n
    error = float(np.sqrt(max(once * (1 - value) + 2 * twice, 1.0))) / n
    return value, min(1.0, value + 1.645 * error)


def weights_of(places: Sequence[str], traffic: Mapping[str, int]) -> tuple[Floats, float]:
    """What each call (n,) stands for, and the share of traffic that none stands for.

    `places` (n,) is where each call was made, `traffic` how many there were at each: a place whose content is kept of a
    share of its calls only counts in full, one of which nothing is kept is told apart.
    """
    read: dict[str, int] = {}
    for one in places:
        read[one] = read.get(one, 0) + 1
    weights: Floats = np.asarray([traffic.get(one, read[one]) / read[one] for one in places], dtype=float)
    whole = sum(traffic.values())
    dark = sum(count for place, count in traffic.items() if place not in read)
    return weights, dark / whole if whole else 0.0


def headline(
    scores: Mapping[int, Sequence[tuple[str, float]]], found: Found, plain: float | None
) -> Headline | None:
    """The post-stratified score; None where no group with traffic has a graded case, or the plain one is unknown.

    `scores`: by group's number, (family, score) of its cases. Families count once in a group. Σ W·mean / Σ W (Cochran
    1977); its variance Σ (W/ΣW)²·s²/n with s² pooled within groups, where they have at least FEW cases more than there are
    groups, and the interval is by t. Else that of a weighted mean, as if groups were drawn by chance, which is wider.
    """
    from scipy import special

    from holdfast.evals.rules.intervals import mean_score

    traffic = {one.number: one.share for one in found.groups}
    told = {group: _by_family(each) for group, each in scores.items() if each and traffic.get(group)}
    weight = sum(traffic[group] for group in told)
    if weight <= 0 or plain is None:
        return None
    means = {group: float(np.mean(each)) for group, each in told.items()}
    value = sum(traffic[group] * means[group] for group in told) / weight
    cases = sum(len(each) for each in told.values())
    free = cases - len(told)
    spread = sum(float(np.sum((np.asarray(each) - means[group]) ** 2)) for group, each in told.items())
    stratified = free >= FEW and spread > 1e-12
    if stratified:
        variance = sum((traffic[group] / weight) ** 2 / len(each) for group, each in told.items())
        reach = float(special.stdtrit(free, 0.975)) * float(np.sqrt(variance * spread / free))
        low, high = max(0.0, value - reach), min(1.0, value + reach)
    else:
        flat = [(score, traffic[group] / len(each)) for group, each in told.items() for score in each]
        plainly = mean_score([score for score, _ in flat], [mass for _, mass in flat])
        assert plainly is not None
        low, high = plainly.low, plainly.high
    unknown = 1 - (1 - found.blind) * weight
    return Headline(value, low, high, max(0.0, unknown), plain, cases, len(told), stratified)


def _by_family(scores: Sequence[tuple[str, float]]) -> list[float]:
    told: dict[str, list[float]] = {}
    for family, score in scores:
        told.setdefault(family, []).append(score)
    return [float(np.mean(each)) for each in told.values()]


def told(
    grouping: Grouping,
    questions: Vectors,
    place: Places,
    refs: Sequence[Ref],
    weights: Floats,
    keywords: Sequence[tuple[str, ...]],
    cases: Sequence[HeldCase],
    *,
    traffic: int,
    drawn: int,
    blind: float,
) -> Found:
    """Everything that the map shows. `place` (n,): which of the distinct questions each call (n,) asks."""
    units = _numbered([one.trace for one in refs])
    labels = grouping.labels[place] if len(place) else np.zeros(0, dtype=np.int64)
    same = clusters.same(questions, grouping.labels)
    kinds = np.where(labels >= 0, labels, len(grouping.clusters) + same[place]) if len(place) else labels
    estimate, bound = unseen(kinds, units)
    covered = np.isin(labels, grouping.owner[grouping.owner >= 0])
    whole = float(weights.sum())
    middles = [one.centroid for one in grouping.clusters]
    points = clusters.plane(np.stack(middles)) if middles else np.zeros((0, 2))
    groups = []
    for number, one in enumerate(grouping.clusters):
        members = np.flatnonzero(labels == number)
        groups.append(
            Group(
                number,
                len(members),
                float(weights[members].sum()) / whole,
                keywords[number],
                tuple(refs[at] for at in _typical(questions, place, members, one)),
                tuple(case for case, owner in zip(cases, grouping.owner, strict=True) if owner == number),
                float(points[number, 0]),
                float(points[number, 1]),
            )
        )
    return Found(
        traffic=traffic,
        drawn=drawn,
        read=len(refs),
        blind=blind,
        cases=len(cases),
        uncovered=share((labels >= 0) & ~covered, weights, units),
        unclustered=share(labels < 0, weights, units),
        unseen=estimate,
        unseen_high=bound,
        groups=tuple(groups),
        apart=tuple(one for one, owner in zip(cases, grouping.owner, strict=True) if owner < 0),
    )


def _numbered(names: Sequence[str]) -> Places:
    known: dict[str, int] = {}
    return np.asarray([known.setdefault(one, len(known)) for one in names], dtype=np.int64)


def _typical(questions: Vectors, place: Places, members: Places, group: Cluster) -> list[int]:
    """Calls of a group, the one nearest to its middle first, then others in words of their own."""
    near = questions[place[members]] @ group.centroid
    found: list[int] = []
    words: set[int] = set()
    for at in np.argsort(-near, kind="stable"):
        call = int(members[at])
        if int(place[call]) not in words:
            words.add(int(place[call]))
            found.append(call)
        if len(found) == EXAMPLES:
            break
    return found
