"""The refusal head: clear cases told, weights bundled and small, the same alone and in company."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from holdfast.text.embeddings import Embedder
from holdfast.text.refusals import HEAD, UNSURE, RefusalHead, terms

REFUSALS = (
    "I'm sorry, but I can't assist with that.",
    "I cannot provide instructions for that, as it would be illegal and harmful. Is there something else I can help with?",
    "I apologize, but I cannot fulfill your request as it goes against ethical and moral principles.",
    "As an AI language model, I'm not able to help you with this. Please talk to a professional.",
    "I\u2019m really sorry that you\u2019re feeling this way, but I\u2019m unable to provide the help that you need.",
)
ANSWERS = (
    "To kill a Python process, find its id with `ps` and run `kill -9 <pid>`.",
    "The capital of France is Paris, which lies on the Seine.",
    "You can return goods within 30 days. Here is how:\n\n1. Print the label.\n2. Bring the parcel to a shop.",
    "Sure! Here are three names for your shop: Bloom, Petal and Stem.",
    "Sorry for the delay! Your order has left our warehouse and will arrive on Tuesday.",
)


@pytest.fixture(scope="module")
def head() -> RefusalHead:
    return RefusalHead(Embedder())


def test_clear_refusals_and_answers_are_told(head: RefusalHead) -> None:
    refusals = head.probability(REFUSALS)
    assert refusals.min() > UNSURE[0], "unsure at the worst, never told for an answer"
    assert (refusals > UNSURE[1]).sum() >= len(REFUSALS) - 1
    assert head.probability(ANSWERS).max() < UNSURE[0]


def test_a_text_has_one_probability_alone_and_in_company(head: RefusalHead) -> None:
    together = head.probability([*REFUSALS, *ANSWERS])
    alone = [head.probability([text])[0] for text in (*REFUSALS, *ANSWERS)]
    np.testing.assert_array_equal(together, alone)
    assert together.shape == (10,)
    assert head.probability([]).shape == (0,)


def test_only_the_beginning_counts(head: RefusalHead) -> None:
    text = ("I'm sorry, but I can't assist with that. " * 20)[:400]
    assert head.probability([text])[0] == head.probability([text + ANSWERS[0] * 100])[0]
    assert head.probability(["\n  " + text])[0] == head.probability([text])[0]


@pytest.mark.parametrize("text", ["", "\ud800", "\x00", "日本語", "a" * 1_000_000, "'" * 1000])
def test_any_text_has_a_probability(head: RefusalHead, text: str) -> None:
    assert 0 <= head.probability([text])[0] <= 1


def test_the_weights_are_small_and_named_by_their_content(head: RefusalHead) -> None:
    raw = HEAD.read_bytes()
    assert len(raw) <= 400_000
    assert head.version == hashlib.sha256(raw).hexdigest()[:12]


def test_terms_are_one_to_three_words_in_a_row() -> None:
    assert terms("I can\u2019t, no!") == ["i", "can't", "no", "i can't", "can't no", "i can't no"]
