"""Graders of texts, numbers and choices: what is alike, what is not."""

from __future__ import annotations

import time
import unicodedata
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.graders.asked import faults, graded, score
from holdfast.evals.graders.choices import chosen
from holdfast.evals.graders.numbers import numbers_in
from holdfast.evals.graders.texts import normalise


@pytest.mark.parametrize(
    ("params", "text", "expected"),
    [
        ({"expected": "Paris"}, "Paris", 1),
        ({"expected": "Paris"}, "paris", 0),
        ({"expected": "Paris"}, "Paris ", 0),
        ({"expected": ["Paris", "paris "]}, "paris ", 1),
        ({"expected": ""}, "", 1),
    ],
)
def test_exact(params: dict[str, Any], text: str, expected: float) -> None:
    assert score("exact", params, text) == expected


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("Paris.", "  paris\n", True),
        ("“It’s fine!”", "its FINE", True),
        ("ﬁve ½", "five 1⁄2", True),
        ("STRASSE", "straße", True),
        ("well-known", "well known", True),
        ("soft\u00adhyphen", "softhyphen", True),
        ("caf\u0065\u0301", "café", True),
        ("３.５", "3.5", True),
        ("3.5", "35", False),
        ("-5", "5", False),
        ("−5", "-5", True),
        ("5 %", "5", False),
        ("$5", "€5", False),
        ("10:30", "1030", False),
        ("a-b", "ab", False),
        ("the cat", "cat", False),
    ],
)
def test_what_normalising_makes_alike(one: str, other: str, alike: bool) -> None:
    assert (normalise(one) == normalise(other)) is alike
    assert score("normalised", {"expected": one}, other) == float(alike)


def test_articles_are_left_out_where_that_is_asked_for() -> None:
    assert score("normalised", {"expected": "the Eiffel Tower", "articles": True}, "Eiffel tower") == 1
    assert score("normalised", {"expected": "another", "articles": True}, "other") == 0


SPACES = st.text(alphabet=" \t\n\u00a0\u2003\u200b", min_size=0, max_size=3)


@given(st.lists(st.text(alphabet="abcÄß'.!?", min_size=1, max_size=5), max_size=5), st.data())
def test_spaces_and_case_make_no_difference(words: list[str], data: st.DataObject) -> None:
    told = data.draw(SPACES) + "".join(word.upper() + " " + data.draw(SPACES) for word in words)
    # ẞ has no upper case of its own in `upper`: SS folds to ss as ß does
    assert normalise(told) == normalise(" ".join(words))


@given(st.text(max_size=100))
def test_normalising_twice_is_normalising_once(text: str) -> None:
    assert normalise(normalise(text)) == normalise(text)
    assert normalise(unicodedata.normalize("NFD", text)) == normalise(unicodedata.normalize("NFC", text))


@pytest.mark.parametrize(
    ("params", "text", "expected"),
    [
        ({"all": ["red", "blue"]}, "Red and BLUE", 1),
        ({"all": ["red", "blue"]}, "red", 0.5),
        ({"any": ["red", "blue"]}, "it is blue", 1),
        ({"any": ["red", "blue"]}, "green", 0),
        ({"none": ["red"]}, "green", 1),
        ({"none": ["red"]}, "hundred", 0),
        ({"none": ["red"], "words": True}, "hundred", 1),
        ({"all": ["red"], "none": ["blue"], "any": ["x", "y"]}, "red x blue", 0.667),
        ({"all": ["New York"]}, "new\n york", 1),
        ({"all": ["Red"], "normalised": False}, "red", 0),
        ({"all": ["?"], "normalised": False}, "red?", 1),
        ({"none": ["red"]}, "", 1),
    ],
)
def test_contains(params: dict[str, Any], text: str, expected: float) -> None:
    assert score("contains", params, text) == expected


def test_nothing_to_look_for_is_a_fault() -> None:
    assert "all, any or none" in faults("contains", {})["params"]
    assert "normalised to false" in faults("contains", {"all": ["ok", "?!"]})["params.all[1]"]


@pytest.mark.parametrize(
    ("params", "text", "expected"),
    [
        ({"pattern": r"\d{3}"}, "abc 123", 1),
        ({"pattern": r"\d{3}"}, "abc", 0),
        ({"pattern": r"\d{3}", "full": True}, "abc 123", 0),
        ({"pattern": r"\d{3}", "full": True}, "123", 1),
        ({"pattern": "(?i)sorry", "expected": False}, "Sorry", 0),
        ({"pattern": "(?i)sorry", "expected": False}, "Here", 1),
        ({"pattern": "é.$"}, "éa", 1),
        ({"pattern": "^$"}, "", 1),
    ],
)
def test_regex(params: dict[str, Any], text: str, expected: float) -> None:
    assert score("regex", params, text) == expected


