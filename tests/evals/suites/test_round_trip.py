"""What is exported reads back as the same suite, whatever it holds; and two versions are told apart field by field."""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import replace
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.evals.suites.texts import HOLDOUT, SUPPORT, suite

from holdfast.evals.model import (
    Bars,
    Case,
    CaseInput,
    Criticality,
    Document,
    Expectation,
    Provenance,
    Source,
    Suite,
)
from holdfast.evals.rules import templates
from holdfast.evals.rules.differences import Kind, What, difference, pieces, told
from holdfast.evals.rules.hashing import case_hash, hashed
from holdfast.evals.rules.writing import text_of
from holdfast.evals.rules.written import read

text = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
line = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=20)
said = text.filter(lambda one: one.strip() != "") | st.sampled_from(
    [
        "1e5",
        "no",
        "12:30",
        "~",
        "null",
        "{{x}}",
        "- a",
        "a: b",
        "# c",
        " x",
        "x\n",
        "\nx",
        "a\n  b\n",
        "é\u2028\x85",
        "=",
        "<<",
    ]
)
number = st.integers(-(2**53) + 1, 2**53 - 1) | st.floats(allow_nan=False, allow_infinity=False)
value = st.recursive(
    st.none() | st.booleans() | number | text | said,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text | said, inner, max_size=3),
    max_leaves=6,
)
weight = st.floats(0.001, 1e6)
day = st.dates(dt.date(1900, 1, 1), dt.date(2200, 12, 31))
message = st.builds(
    lambda role, words: {"role": role, "content": words}, st.sampled_from(["user", "system"]), said
)
asked = st.builds(
    CaseInput,
    messages=st.lists(message, min_size=1, max_size=3).map(tuple),
    variables=st.dictionaries(said, value, max_size=2),
    tools=st.lists(line.map(lambda name: {"type": "function", "function": {"name": name}}), max_size=1).map(
        tuple
    ),
    context=st.lists(st.builds(Document, said, line, text, st.none() | day), max_size=2).map(tuple),
    parameters=st.dictionaries(said, value, max_size=2),
).filter(lambda one: not templates.used(list(one.messages)) & one.variables.keys())
expectation = st.builds(
    Expectation,
    grader=line | st.sampled_from(["name", "weight", "grader", "contains", "regex"]),
    params=st.dictionaries(said | st.sampled_from(["expected", "all", "pattern"]), value, max_size=2),
    weight=weight,
    bar=st.none() | st.floats(0, 1),
    name=line | st.just(""),
)
provenance = st.builds(
    Provenance, st.sampled_from(Source), text, st.none() | day, st.none(), text
) | st.builds(Provenance, st.just(Source.EXPERT), text, st.none(), day)


@st.composite
def suites(draw: Any) -> Suite:
    cases = []
    for index in range(draw(st.integers(1, 3))):
        made = Case(
            id=f"{index}{draw(line)}",
            input=draw(asked),
            expectations=tuple(
                {
                    one.name or one.grader: one for one in draw(st.lists(expectation, min_size=1, max_size=3))
                }.values()
            ),
            segments=draw(st.dictionaries(said, said, max_size=2)),
            weight=draw(weight),
            criticality=draw(st.sampled_from(Criticality)),
            provenance=draw(provenance),
            holdout=draw(st.booleans()),
        )
        made = replace(made, family=draw(line) if draw(st.booleans()) else made.id)
        cases.append(replace(made, hash=case_hash(made)))
    dimensions = sorted({name for case in cases for name in case.segments})
    bars = Bars(
        least=draw(st.none() | st.floats(0, 1)),
        margin=draw(st.floats(0, 1)),
        alpha=draw(st.floats(0.001, 0.5)),
        repeats=draw(st.integers(1, 1000)),
        by=tuple(dimensions[:1]),
    )
    return hashed(
        Suite("a-suite", tuple(cases), bars, description=draw(text), system=draw(text), route=draw(text))
    )


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(suites(), text)
def test_what_is_written_reads_back_as_the_same_suite(made: Suite, head: str) -> None:
    found = read({"a-suite.yaml": text_of(made, head)}, lambda _: ())
    assert found.faults == ()
    assert found.suites == (made,)
    assert found.suites[0].hash == made.hash
    assert not difference(made, found.suites[0])


