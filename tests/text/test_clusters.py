"""Groups of texts: found where they are, the same for the same seed, with strays left out, copies told, words that fit."""

from __future__ import annotations

import numpy as np
import pytest

from holdfast.text import clusters
from holdfast.text.embeddings import Embedder

QUESTIONS = {
    "parcel": [
        f"where is my parcel {one}"
        for one in ("now", "today", "from Monday", "that I sent", "with the shoes")
    ]
    + [f"{one} did the parcel get lost" for one in ("why", "how", "when", "where")],
    "password": [
        f"how do I reset my password {one}"
        for one in ("please", "on the phone", "again", "for the shop", "by mail")
    ]
    + [f"I forgot my password {one}" for one in ("again", "today", "on the website", "of my account")],
    "tulips": [
        f"when do I plant {one} tulips" for one in ("red", "my", "early", "the late", "yellow", "striped")
    ]
    + [f"how deep do tulip bulbs go {one}" for one in ("in clay", "in sand", "in a pot")],
}


def groups(
    rng: np.random.Generator, sizes: tuple[int, ...], spread: float = 0.05
) -> tuple[np.ndarray, np.ndarray]:
    """Unit vectors around so many directions, and which is of which."""
    centres = np.linalg.qr(rng.normal(size=(384, len(sizes))))[0].T
    truth = np.repeat(np.arange(len(sizes)), sizes)
    found = centres[truth] + spread * rng.normal(size=(len(truth), 384))
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32), truth


@pytest.mark.parametrize("sizes", [(30, 20), (60, 12, 40), (15,) * 6, (50, 40, 30, 20, 12, 12, 12)])
def test_groups_that_stand_apart_are_found_the_largest_first(sizes: tuple[int, ...]) -> None:
    vectors, truth = groups(np.random.default_rng(11), sizes, 0.01)
    found = clusters.cluster(vectors, np.random.default_rng(1))
    kept = found.labels >= 0
    assert kept.mean() > 0.8
    for cluster in range(len(found.clusters)):
        assert len(set(truth[found.labels == cluster])) == 1
    assert [one.size for one in found.clusters] == sorted((one.size for one in found.clusters), reverse=True)
    assert len(found.clusters) == len(sizes)
    assert (found.confidence[kept] > 0.5).all()
    for number, one in enumerate(found.clusters):
        assert found.labels[one.medoid] == number


def test_the_same_seed_gives_the_same_groups_and_order_of_names() -> None:
    vectors, _ = groups(np.random.default_rng(5), (900, 700, 600), 0.04)
    first, second = (clusters.cluster(vectors, np.random.default_rng(7)) for _ in range(2))
    assert (first.labels == second.labels).all()
    assert (first.confidence == second.confidence).all()


def test_more_texts_than_are_joined_one_by_one() -> None:
    vectors, truth = groups(np.random.default_rng(2), (2500, 1000, 500, 100), 0.03)
    found = clusters.cluster(vectors, np.random.default_rng(0))
    assert len(found.clusters) == 4
    assert all(len(set(truth[found.labels == one])) == 1 for one in range(4))


def test_what_is_far_from_every_group_is_left_out() -> None:
    rng = np.random.default_rng(3)
    vectors, _ = groups(rng, (40, 40, 40), 0.02)
    strays = rng.normal(size=(3, 384))
    strays /= np.linalg.norm(strays, axis=1, keepdims=True)
    found = clusters.cluster(np.vstack([vectors, strays]).astype(np.float32), np.random.default_rng(0))
    assert (found.labels[-3:] == clusters.UNCLUSTERED).all()
    assert (found.confidence[found.labels < 0] == 0).all()


@pytest.mark.parametrize("count", [0, 1, 3, 9])
def test_too_few_are_no_groups(count: int) -> None:
    vectors = np.eye(384, dtype=np.float32)[:count]
    found = clusters.cluster(vectors, np.random.default_rng(0))
    assert found.clusters == ()
    assert (found.labels == clusters.UNCLUSTERED).all()


def test_texts_alike_are_one_group_with_words_of_their_own() -> None:
    texts = [text for some in QUESTIONS.values() for text in some]
    told: list[int] = []
    vectors = clusters.embedded(Embedder(), texts, lambda done, total: told.append(done))
    assert told[-1] == len(texts)
    found = clusters.cluster(vectors, np.random.default_rng(0))
    words = clusters.keywords(texts, found.labels.tolist(), len(found.clusters))
    assert {"parcel", "password", "tulips"} <= {word for some in words for word in some}
    assert not {"the", "my", "do", "is"} & {word for some in words for word in some}


def test_function_words_of_the_group_s_language_are_left_out() -> None:
    texts = ["wann kommt mein Paket und ist es in der Post", "wo ist denn das Paket von mir mit der Post"] * 4
    (words,) = clusters.keywords(texts, [0] * 8, 1)
    assert "paket" in words
    assert not {"ist", "und", "der", "das", "von"} & set(words)


def test_what_says_the_same_is_told_by_the_first_of_it() -> None:
    texts = [
        "how do I reset my password",
        "How do I reset my password?",
        "where is my parcel",
        "how do i reset my password please",
        "where is my parcel now",
    ]
    vectors = Embedder().embed(texts)
    assert clusters.same(vectors, np.array([0, 0, 0, 0, 0])).tolist() == [0, 0, 2, 0, 2]
    assert clusters.same(vectors, np.array([0, 1, 2, 3, 4])).tolist() == [0, 1, 2, 3, 4]
    assert clusters.normalised(texts[0]) == clusters.normalised(texts[1])


def test_what_says_the_same_is_found_across_blocks() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(700, 384))
    vectors = np.vstack([vectors, vectors]).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    first = clusters.same(vectors, np.zeros(1400, dtype=np.int64))
    assert (first == np.concatenate([np.arange(700), np.arange(700)])).all()


def test_last_week_s_groups_are_known_again() -> None:
    before, _ = groups(np.random.default_rng(0), (1, 1, 1), 0.0)
    now = before[[2, 0]]
    assert clusters.matched(before, now) == [2, 0]
    assert clusters.matched(before[:1], before) == [0, None, None]
    assert clusters.matched(before[:0], now) == [None, None]


@pytest.mark.parametrize(("count", "seed"), [(1, 0), (2, 1), (3, 2), (12, 3)])
def test_the_map_is_the_same_again_and_within_its_bounds(count: int, seed: int) -> None:
    vectors, _ = groups(np.random.default_rng(seed), (1,) * count, 0.1)
    points = clusters.plane(vectors)
    assert points.shape == (count, 2)
    assert np.abs(points).max() <= 1 + 1e-9
    assert (points == clusters.plane(vectors)).all()