@pytest.mark.parametrize("pattern", ["", "(", r"(a)\1", "(?=a)", "a{1000}{1000}", "\ud800", "x" * 10_001])
def test_what_is_no_pattern_is_a_fault(pattern: str) -> None:
    assert faults("regex", {"pattern": pattern})["params.pattern"]


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|aa)+$", "(.*a){20}$", r"^(([a-z])+.)+[A-Z]([a-z])+$"])
def test_no_pattern_takes_for_ever(pattern: str) -> None:
    before = time.process_time()
    graded("regex", {"pattern": pattern}, "a" * 200_000 + "!")
    assert time.process_time() - before < 3


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It is 1,234,567.89 in all", ["1234567.89"]),
        ("12,34,567 rupees", ["1234567"]),
        ("1'234.5 or 1\u202f234.5", ["1234.5", "1234.5"]),
        ("-5 to −3.5", ["-5", "-3.5"]),
        ("10-5 and (3)-4", ["10", "5", "3", "4"]),
        ("covid-19", ["19"]),
        ("A4, b2b and v2", []),
        ("1,2,3", ["1", "2", "3"]),
        ("1 2 3", ["1", "2", "3"]),
        ("$1,000.", ["1000"]),
        (".5 and 5.", ["0.5", "5"]),
        ("1.5e-3", ["0.0015"]),
        ("2 million", ["2000000"]),
        ("٣٤ and ３５", ["34", "35"]),
        ("2024-01-05", ["2024", "1", "5"]),
        ("5²", ["5"]),
        ("1" * 61, []),
        ("none", []),
    ],
)
def test_numbers_in_running_text(text: str, found: list[str]) -> None:
    assert [f"{readings[0].normalize():f}" for readings in numbers_in(text)] == found


def test_numbers_with_a_decimal_comma() -> None:
    read = [f"{readings[0]:f}" for readings in numbers_in("1.234.567,89 und 3,14 und 1 234,5", ",")]
    assert read == ["1234567.89", "3.14", "1234.5"]


@pytest.mark.parametrize(
    ("params", "text", "expected"),
    [
        ({"expected": 72}, "48 + 24 = 72. #### 72", 1),
        ({"expected": 72}, "It is 72, not 71", 0),
        ({"expected": 72, "which": "any"}, "It is 72, not 71", 1),
        ({"expected": 72, "which": "first"}, "It is 72, not 71", 1),
        ({"expected": 0.1}, "0.1", 1),
        ({"expected": 3.14159, "absolute": 0.002}, "about 3.14", 1),
        ({"expected": 3.14159, "absolute": 0.001}, "about 3.14", 0),
        ({"expected": 1000, "relative": 0.05}, "1,050", 1),
        ({"expected": 1000, "relative": 0.05}, "1,051", 0),
        ({"expected": -1000, "relative": 0.05}, "-960", 1),
        ({"expected": 12.5}, "12.5 %", 1),
        ({"expected": 0.125}, "12.5 percent", 1),
        ({"expected": 0.125}, "12.5", 0),
        ({"expected": 1.5, "decimal": ","}, "1,5", 1),
        ({"expected": 0}, "no number", 0),
        ({"expected": 1e300}, "1e300", 1),
    ],
)
def test_number(params: dict[str, Any], text: str, expected: float) -> None:
    assert score("number", params, text) == expected


def test_a_tolerance_below_zero_is_a_fault() -> None:
    assert faults("number", {"expected": 1, "absolute": -1})["params.absolute"]
    assert faults("number", {"expected": float("nan")})["params.expected"]
    assert faults("number", {"expected": 1, "relative": float("inf")})["params.relative"]


@given(
    st.integers(-(10**12), 10**12), st.sampled_from(["{:,}", "{}", "the answer is {:,}.", "({:,})", "= {} m"])
)
def test_a_number_is_found_however_it_is_written(value: int, form: str) -> None:
    assert score("number", {"expected": value}, form.format(value)) == 1


YES_NO = ["Yes", "No"]
LETTERS = ["A", "B", "C", "D"]


@pytest.mark.parametrize(
    ("text", "choices", "label"),
    [
        ("[Yes]", YES_NO, "Yes"),
        ("yes.", YES_NO, "Yes"),
        ("No, because 21 is 3 times 7.", YES_NO, "No"),
        ("Let me think: no factor divides it.\n\n[Yes]", YES_NO, "Yes"),
        ("First [No], but after all [Yes]", YES_NO, "Yes"),
        ("The answer is **No**.", YES_NO, "No"),
        ("Yes and no", YES_NO, None),
        ("Nobody knows", YES_NO, None),
        ("", YES_NO, None),
        ("(B)", LETTERS, "B"),
        ("B) because", LETTERS, "B"),
        ("The correct answer is (D), though A looks right", LETTERS, "D"),
        ("Answer: C", LETTERS, "C"),
        (r"so \boxed{B}", LETTERS, "B"),
        ("A dog is a pet", LETTERS, None),
        ("I would say B", LETTERS, "B"),
        ("A or B", LETTERS, None),
        ("not applicable", ["applicable", "not applicable"], "not applicable"),
        ("It is not applicable here", ["applicable", "not applicable"], "not applicable"),
    ],
)
def test_the_label_that_a_text_settles_on(text: str, choices: list[str], label: str | None) -> None:
    assert chosen(text, choices) == label
    right = label or choices[0]
    assert score("choice", {"expected": right, "choices": choices}, text) == float(label is not None)


def test_choices_that_cannot_be_told_apart_are_a_fault() -> None:
    assert "of its own" in faults("choice", {"expected": "a", "choices": ["a", "A!"]})["params.choices"]
    assert "two labels" in faults("choice", {"expected": "a", "choices": ["a"]})["params.choices"]
    assert "none of the choices" in faults("choice", {"expected": "x", "choices": YES_NO})["params.expected"]
    assert faults("choice", {"expected": "(", "choices": ["(", "."]})["params.choices"]


@given(st.lists(st.text(min_size=1, max_size=5), min_size=2, max_size=4), st.text(max_size=50))
def test_any_labels_can_be_looked_for(choices: list[str], text: str) -> None:
    found = chosen(text, choices)
    assert found is None or found in choices
