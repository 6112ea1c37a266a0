"""Graders of JSON, of tool calls and of form."""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evals.graders.asked import faults, graded, score
from holdfast.evals.graders.json_texts import Likeness, json_in
from holdfast.evals.graders.tools import in_any_order, in_order
from holdfast.evals.model import Answer, ToolCall


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 1}', {"a": 1}),
        ('Here you are:\n```json\n{"a": [1]}\n```\nAnything else?', {"a": [1]}),
        ('It is {"a": 1}, I think', {"a": 1}),
        ("numbers: [1, 2]", [1, 2]),
        ("3", 3),
        ('{"a": "[x]"}', {"a": "[x]"}),
    ],
)
def test_json_is_found_in_an_answer(text: str, value: Any) -> None:
    assert json_in(text) == value


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no",
        "{'a': 1}",
        '{"a": 1} and {"b": 2}',
        '{"a": NaN}',
        "[" * 200 + "]" * 200,
        "[" * 10**5,
        "\ud800",
    ],
)
def test_what_is_no_json_is_none(text: str) -> None:
    with pytest.raises(ValueError, match=r"JSON|deep"):
        json_in(text)


def test_strict_json_has_nothing_around_it() -> None:
    assert json_in(' {"a": 1}\n', strict=True) == {"a": 1}
    with pytest.raises(ValueError, match="no JSON"):
        json_in('```json\n{"a": 1}\n```', strict=True)


def test_json_may_be_a_hundred_levels_deep() -> None:
    assert json_in("[" * 100 + "]" * 100)
    with pytest.raises(ValueError, match="deep"):
        json_in("[" * 101 + "]" * 101)


SCHEMA = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "pattern": "^(a+)+$"},
        "age": {"type": "integer", "minimum": 0},
    },
    "required": ["name"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"name": "aa", "age": 3}', 1),
        ('```\n{"age": 3, "name": "aa"}\n```', 1),
        ('{"name": "b"}', 0),
        ('{"name": "aa", "age": -1}', 0),
        ('{"age": 3}', 0),
        ('{"name": "aa", "more": 1}', 0),
        ("[]", 0),
        ("sorry", 0),
    ],
)
def test_json_schema(text: str, expected: float) -> None:
    assert score("json_schema", {"schema": SCHEMA}, text) == expected


def test_a_schema_says_what_does_not_fit_and_where() -> None:
    made = graded("json_schema", {"schema": SCHEMA}, '{"name": "aa", "age": "old"}')
    assert made.details["errors"][0]["at"] == "age"
    assert "integer" in made.reason


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "objekt"},
        {"$ref": "http://127.0.0.1:9/x.json"},
        {"$ref": "#/nowhere"},
        {"pattern": "(?=a)b"},
        {"pattern": "(("},
        {"minimum": "1"},
    ],
)
def test_a_schema_that_cannot_be_used_is_a_fault(schema: dict[str, Any]) -> None:
    assert "JSON Schema" in faults("json_schema", {"schema": schema})["params.schema"]


ORDER = '{"order": {"id": "A-1", "items": [{"price": 9.99, "n": 2}, {"price": 5, "n": 1}], "paid": true}}'


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"expected": {"order.id": "A-1", "order.items[1].price": 5.0, "order.paid": True}}, 1),
        ({"expected": {"order.id": "a-1"}}, 0),
        ({"expected": {"order.id": "a-1"}, "normalised": True}, 1),
        ({"expected": {"order.items[0].price": 10}, "absolute": 0.01}, 1),
        ({"expected": {"order.items[0].price": 10}}, 0),
        ({"expected": {"order.paid": 1}}, 0),
        ({"expected": {"order.items[0].n": "2"}}, 0),
        ({"expected": {"order.items[0]": {"n": 2, "price": 9.99}}}, 1),
        ({"expected": {"order.items": [{"price": 5, "n": 1}, {"price": 9.99, "n": 2}]}}, 0),
        ({"expected": {"order.id": "A-1", "order.customer": "x"}}, 0.5),
        ({"expected": {"order.items[9].n": 1}}, 0),
        ({"expected": {"order[0]": 1}}, 0),
        ({"expected": {"order.customer": None}}, 0),
    ],
)
def test_json_fields(params: dict[str, Any], expected: float) -> None:
    assert score("json_fields", params, ORDER) == expected


