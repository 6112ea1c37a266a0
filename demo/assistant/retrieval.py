"""Finds the policies that are nearest in meaning to a question, with MiniLM embeddings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from demo.assistant.policies import POLICIES, Policy
from holdfast.text.embeddings import Embedder

Vectors = NDArray[np.float32]
Embed = Callable[[list[str]], Vectors]


@dataclass(frozen=True)
class Found:
    """One retrieved policy and its cosine similarity to the question, -1 … 1."""

    policy: Policy
    score: float


def embedder() -> Embed:
    """A function from n texts to an array (n, 384) of unit vectors: all-MiniLM-L6-v2, loaded at the first use."""
    return Embedder().embed


class PolicyIndex:
    """All policies as unit vectors; a search is one matrix product."""

    source = "northwind-policies"

    def __init__(self, embed: Embed, policies: tuple[Policy, ...] = POLICIES) -> None:
        self._embed = embed
        self._policies = policies
        self._vectors = embed([f"{policy.title}. {policy.text}" for policy in policies])

    def search(self, question: str, top: int = 3) -> list[Found]:
        """The `top` nearest policies, nearest first."""
        scores = self._vectors @ self._embed([question])[0]
        order = np.argsort(-scores)[:top]
        return [Found(self._policies[i], round(float(scores[i]), 4)) for i in order]
