"""What a managed prompt may hold: placeholders, and nothing else that two braces begin."""

from __future__ import annotations

import re
import time
import tracemalloc
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.gateway.model import Configuration, Prompt, Release, Variable
from holdfast.gateway.rules.configured import Known, faults
from holdfast.gateway.rules.configured_releases import release_faults
from holdfast.gateway.rules.placeholders import PLACEHOLDER, Placeholder, Stray, position, scanned
from holdfast.gateway.rules.rendering import LONGEST, rendered
from holdfast.gateway.rules.written import MOST

MIB = 1 << 20
HOSTILE: dict[str, Callable[[int], str]] = {
    "braces": lambda size: "{" * size,
    "never closed": lambda size: "{{a" * (size // 3),
    "half closed": lambda size: "{{a }" * (size // 5),
    "sections": lambda size: "{{#a}}" * (size // 6),
    "triples": lambda size: "{{{a}}}" * (size // 7),
    "placeholders": lambda size: "{{a}}" * (size // 5),
    "a long name": lambda size: "{{" + "a" * size,
    "a long path": lambda size: "{{a" + ".a" * (size // 2),
    "blanks": lambda size: "{{" + " " * size,
    "lines": lambda size: "{{" + "\n" * size + "}}",
    "dots": lambda size: "{{a." * (size // 4),
    "closed at the end": lambda size: "{{a " * (size // 4) + "}}",
}


def prompt(text: str, **variables: Variable) -> Prompt:
    return Prompt(messages=({"role": "user", "content": text},), variables=variables)


def said(text: str, **variables: Variable) -> list[str]:
    """What is wrong with a prompt of this text; every fault is at the text."""
    found = list(release_faults("one", Release(chain=(), prompt=prompt(text, **variables)), {}, ()))[1:]
    assert {one.where for one in found} <= {"releases.one.prompt.messages[0].content"}, found
    return [one.what for one in found]


@pytest.mark.parametrize(
    ("written", "reason"),
    [
        ("{{#section}}", "{{# begins a section"),
        ("{{^section}}", "{{^ begins an inverted section"),
        ("{{/section}}", "{{/ ends a section"),
        ("{{>partial}}", "{{> includes a partial"),
        ("{{>*name}}", "{{> includes a partial"),
        ("{{*name}}", "{{* is a dynamic name"),
        ("{{<parent}}", "{{< begins a parent"),
        ("{{$block}}", "{{$ begins a block"),
        ("{{!comment}}", "{{! begins a comment"),
        ("{{=<% %>=}}", "{{= changes the delimiters"),
        ("{{{triple}}}", "{{{ is one brace too many"),
        ("{{&name}}", "{{& asks not to escape"),
        ("{{}}", "{{}} names no variable"),
        ("{{  }}", "{{}} names no variable"),
        ("{{", "{{ is not closed"),
        ("{{name", "{{ is not closed"),
        ("{{name}", "{{ is not closed"),
        ("{{two words}}", "{{ is no placeholder"),
        ("{{name.}}", "{{ is no placeholder"),
        ("{{.}}", "{{ is no placeholder"),
        ("{{1name}}", "{{ is no placeholder"),
        ("{{naïve}}", "{{ is no placeholder"),
    ],
)
def test_what_else_braces_begin_is_refused_with_its_position(written: str, reason: str) -> None:
    told = said(f"Dear {{{{name}}}},\nsee {written}", name=Variable())
    assert len(told) == 1
    assert told[0].startswith(f"line 2, column 5: {reason}")
    assert "; write {{braces}}" in told[0].replace("where {{ itself is meant, ", "; "), "how to mend it"


def test_a_placeholder_that_cannot_be_filled_is_refused_where_it_stands() -> None:
    assert said("{{a}}\n {{b}} {{b.c}}", a=Variable()) == [
        "line 2, column 2: {{b}} is not declared under variables"
    ]
    (told,) = said("{{a}} {{ a.b }}", a=Variable())
    assert told.startswith("line 1, column 7: a has no parts: it is a string; declare it as json")
    assert said("{{a}} {{a.b.0}}", a=Variable(type="json")) == []


def test_a_place_deep_in_a_message_is_named() -> None:
    parts = [{"type": "text", "text": "well"}, {"type": "text", "text": "a\n\nb {{#c}}"}]
    made = Prompt(messages=({"role": "system", "content": "x"}, {"role": "user", "content": parts}))
    (found,) = list(release_faults("one", Release(chain=(), prompt=made), {}, ()))[1:]
    assert found.where == "releases.one.prompt.messages[1].content[1].text"
    assert found.what.startswith("line 3, column 3: ")


def test_literal_braces_are_the_default_of_a_variable() -> None:
    text = 'Answer as {"a": {"b": {{value}}}} and leave {{braces}}name}} alone. } }} {'
    variables = {"value": Variable(type="number"), "braces": Variable(default="{{")}
    assert said(text, **variables) == []
    (message,) = rendered(prompt(text, **variables), {"value": 3})
    assert message["content"] == 'Answer as {"a": {"b": 3}} and leave {{name}} alone. } }} {'


def test_a_template_longer_than_any_prompt_is_refused() -> None:
    text = "x" * (LONGEST - len("user"))
    assert said(text) == []
    (found,) = list(release_faults("one", Release(chain=(), prompt=prompt(text + "x")), {}, ()))[1:]
    assert found.what == f"a prompt has at most {LONGEST} characters"


PLAIN = re.compile(r"\{\{\s*([A-Za-z_][A-Za-z0-9_]*)((?:\.[A-Za-z0-9_]+)*)\s*\}\}")


@given(st.text(st.sampled_from("{{{}}}a1_. \n#é"), max_size=40))
def test_every_pair_of_braces_is_one_or_the_other(text: str) -> None:
    found = list(scanned(text))
    assert [one.at for one in found] == sorted({one.at for one in found})
    for one in found:
        plain = PLAIN.match(text, one.at)
        assert isinstance(one, Placeholder) == (plain is not None)
        if isinstance(one, Placeholder):
            assert plain is not None
            assert (one.name, one.path) == plain.groups()
    assert bool(found) == ("{{" in text)
    if not any(isinstance(one, Stray) for one in found):
        taken = [(match[1], match[2], match.start()) for match in PLACEHOLDER.finditer(text)]
        assert taken == [(one.name, one.path, one.at) for one in found if isinstance(one, Placeholder)], (
            "what is checked is what is rendered"
        )


@given(st.text(st.sampled_from("a{\n\r"), max_size=30), st.data())
def test_positions_count_as_an_editor_does(text: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(text)))
    before = text[:at].split("\n")
    assert position(text, at) == f"line {len(before)}, column {len(before[-1]) + 1}"


def took(does: Callable[[], object], tries: int) -> float:
    """Seconds of this process, the least of some tries."""
    seconds = []
    for _ in range(tries):
        began = time.process_time()
        does()
        seconds.append(time.process_time() - began)
    return min(seconds)


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_hostile_template_takes_time_in_proportion_and_memory_of_its_own_size(kind: str) -> None:
    def scan(text: str) -> None:
        deque(scanned(text), maxlen=0)

    small, large = HOSTILE[kind](MIB // 8), HOSTILE[kind](MIB)
    baseline = took(lambda: scan(small), 2)
    assert took(lambda: scan(large), 1) < 24 * baseline + 0.01, "8 in proportion, 64 by the square"
    tracemalloc.start()
    scan(small)
    (_, peak), _ = tracemalloc.get_traced_memory(), tracemalloc.stop()
    assert peak < 3 * len(small)


def test_faults_by_the_hundred_thousand_are_not_gathered() -> None:
    """Only those that are told are worked out, each with its position far into a text."""
    many = Configuration(
        releases={"one": Release(chain=(), prompt=prompt("{{#a}}" * (MIB // 6)))},
    )
    tracemalloc.start()
    found = faults(many, Known())
    (_, peak), _ = tracemalloc.get_traced_memory(), tracemalloc.stop()
    assert len(found) == MOST
    assert peak < MIB


def test_what_is_nested_too_deeply_is_a_fault() -> None:
    deep: Any = "{{a}}"
    for _ in range(900):
        deep = [deep]
    made = Prompt(messages=({"role": "user", "content": deep},))
    (found,) = list(release_faults("one", Release(chain=(), prompt=made), {}, ()))[1:]
    assert found.what == "this is nested too deeply: 64 lists and mappings at most"
