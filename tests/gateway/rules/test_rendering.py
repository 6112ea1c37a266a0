"""Managed prompts: strict variables, rendered once."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.gateway.model import Prompt, Variable
from holdfast.gateway.rules.rendering import rendered
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
