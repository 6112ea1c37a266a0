"""The client renders as the gateway does."""

from __future__ import annotations

from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from holdfast.client import Prompt, Unfit
from holdfast.gateway.model import Prompt as Managed
from holdfast.gateway.rules.rendering import rendered
from holdfast.kernel.errors import Invalid

TEXTS = st.lists(
    st.sampled_from(["{{a}}", "{{ b }}", "{{b.x.0}}", "{{c}}", "{{", "}}", "{{{a}}", "hello", "ü", "\n"]),
    max_size=6,
).map("".join)
VARIABLES = {
    "a": {"type": "string"},
    "b": {"type": "json", "required": False},
    "c": {"type": "number", "default": "7"},
}
VALUES = st.one_of(
    st.text(max_size=5), st.integers(-9, 9), st.booleans(), st.none(), st.just({"x": ["é", 1.5, {"y": None}]})
)


@given(text=TEXTS, values=st.dictionaries(st.sampled_from(["a", "b", "c", "d"]), VALUES, max_size=4))
def test_the_client_renders_as_the_gateway_does(text: str, values: dict[str, Any]) -> None:
    body = {"messages": [{"role": "system", "content": text}], "variables": VARIABLES}
    mine = Prompt(body, 0.0, "")
    try:
        expected = rendered(msgspec.convert(body, Managed), values)
    except Invalid:
        try:
            mine.render(values)
        except Unfit:
            return
        raise AssertionError("the gateway refuses this") from None
    assert mine.render(values) == expected
