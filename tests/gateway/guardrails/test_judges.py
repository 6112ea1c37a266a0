"""What each judge finds, and that no text or pattern from outside can hold a gateway up."""

from __future__ import annotations

import json
import time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from judged import armed, strings

from holdfast.gateway.guardrails import places
from holdfast.gateway.guardrails.json_texts import document
from holdfast.gateway.guardrails.judging import Finding
from holdfast.gateway.guardrails.patterns import patterns
from holdfast.gateway.guardrails.schemas import TooDeep, schema
from holdfast.gateway.guardrails.shelf import JUDGES, judge_of
from holdfast.gateway.model import GuardrailKind, Rule


def rules(**written: str) -> list[Rule]:
    return [Rule(name=name, pattern=pattern) for name, pattern in written.items()]


@pytest.mark.parametrize(
    ("written", "text", "found"),
    [
        ({"a": r"x\d+"}, "é x12 😀 x3", [(2, 5, "a"), (8, 10, "a")]),
        ({"a": "ab", "b": "abc"}, "abcab", [(0, 3, "b"), (3, 5, "a")]),
        ({"a": r"(?i)stra(ss|ß)e"}, "Die Straße", [(4, 10, "a")]),
        ({"a": r"\bx|y"}, "xxy", [(0, 1, "a"), (2, 3, "a")]),
        ({"a": "no"}, "", []),
        ({"a": "x"}, "\ud83d x", [(2, 3, "a")]),
    ],
)
def test_rules(written: dict[str, str], text: str, found: list[tuple[int, int, str]]) -> None:
    assert patterns(rules(**written)).find(text, 0) == [Finding(*one) for one in found]


@given(st.text(alphabet="aé😀1 ", max_size=80))
def test_places_are_characters_whatever_they_weigh(text: str) -> None:
    for start, end, _ in patterns(rules(a="a+|1 ")).find(text, 0):
        assert text[start:end] == "1 " or set(text[start:end]) == {"a"}


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*b", "(.*)*x", "(?s).*.*.*.*=.*"])
def test_no_pattern_takes_for_ever(pattern: str) -> None:
    judge = patterns(rules(a=f"{pattern}|z"))
    began = time.process_time()
    judge.find("a" * 50_000 + "!", 0)
    assert time.process_time() - began < 2


CITY: dict[str, Any] = {
    "type": "object",
    "properties": {
        "name": {"type": "string", "minLength": 2, "pattern": "^[A-Z]"},
        "size": {"type": ["integer", "null"], "minimum": 0, "exclusiveMaximum": 10},
        "kind": {"enum": ["town", 1]},
        "near": {"type": "array", "items": {"$ref": "#"}, "maxItems": 2},
        "one": {"oneOf": [{"type": "integer"}, {"const": 1}]},
        "not": {"not": {"type": "string"}},
    },
    "required": ["name"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("value", "fits"),
    [
        ({"name": "Riga"}, True),
        ({"name": "riga"}, False),
        ({"name": "R"}, False),
        ({}, False),
        ([], False),
        ({"name": "Riga", "size": None}, True),
        ({"name": "Riga", "size": 3.0}, True),
        ({"name": "Riga", "size": True}, False),
        ({"name": "Riga", "size": 10}, False),
        ({"name": "Riga", "size": -1}, False),
        ({"name": "Riga", "kind": 1.0}, True),
        ({"name": "Riga", "kind": True}, False),
        ({"name": "Riga", "near": [{"name": "Ogre"}]}, True),
        ({"name": "Riga", "near": [{"name": "ogre"}]}, False),
        ({"name": "Riga", "near": [{"name": "Ogre"}] * 3}, False),
        ({"name": "Riga", "one": 2}, True),
        ({"name": "Riga", "one": 1}, False),
        ({"name": "Riga", "not": "x"}, False),
        ({"name": "Riga", "more": 1}, False),
    ],
)
def test_forms(value: Any, fits: bool) -> None:
    found = schema(CITY).find(json.dumps(value), 0)
    assert found == ([] if fits else [Finding(0, 0, "schema")])


def test_what_is_no_json_has_no_form() -> None:
    assert schema(CITY).find('{"name": "Ri', 0) == [Finding(0, 0, "json")]


def test_a_form_that_refers_to_itself_ends() -> None:
    turning = {"anyOf": [{"$ref": "#"}, {"$ref": "#"}]}
    with pytest.raises(TooDeep):
        schema(turning).find("1", 0)


def test_a_kind_has_a_judge_or_asks_outside() -> None:
    assert {*JUDGES, GuardrailKind.WEBHOOK} == set(GuardrailKind)
    (one,) = armed({"kind": "size", "action": "block", "max_bytes": 3})
    assert judge_of(one.guardrail).find("é", 3) == []
    assert judge_of(one.guardrail).find("é", 4) == [Finding(0, 0, "size")]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["text", "content", "input", 'a"\\é', "type", "logprobs"]), inner, max_size=4
        )
    ),
    max_leaves=20,
)


@given(JSON, st.sampled_from([None, 1, "\t"]))
def test_a_document_is_put_together_as_it_was(value: Any, indent: Any) -> None:
    raw = json.dumps({"messages": value}, indent=indent).encode()
    read = document(raw)
    assert read.written() == raw
    texts = [read.said(leaf) for leaf in read.leaves if raw[leaf.start : leaf.start + 1] == b'"']
    assert texts == list(strings({"messages": value}))
    for leaf in read.leaves:
        if read.is_text(leaf):
            read.take(leaf).text = "[X]"
    changed = json.loads(read.written())
    left = [one for one in strings(changed) if one != "[X]"]
    assert len(left) <= len(texts)
    assert document(read.written()).written() == read.written()
    msgspec.json.decode(read.written())


def test_what_a_model_signed_goes_back_as_it_came() -> None:
    said = [
        {"type": "thinking", "thinking": "jane@example.com", "signature": "x"},
        {"type": "text", "text": "hi"},
    ]
    raw = json.dumps([{"role": "assistant", "content": said}]).encode()
    read = places.read_request(document(raw, ("messages",)))
    assert [slot.text for slot in read.slots] == ["hi"]
