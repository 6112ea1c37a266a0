"""Graders of how an answer is: length, time, cost, readability, language, meaning, calibration."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.graders.asked import case, faults, graded, score
from holdfast.evals.graders import meaning
from holdfast.evals.graders.bounds import readability, sentences_in, syllables, words_in
from holdfast.evals.model import Answer, Case, CaseInput
from holdfast.kernel.errors import Unavailable
from holdfast.text.embeddings import Embedder

TEXT = "Dr. Smith came home. It was 3.5 km, e.g. not far!\n\n- one item\n- two items"


def test_what_is_counted() -> None:
    assert sentences_in(TEXT) == [
        "Dr. Smith came home.",
        "It was 3.5 km, e.g. not far!",
        "- one item",
        "- two items",
    ]
    assert words_in("it's well-known: 東京 is big") == ["it's", "well-known", "東", "京", "is", "big"]
    assert sentences_in("はい。いいえ。") == ["はい。", "いいえ。"]
    assert sentences_in("... !!") == []


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"characters": {"least": len(TEXT), "most": len(TEXT)}}, 1),
        ({"words": {"most": 17}}, 1),
        ({"words": {"most": 10}}, 0),
        ({"sentences": {"least": 4, "most": 4}}, 1),
        ({"lines": {"least": 3, "most": 3}}, 1),
        ({"paragraphs": {"least": 2, "most": 2}}, 1),
        ({"paragraphs": {"most": 1}, "lines": {"most": 3}}, 0.5),
        ({"tokens": {"most": 30}}, 1),
        ({"tokens": {"most": 29}}, 0),
    ],
)
def test_length(params: dict[str, Any], expected: float) -> None:
    assert score("length", params, Answer(TEXT, output_tokens=30)) == expected


def test_an_empty_text_has_a_length() -> None:
    assert score("length", {"words": {"most": 3}}, "") == 1
    assert score("length", {"words": {"least": 1}}, "") == 0


def test_tokens_that_nobody_counted_are_unknown() -> None:
    assert score("length", {"tokens": {"most": 30}}, TEXT) is None


def test_bounds_that_bound_nothing_are_faults() -> None:
    assert faults("length", {})["params"]
    assert faults("length", {"words": {}})["params.words"]
    assert faults("length", {"words": {"least": 3, "most": 2}})["params.words"]


@pytest.mark.parametrize(
    ("name", "params", "answer", "expected"),
    [
        ("latency", {"most_ms": 500}, Answer("x", latency_ms=500), 1),
        ("latency", {"most_ms": 500}, Answer("x", latency_ms=500.1), 0),
        ("latency", {"most_ms": 500}, Answer("x"), None),
        ("latency", {"most_ms": 500}, Answer(error="away", latency_ms=1), None),
        ("cost", {"most_usd": "0.1"}, Answer("x", cost=Decimal("0.1")), 1),
        ("cost", {"most_usd": 0.1}, Answer("x", cost=Decimal("0.1")), 1),
        ("cost", {"most_usd": 0.1}, Answer("x", cost=Decimal("0.1000001")), 0),
        ("cost", {"most_usd": 0}, Answer("x", cost=Decimal(0)), 1),
        ("cost", {"most_usd": 0.1}, Answer("x"), None),
    ],
)
def test_time_and_cost(name: str, params: dict[str, Any], answer: Answer, expected: float | None) -> None:
    assert score(name, params, answer) == expected


def test_an_amount_that_is_none_is_a_fault() -> None:
    for amount in ("much", -1, "nan"):
        assert faults("cost", {"most_usd": amount})["params.most_usd"]


SYLLABLES = [
    "table:2",
    "make:1",
    "making:2",
    "readable:3",
    "created:3",
    "wanted:2",
    "walked:1",
    "the:1",
    "reliable:4",
    "science:2",
    "being:2",
    "idea:3",
    "question:2",
    "nation:2",
    "special:2",
    "society:4",
    "quiet:2",
    "people:2",
    "queue:1",
    "employees:3",
    "business:2",
    "every:2",
    "different:3",
    "beautiful:3",
    "area:3",
    "video:3",
    "radio:3",
    "usually:4",
    "really:2",
    "client:2",
    "period:3",
    "previous:3",
    "patient:2",
    "language:2",
    "using:2",
    "houses:2",
    "boxes:2",
    "loved:1",
    "hundred:2",
    "little:2",
    "apple:2",
    "company:3",
    "information:4",
    "education:4",
    "lion:2",
    "chaos:2",
    "poem:2",
    "serious:3",
    "million:2",
    "cooperate:4",
    "going:2",
    "played:1",
    "rules:1",
    "names:1",
    "changes:2",
    "voices:2",
    "someone:2",
    "therefore:2",
    "something:2",
    "evening:2",
    "interesting:4",
    "world:1",
    "year:1",
    "yes:1",
    "away:2",
    "anyone:3",
    "money:2",
    "variety:4",
    "immediately:5",
    "experience:4",
    "straightforward:3",
    "through:1",
    "department:3",
    "responsible:4",
    "insurance:3",
    "receipt:2",
    "warranty:3",
    "customer:3",
    "purchase:2",
    "delivery:4",
    "available:4",
    "holiday:3",
]


def test_syllables_are_counted_by_spelling() -> None:
    wrong = [one for one in SYLLABLES if syllables(one.partition(":")[0]) != int(one.partition(":")[2])]
    assert len(wrong) / len(SYLLABLES) <= 0.12, wrong


EASY = "The cat sat on the mat. It was warm in the sun. The dog came in and they were glad. " * 2
HARD = (
    "The institutionalisation of organisational accountability necessitates comprehensive documentation of "
    "administrative responsibilities, and that the interdepartmental communication be systematically evaluated in "
    "accordance with the applicable international recommendations for the certification of management."
)


def test_readability_tells_easy_from_hard() -> None:
    easy, hard = readability(EASY), readability(HARD)
    assert easy is not None
    assert hard is not None
    assert easy.ease > 90 > 0 > hard.ease
    assert easy.grade < 3 < 20 < hard.grade
    assert score("readability", {"ease": {"least": 60}}, EASY) == 1
    assert score("readability", {"ease": {"least": 60}, "grade": {"most": 60}}, HARD) == 0.5


@pytest.mark.parametrize(
    "text",
    ["Too short.", "Die Katze saß auf der Matte und es war sehr warm in der Sonne. " * 5, "xq zv " * 40],
)
def test_readability_of_what_is_short_or_not_english_is_unknown(text: str) -> None:
    assert score("readability", {"ease": {"least": 60}}, text) is None


@pytest.mark.parametrize(
    ("expected", "text", "found"),
    [
        ("de", "Die Garantie gilt ab dem Tag des Kaufs für zwei Jahre und ist kostenlos.", 1),
        ("en", "Die Garantie gilt ab dem Tag des Kaufs für zwei Jahre und ist kostenlos.", 0),
        (["en", "de"], "Die Garantie gilt ab dem Tag des Kaufs für zwei Jahre und ist kostenlos.", 1),
        ("en", "OK", None),
        ("en", "```python\nfor x in range(3): print(x)\n```", None),
    ],
)
def test_language(expected: str | list[str], text: str, found: float | None) -> None:
    assert score("language", {"expected": expected}, text) == found


def test_a_language_that_cannot_be_told_is_a_fault() -> None:
    assert "known are ar, bg" in faults("language", {"expected": "tlh"})["params.expected"]


def test_similarity_is_to_the_nearest_reference() -> None:
    params = {"expected": ["Eggs and flour make a cake.", "Refunds take five working days."]}
    near = graded("similarity", params, "You get your money back within five business days.")
    far = graded("similarity", params, "The train leaves at noon from platform nine.")
    assert near.score is not None
    assert far.score is not None
    assert near.score > 0.6 > 0.3 > far.score
    assert score("similarity", params, "Refunds take five working days.") == 1
    assert faults("similarity", {"expected": [" "]})["params.expected"]


def test_relevance_is_to_the_last_question() -> None:
    messages = (
        {"role": "user", "content": "Hello"},
        {"role": "assistant", "content": "Good morning"},
        {"role": "user", "content": [{"type": "text", "text": "When will I get my refund?"}]},
    )
    asked = Case("c", CaseInput(messages=messages), ())
    near = graded("relevance", {}, "Your refund will arrive in five days.", asked)
    far = graded("relevance", {}, "The recipe needs two eggs.", asked)
    assert near.passed
    assert far.passed is False
    assert score("relevance", {}, "anything", Case("c", CaseInput(), ())) is None


def test_without_the_model_similarity_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    class Away(Embedder):
        def embed(self, texts: Any) -> Any:
            raise Unavailable("the embedding model is not installed; run `make setup`")

    monkeypatch.setattr(meaning, "embedder", Away)
    for name, params in (("similarity", {"expected": "x"}), ("relevance", {})):
        made = graded(name, params, "x")
        assert made.score is None
        assert "make setup" in made.reason


@pytest.mark.parametrize(
    ("confidence", "text", "expected"),
    [
        (1.0, "Paris", 1),
        (1.0, "Rome", 0),
        (0.5, "Rome", 0.75),
        (0.8, "Paris", 0.96),
        (None, "Paris", None),
        (1.2, "Paris", None),
    ],
)
def test_calibration(confidence: float | None, text: str, expected: float | None) -> None:
    params = {"by": {"grader": "exact", "params": {"expected": "Paris"}}}
    assert score("calibration", params, Answer(text, confidence=confidence)) == expected


def test_calibration_is_unknown_where_what_is_right_is() -> None:
    made = graded(
        "calibration", {"by": {"grader": "latency", "params": {"most_ms": 1}}}, Answer("x", confidence=0.9)
    )
    assert made.score is None
    assert "how long" in made.reason


def test_calibration_is_not_by_itself() -> None:
    by = {"grader": "calibration", "params": {"by": {"grader": "exact", "params": {"expected": "x"}}}}
    assert faults("calibration", {"by": by})["params.by.grader"]


@given(st.text(max_size=100))
def test_any_text_is_counted(text: str) -> None:
    assert all(sentences_in(text))
    assert graded("length", {"characters": {"least": len(text), "most": len(text)}}, text, case()).passed
