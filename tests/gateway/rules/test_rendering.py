"""Managed prompts: strict variables, rendered once."""

from __future__ import annotations

import json
import time
import tracemalloc
from contextlib import suppress
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.gateway.model import Prompt, Variable
from holdfast.gateway.rules.rendering import LONGEST, rendered
from holdfast.kernel.errors import Invalid

PROMPT = Prompt(
    messages=(
        {"role": "system", "content": "You answer for {{company}} in {{ lang }}."},
        {
            "role": "user",
            "content": [{"type": "text", "text": "Order {{order.id}}: {{order.lines.0}} {{order}}"}],
        },
    ),
    variables={"company": Variable(), "lang": Variable(default="English"), "order": Variable(type="json")},
)
ORDER: Any = {"id": 7, "lines": ["bread"]}


def test_variables_take_their_places() -> None:
    system, user = rendered(PROMPT, {"company": "Acme", "order": ORDER})
    assert system == {"role": "system", "content": "You answer for Acme in English."}
    assert user["content"][0]["text"] == 'Order 7: bread {"id":7,"lines":["bread"]}'


@pytest.mark.parametrize(
    ("values", "where"),
    [
        ({"order": ORDER}, "variables.company"),
        ({"company": "A", "order": ORDER, "more": 1}, "variables.more"),
        ({"company": 3, "order": ORDER}, "variables.company"),
        ({"company": "A", "order": {}}, "variables.order"),
        ({"company": "A", "order": {"id": 1, "lines": []}}, "variables.order"),
        ({"company": "A" * (1 << 20), "order": ORDER}, "variables"),
    ],
)
def test_what_does_not_fit_is_named(values: dict[str, Any], where: str) -> None:
    with pytest.raises(Invalid) as caught:
        rendered(PROMPT, values)
    assert caught.value.where == where


@given(st.text())
def test_a_value_is_never_rendered_again(text: str) -> None:
    prompt = Prompt(messages=({"role": "user", "content": "{{a}}"},), variables={"a": Variable()})
    assert rendered(prompt, {"a": text})[0]["content"] == text
    tricky = "{{a}}" + text
    assert rendered(prompt, {"a": tricky})[0]["content"] == tricky


@pytest.mark.parametrize(
    ("kind", "good", "bad"), [("number", 1.5, True), ("boolean", False, 0), ("string", "", 1)]
)
def test_types_are_kept_apart(kind: str, good: Any, bad: Any) -> None:
    prompt = Prompt(messages=({"role": "user", "content": "{{a}}"},), variables={"a": Variable(type=kind)})
    assert rendered(prompt, {"a": good})
    with pytest.raises(Invalid):
        rendered(prompt, {"a": bad})


def of(text: str, **variables: Variable) -> Prompt:
    return Prompt(messages=({"content": text},), variables=variables)


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("{{{a}}}", "{A}"),
        ("{{#a}}{{a}}{{/a}}", "{{#a}}A{{/a}}"),
        ("{{! {{a}} }}", "{{! A }}"),
        ("{{", "{{"),
    ],
)
def test_what_was_applied_before_strays_were_refused_is_rendered_as_it_was(text: str, made: str) -> None:
    assert rendered(of(text, a=Variable()), {"a": "A"}) == [{"content": made}]


@given(st.recursive(st.text() | st.integers() | st.booleans(), lambda inner: st.lists(inner, max_size=3)))
def test_a_value_with_tags_is_never_rendered_again_wherever_it_stands(value: Any) -> None:
    tagged = {"{{a}}": "{{#a}}{{{a}}}{{>a}}", "more": [value, "{{a.more}}"]}
    (message,) = rendered(
        of("{{a}}{{b}}", a=Variable(type="json"), b=Variable()), {"a": tagged, "b": "{{a}}"}
    )
    assert message["content"] == msgspec.json.encode(tagged).decode() + "{{a}}"


def test_the_longest_prompt_is_what_it_says_to_the_character() -> None:
    prompt = of("1234{{a}}{{a}}", a=Variable())
    half = "x" * ((LONGEST - 4) // 2)
    assert len(rendered(prompt, {"a": half})[0]["content"]) == LONGEST
    with pytest.raises(Invalid, match=f"over {LONGEST} characters"):
        rendered(prompt, {"a": half + "x"})
    with pytest.raises(Invalid, match=f"over {LONGEST} characters"):
        rendered(of("x" * (LONGEST + 1)), {})


def test_a_value_nested_too_deeply_is_refused() -> None:
    deep: Any = []
    for _ in range(100_000):
        deep = [deep]
    prompt = of("{{a}}", a=Variable(type="json"))
    with pytest.raises(Invalid, match="nested too deeply") as caught:
        rendered(prompt, {"a": deep})
    assert caught.value.where == "variables.a"
    while deep:  # taken apart by hand: to free it all at once is recursive too
        deep = deep[0]


@pytest.mark.parametrize("step", ["9" * 5000, "0" * 5000, "1000000000", "1"])
def test_a_place_beyond_the_list_is_missing_whatever_its_digits(step: str) -> None:
    with pytest.raises(Invalid, match="has no"):
        rendered(of(f"{{{{a.{step}}}}}", a=Variable(type="json")), {"a": ["x"]})


TAGS = 100_000
HOSTILE: dict[str, Any] = {
    "100,000 tags": lambda n: (of("{{a}}" * n, a=Variable(default="x")), {}),
    "tags of a long path": lambda n: (
        of("{{a" + ".0" * (5 * n) + "}}", a=Variable(type="json")),
        {"a": [json.loads("[" * 500 + "]" * 500)]},
    ),
    "many small variables": lambda n: (
        of("".join(f"{{{{v{i}}}}}" for i in range(n)), **{f"v{i}": Variable() for i in range(n)}),
        {f"v{i}": "x" for i in range(n)},
    ),
    "values that are not declared": lambda n: (of("{{a}}", a=Variable()), {f"v{i}": "x" for i in range(n)}),
    "one huge value": lambda n: (of("{{a}}", a=Variable()), {"a": "x" * (100 * n)}),
    "a huge value at every tag": lambda n: (of("{{a}}" * n, a=Variable()), {"a": "x" * (10 * n)}),
    "a huge list at every tag": lambda n: (of("{{a}}" * n, a=Variable(type="json")), {"a": [0] * n}),
    "a part of a huge list at every tag": lambda n: (
        of("{{a.7}}" * n, a=Variable(type="json")),
        {"a": list(range(n))},
    ),
    "strays": lambda n: (of("{{#a}}" * n), {}),
    "braces": lambda n: (of("{" * (10 * n)), {}),
}


def attempt(prompt: Prompt, values: dict[str, Any]) -> None:
    with suppress(Invalid):
        assert sum(len(message["content"]) for message in rendered(prompt, values)) <= LONGEST


@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_templates_and_values_take_time_in_proportion_and_bounded_memory(kind: str) -> None:
    def took(n: int) -> float:
        prompt, values = HOSTILE[kind](n)
        began = time.process_time()
        attempt(prompt, values)
        return time.process_time() - began

    baseline = min(took(TAGS // 8) for _ in range(2))
    assert took(TAGS) < 24 * baseline + 0.01, "8 in proportion, 64 by the square"
    prompt, values = HOSTILE[kind](TAGS)
    tracemalloc.start()
    attempt(prompt, values)
    (_, peak), _ = tracemalloc.get_traced_memory(), tracemalloc.stop()
    assert peak < 24 << 20, (
        "the prompt's pieces, of which there are as many as tags, and at most one value beside them"
    )
