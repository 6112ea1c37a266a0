"""What holds for every grader: names, faults, bars, what is unknown, and that no answer makes one fall over."""

from __future__ import annotations

import time
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from evals.graders.asked import case, faults, graded
from holdfast.evals.graders import shelf
from holdfast.evals.model import Answer, Expectation, ToolCall

DOCUMENTS = case(
    documents={
        "doc-1": "The warranty lasts 24 months from the day of purchase.",
        "doc-2": "Returns are free.",
    }
)
GOOD: dict[str, dict[str, Any]] = {
    "exact": {"expected": "Paris"},
    "normalised": {"expected": ["Paris"], "articles": True},
    "contains": {"all": ["Paris"], "none": ["London"]},
    "regex": {"pattern": "(?i)paris|(a+)+$"},
    "number": {"expected": 42, "relative": 0.01},
    "choice": {"expected": "A", "choices": ["A", "B", "Yes"]},
    "json_schema": {"schema": {"type": "object", "properties": {"a": {"$ref": "#"}}}},
    "json_fields": {"expected": {"a.b[0]": 1}},
    "tool_calls": {"expected": [{"name": "find", "arguments": {"q": "x"}}]},
    "citation": {"checks": ["ids", "quotes", "sentences"]},
    "retrieval": {"expected": ["doc-1"]},
    "calibration": {"by": {"grader": "exact", "params": {"expected": "Paris"}}},
    "readability": {"ease": {"least": 50}},
    "length": {"words": {"most": 100}, "sentences": {"least": 1}, "paragraphs": {"most": 9}},
    "language": {"expected": "en"},
    "format": {"form": "plain"},
    "latency": {"most_ms": 1000},
    "cost": {"most_usd": "0.01"},
    "judge": {"judge": "truth"},
    "human": {"rubric": "Is it kind?"},
}
FORMS = [
    {"form": form} for form in ("json", "json_lines", "yaml", "csv", "list", "single_line", "plain", "number")
]
EVERY = [*GOOD.items(), *(("format", params) for params in FORMS)]
MODELS = {"similarity": {"expected": "Paris"}, "relevance": {}, "refusal": {"expected": False}}
"""Graders that ask a model: too slow for hundreds of texts."""

HOSTILE = {
    "empty": "",
    "blank": " \n\t ",
    "huge": "Paris is 1,234 big. " * 49_000,
    "beyond": "x" * 1_000_001,
    "one word": "a" * 300_000,
    "brackets": "[" * 60_000,
    "objects": '{"a":' * 20_000,
    "deep": '{"a":' * 5_000 + "1" + "}" * 5_000,
    "quotes": '"' * 100_000 + "“" * 100_000,
    "digits": "1" * 100_000,
    "groups": "1,234" * 20_000,
    "commas": "1," * 40_000,
    "bold": "*" * 50_000 + "**a " * 10_000,
    "ticks": "`" * 50_000,
    "dashes": "- " * 30_000,
    "links": "[a](" * 10_000,
    "citations": '"months from the day" [doc-1]. ' * 3_400,
    "quotations": '"months from the day" “months from the day” ' * 2_000 + "[doc-1]",
    "lines": "\n" * 100_000,
    "points": ". " * 40_000,
    "surrogate": "Paris \ud800 is \udfff",
    "zero": "Pa\x00ris\u200b\u202e \ufeff",
    "combining": "e" + "\u0301" * 100_000,
    "ligatures": "\ufdfa" * 5_000,
    "emoji": "👩‍👩‍👧‍👦" * 10_000,
    "yaml bomb": "a: &a [x,x,x,x,x,x,x,x,x]\n"
    + "".join(f"{chr(98 + i)}: &{chr(98 + i)} [{','.join(['*' + chr(97 + i)] * 9)}]\n" for i in range(9)),
}
FOR_MODELS = ("empty", "blank", "huge", "one word", "surrogate", "zero", "combining")


def test_every_grader_has_a_name_and_a_version() -> None:
    assert set(shelf.SHELF) == {*GOOD, *MODELS, "python", "http"}
    for name, grader in shelf.SHELF.items():
        assert grader.name == name
        assert grader.version