@settings(max_examples=50, deadline=None, suppress_health_check=list(HealthCheck))
@given(suites(), suites())
def test_two_suites_differ_where_their_hashes_do(one: Suite, other: Suite) -> None:
    both = difference(one, replace(other, description=one.description))
    assert bool(both) is (one.hash != other.hash)


@settings(max_examples=100, deadline=None)
@given(text, text)
def test_pieces_are_both_texts(before: str, after: str) -> None:
    made = pieces(before, after)
    assert "".join(one.text for one in made if one.kind is not Kind.ADDED) == before
    assert "".join(one.text for one in made if one.kind is not Kind.REMOVED) == after


def test_an_export_is_short_and_readable() -> None:
    assert (
        text_of(suite(), "support, version 3\nwhy").decode()
        == """\
# support, version 3
# why
name: support
description: What the support assistant must get right
system: helpdesk
route: support
bars:
  least: 0.8
  margin: 0.03
  repeats: 3
  by:
  - language
cases:
- id: refund-window
  prompt: Within how many days may I return shoes?
  expect:
  - exact: '30'
  segments:
    language: en
  criticality: critical
  provenance:
    source: expert
    author: Ann
    written_on: '2026-01-05'
    review_on: '2027-01-05'
- id: refund-window-de
  prompt: Wie lange kann ich Schuhe zurückgeben?
  expect:
  - regex: 30 Tage
  segments:
    language: de
  family: refund-window
  provenance:
    source: expert
    author: Ann
    written_on: '2026-01-05'
    review_on: '2027-01-05'
"""
    )


def test_a_difference_names_each_field_and_word() -> None:
    changed = SUPPORT.replace("return shoes", "send back my shoes").replace('"30"', '"31"')
    changed = changed.replace("margin: 0.03", "margin: 0.02") + HOLDOUT
    found = difference(suite(), suite(changed))
    assert [(one.id, one.what) for one in found.cases] == [
        ("refund-window", What.CHANGED),
        ("kept-back", What.ADDED),
    ]
    assert list(found.lines()) == [
        "bars.margin: 0.03 → 0.02",
        "~ refund-window",
        "    input.messages[0].content: Within how many days may I [-return-]{+send back my+} shoes?",
        "    expect.exact.params.expected: [-30-]{+31+}",
        "+ kept-back (holdout)",
    ]
    assert (found.same, found.count(What.CHANGED), found.count(What.REMOVED)) == (1, 1, 0)
    (gone,) = difference(suite(changed), suite(SUPPORT + HOLDOUT.replace("kept-back", "x"))).cases[-1:]
    assert (gone.id, gone.what) == ("kept-back", What.REMOVED)
    assert not difference(suite(), suite())
    assert difference(None, suite()).count(What.ADDED) == 2


def test_of_a_holdout_only_that_it_differs_is_told_to_others() -> None:
    before, after = suite(SUPPORT + HOLDOUT), suite(SUPPORT + HOLDOUT.replace("secret", "other"))
    shown = difference(before, after, holdouts=False)
    assert "secret" not in json.dumps(list(shown.lines())) and "other answer" not in repr(shown)
    assert [(one.id, one.what, one.fields) for one in shown.cases] == [("kept-back", What.CHANGED, ())]
    assert "secret" in repr(difference(before, after))


def test_true_is_told_from_one() -> None:
    yaml = "cases:\n  - {id: a, prompt: Hi, expect: {json: {strict: %s}}}"
    found = difference(suite(yaml % "true"), suite(yaml % "1"))
    assert list(found.lines()) == ["~ a", "    expect.json.params.strict: true → 1"]


def test_what_stays_of_a_long_text_is_shortened() -> None:
    stays = "word " * 100
    (change,) = (
        difference(
            suite(f"cases:\n  - {{id: a, prompt: '{stays}old {stays}', expect: refusal}}"),
            suite(f"cases:\n  - {{id: a, prompt: '{stays}new {stays}', expect: refusal}}"),
        )
        .cases[0]
        .fields
    )
    assert "[-old-]{+new+}" in told(change) and len(told(change)) < 120
