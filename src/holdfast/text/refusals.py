"""Whether a text refuses what it was asked: a bundled head on the embedding model and on word n-grams.

The mean of two logistic regressions, one on the sentence embedding, one on tf-idf of one to three words, of the first
400 characters. Trained by `benchmarks/refusal_head.py` on the human labels of XSTest (Röttger et al., NAACL 2024;
CC-BY-4.0); full and partial refusals are refusals, full compliance is none. English alone.
"""

from __future__ import annotations

import hashlib
import io
import re
import threading
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from holdfast.text.embeddings import Embedder

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

READ = 400
"""Characters of a text that are read: a refusal is said at the beginning."""
UNSURE = (0.4, 0.6)
"""Probabilities between which the head had better not decide."""
HEAD = Path(__file__).parent / "heads" / "refusals.npz"
LONGEST_TERM = 3
"""Words of an n-gram."""
_WORD = re.compile(r"[a-z]+(?:'[a-z]+)?")


def beginning(text: str) -> str:
    """What of a text is read."""
    return text.strip()[:READ]


def terms(text: str) -> list[str]:
    """Every one to three words of a text in a row, as training counts them too."""
    words = _WORD.findall(text.lower().replace("’", "'"))
    return [
        " ".join(words[at : at + length])
        for length in range(1, LONGEST_TERM + 1)
        for at in range(len(words) - length + 1)
    ]


@dataclass(frozen=True, slots=True)
class Weights:
    """What training gave. `embedding` has 384 weights; `idf` and `coefficients` one for each of `places`' terms."""

    embedding: NDArray[np.float64]
    embedding_bias: float
    places: dict[str, int]
    idf: NDArray[np.float64]
    coefficients: NDArray[np.float64]
    terms_bias: float

    def of_terms(self, text: str) -> float:
        """The log odds of a text by its words."""
        import numpy as np

        counts = Counter(place for term in terms(text) if (place := self.places.get(term)) is not None)
        if not counts:
            return self.terms_bias
        at = np.fromiter(counts, dtype=np.int64, count=len(counts))
        values = (1 + np.log(np.fromiter(counts.values(), dtype=np.float64, count=len(counts)))) * self.idf[
            at
        ]
        return float(values @ self.coefficients[at] / np.linalg.norm(values)) + self.terms_bias


class RefusalHead:
    """Says how probable it is that texts refuse. Loads weights and model at the first use; safe from several threads."""

    def __init__(self, embedder: Embedder, path: Path = HEAD) -> None:
        self._embedder = embedder
        self._path = path
        self._lock = threading.Lock()
        self._loaded: Weights | None = None

    @cached_property
    def version(self) -> str:
        """The first twelve hexadecimal digits of the SHA-256 of the weights' file."""
        return hashlib.sha256(self._path.read_bytes()).hexdigest()[:12]

    def probability(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """For each text the probability that it refuses, in part or in full; shape (len(texts),).

        Raises Unavailable when the embedding model is not installed.
        """
        import numpy as np

        weights = self._weights()
        read = [beginning(text) for text in texts]
        # summed row by row: a product of matrices gives a text other last digits alone than in company
        by_meaning = (self._embedder.embed(read) * weights.embedding).sum(axis=1) + weights.embedding_bias
        by_words = np.array([weights.of_terms(text) for text in read], dtype=np.float64)
        mean: NDArray[np.float64] = (_logistic(by_meaning) + _logistic(by_words)) / 2
        return mean

    def _weights(self) -> Weights:
        with self._lock:
            if self._loaded is None:
                self._loaded = weights_in(self._path.read_bytes())
            return self._loaded


def weights_in(raw: bytes) -> Weights:
    """The weights in the bytes of a file."""
    import numpy as np

    with np.load(io.BytesIO(raw), allow_pickle=False) as kept:
        named = bytes(kept["terms"]).decode().split("\n")
        biases = kept["biases"]
        return Weights(
            kept["embedding"].astype(np.float64),
            float(biases[0]),
            {term: place for place, term in enumerate(named)},
            kept["idf"].astype(np.float64),
            kept["coefficients"].astype(np.float64),
            float(biases[1]),
        )


def _logistic(odds: NDArray[np.float64]) -> NDArray[np.float64]:
    import numpy as np

    known: NDArray[np.float64] = 1 / (1 + np.exp(-odds))
    return known
