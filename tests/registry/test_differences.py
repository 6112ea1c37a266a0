"""Differences that people read: nothing is lost in them, places and names are those of the content."""

from __future__ import annotations

import copy
import random
import time
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.registry.model import Kind, What
from holdfast.registry.reads import difference_of
from holdfast.registry.rules.structures import changes, same
from holdfast.registry.rules.texts import pieces

TEXTS = st.text(st.sampled_from("ab. ,\n\t!{é"), max_size=60)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.text("ab", max_size=2),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text("ab/~", max_size=2), inner, max_size=4)
    ),
    max_leaves=12,
)


def told(old: str, new: str) -> list[tuple[str, str]]:
    return [(one.what.value, one.text) for one in pieces(old, new)]


def halves(old: str, new: str) -> tuple[str, str]:
    found = pieces(old, new)
    return (
        "".join(one.text for one in found if one.what is not What.ADDED),
        "".join(one.text for one in found if one.what is not What.REMOVED),
    )


@given(TEXTS, TEXTS)
def test_kept_and_removed_is_the_old_text_and_kept_and_added_the_new(old: str, new: str) -> None:
    assert halves(old, new) == (old, new)
    found = pieces(old, new)
    assert all(one.text for one in found)
    assert all(one.what is not other.what for one, other in pairwise(found))


def test_words_are_whole_and_what_is_between_them_is_kept() -> None:
    assert told("Be kind.\nNever lie.", "Be very kind.\nNever lie!") == [
        ("kept", "Be"),
        ("added", " very"),
        ("kept", " kind.\nNever lie"),
        ("removed", "."),
        ("added", "!"),
    ]
    assert told("one two three", "one\ntwo three") == [
        ("kept", "one"),
        ("removed", " "),
        ("added", "\n"),
        ("kept", "two three"),
    ]
    assert told("", "a") == [("added", "a")]
    assert told("a", "a") == [("kept", "a")]
    assert told("", "") == []


def test_a_long_prompt_shows_its_few_edits_alone() -> None:
    drawn = random.Random(4)
    words = [f"w{drawn.randrange(2000)}" for _ in range(17_000)]
    edited = [f"X{place}" if place % 1700 == 5 else word for place, word in enumerate(words)]
    for glue in (" ", "\n"):
        old, new = glue.join(words), glue.join(edited)
        added = [one.text.strip() for one in pieces(old, new) if one.what is What.ADDED]
        assert added == [word for word in edited if word.startswith("X")]


@pytest.mark.parametrize(
    "case", ["nothing shared", "two words", "every other", "reversed", "anchored", "signs"]
)
def test_a_difference_takes_bounded_time(case: str) -> None:
    drawn = random.Random(7)
    n = 20_000
    old, new = {
        "nothing shared": ([f"a{i}" for i in range(n)], [f"b{i}" for i in range(n)]),
        "two words": (drawn.choices("ab", k=n), drawn.choices("ab", k=n)),
        "every other": ([f"w{i // 2} y{i}" for i in range(n)], [f"w{i // 2} z{i}" for i in range(n)]),
        "reversed": ([f"w{i}" for i in range(n)], [f"w{i}" for i in reversed(range(n))]),
        "anchored": (
            [f"u{i // 190}" if i % 190 == 0 else "ab"[i % 2] for i in range(n)],
            [f"u{i // 190}" if i % 190 == 0 else "ab"[i % 190 > 95] for i in range(n)],
        ),
        "signs": ([". "] * n, ["! "] * n),
    }[case]
    begun = time.process_time()
    assert halves(" ".join(old), " ".join(new)) == (" ".join(old), " ".join(new))
    assert time.process_time() - begun < 10


def paths(old: Any, new: Any) -> list[tuple[str, str]]:
    return [(one.path, one.what.value) for one in changes(old, new)]


def test_named_entries_are_matched_by_name_and_others_from_both_ends() -> None:
    tools = [{"type": "function", "function": {"name": name, "strict": True}} for name in ("look/up", "send")]
    edited = copy.deepcopy(tools)
    edited[1]["function"] = {"name": "send", "strict": False}
    edited.insert(0, {"type": "function", "function": {"name": "new"}})
    assert paths({"tools": tools}, {"tools": edited}) == [
        ("/tools/new", "added"),
        ("/tools/send/function/strict", "changed"),
    ]
    assert paths({"tools": tools}, {"tools": tools[:0:-1]}) == [("/tools/look~1up", "removed")]
    [order] = changes({"g": [{"name": "a"}, {"name": "b"}]}, {"g": [{"name": "b"}, {"name": "a"}]})
    assert (order.path, order.old, order.new) == ("/g", ["a", "b"], ["b", "a"])
    assert paths([1, 2, 3], [0, 1, 2, 3]) == [("/0", "added")]
    assert paths([1, 2, 3], [1, 3]) == [("/1", "removed")]
    assert paths([{"name": "a"}, {"name": "a"}], [{"name": "a"}]) == [("/1", "removed")]


def test_json_is_told_apart_as_json_does() -> None:
    assert paths({"a": 1}, {"a": 1.0}) == []
    assert paths({"a": 1}, {"a": True}) == [("/a", "changed")]
    [gone] = changes({"a": None}, {})
    assert (gone.what, gone.old, gone.new) == (What.REMOVED, None, None)


@given(VALUES, VALUES)
def test_nothing_that_differs_is_left_out(old: Any, new: Any) -> None:
    found = changes(old, new)
    assert bool(found) != same(old, new)
    assert changes(copy.deepcopy(old), copy.deepcopy(new)) == found
    back = changes(new, old)
    turn = {What.ADDED: What.REMOVED, What.REMOVED: What.ADDED, What.CHANGED: What.CHANGED}
    assert sorted((one.path, turn[one.what]) for one in found) == sorted((one.path, one.what) for one in back)


def test_a_deep_value_is_compared_whole_below_a_depth() -> None:
    def nested(leaf: int) -> Any:
        value: Any = leaf
        for _ in range(200):
            value = [value]
        return value

    [found] = changes(nested(1), nested(2))
    assert found.path == "/0" * 50


def test_the_difference_of_releases_is_by_part() -> None:
    prompt = {"messages": [{"role": "system", "content": "Be kind."}]}
    edited = {"messages": [{"role": "system", "content": "Be very kind."}]}
    model = {"parameters": {"temperature": 0}}
    found = difference_of(
        {}, {Kind.PROMPT: prompt, Kind.MODEL: model}, {"retries": 1}, {Kind.PROMPT: edited, Kind.MODEL: model}
    )
    assert [(one.path, one.what) for one in found.body] == [("/retries", What.ADDED)]
    [part] = found.parts
    assert (part.kind, part.old, part.new) == (Kind.PROMPT, prompt, edited)
    assert [one.path for one in part.changes] == [one.path for one in part.texts] == ["/messages/0/content"]
    gone = difference_of({}, {Kind.MODEL: model}, {}, {}).parts[0]
    assert (gone.new, [one.what for one in gone.changes]) == (None, [What.REMOVED])
    assert not difference_of({}, {Kind.MODEL: model}, {}, {Kind.MODEL: {"parameters": {"temperature": 0.0}}})
    assert difference_of(None, {}, {}, {Kind.MODEL: model}).first