@pytest.mark.parametrize("hostile", HOSTILE)
def test_no_answer_makes_a_grader_fall_over_or_take_long(hostile: str) -> None:
    asked = [*EVERY, *MODELS.items()] if hostile in FOR_MODELS else EVERY
    for name, params in asked:
        before = time.process_time()
        made = graded(name, params, Answer(HOSTILE[hostile], confidence=0.5), DOCUMENTS)
        assert made.score is None or 0 <= made.score <= 1
        assert made.score is not None or made.reason
        assert len(made.reason) < 1000
        assert time.process_time() - before < 5, name


TEXTS = st.one_of(
    st.text(max_size=200),
    st.lists(
        st.sampled_from(
            [
                "Paris",
                "[doc-1]",
                "[doc-9]",
                '"months from the day"',
                "42",
                "4,200.5",
                "%",
                "A",
                "(B)",
                "**Yes**",
                '{"a": {"b": [1]}}',
                "- x",
                "\n",
                ". ",
                "the answer is",
                "```json\n",
                "\n```",
                ",",
                "\ud800",
            ]
        ),
        max_size=12,
    ).map(" ".join),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(text=TEXTS, cut=st.booleans(), confidence=st.none() | st.floats(0, 1))
def test_scores_are_from_0_to_1_and_the_same_answer_has_the_same_grade(
    text: str, cut: bool, confidence: float | None
) -> None:
    answer = Answer(text, truncated=cut, confidence=confidence)
    for name, params in EVERY:
        made = graded(name, params, answer, DOCUMENTS)
        assert made == graded(name, params, answer, DOCUMENTS)
        assert (made.score is None) == (made.passed is None)
        assert made.score is None or 0 <= made.score <= 1
        assert made.score is not None or made.reason


@pytest.mark.parametrize("name", [name for name in (*GOOD, *MODELS) if name != "cost"])
def test_without_an_answer_nothing_is_known(name: str) -> None:
    params = {**GOOD, **MODELS}[name]
    made = graded(
        name, params, Answer(error="the upstream is away", latency_ms=3.0, confidence=0.2), DOCUMENTS
    )
    assert (made.score, made.passed) == (None, None)
    assert made.reason


def test_what_a_failed_answer_cost_is_known() -> None:
    made = graded("cost", {"most_usd": 0.01}, Answer(error="cut off", cost=Decimal("0.02")))
    assert made.passed is False


@pytest.mark.parametrize(
    "name",
    ["exact", "normalised", "regex", "number", "choice", "json_schema", "tool_calls", "similarity", "format"],
)
def test_an_answer_that_is_cut_off_is_not_judged_as_a_whole(name: str) -> None:
    params = {**GOOD, **MODELS}[name]
    made = graded(name, params, Answer("Paris", truncated=True))
    assert made.score is None
    assert "cut off" in made.reason


@pytest.mark.parametrize(
    ("name", "params", "text", "passed"),
    [
        ("contains", {"any": ["Paris"]}, "Paris is", True),
        ("contains", {"all": ["Paris", "Seine"]}, "Paris is", None),
        ("contains", {"none": ["London"]}, "Paris is", None),
        ("contains", {"none": ["Paris"]}, "Paris is", False),
        ("length", {"words": {"most": 1}}, "Paris is", False),
        ("length", {"words": {"most": 5}}, "Paris is", None),
        ("length", {"words": {"least": 5}}, "Paris is", None),
        ("language", {"expected": "en"}, "Paris is the capital of France, and it is on the Seine", True),
    ],
)
def test_a_part_tells_what_is_certain(
    name: str, params: dict[str, Any], text: str, passed: bool | None
) -> None:
    assert graded(name, params, Answer(text, truncated=True)).passed is passed


@pytest.mark.parametrize(
    "name",
    [
        "exact",
        "normalised",
        "regex",
        "number",
        "choice",
        "json_schema",
        "json_fields",
        "readability",
        "language",
        "format",
        "similarity",
        "relevance",
    ],
)
def test_an_empty_text_is_an_answer_and_a_wrong_one(name: str) -> None:
    params = {**GOOD, **MODELS}[name]
    params = {**params, "pattern": "Paris"} if name == "regex" else params
    made = graded(name, params, Answer(""))
    assert (made.score, made.passed) == (0.0, False)


@pytest.mark.parametrize(
    ("bar", "passed"), [(None, False), (0.5, True), (0.51, False), (0.0, True), (1.0, False)]
)
def test_a_score_is_held_against_the_bar(bar: float | None, passed: bool) -> None:
    made = graded("contains", {"all": ["one", "two"]}, "one", bar=bar)
    assert (made.score, made.passed) == (0.5, passed)


def test_a_share_passes_the_bar_that_it_is() -> None:
    params = {"expected": {f"f{n}": n for n in range(3)}}
    assert graded("json_fields", params, '{"f0": 0, "f1": 1, "f2": 0}', bar=2 / 3).passed
    assert graded("json_fields", params, '{"f0": 0, "f1": 1, "f2": 0}', bar=0.67).passed is False


@pytest.mark.parametrize(
    ("expectation", "place", "words"),
    [
        (Expectation("exakt"), "grader", "did you mean exact"),
        (Expectation("xyz"), "grader", "known are"),
        (Expectation("judge"), "params.judge", "missing"),
        (Expectation("human", {"scale": 0}), "params.scale", "1 (pass or fail)"),
        (Expectation("exact", {"expected": "x"}, bar=1.5), "bar", "from 0 to 1"),
        (Expectation("exact", {"expected": "x"}, bar=float("nan")), "bar", "from 0 to 1"),
        (Expectation("exact", {"expected": "x"}, weight=-1), "weight", "zero or more"),
        (Expectation("exact", {}), "params.expected", "missing"),
        (Expectation("exact", {"expected": []}), "params.expected", "at least one"),
        (Expectation("exact", {"expected": 3}), "params.expected", "str"),
        (Expectation("exact", {"expected": "x", "fold": True}), "params.fold", "known are expected"),
        (Expectation("length", {"words": {"mots": 3}}), "params.words.mots", "no such field"),
        (Expectation("tool_calls", {"expected": [{"nme": "x"}]}), "params.expected[0].nme", "no such field"),
        (Expectation("calibration", {"by": {"grader": "exakt"}}), "params.by.grader", "no grader"),
        (
            Expectation("calibration", {"by": {"grader": "exact", "params": {}}}),
            "params.by.params.expected",
            "missing",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_place(expectation: Expectation, place: str, words: str) -> None:
    found = dict(shelf.faults(expectation))
    assert words in found[place]


def test_params_that_are_wrong_give_no_grade_instead_of_an_error() -> None:
    made = shelf.grade(case(), Expectation("regex", {"pattern": "("}), Answer("x"))
    assert made.score is None
    assert "pattern" in made.reason
    made = shelf.grade(case(), Expectation("judge", {"judge": "truth"}), Answer("x"))
    assert (made.score, made.reason) == (None, "judges are not asked here")
    assert (
        shelf.grade(case(), Expectation("human"), Answer("x")).reason == "it waits for a person to grade it"
    )


@pytest.mark.parametrize("name", GOOD)
def test_a_field_that_nobody_knows_is_refused(name: str) -> None:
    assert "params.colour" in faults(name, {**GOOD[name], "colour": "red"})


def test_an_edition_names_what_a_grade_rests_on() -> None:
    by = {"by": {"grader": "similarity", "params": {"expected": "x"}}}
    plain = shelf.edition(Expectation("exact", {"expected": "x"}))
    similar = shelf.edition(Expectation("similarity", {"expected": "x"}))
    assert plain == shelf.SHELF["exact"].version
    assert "minilm" in similar
    assert shelf.edition(Expectation("calibration", by)).endswith(f"similarity:{similar}")
    assert shelf.edition(Expectation("judge", {"judge": "truth"})) == "1+truth@unknown"


def test_a_grade_says_its_edition() -> None:
    made = graded("similarity", {"expected": "x"}, Answer("x"))
    assert made.version == shelf.edition(Expectation("similarity", {"expected": "x"}))


def test_many_tool_calls_are_not_judged() -> None:
    calls = tuple(ToolCall("find", '{"q": "x"}') for _ in range(100_000))
    assert graded("tool_calls", GOOD["tool_calls"], Answer(tool_calls=calls)).score is None
