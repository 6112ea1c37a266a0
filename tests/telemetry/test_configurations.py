"""Which configuration a call ran under: an edit makes a new one, what varies with every call does not."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.telemetry.conventions.configured import MOST_SEGMENTS, instructions, segments, tools
from holdfast.telemetry.model import Content, Facts, Kind
from holdfast.telemetry.rules.configurations import (
    MANY,
    RECENT,
    SLOT,
    Parts,
    Variation,
    canonical,
    differences,
    from_json,
    identity,
    learned,
    matches,
    parts_of,
    to_json,
)

PROMPT = """You are the help desk of a shop. Be brief.
Answer in at most 3 sentences.
Never promise a refund."""


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("Today is 2026-11-21.", "Today is 2026-11-22."),
        ("Today is Saturday, 21 November 2026.", "Today is Sunday, 22 November 2026."),
        ("Now: 2026-11-21T08:00:00Z", "Now: 2026-11-21T08:00:01Z"),
        ("It is 9:15 pm.", "It is 10:45 am."),
        ("Case 123456", "Case 987654"),
        ("Id 5b8efff7-98e0-4103-8d26-9b633773e7f6", "Id 00000000-98e0-4103-8d26-9b633773e7f6"),
        ("Write to ann@example.org", "Write to bob@example.com"),
        ("Be  brief.\n\nAnswer.", "Be brief.\nAnswer. "),
    ],
)
def test_what_passes_makes_no_other_prompt(one: str, two: str) -> None:
    assert segments(one) == segments(two)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ("At most 3 sentences.", "At most 5 sentences."),
        ("Answer in German.", "Answer in French."),
        (PROMPT, PROMPT.replace("Never", "Always")),
        (PROMPT, PROMPT + " Be kind."),
        ("Be brief. Be kind.", "Be kind. Be brief."),
    ],
)
def test_an_edit_makes_another_prompt(one: str, two: str) -> None:
    assert segments(one) != segments(two)


@given(st.text())
def test_any_text_has_segments_and_always_the_same(text: str) -> None:
    found = segments(text)
    assert found == segments(text) and len(found) <= MOST_SEGMENTS
    assert SLOT not in found


def message(role: str, text: str) -> dict[str, Any]:
    return {"role": role, "parts": [{"type": "text", "content": text}]}


def test_where_the_instructions_stand_does_not_matter() -> None:
    text = [{"type": "text", "content": PROMPT}]
    said = Content(system_instructions=text, input_messages=[message("user", "Hello")])
    first = Content(input_messages=[message("system", PROMPT), message("user", "Hello")])
    late = Content(input_messages=[message("user", "Hello"), message("system", PROMPT)])
    assert instructions(said) == instructions(first) == segments(PROMPT)
    assert instructions(late) == (), "what stands in the conversation is no instruction of the application"
    assert instructions(Content()) is None, "not captured is not absent"


def test_tools_are_named_and_told_apart() -> None:
    def defined(name: str, text: str) -> dict[str, Any]:
        return {"type": "function", "function": {"name": name, "description": text}}

    one = tools(Content(tool_definitions=[defined("find", "a"), defined("book", "b")]))
    two = tools(Content(tool_definitions=[defined("book", "b"), defined("find", "a")]))
    assert one == two and one is not None
    assert [name.partition("#")[0] for name in one] == ["book", "find"]
    assert tools(Content(tool_definitions=[defined("find", "c"), defined("book", "b")])) != one
    assert tools(Content()) is None


def parts(text: str | None = PROMPT, model: str = "m", tools: Any = None, **parameters: Any) -> Parts:
    facts = Facts(Kind.INFERENCE, "test", request_model=model, parameters=parameters, tools=tools)
    facts.instructions = None if text is None else segments(text)
    return parts_of(facts)


class Family:
    """Calls of one family as they come, named as the counter names them."""

    def __init__(self) -> None:
        self.varies = Variation()
        self.recent: list[Parts] = []

    def name(self, one: Parts) -> str:
        self.recent = [*self.recent, canonical(one, self.varies)][-RECENT:]
        self.varies = learned(self.recent, self.varies)
        self.recent = [canonical(each, self.varies) for each in self.recent]
        return identity(("s", "r"), canonical(one, self.varies))


@pytest.mark.parametrize("place", ["first", "middle", "last", "alone"])
def test_a_name_in_a_prompt_stops_making_configurations(place: str) -> None:
    texts = {
        "first": "You talk to {}.\n" + PROMPT,
        "middle": PROMPT.replace("Be brief.", "Be brief. You talk to {}."),
        "last": PROMPT + "\nYou talk to {}.",
        "alone": "You talk to {}.",
    }
    family = Family()
    names = [family.name(parts(texts[place].format(f"person {chr(97 + n % 26)}{n}"))) for n in range(120)]
    assert len(set(names[-60:])) == 1


def test_an_edit_beside_a_name_is_still_seen() -> None:
    family = Family()
    text = PROMPT + "\nYou talk to {}."
    before = {family.name(parts(text.format(f"customer c{n}x"))) for n in range(60)}
    edited = text.replace("Never promise", "Gladly promise")
    after = [family.name(parts(edited.format(f"customer d{n}x"))) for n in range(60)]
    assert after[-1] not in before
    assert len(set(after[-20:])) == 1


def test_documents_in_a_prompt_are_a_variable() -> None:
    pick = random.Random(4)
    family = Family()
    names = []
    for _ in range(100):
        found = "\n".join(f"Document says w{pick.randrange(10**4)}." for _ in range(pick.randrange(1, 6)))
        names.append(family.name(parts(f"{PROMPT}\nWhat was found:\n{found}\nEnd of what was found.")))
    assert len(set(names[-50:])) == 1


@pytest.mark.parametrize("prompts", [1, 2, 5, 10])
def test_a_few_prompts_in_turn_stay_apart(prompts: int) -> None:
    """Agents that share a route, an A/B test, prompts per customer of whom there are few."""
    family = Family()
    texts = [PROMPT + f"\nYou are agent {chr(97 + n)}." for n in range(prompts)]
    pick = random.Random(1)
    names = {text: {family.name(parts(text)) for _ in range(20)} for text in pick.choices(texts, k=200)}
    assert len(set().union(*names.values())) == len(names)


def test_many_edits_one_after_another_are_many_configurations() -> None:
    """Forty-seven edits in eight months: each serves many calls, so each is one."""
    family = Family()
    names = [
        family.name(parts(PROMPT + f"\nRule {chr(97 + n // 26)}{chr(97 + n % 26)}."))
        for n in range(47)
        for _ in range(RECENT)
    ]
    assert len(set(names)) == 47


def test_a_token_limit_that_is_reckoned_is_a_variable_and_a_new_temperature_is_not() -> None:
    family = Family()
    before = [family.name(parts(max_tokens=100 + n, temperature=0.2)) for n in range(60)]
    assert len(set(before[-30:])) == 1
    after = [family.name(parts(max_tokens=300 + n, temperature=0.9)) for n in range(30)]
    assert len(set(after)) == 1 and after[0] != before[-1]
    assert family.name(parts(max_tokens=5, temperature=0.9, seed=7)) == after[0], "a seed is meant to differ"


@given(st.lists(st.integers(1, 5), max_size=12), st.lists(st.integers(0, 12), max_size=6))
def test_a_template_matches_what_it_was_made_of(prompt: list[int], cuts: list[int]) -> None:
    template = list(prompt)
    for cut in sorted({min(one, len(template)) for one in cuts}, reverse=True):
        template.insert(cut, SLOT)
    assert matches(template, prompt)
    assert matches([SLOT], prompt)
    if SLOT not in template:
        assert not matches(template, [*prompt, 9])


@given(
    st.lists(st.lists(st.integers(1, 6), min_size=1, max_size=8).map(tuple), min_size=MANY, max_size=RECENT)
)
def test_what_was_learned_holds_for_all_it_was_learned_from(prompts: list[tuple[int, ...]]) -> None:
    recent = [Parts(one, None, "m", ()) for one in prompts]
    varies = learned(recent, Variation())
    for template in varies.templates:
        assert sum(matches(template, one) for one in set(prompts)) >= MANY
    for _ in range(len(recent)):
        recent, before = [canonical(one, varies) for one in recent], varies
        varies = learned(recent, varies)
        if varies == before:
            return
    raise AssertionError("learning comes to an end")


@given(
    st.builds(
        Parts,
        st.none() | st.lists(st.integers(0, 2**64 - 1), max_size=5).map(tuple),
        st.none() | st.lists(st.text(max_size=5), max_size=3).map(tuple),
        st.text(max_size=8),
        st.lists(st.tuples(st.text(max_size=4), st.text(max_size=4)), max_size=3).map(tuple),
    )
)
def test_parts_are_kept_as_they_are(one: Parts) -> None:
    assert from_json(to_json(one)) == one


def test_what_changed_is_said() -> None:
    before = parts(model="gpt-4o", temperature=0.2, tools=("find#1", "old#1"))
    after = parts(PROMPT + "\nBe kind.", model="gpt-5", temperature=0.9, tools=("find#2", "new#1"), top_p=1)
    assert differences(before, after) == [
        "model gpt-4o → gpt-5",
        "system prompt edited: 1 sentences added, 0 removed of 4",
        "tool new added",
        "tool old removed",
        "tool find changed",
        "temperature 0.2 → 0.9",
        "top_p not set → 1",
    ]
    assert differences(before, before) == []
