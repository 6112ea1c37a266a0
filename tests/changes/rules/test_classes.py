"""The class of a change: an author who wants an edit to count as less than it is does not get there by the rules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.changes.model import ChangeClass
from holdfast.changes.rules.classes import Classed, Ranges, classify, in_force
from holdfast.kernel.errors import Invalid
from holdfast.registry.model import Difference, Kind, PartDifference
from holdfast.registry.reads import difference_of

MINOR, MODERATE, MAJOR = ChangeClass.MINOR, ChangeClass.MODERATE, ChangeClass.MAJOR
RANGES = Ranges({"temperature": (0.0, 0.3), "max_completion_tokens": (1, 800)})
Parts = Mapping[Kind, Mapping[str, Any]]


def classed(old: Parts, new: Parts, body: tuple[Any, Any] = ({}, {})) -> Classed:
    return classify(difference_of(body[0], old, body[1], new), RANGES)


def prompt(*contents: Any, **more: Any) -> Parts:
    roles = ("system", "user", "assistant", "user")
    messages = [{"role": role, "content": one} for role, one in zip(roles, contents, strict=False)]
    return {Kind.PROMPT: {"messages": messages, **more}}


BASE = prompt("Be kind to {{name}}.", "Hello", variables={"name": {"type": "string"}})
BLOCKS = {"name": "pii", "kind": "pii", "action": "block"}


def guards(*listed: Mapping[str, Any]) -> Parts:
    return {Kind.GUARDRAILS: {"guardrails": list(listed)}}


def model(**parameters: Any) -> Parts:
    return {Kind.MODEL: {"chain": [{"upstream": "a", "model": "m"}], "parameters": parameters}}


def chain(*targets: tuple[str, str]) -> Parts:
    listed = [{"upstream": upstream, "model": name} for upstream, name in targets]
    return {Kind.MODEL: {"chain": listed, "parameters": {}}}


def tools(*listed: Mapping[str, Any]) -> Parts:
    return {Kind.TOOLS: {"tools": [{"type": "function", "function": one} for one in listed]}}


TWO = (("a", "m"), ("b", "n"))
RULES = [{"name": "a", "pattern": "x"}, {"name": "b", "pattern": "y"}]
PARTS: list[tuple[str, Parts, Parts, ChangeClass]] = [
    ("message added", prompt("a"), prompt("a", "b"), MAJOR),
    ("message removed", prompt("a", "b"), prompt("a"), MAJOR),
    (
        "messages swapped",
        prompt("Be kind to all", "Tell a joke"),
        prompt("Tell a joke", "Be kind to all"),
        MAJOR,
    ),
    (
        "messages swapped, with a full stop",
        prompt("Be kind to all", "Tell a joke"),
        prompt("Tell a joke", "Be kind to all please"),
        MAJOR,
    ),
    (
        "role changed",
        {Kind.PROMPT: {"messages": [{"role": "system", "content": "a"}]}},
        {Kind.PROMPT: {"messages": [{"role": "user", "content": "a"}]}},
        MAJOR,
    ),
    (
        "text in parts, formatted",
        prompt([{"type": "text", "text": "Be kind"}]),
        prompt([{"type": "text", "text": "Be kind."}]),
        MINOR,
    ),
    ("text became parts", prompt("Be kind"), prompt([{"type": "text", "text": "Be kind"}]), MAJOR),
    (
        "picture changed",
        prompt([{"type": "image_url", "image_url": {"url": "a.png"}}]),
        prompt([{"type": "image_url", "image_url": {"url": "a,png"}}]),
        MAJOR,
    ),
    (
        "a field of a message",
        {Kind.PROMPT: {"messages": [{"role": "system", "content": "a"}]}},
        {Kind.PROMPT: {"messages": [{"role": "system", "content": "a", "name": "b"}]}},
        MAJOR,
    ),
    ("variable added", BASE, {Kind.PROMPT: {**BASE[Kind.PROMPT], "variables": {"name": {}, "b": {}}}}, MAJOR),
    (
        "variable retyped",
        BASE,
        {Kind.PROMPT: {**BASE[Kind.PROMPT], "variables": {"name": {"type": "json"}}}},
        MAJOR,
    ),
    (
        "variable no longer required",
        BASE,
        {Kind.PROMPT: {**BASE[Kind.PROMPT], "variables": {"name": {"type": "string", "required": False}}}},
        MAJOR,
    ),
    (
        "default",
        prompt("a", variables={"n": {"default": "x"}}),
        prompt("a", variables={"n": {"default": "x."}}),
        MODERATE,
    ),
    (
        "default of a json variable",
        prompt("a", variables={"n": {"default": {"x": 1}}}),
        prompt("a", variables={"n": {"default": {"x": 2}}}),
        MODERATE,
    ),
    ("comment", prompt("a", comment="b"), prompt("a", comment="c d"), MINOR),
    ("hidden in a comment", prompt("a", comment="b"), prompt("a", comment="b\u200b"), MAJOR),
    ("example formatted", prompt("a", examples=["b"]), prompt("a", examples=["b."]), MINOR),
    ("example changed", prompt("a", examples=["b"]), prompt("a", examples=["c"]), MODERATE),
    ("unknown member of a prompt", prompt("a"), prompt("a", engine="b"), MAJOR),
    ("prompt removed", {**prompt("a"), **model()}, model(), MAJOR),
    ("prompt added", model(), {**prompt("a"), **model()}, MAJOR),
    ("parameter within", model(temperature=0), model(temperature=0.3), MODERATE),
    ("parameter added within", model(), model(temperature=0.1), MODERATE),
    ("parameter outside", model(temperature=0), model(temperature=0.31), MAJOR),
    ("parameter below", model(temperature=0), model(temperature=-0.1), MAJOR),
    ("parameter removed", model(temperature=0), model(), MAJOR),
    ("parameter as text", model(temperature=0), model(temperature="0.1"), MAJOR),
    ("parameter as truth", model(max_completion_tokens=5), model(max_completion_tokens=True), MAJOR),
    ("unknown parameter", model(), model(logit_bias={"50256": -100}), MAJOR),
    ("unknown parameter changed", model(top_p=0.9), model(top_p=0.8), MAJOR),
    ("model switched", chain(("a", "m")), chain(("a", "m2")), MAJOR),
    ("upstream switched", chain(("a", "m")), chain(("b", "m")), MAJOR),
    ("fallback added", chain(("a", "m")), chain(*TWO), MAJOR),
    ("chain reordered", chain(*TWO), chain(*reversed(TWO)), MAJOR),
    ("member of the model", model(), {Kind.MODEL: {**model()[Kind.MODEL], "pinned": False}}, MAJOR),
    ("tool added", tools({"name": "a"}), tools({"name": "a"}, {"name": "b"}), MAJOR),
    (
        "tool described",
        tools({"name": "a", "description": "b"}),
        tools({"name": "a", "description": "b."}),
        MAJOR,
    ),
    ("tools reordered", tools({"name": "a"}, {"name": "b"}), tools({"name": "b"}, {"name": "a"}), MAJOR),
    ("tools gone", {**model(), **tools({"name": "a"})}, model(), MAJOR),
    ("limits", {Kind.TOOLS: {"max_steps": 5}}, {Kind.TOOLS: {"max_steps": 6}}, MAJOR),
    ("snapshot", {Kind.RETRIEVAL: {"snapshot": "man_1"}}, {Kind.RETRIEVAL: {"snapshot": "man_2"}}, MAJOR),
    ("top k", {Kind.RETRIEVAL: {"top_k": 4}}, {Kind.RETRIEVAL: {"top_k": 5}}, MAJOR),
    ("guardrail removed", guards(BLOCKS, {**BLOCKS, "name": "b"}), guards(BLOCKS), MAJOR),
    ("all guardrails removed", {**model(), **guards(BLOCKS)}, model(), MAJOR),
    ("guardrail added", model(), {**model(), **guards(BLOCKS)}, MODERATE),
    (
        "redacts before another",
        guards(BLOCKS),
        guards({"name": "r", "kind": "secrets", "action": "redact"}, BLOCKS),
        MAJOR,
    ),
    (
        "redacts after another",
        guards(BLOCKS),
        guards(BLOCKS, {"name": "r", "kind": "secrets", "action": "redact"}),
        MODERATE,
    ),
    (
        "a webhook before another",
        guards(BLOCKS),
        guards({"name": "w", "kind": "webhook", "action": "block", "url": "https://a.example"}, BLOCKS),
        MAJOR,
    ),
    (
        "guardrails reordered",
        guards(BLOCKS, {**BLOCKS, "name": "b"}),
        guards({**BLOCKS, "name": "b"}, BLOCKS),
        MAJOR,
    ),
    ("guardrail renamed", guards(BLOCKS), guards({**BLOCKS, "name": "b"}), MAJOR),
    ("a guardrail of no known form", guards(BLOCKS), guards({**BLOCKS, "sleeps": True}), MAJOR),
    (
        "beside guardrails",
        guards(BLOCKS),
        {Kind.GUARDRAILS: {**guards(BLOCKS)[Kind.GUARDRAILS], "off": True}},
        MAJOR,
    ),
    ("written otherwise", guards(BLOCKS), guards({**BLOCKS, "at": "both", "on_failure": "closed"}), MINOR),
]
WEAKENED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({}, {"action": "flag"}),
    ({}, {"action": "redact"}),
    ({}, {"at": "input"}),
    ({"at": "input"}, {"at": "output"}),
    ({}, {"on_failure": "open"}),
    ({}, {"entities": ["email"]}),
    ({"entities": ["email", "iban"]}, {"entities": ["email"]}),
    ({"entities": ["email"]}, {"entities": ["iban"]}),
    ({"region": "DE"}, {"region": "FR"}),
    ({}, {"window": 300}),
    ({"kind": "rules", "rules": RULES}, {"kind": "rules", "rules": RULES[:1]}),
    (
        {"kind": "rules", "rules": RULES},
        {"kind": "rules", "rules": [RULES[0], {"name": "b", "pattern": "yy"}]},
    ),
    ({"kind": "rules", "rules": RULES}, {"kind": "rules", "rules": RULES[::-1]}),
    ({"kind": "size", "max_bytes": 10}, {"kind": "size", "max_bytes": 11}),
    ({"kind": "schema", "schema": {"const": True}}, {"kind": "schema", "schema": {"const": 1}}),
    ({"kind": "webhook", "url": "https://a.example"}, {"kind": "webhook", "url": "https://b.example"}),
    ({"kind": "webhook", "credential": "secret:a"}, {"kind": "webhook", "credential": "secret:b"}),
    (
        {"kind": "webhook", "on_failure": "open", "timeout_ms": 900},
        {"kind": "webhook", "on_failure": "open", "timeout_ms": 9},
    ),
    ({}, {"kind": "secrets"}),
]
STRENGTHENED: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"action": "flag"}, {}),
    ({"at": "input"}, {}),
    ({"on_failure": "open"}, {}),
    ({"entities": ["email"]}, {}),
    ({"entities": ["email"]}, {"entities": ["iban", "email"]}),
    ({"kind": "rules", "rules": RULES[:1]}, {"kind": "rules", "rules": RULES}),
    ({"kind": "size", "max_bytes": 11}, {"kind": "size", "max_bytes": 10}),
    ({"window": 300}, {"window": 400}),
    ({"timeout_ms": 900}, {"timeout_ms": 800}),
    ({"message": "No"}, {"message": "Sorry"}),
]


@pytest.mark.parametrize(("old", "new", "wanted"), [one[1:] for one in PARTS], ids=[one[0] for one in PARTS])
def test_parts_have_the_class_that_the_rules_give(old: Parts, new: Parts, wanted: ChangeClass) -> None:
    found = classed(old, new)
    assert found.change_class is wanted, found
    assert found.reasons and found.reasons[0].change_class is wanted


@pytest.mark.parametrize(("old", "new"), WEAKENED)
def test_a_weakened_guardrail_is_major(old: dict[str, Any], new: dict[str, Any]) -> None:
    base = {**BLOCKS, "window": 512, **old}
    assert classed(guards(base), guards({**base, **new})).change_class is MAJOR


@pytest.mark.parametrize(("old", "new"), STRENGTHENED)
def test_a_strengthened_guardrail_is_moderate(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert classed(guards({**BLOCKS, **old}), guards({**BLOCKS, **new})).change_class is MODERATE


@pytest.mark.parametrize(
    ("old", "new", "wanted"),
    [
        ({"retries": 1}, {"retries": 2}, MODERATE),
        ({}, {"cache_seconds": 60}, MODERATE),
        ({}, {"continue_on_fallback": True}, MODERATE),
        ({}, {"shadow": {"release": "b"}}, MAJOR),
        ({"retries": {"a": 1}}, {"retries": {"a": 2}}, MAJOR),
    ],
)
def test_what_a_release_says_of_serving(old: Any, new: Any, wanted: ChangeClass) -> None:
    assert classed(BASE, BASE, (old, new)).change_class is wanted


def test_the_first_release_is_major_and_none_that_is_the_same_has_a_class() -> None:
    found = classify(difference_of(None, {}, {}, BASE), RANGES)
    assert (found.change_class, len(found.reasons)) == (MAJOR, 1)
    with pytest.raises(Invalid, match="nothing changes"):
        classify(difference_of({}, BASE, {}, BASE), RANGES)


def test_a_part_of_which_no_rule_tells_is_major() -> None:
    part = PartDifference(Kind.MODEL, {"a": 1}, {"a": 2}, ())
    assert classify(Difference(False, (), (part,)), RANGES).change_class is MAJOR


def test_the_highest_reason_counts_and_all_are_told() -> None:
    old = {**prompt("Be kind", "Hello"), **model(temperature=0)}
    new = {**prompt("Be kind.", "Hello there"), **model(temperature=1)}
    found = classed(old, new)
    assert [(one.change_class, one.where) for one in found.reasons] == [
        (MAJOR, "model/parameters/temperature"),
        (MODERATE, "prompt/messages/1/content"),
        (MINOR, "prompt/messages/0/content"),
    ]
    assert "added there" in found.reasons[1].what


def test_no_reason_shows_a_pattern_or_a_credential() -> None:
    old = {
        **BLOCKS,
        "kind": "rules",
        "rules": [{"name": "a", "pattern": "hunter2"}],
        "credential": "secret:one",
    }
    new = {**old, "rules": [{"name": "a", "pattern": "hunter3"}], "credential": "secret:two"}
    said = repr(classed(guards(old), guards(new)))
    assert "hunter" not in said and "secret:" not in said


def test_a_range_is_least_first() -> None:
    for wrong in ((1.0, 0.0), (0.0, float("nan"))):
        with pytest.raises(Invalid):
            Ranges({"temperature": wrong})


def test_a_class_is_raised_freely_and_lowered_with_a_reason() -> None:
    assert in_force(MODERATE, None) is MODERATE
    assert in_force(MODERATE, MAJOR) is MAJOR
    assert in_force(MODERATE, MODERATE) is MODERATE
    assert in_force(MINOR, ChangeClass.EMERGENCY) is ChangeClass.EMERGENCY
    assert in_force(MAJOR, MINOR, "a typo in the schema's title") is MINOR
    for nothing in ("", " \n"):
        with pytest.raises(Invalid) as refused:
            in_force(MAJOR, MODERATE, nothing)
        assert refused.value.where == "lowered_because"


@given(
    st.floats(allow_nan=False, allow_infinity=False)
    | st.integers(-(1 << 52), 1 << 52)
    | st.booleans()
    | st.text(max_size=3)
)
def test_a_parameter_is_moderate_within_its_range_alone(value: Any) -> None:
    old = model(temperature=0.125)
    if value == 0.125:
        return
    within = not isinstance(value, bool | str) and 0 <= value <= 0.3
    assert (classed(old, model(temperature=value)).change_class is MODERATE) == within
