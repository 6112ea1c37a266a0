"""Groups of short texts that mean the same: for 50,000 of them on two cores, and the same groups for the same seed.

Vectors are centred and reduced to their 64 main directions, which takes away what all texts share. Spherical k-means
(Dhillon & Modha 2001) makes at most 800 small groups, Ward's linkage joins those, and the number of groups is the one
with the best simplified silhouette (Hruschka et al. 2004). What lies far outside of its group is left unclustered.
Keywords are those of the class-based tf-idf of Grootendorst 2022.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

from holdfast.text.languages import detect, function_words

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from holdfast.text.embeddings import Embedder

    Vectors = NDArray[np.float32]
    Places = NDArray[np.int64]

UNCLUSTERED = -1
DIRECTIONS = 64
MICRO = 800
"""Small groups that are joined; of fewer texts than twice as many, each is one."""
MOST_CLUSTERS = 400
LEAST = 5
"""Texts that make a group."""
FAR = 3.0
"""Robust standard deviations beyond which a text is outside of its group."""
SAME = 0.95
"""Cosine from which two texts of a group say the same."""
READ = 1000
"""Characters of a text that are read."""
ROUNDS = 12
CHUNK = 256
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)*")
_SPOKEN = frozenset(
    word
    for words in (
        "please thanks thank hi hello hey ok okay want need know tell get got give let us just like really should could",
        "does did has am pm make made use many much every good",
    )
    for word in words.split()
)

_COURTESY = frozenset({"please", "thanks", "thank", "hi", "hello", "hey", "sorry", "kindly"})

Progress = Callable[[int, int], None]
"""Told how many of how many are done."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """One group. `medoid` is the place of its most typical text, `radius` the cosine distance that 95 % lie within."""

    size: int
    medoid: int
    radius: float
    centroid: Vectors  # (dimensions,), of length 1


@dataclass(frozen=True, slots=True)
class Clustering:
    """Groups, the largest first. `labels` (n,) are places in `clusters`, or UNCLUSTERED.

    `confidence` (n,) from 0 to 1 is how much nearer a text is to its group than to the next one (its simplified silhouette);
    0 where it is unclustered.
    """

    clusters: tuple[Cluster, ...]
    labels: Places
    confidence: Vectors


def normalised(text: str) -> str:
    """What two texts must share to be the same: words and digits, without case, marks, spacing or words of courtesy."""
    words = re.findall(r"\w+", text[:READ].casefold())
    return " ".join([one for one in words if one not in _COURTESY] or words)


def embedded(
    embedder: Embedder, texts: Sequence[str], progress: Progress = lambda *_: None, threads: int = 2
) -> Vectors:
    """Vectors of shape (n, 384) of the beginnings of the texts, made in chunks by so many threads."""
    import numpy as np

    chunks = [[text[:READ] for text in texts[at : at + CHUNK]] for at in range(0, len(texts), CHUNK)]
    found = []
    with ThreadPoolExecutor(threads, thread_name_prefix="embed") as pool:
        done = 0
        for vectors in pool.map(embedder.embed, chunks):
            found.append(vectors)
            done += len(vectors)
            progress(done, len(texts))
    return np.vstack(found) if found else np.empty((0, 384), dtype=np.float32)


def cluster(vectors: Vectors, rng: np.random.Generator, *, least: int = LEAST) -> Clustering:
    """Groups of at least `least` of the unit vectors (n, dimensions). The same vectors and seed give the same groups."""
    import numpy as np

    n = len(vectors)
    if n < max(2 * least, 4):
        return Clustering((), np.full(n, UNCLUSTERED, dtype=np.int64), np.zeros(n, dtype=np.float32))
    reduced = _reduced(vectors, rng)
    found = _joined(reduced, rng, least)
    centres = _centres(reduced, found)
    nearness = _similar(reduced, centres)
    found, own = nearness.argmax(axis=1), nearness.max(axis=1)
    found = _without_strays(found, 1 - own, least)
    nearness[np.arange(n), np.maximum(found, 0)] = -2
    other = nearness.max(axis=1) if centres.shape[0] > 1 else np.full(n, -1.0)
    sure = np.clip((own - other) / np.maximum(1 - other, 1e-9), 0, 1)
    return _told(vectors, found, np.where(found >= 0, sure, 0).astype(np.float32))


def same(vectors: Vectors, labels: Places, bar: float = SAME) -> Places:
    """(n,): for each vector the place of the first one of its group that says the same, its own where there is none.

    Each is held against the firsts before it, by cosine; those that are unclustered are held against each other.
    """
    import numpy as np

    first = np.arange(len(vectors))
    for label in np.unique(labels):
        places = np.flatnonzero(labels == label)
        leaders: list[int] = []
        for at in range(0, len(places), CHUNK):
            block = places[at : at + CHUNK]
            known = vectors[block] @ vectors[leaders].T if leaders else np.empty((len(block), 0))
            among = vectors[block] @ vectors[block].T
            fresh: list[int] = []
            for row, place in enumerate(block):
                told = [int(known[row].argmax())] if known.shape[1] else []
                if told and known[row, told[0]] >= bar:
                    first[place] = leaders[told[0]]
                    continue
                near = [one for one in fresh if among[row, one] >= bar]
                if near:
                    first[place] = block[near[0]]
                else:
                    fresh.append(row)
            leaders.extend(int(block[one]) for one in fresh)
    return first


def keywords(texts: Sequence[str], labels: Iterable[int], count: int, top: int = 4) -> list[tuple[str, ...]]:
    """The words that tell each of `count` groups from the others: tf·log(1 + A/f), A the mean words of a group.

    Function words of the group's language (English where that is not to be told) are left out, and words that only one of
    its texts has.
    """
    places = list(labels)
    stops = [function_words(detect(some) or "en") | _SPOKEN for some in _beginnings(texts, places, count)]
    words: list[Counter[str]] = [Counter() for _ in range(count)]
    spread: list[Counter[str]] = [Counter() for _ in range(count)]
    for text, label in zip(texts, places, strict=True):
        if label < 0:
            continue
        said = [one for one in _WORD.findall(text[:READ].lower().replace("’", "'")) if len(one) > 1]
        stop = stops[label]
        said = [one for one in said if one not in stop and one.partition("'")[0] not in stop]
        words[label].update(said)
        spread[label].update(set(said))
    over = Counter[str]()
    for one in words:
        over.update(one)
    mean = sum(over.values()) / max(1, sum(bool(one) for one in words))
    found = []
    for counted, texts_with in zip(words, spread, strict=True):
        scored = {
            word: times * math.log(1 + mean / over[word])
            for word, times in counted.items()
            if texts_with[word] > 1
        }
        ranked = sorted(scored, key=lambda word: (-scored[word], word))
        found.append(tuple(_unlike(ranked, top)))
    return found


def matched(before: Vectors, now: Vectors, bar: float = 0.8) -> list[int | None]:
    """For each centroid of `now` (k, dimensions) the place of the same group in `before`, each taken once.

    The pairs with the largest sum of cosines (Kuhn 1955), without those below `bar`.
    """
    import numpy as np
    from scipy.optimize import linear_sum_assignment  # type: ignore[attr-defined]

    found: list[int | None] = [None] * len(now)
    if len(before) and len(now):
        cosines = now @ before.T
        for row, column in zip(*linear_sum_assignment(-np.where(cosines >= bar, cosines, -1)), strict=True):
            if cosines[row, column] >= bar:
                found[int(row)] = int(column)
    return found


def plane(centroids: Vectors) -> NDArray[np.float64]:
    """Points (k, 2) from -1 to 1 in a plane that keep most of how far apart the centroids are: classical scaling.

    Each axis points to where its largest point is above 0, so that the same centroids give the same map.
    """
    import numpy as np

    k = len(centroids)
    points = np.zeros((k, 2))
    if k > 1:
        centred = centroids.astype(float) - centroids.mean(axis=0)
        left, sizes, _ = np.linalg.svd(centred, full_matrices=False)
        kept = left[:, :2] * sizes[:2]
        points[:, : kept.shape[1]] = kept
        points *= np.sign(points[np.abs(points).argmax(axis=0), [0, 1]] + 1e-12)
        points /= max(float(np.abs(points).max()), 1e-12)
    return points


def _reduced(vectors: Vectors, rng: np.random.Generator) -> Vectors:
    import numpy as np

    centred = vectors - vectors.mean(axis=0)
    some = centred if len(centred) <= 5000 else centred[rng.choice(len(centred), 5000, replace=False)]
    _, axes = np.linalg.eigh(some.T.astype(float) @ some.astype(float))
    reduced = centred @ axes[:, -DIRECTIONS:].astype(np.float32)
    return _unit(reduced)


def _unit(rows: Vectors) -> Vectors:
    import numpy as np

    found: Vectors = (rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)).astype(np.float32)
    return found


def _similar(rows: Vectors, centres: Vectors) -> Vectors:
    return rows @ centres.T


def _centres(rows: Vectors, labels: Places) -> Vectors:
    """Mean directions of the groups 0 … k-1, none of them empty."""
    import numpy as np

    order = np.argsort(labels, kind="stable")
    counts = np.bincount(labels)
    starts = np.concatenate(([0], np.cumsum(counts)[:-1]))
    return _unit(np.add.reduceat(rows[order], starts, axis=0))


def _micro(rows: Vectors, rng: np.random.Generator) -> Places:
    """Small groups, 0 … k-1, none of them empty."""
    import numpy as np

    if len(rows) <= 2 * MICRO:
        return np.arange(len(rows))
    centres = rows[rng.choice(len(rows), MICRO, replace=False)]
    labels: Places = np.zeros(len(rows), dtype=np.int64)
    for _ in range(ROUNDS):
        for at in range(0, len(rows), 4096):
            labels[at : at + 4096] = _similar(rows[at : at + 4096], centres).argmax(axis=1)
        _, labels = np.unique(labels, return_inverse=True)
        centres = _centres(rows, labels)
    return labels


def _joined(rows: Vectors, rng: np.random.Generator, least: int) -> Places:
    """The groups that Ward's linkage makes of the small ones, as many as have the best simplified silhouette.

    A text of a group with fewer than `least` has a silhouette of 0: one that is its own centre would have 1.
    """
    import numpy as np
    from scipy.cluster.hierarchy import fcluster, linkage

    micro = _micro(rows, rng)
    small = _centres(rows, micro)
    tree = linkage(small.astype(float), "ward")
    judged = np.arange(len(rows)) if len(rows) <= 10_000 else rng.choice(len(rows), 10_000, replace=False)
    best, found = -1.0, np.zeros(len(rows), dtype=np.int64)
    most = min(MOST_CLUSTERS, len(small) // 2, len(rows) // least)
    for count in sorted({round(one) for one in np.geomspace(2, max(2, most), 28)}):
        _, groups = np.unique(fcluster(tree, count, "maxclust"), return_inverse=True)
        labels = groups[micro]
        centres = _centres(rows, labels)
        if len(centres) < 2:
            continue
        near = np.partition(_similar(rows[judged], centres), -2, axis=1)[:, -2:]
        each = (near[:, 1] - near[:, 0]) / np.maximum(1 - near[:, 0], 1e-9)
        silhouette = float(np.mean(each * (np.bincount(labels)[labels[judged]] >= least)))
        if silhouette > best:
            best, found = silhouette, labels
    return found


def _without_strays(labels: Places, far: Vectors, least: int) -> Places:
    """Without texts far outside of their group, and groups of fewer than `least`."""
    import numpy as np

    kept = labels.copy()
    for label in np.unique(labels):
        places = np.flatnonzero(labels == label)
        middle = float(np.median(far[places]))
        spread = 1.4826 * float(np.median(np.abs(far[places] - middle)))
        outside = far[places] > middle + FAR * max(spread, 0.01)
        kept[places[outside]] = UNCLUSTERED
        if len(places) - outside.sum() < least:
            kept[places] = UNCLUSTERED
    return kept


def _told(vectors: Vectors, labels: Places, sure: Vectors) -> Clustering:
    import numpy as np

    names = [int(one) for one in np.unique(labels) if one >= 0]
    members = sorted(
        (np.flatnonzero(labels == one) for one in names), key=lambda one: (-len(one), int(one[0]))
    )
    ordered: Places = np.full(len(labels), UNCLUSTERED, dtype=np.int64)
    clusters = []
    for number, places in enumerate(members):
        ordered[places] = number
        centroid = _unit(vectors[places].mean(axis=0, keepdims=True))[0]
        near = vectors[places] @ centroid
        radius = float(np.quantile(1 - near, 0.95))
        clusters.append(Cluster(len(places), int(places[near.argmax()]), radius, centroid))
    return Clustering(tuple(clusters), ordered, sure)


def _beginnings(texts: Sequence[str], labels: Sequence[int], count: int) -> list[str]:
    """Of each group its first 30 texts as one."""
    found: list[list[str]] = [[] for _ in range(count)]
    for text, label in zip(texts, labels, strict=True):
        if label >= 0 and len(found[label]) < 30:
            found[label].append(text[:200])
    return [". ".join(some) for some in found]


def _unlike(ranked: Sequence[str], top: int) -> list[str]:
    """The first words that are no forms of one another: they do not share their first five letters."""
    found: list[str] = []
    for word in ranked:
        if len(found) == top:
            break
        if not any(word[:5] == one[:5] or word.rstrip("s") == one.rstrip("s") for one in found):
            found.append(word)
    return found