def test_a_path_that_is_none_is_a_fault() -> None:
    assert "name.name[0]" in faults("json_fields", {"expected": {"a[b]": 1}})["params.expected.a[b]"]
    assert "at least one" in faults("json_fields", {"expected": {}})["params.expected"]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**9), 10**9)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(JSON)
def test_a_value_is_like_itself_through_json(value: Any) -> None:
    assert Likeness().same(json.loads(json.dumps(value)), value)


def call(name: str, **arguments: Any) -> ToolCall:
    return ToolCall(name, json.dumps(arguments), arguments)


BOOK = {"name": "book", "arguments": {"flight": "LH1", "seats": 2}}
FIND = {"name": "find", "arguments": {"to": "Rome"}}
FOUND, BOOKED = call("find", to="Rome"), call("book", seats=2.0, flight="LH1")


@pytest.mark.parametrize(
    ("params", "calls", "expected"),
    [
        ({"expected": [FIND, BOOK]}, [FOUND, BOOKED], 1),
        ({"expected": [FIND, BOOK]}, [BOOKED, FOUND], 1),
        ({"expected": [FIND, BOOK], "order": "strict"}, [BOOKED, FOUND], 0.5),
        ({"expected": [FIND, BOOK]}, [FOUND], 0.5),
        ({"expected": [FIND]}, [FOUND, BOOKED], 0.5),
        ({"expected": [FIND], "extra": True}, [FOUND, BOOKED], 1),
        ({"expected": [FIND, FIND]}, [FOUND], 0.5),
        ({"expected": [FIND]}, [], 0),
        ({"expected": []}, [], 1),
        ({"expected": []}, [FOUND], 0),
        ({"expected": [FIND]}, [call("find", to="Oslo")], 0),
        ({"expected": [{**FIND, "match": "ignored"}]}, [call("find", to="Oslo")], 1),
        ({"expected": [FIND]}, [call("find", to="Rome", day=1)], 0),
        ({"expected": [{**FIND, "match": "subset"}]}, [call("find", to="Rome", day=1)], 1),
        ({"expected": [{**FIND, "match": "subset"}]}, [call("find", day=1)], 0),
        ({"expected": [FIND], "normalised": True}, [call("find", to="rome ")], 1),
        ({"expected": [{"name": "now"}]}, [ToolCall("now", "")], 1),
        ({"expected": [FIND]}, [ToolCall("find", '{"to": "Rome"}')], 1),
        ({"expected": [FIND]}, [ToolCall("find", '{"to": "Rome"')], 0),
        ({"expected": [{**FIND, "match": "subset", "arguments": {}}]}, [ToolCall("find", "not JSON")], 0),
        ({"expected": [FIND], "forbidden": ["book"], "extra": True}, [FOUND, BOOKED], 0),
        ({"forbidden": ["book"], "extra": True}, [FOUND], 1),
        ({"count": {"most": 1}, "extra": True}, [FOUND, BOOKED], 0),
        ({"count": {"least": 1, "most": 2}, "extra": True}, [FOUND, BOOKED], 1),
    ],
)
def test_tool_calls(params: dict[str, Any], calls: list[ToolCall], expected: float) -> None:
    assert score("tool_calls", params, Answer(tool_calls=tuple(calls))) == expected


def test_a_wider_expectation_leaves_the_narrow_one_its_call() -> None:
    params = {"expected": [{"name": "find", "match": "ignored"}, FIND]}
    assert score("tool_calls", params, Answer(tool_calls=(FOUND, call("find", to="Oslo")))) == 1


def test_expectations_of_calls_that_contradict_one_another_are_faults() -> None:
    assert (
        "forbidden"
        in faults("tool_calls", {"expected": [FIND], "forbidden": ["find"]})["params.expected[0].name"]
    )
    assert faults("tool_calls", {"expected": [FIND, BOOK], "count": {"most": 1}})["params.count.most"]
    assert faults("tool_calls", {"count": {}})["params.count"]
    assert faults("tool_calls", {"extra": True})["params"]


