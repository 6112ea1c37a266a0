"""Trains the head that tells refusals, and measures it: `python -m benchmarks.refusal_head DATA [--write]`.

DATA is a copy of https://github.com/paul-rottger/exaggerated-safety (XSTest v2, CC-BY-4.0): 450 prompts, answered by
five models, labelled by two people. Full and partial refusals count as refusals. Measured on texts of which neither the
model nor the prompt was trained on (5 models by 5 groups of prompts), and, apart, with only the model new; beside it
what the authors' string match and GPT-4's labels give. `--write` trains on all and writes the file that is bundled. The
last line is one JSON object.
"""

from __future__ import annotations

import argparse
import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import cohen_kappa_score, f1_score, roc_auc_score

from holdfast.text.embeddings import Embedder
from holdfast.text.refusals import HEAD, UNSURE, Weights, beginning, terms, weights_in

MODELS = ("gpt4", "llama2new", "llama2orig", "mistralguard", "mistralinstruct")
GROUPS = 5
STRENGTH_OF_MEANING = 1.0
STRENGTH_OF_WORDS = 10.0
"""Inverse strengths of the L2 penalty."""
LEAST_TEXTS = 5
"""Texts that an n-gram is in, to count."""


class Labelled(NamedTuple):
    """An answer and what people, a string match and GPT-4 said of it; the last two None where unreadable."""

    model: str
    prompt: str
    text: str
    refuses: bool
    partly: bool
    by_strings: bool
    by_gpt4: bool


@dataclass(frozen=True)
class Texts:
    """What is trained on: vectors of the beginnings, and the beginnings."""

    vectors: NDArray[np.float64]
    beginnings: list[str]
    refuses: NDArray[np.bool_]


def labelled(data: Path) -> Iterator[Labelled]:
    """Every answer with its labels."""
    folder = data / "evaluation" / "automated_evaluation_labels"
    for model in MODELS:
        by_strings, by_gpt4 = (
            list(
                csv.DictReader((folder / f"xstest_v2_completions_{model}_{kind}.csv").open(encoding="utf-8"))
            )
            for kind in ("streval", "gpteval")
        )
        for row, other in zip(by_strings, by_gpt4, strict=True):
            assert row["id"] == other["id"]
            yield Labelled(
                model,
                row["id"],
                row["completion"],
                row["final_label"] != "1_full_compliance",
                row["final_label"] == "3_partial_refusal",
                row["strmatch_label"] != "1_full_compliance",
                other["gpt4_label"] in ("2_full_refusal", "3_partial_refusal"),
            )


def trained(texts: Texts, at: NDArray[np.intp]) -> bytes:
    """The file of weights, from the texts at these places."""
    refuses = texts.refuses[at]
    by_meaning = LogisticRegression(C=STRENGTH_OF_MEANING, max_iter=5000).fit(texts.vectors[at], refuses)
    words = TfidfVectorizer(analyzer=terms, min_df=LEAST_TEXTS, sublinear_tf=True)
    counted = words.fit_transform([texts.beginnings[place] for place in at])
    by_words = LogisticRegression(C=STRENGTH_OF_WORDS, max_iter=5000).fit(counted, refuses)
    file = io.BytesIO()
    np.savez_compressed(
        file,
        embedding=by_meaning.coef_[0].astype(np.float32),
        biases=np.array([by_meaning.intercept_[0], by_words.intercept_[0]], dtype=np.float32),
        terms=np.frombuffer("\n".join(words.get_feature_names_out()).encode(), dtype=np.uint8),
        idf=words.idf_.astype(np.float32),
        coefficients=by_words.coef_[0].astype(np.float32),
    )
    return file.getvalue()


def told(weights: Weights, texts: Texts, at: NDArray[np.intp]) -> NDArray[np.float64]:
    """The probabilities of texts, as the head gives them."""
    by_meaning = texts.vectors[at] @ weights.embedding + weights.embedding_bias
    by_words = np.array([weights.of_terms(texts.beginnings[place]) for place in at])
    return np.asarray((1 / (1 + np.exp(-by_meaning)) + 1 / (1 + np.exp(-by_words))) / 2)


def held_out(rows: list[Labelled], texts: Texts, by_prompt: bool) -> NDArray[np.float64]:
    """For each text the probability by a head that has seen neither its model nor (`by_prompt`) its prompt."""
    models = np.array([row.model for row in rows])
    prompts = sorted({row.prompt for row in rows})
    drawn = dict(zip(prompts, np.random.default_rng(0).permutation(len(prompts)) % GROUPS, strict=True))
    groups = np.array([drawn[row.prompt] if by_prompt else 0 for row in rows])
    found = np.zeros(len(rows))
    for model in MODELS:
        for group in range(GROUPS if by_prompt else 1):
            tested = (models == model) & (groups == group)
            others = (models != model) & ((groups != group) if by_prompt else True)
            weights = weights_in(trained(texts, np.flatnonzero(others)))
            found[tested] = told(weights, texts, np.flatnonzero(tested))
    return found


def figures(said: NDArray[np.bool_], right: NDArray[np.bool_]) -> dict[str, float]:
    """Accuracy, F1 of refusals, and Cohen's kappa."""
    return {
        "accuracy": round(float(np.mean(said == right)), 4),
        "f1": round(float(f1_score(right, said)), 4),
        "kappa": round(float(cohen_kappa_score(right, said)), 4),
    }


def of_probabilities(found: NDArray[np.float64], rows: list[Labelled]) -> dict[str, Any]:
    """Figures of a head, with what abstaining gives."""
    right = np.array([row.refuses for row in rows])
    partly = np.array([row.partly for row in rows])
    said = found > 0.5
    sure = (found <= UNSURE[0]) | (found >= UNSURE[1])
    return {
        **figures(said, right),
        "auroc": round(float(roc_auc_score(right, found)), 4),
        "partial_refusals_found": round(float(np.mean(said[partly])), 4),
        "abstained": round(float(np.mean(~sure)), 4),
        "accuracy_where_sure": round(float(np.mean(said[sure] == right[sure])), 4),
        "accuracy_by_model": {
            model: round(
                float(
                    np.mean([(s == r.refuses) for s, r in zip(said, rows, strict=True) if r.model == model])
                ),
                4,
            )
            for model in MODELS
        },
    }


def main() -> None:
    """Measures, and writes where that is asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("data", type=Path)
    parser.add_argument("--write", action="store_true")
    given = parser.parse_args()
    rows = list(labelled(given.data))
    beginnings = [beginning(row.text) for row in rows]
    right = np.array([row.refuses for row in rows])
    texts = Texts(Embedder().embed(beginnings).astype(np.float64), beginnings, right)
    result: dict[str, Any] = {
        "texts": len(rows),
        "refusals": int(right.sum()),
        "string_match": figures(np.array([row.by_strings for row in rows]), right),
        "gpt4": figures(np.array([row.by_gpt4 for row in rows]), right),
        "new_model_and_prompt": of_probabilities(held_out(rows, texts, by_prompt=True), rows),
        "new_model": of_probabilities(held_out(rows, texts, by_prompt=False), rows),
    }
    for name, one in result.items():
        print(f"{name}: {one}")
    if given.write:
        HEAD.parent.mkdir(exist_ok=True)
        HEAD.write_bytes(trained(texts, np.arange(len(rows))))
        print(f"written: {HEAD}, {HEAD.stat().st_size:,} bytes")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
