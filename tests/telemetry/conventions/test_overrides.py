"""An operator's own word on how a scope counts tokens."""

from __future__ import annotations

import pytest

from holdfast.kernel.errors import Invalid
from holdfast.telemetry.conventions.overrides import parse_overrides
from holdfast.telemetry.conventions.reading import read_facts
from holdfast.telemetry.model import Span

USAGE = {
    "gen_ai.operation.name": "chat",
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.cache_read.input_tokens": 60,
    "gen_ai.usage.output_tokens": 5,
}


def read(text: str) -> int | None:
    span = Span(
        "a" * 32,
        "b" * 16,
        "",
        "chat",
        "CLIENT",
        1,
        2,
        "ok",
        "",
        "acme.sdk.llm",
        "1",
        dict(USAGE),
        {"service.name": "s"},
    )
    facts = read_facts(span, parse_overrides(text))
    assert facts.usage is not None
    return facts.usage.input_uncached


def test_without_an_override_the_input_includes_the_cache() -> None:
    assert read("{}") == 40


def test_an_override_holds_for_the_scope_and_what_is_under_it() -> None:
    assert read('{"acme.sdk": {"input_includes_cache": false}}') == 100
    assert read('{"other": {"input_includes_cache": false}}') == 40


@pytest.mark.parametrize(
    "text", ["[", "[]", '{"a": 1}', '{"a": {"b": true}}', '{"a": {"input_includes_cache": "no"}}']
)
def test_what_is_no_override_is_refused_by_name(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_overrides(text)
    assert refused.value.where == "scope_overrides"