FITS = st.integers(0, 4).flatmap(
    lambda calls: st.lists(st.lists(st.booleans(), min_size=calls, max_size=calls), max_size=4)
)


@given(FITS)
def test_pairing_is_the_best_there_is(fits: list[list[bool]]) -> None:
    calls = range(len(fits[0]) if fits else 0)

    def best(ordered: bool) -> int:
        most = 0
        for chosen in itertools.product([None, *calls], repeat=len(fits)):
            used = [one for one in chosen if one is not None]
            fitting = all(fits[i][j] for i, j in enumerate(chosen) if j is not None)
            if fitting and len(set(used)) == len(used) and (not ordered or used == sorted(used)):
                most = max(most, len(used))
        return most

    for pair, ordered in ((in_order, True), (in_any_order, False)):
        paired = pair(fits)
        assert sum(one is not None for one in paired) == best(ordered)
        assert all(fits[i][j] for i, j in enumerate(paired) if j is not None)


@pytest.mark.parametrize(
    ("params", "text", "expected"),
    [
        ({"form": "json"}, '{"a": 1}', 1),
        ({"form": "json"}, '```json\n{"a": 1}\n```', 0),
        ({"form": "json_lines", "items": {"least": 2, "most": 2}}, '{"a": 1}\n{"a": 2}\n', 1),
        ({"form": "json_lines"}, '{"a": 1}\n{"a": 2\n', 0),
        ({"form": "json_lines", "items": {"most": 1}}, "1\n2", 0),
        ({"form": "yaml"}, "a: 1\nb:\n  - x\n", 1),
        ({"form": "yaml"}, "just words", 0),
        ({"form": "yaml"}, "a: [1", 0),
        ({"form": "yaml"}, "a: *b", 0),
        ({"form": "csv"}, "a,b\n1,2\n", 1),
        ({"form": "csv"}, "a,b\n1,2,3\n", 0),
        ({"form": "csv", "columns": ["a", "b"], "items": {"least": 1, "most": 1}}, "a, b\n1,2\n", 1),
        ({"form": "csv", "columns": ["a", "c"]}, "a,b\n1,2\n", 0),
        ({"form": "csv", "delimiter": ";", "columns": ["a", "b"]}, 'a;b\n"1;2";3\n', 1),
        ({"form": "csv"}, 'a,"b\n', 0),
        ({"form": "list", "items": {"least": 3, "most": 3}}, "Here:\n1. one\n2. two\n3) three", 1),
        ({"form": "list", "items": {"least": 3}}, "- one\n- two", 0),
        ({"form": "list"}, "one, two", 0),
        ({"form": "single_line"}, "one line\n", 1),
        ({"form": "single_line"}, "one\ntwo", 0),
        ({"form": "number"}, " 1,234.5 ", 1),
        ({"form": "number"}, "12 %", 1),
        ({"form": "number"}, "The answer is 12", 0),
        ({"form": "number"}, "1 or 2", 0),
        ({"form": "plain"}, "It costs 3 * 4 = 12 and 2*3*4, see a_b_c [1].", 1),
        ({"form": "plain"}, "It is **bold**", 0),
        ({"form": "plain"}, "# Heading\ntext", 0),
        ({"form": "plain"}, "- item", 0),
        ({"form": "plain"}, "see [here](https://example.org)", 0),
        ({"form": "plain"}, "| a | b |\n|---|---|\n", 0),
        ({"form": "plain"}, "run `ls`", 0),
    ],
)
def test_format(params: dict[str, Any], text: str, expected: float) -> None:
    assert score("format", params, text) == expected


def test_a_form_has_its_own_fields() -> None:
    assert faults("format", {"form": "json", "items": {"least": 1}})["params.items"]
    assert faults("format", {"form": "json", "columns": ["a"]})["params.columns"]
    assert faults("format", {"form": "csv", "delimiter": "ab"})["params.delimiter"]
    assert faults("format", {"form": "xml"})["params.form"]
