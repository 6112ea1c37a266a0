"""What erasing takes out of a record, by rule."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.telemetry.rules.dlp import replaced, texts_of
from holdfast.telemetry.rules.erasing import Subject, scrubbed, stripped


@pytest.mark.parametrize("text", ["ann@people.example", "customer-1234567"])
def test_a_telling_name_is_found_in_text_but_not_inside_a_longer_one(text: str) -> None:
    pattern = Subject(text).pattern
    assert Subject(text).telling
    assert scrubbed({"a": [f"ask {text}, please"], text: 1}, pattern) == {
        "a": ["ask [erased], please"],
        text: 1,
    }
    assert scrubbed(f"{text.upper()}", pattern) == "[erased]"
    assert scrubbed(f"joe-{text} and {text}x", pattern) == f"joe-{text} and {text}x"


def test_a_short_name_is_no_reason_to_touch_numbers_in_text() -> None:
    subject = Subject("42")
    assert not subject.telling
    names = frozenset(("42",))
    value = {"who": "42", "id": 42, "text": "42 apples", "user.name": "Ann", "deep": [{"who": "42", "n": 7}]}
    assert stripped(value, names, None) == {"text": "42 apples", "deep": [{"n": 7}]}


def test_forms_of_a_link_and_of_json_are_found_too() -> None:
    subject = Subject('o"hara@people.example')
    assert scrubbed("user=o%22hara%40people.example&x=1", subject.pattern) == "user=[erased]&x=1"


def test_the_hash_needs_its_salt_and_is_blind_to_case() -> None:
    one = Subject("Ann@people.example").hashed("a" * 16)
    assert one == Subject("ann@people.example").hashed("a" * 16) and len(one) == 64
    assert one != Subject("ann@people.example").hashed("b" * 16)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


@given(st.dictionaries(st.text(max_size=5), JSON, max_size=4))
def test_texts_for_dlp_go_out_and_come_back_in_place(value: dict[str, object]) -> None:
    import json

    content = json.dumps(value)
    texts = texts_of(content)
    assert json.loads(replaced(content, texts)) == value
    assert texts_of(replaced(content, [f"<{text}>" for text in texts])) == [f"<{text}>" for text in texts]
