"""Embeddings: the right token ids, unit vectors, meaning, and the same vector alone and in company."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from holdfast.kernel.errors import Unavailable
from holdfast.text.embeddings import DIMENSIONS, Embedder


@pytest.fixture(scope="module")
def embedder() -> Embedder:
    return Embedder()


def test_token_ids_are_those_of_the_original_model(embedder: Embedder) -> None:
    assert embedder.token_ids("hello world") == [101, 7592, 2088, 102]
    assert embedder.token_ids("Hello, WORLD") == [101, 7592, 1010, 2088, 102]
    assert embedder.token_ids("unaffable") == [101, 14477, 20961, 3468, 102], (
        "pieces of words continue with ##"
    )
    assert embedder.token_ids("") == [101, 102]


def test_long_text_is_cut_off(embedder: Embedder) -> None:
    ids = embedder.token_ids("hello " * 1000)
    assert len(ids) == 256
    assert ids[-1] == 102


def test_vectors_are_unit_float32(embedder: Embedder) -> None:
    vectors = embedder.embed(["one", "another text", ""])
    assert vectors.shape == (3, DIMENSIONS)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert embedder.embed([]).shape == (0, DIMENSIONS)


def test_a_paraphrase_is_nearer_than_another_matter(embedder: Embedder) -> None:
    question, paraphrase, other = embedder.embed(
        [
            "How do I get my money back for a cancelled flight?",
            "My flight was called off and I want a refund.",
            "The recipe needs two eggs and a cup of flour.",
        ]
    )
    assert question @ paraphrase > 0.5
    assert question @ other < 0.2


def test_a_text_has_one_vector_alone_and_in_company(embedder: Embedder) -> None:
    texts = ["short", "a much longer text about refunds and cancelled flights, with many more words", "5 %"]
    together = embedder.embed(texts)
    for text, vector in zip(texts, together, strict=True):
        np.testing.assert_array_equal(embedder.embed([text])[0], vector)


def test_half_a_surrogate_pair_is_a_question_mark(embedder: Embedder) -> None:
    np.testing.assert_array_equal(*embedder.embed(["a \ud800 b", "a ? b"]))


def test_without_the_vocabulary_it_says_how_to_mend_it(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="make setup"):
        Embedder(tmp_path / "none.txt").embed(["x"])
