"""The heads of review: refusal, and support by the retrieved documents. They need the embedding model."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence

from holdfast.evals.rules.online import Answer, OnlineRules
from holdfast.evals.rules.review import Detector, Dimension, Found, Looked
from holdfast.kernel.errors import Unavailable
from holdfast.text.embeddings import Embedder
from holdfast.text.languages import detect
from holdfast.text.refusals import UNSURE, RefusalHead

SUPPORTED = 0.45
"""Cosine to the nearest passage of a document below which a sentence counts as unsupported."""
SOFT = 0.08
MOST_PASSAGES = 200
MOST_SENTENCES = 40
_SENTENCE = re.compile(r"[^.!?\n]+(?:[.!?](?![\s\n])[^.!?\n]*)*[.!?]?")
SHORTEST = 25
"""Characters: what is shorter (a greeting, a heading) claims nothing."""


class Heads:
    """Looks at answers with models. Loads them at the first use."""

    def __init__(self, embedder: Embedder | None = None) -> None:
        self._embedder = embedder or Embedder()
        self._refusals = RefusalHead(self._embedder)

    def look(self, rules: OnlineRules, answer: Answer, route: str) -> Looked:
        """What the heads of a route's rules say. Where the model is not installed, their dimensions are unknown."""
        found: list[Found] = []
        clean: set[Dimension] = set()
        unknown: dict[Dimension, str] = {}
        for rule in rules.plan(route).heads:
            try:
                value, spots, why = self._value(rule.detector, answer)
            except Unavailable as error:
                value, spots, why = None, [], error.detail
            if value is None:
                unknown[rule.dimension] = why
            elif value >= rule.confidence:
                found.append(rules.made(rule, round(value, 4), spots))
            else:
                clean.add(rule.dimension)
        flagged = {one.dimension for one in found}
        still = {dimension: why for dimension, why in unknown.items() if dimension not in flagged}
        return Looked(tuple(found), frozenset(clean - flagged - still.keys()), still)

    def _value(
        self, detector: Detector | None, answer: Answer
    ) -> tuple[float | None, Sequence[tuple[int, int]], str]:
        """How sure a head is that something is wrong, where; None and why where it cannot tell."""
        if answer.text is None:
            return None, (), answer.why or "the answer is not known"
        if not answer.text.strip():
            return None, (), "the answer has no text"
        if detector is Detector.REFUSAL:
            return self._refuses(answer.text)
        if not answer.documents:
            return None, (), "the trace has no retrieved documents"
        if not answer.whole:
            return None, (), "only a part of the answer is there"
        return self._unsupported(answer.text, answer.documents)

    def _refuses(self, text: str) -> tuple[float | None, Sequence[tuple[int, int]], str]:
        if detect(text) not in ("en", None):
            return None, (), "the answer is not in English, which the refusal head is for"
        probability = float(self._refusals.probability([text])[0])
        if UNSURE[0] < probability < UNSURE[1]:
            return None, (), "the refusal head is unsure"
        return probability, (), ""

    def _unsupported(
        self, text: str, documents: Sequence[str]
    ) -> tuple[float | None, Sequence[tuple[int, int]], str]:
        """The mean chance that a sentence is unsupported, and those that are; a score that no labels were held against."""
        sentences = _sentences(text)
        passages = [document[start:end] for document in documents for start, end in _sentences(document)]
        if not sentences:
            return None, (), "the answer is too short to claim anything"
        if not passages or len(passages) > MOST_PASSAGES or len(sentences) > MOST_SENTENCES:
            return None, (), "the answer or its documents are too short or too long to be compared"
        ours = self._embedder.embed([text[start:end] for start, end in sentences])
        theirs = self._embedder.embed(passages)
        nearest = (ours @ theirs.T).max(axis=1)
        chances = [1 / (1 + math.exp((float(one) - SUPPORTED) / SOFT)) for one in nearest]
        spots = [spot for spot, one in zip(sentences, nearest, strict=True) if one < SUPPORTED]
        return sum(chances) / len(chances), spots, ""


def _sentences(text: str) -> list[tuple[int, int]]:
    """Where the sentences of a text are that are long enough to claim something."""
    found = []
    for match in _SENTENCE.finditer(text):
        said = match[0]
        start = match.start() + len(said) - len(said.lstrip())
        end = match.start() + len(said.rstrip())
        if end - start >= SHORTEST:
            found.append((start, end))
    return found
