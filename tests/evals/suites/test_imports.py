"""Suites of other tools: what converts says the same, what does not is told with its place and why."""

from __future__ import annotations

import json
from typing import Any

import pytest

from holdfast.evals.actions.imports import imported, told
from holdfast.evals.actions.suites import judge
from holdfast.evals.graders import shelf
from holdfast.evals.model import Answer, Case, Source
from holdfast.kernel.errors import Invalid

PROMPTFOO = """\
description: A bot
prompts:
  - "Translate into {{language}}: {{text}}"
  - label: chat
    raw: '[{"role": "system", "content": "You translate into {{language}}."}, {"role": "user", "content": "{{text}}"}]'
  - file://prompts/other.txt
  - "Loop {% for a in b %}"
  - "Upper {{ text | upper }}"
providers: [openai:gpt-4o-mini]
scenarios: []
defaultTest:
  vars: {language: German}
  assert:
    - type: latency
      threshold: 2000
tests:
  - description: greeting
    vars: {text: Hello}
    metadata: {topic: smalltalk, depth: 2}
    assert:
      - type: icontains
        value: hallo
      - type: not-contains
        value: "{{text}}"
        metric: left untranslated
        weight: 2
      - type: llm-rubric
        value: is polite
      - type: javascript
        value: output.length < 100
      - type: regex
        value: "(?=Ha)Ha"
  - vars: {text: [one, two], language: French}
    assert:
      - type: equals
        value: "{{text}} fr"
  - vars: {text: silent}
    threshold: 0.5
    assert:
      - type: factuality
        value: yes
  - file://more.csv
"""


def brought(form: str, text: Any, **more: Any) -> tuple[list[Case], list[str], bytes]:
    """Cases, what was left out, and the written file, which reads back as the same cases."""
    if not isinstance(text, str):
        text = "\n".join(json.dumps(one) for one in text)
    found, written = imported(form, "in/My Data.txt", text.encode(), **{"columns": {}, **more})
    cases = list(found.suite.cases) if found.suite else []
    if found.suite:
        again = judge({"my-data.yaml": written})
        assert again.faults == ()
        assert again.suites == (found.suite,)
    return cases, [told(one) for one in found.left], written


def passes(case: Case, text: str, **more: Any) -> dict[str, bool | None]:
    """Which expectations an answer meets."""
    return {
        one.name or one.grader: shelf.grade(case, one, Answer(text=text, **more)).passed
        for one in case.expectations
    }


def test_promptfoo() -> None:
    cases, left, written = brought("promptfoo", PROMPTFOO)
    assert [case.id for case in cases] == [
        "greeting",
        "greeting 2",
        "test 2",
        "test 2 2",
        "test 2 3",
        "test 2 4",
        "test 3",
        "test 3 2",
    ]
    first, second = cases[:2]
    assert first.input.messages == ({"role": "user", "content": "Translate into German: Hello"},)
    assert [one["content"] for one in second.input.messages] == ["You translate into German.", "Hello"]
    assert first.segments == {"topic": "smalltalk", "depth": "2", "prompt": "1"}
    assert {case.family for case in cases[:2]} == {"greeting"}
    assert first.provenance.source is Source.IMPORT
    good = passes(first, "HALLO Welt", latency_ms=10.0)
    assert good == {"regex": True, "left untranslated": True, "latency": True}
    bad = passes(first, "Hello", latency_ms=5000.0)
    assert bad == {"regex": False, "left untranslated": False, "latency": False}
    assert [one.weight for one in first.expectations] == [1.0, 2.0, 1.0]
    assert passes(cases[2], "one fr", latency_ms=1.0)["exact"]
    assert passes(cases[4], "two fr", latency_ms=1.0)["exact"]
    assert left[:7] == [
        "in/My Data.txt:10:1 scenarios: scenarios is not read here",
        "in/My Data.txt:6:5 prompts[2]: this prompt is in another file, or is code; put its text here",
        "in/My Data.txt:7:5 prompts[3]: this prompt does not convert: it has blocks of Nunjucks ({% … %})",
        "in/My Data.txt:8:5 prompts[4]: this prompt does not convert: '{{ text | upper }}' is no placeholder; "
        "write {{name}}, of letters, digits and _, and close it",
        "in/My Data.txt:27:9 tests[0].assert[2]: the assertion llm-rubric does not convert: a model judges it, "
        "which needs human labels first",
        "in/My Data.txt:29:9 tests[0].assert[3]: the assertion javascript does not convert: it is code; move it "
        "into a grader of the kind python or http",
        "in/My Data.txt:17:5 tests[0]: an expectation is left out: regex: params.pattern: "
        + next(one for one in left if "an expectation is left out" in one).split("params.pattern: ")[1],
    ]
    assert any("tests[2].threshold: threshold of a test has no counterpart" in one for one in left)
    assert any("factuality does not convert" in one for one in left)
    assert any("in another file, file://more.csv" in one for one in left)
    assert b"# from in/My Data.txt, format promptfoo" in written


ASSERTIONS: list[tuple[dict[str, Any], str, str]] = [
    ({"type": "equals", "value": "Yes (1+1)"}, "Yes (1+1)", "yes (1+1)"),
    ({"type": "equals", "value": {"a": 1, "b": "x"}}, '{"b": "x", "a": 1}', '{"a": 2, "b": "x"}'),
    ({"type": "not-equals", "value": "No. Never?"}, "No! Never?", "No. Never?"),
    ({"type": "contains", "value": "30%"}, "it is 30% off", "it is 30 off"),
    ({"type": "not-contains", "value": "Sorry"}, "sorry", "I am Sorry"),
    ({"type": "icontains", "value": "ÜBER"}, "das ist über", "das ist unter"),
    ({"type": "not-icontains", "value": "an AI"}, "a man", "as An ai model"),
    ({"type": "contains-all", "value": ["a1", "b2"]}, "b2 a1", "a1"),
    ({"type": "contains-any", "value": "a1, b2"}, "only b2", "c3"),
    ({"type": "icontains-all", "value": ["Aa", "Bb"]}, "bB aA", "aa"),
    ({"type": "icontains-any", "value": ["A.b", "C"]}, "xc", "axb"),
    ({"type": "not-contains-any", "value": ["x", "y"]}, "z", "y"),
    ({"type": "starts-with", "value": "Dear "}, "Dear Ann", "My Dear Ann"),
    ({"type": "regex", "value": r"\d{4}"}, "in 2026", "in 26"),
    ({"type": "not-regex", "value": r"\d"}, "none", "1"),
    ({"type": "is-json"}, "[1]", "x [1]"),
    ({"type": "is-json", "value": {"type": "object", "required": ["a"]}}, '{"a": 1}', 'so: {"a": 1}'),
    ({"type": "contains-json", "value": '{"type": "object"}'}, 'so: {"a": 1}', "so"),
    ({"type": "contains-json"}, 'so: {"a": 1}', "so"),
    ({"type": "word-count", "value": {"min": 2, "max": 3}}, "two words", "one"),
    ({"type": "is-refusal"}, "I'm sorry, but I can't help with that.", "Sure, here is how it works."),
    ({"type": "word-count", "value": 2}, "two words", "three words here"),
    (
        {"type": "similar", "value": "The cat sat on the mat", "threshold": 0.7},
        "the cat sat on the mat",
        "Stock prices fell",
    ),
    ({"type": "assert-set", "assert": [{"type": "contains", "value": "a"}]}, "a", "b"),
]


@pytest.mark.parametrize(("assertion", "good", "bad"), ASSERTIONS)
def test_an_assertion_of_promptfoo_holds_of_the_same_answers(
    assertion: dict[str, Any], good: str, bad: str
) -> None:
    config = {"prompts": ["Hi"], "tests": [{"assert": [assertion]}]}
    (case,), left, _ = brought("promptfoo", json.dumps(config))
    assert left == []
    assert all(passes(case, good).values()), passes(case, good)
    assert not all(passes(case, bad).values()), passes(case, bad)


@pytest.mark.parametrize(
    ("assertion", "why"),
    [
        ({"type": "python", "value": "1"}, "it is code"),
        ({"type": "g-eval", "value": "x"}, "human labels"),
        ({"type": "perplexity", "threshold": 1}, "probabilities"),
        ({"type": "rouge-n", "value": "x"}, "there is no grader for it"),
        ({"type": "not-is-json"}, "negation has no counterpart"),
        ({"type": "contains", "value": "file://x.txt"}, "in another file, x.txt"),
        ({"type": "contains", "value": "{{gone}}"}, "uses {{gone}}"),
        ({"type": "contains"}, "no text"),
        ({"type": "latency"}, "no threshold"),
        ({"type": "equals", "value": {"a.b": 1}}, "dots or brackets"),
        ({"type": "equals", "value": "x", "transform": "output.trim()"}, "with code"),
        ({"type": "assert-set", "threshold": 0.5, "assert": []}, "without a threshold"),
        ({}, "it has no type"),
        ("contains", "it has no type"),
    ],
)
def test_an_assertion_that_does_not_convert_is_told(assertion: Any, why: str) -> None:
    cases, left, written = brought(
        "promptfoo", json.dumps({"prompts": ["Hi"], "tests": [{"assert": [assertion]}]})
    )
    assert (cases, written) == ([], b"")
    assert len(left) == 1 and why in left[0] and "tests[0].assert[0]" in left[0]


def test_openai_evals() -> None:
    samples = [
        {"input": [{"role": "system", "content": "Add."}, {"role": "user", "content": "2+2"}], "ideal": "4"},
        {"input": "Capital of France?", "ideal": ["Paris", "Paris, France"]},
        {"input": "Judged", "completion": "x"},
        {"input": 7, "ideal": "x"},
    ]
    cases, left, _ = brought("openai", samples)
    assert [case.id for case in cases] == ["case-1", "case-2"]
    assert passes(cases[0], "4.") == {"normalised": True}
    assert passes(cases[1], "paris") == {"normalised": True}
    assert left == [
        "in/My Data.txt:3: this sample has no ideal answer: it was judged by a model, which needs human labels",
        "in/My Data.txt:4: this asks nothing that can be read: neither a text, nor messages, nor variables",
    ]
    contains, _, _ = brought("openai", samples, grader="contains")
    assert passes(contains[1], "It is Paris, of course") == {"contains": True}


def test_langfuse() -> None:
    items = [
        {"id": "i1", "input": {"messages": [{"role": "user", "content": "Hi"}]}, "expectedOutput": "Hello",
         "metadata": {"topic": "greeting", "nested": {}}, "sourceTraceId": "t-9", "status": "ACTIVE"},
        {"id": "i2", "input": {"question": "Why?"}, "expectedOutput": {"role": "assistant", "content": "Because"}},
        {"id": "i3", "input": {"city": "Rome", "days": 3}, "expectedOutput": {"price": 90, "currency": "EUR"}},
        {"id": "i4", "input": "old", "expectedOutput": "x", "status": "ARCHIVED"},
        {"id": "i5", "input": "open", "expectedOutput": None},
        {"id": "i6", "input": "odd", "expectedOutput": [[1]]},
    ]  # fmt: skip
    for text in (json.dumps(items), json.dumps({"data": items}), "\n".join(map(json.dumps, items))):
        cases, left, _ = brought("langfuse", text)
        assert [case.id for case in cases] == ["i1", "i2", "i3"]
        assert cases[0].segments == {"topic": "greeting"}
        assert (cases[0].provenance.source, cases[0].provenance.reference) == (Source.PRODUCTION, "trace t-9")
        assert passes(cases[1], "because!") == {"normalised": True}
        assert cases[2].input.variables == {"city": "Rome", "days": 3}
        assert passes(cases[2], '{"price": 90.0, "currency": "EUR"}') == {"json_fields": True}
        assert [one.split(": ", 1)[1] for one in left] == [
            "this item is archived",
            "this says nothing of what is expected; add an answer or an assertion",
            "no grader holds an answer against this expected one; write an expectation for it",
        ]
    table = 'id,input,expectedOutput,metadata\nc1,"{""question"": ""Why?""}","{""answer"": ""So""}","{""a"": true}"\n'
    (case,), left, _ = brought("langfuse", table)
    assert (case.id, case.segments, left) == ("c1", {"a": "true"}, [])
    assert passes(case, "so") == {"normalised": True}


def test_langsmith() -> None:
    lines = [
        {
            "id": "e1",
            "inputs": {"question": "Why?"},
            "outputs": {"answer": "So"},
            "metadata": {"split": "test"},
        },
        {"inputs": {"a": 1, "b": 2}, "outputs": {"sum": 3}},
        {"messages": [{"role": "user", "content": "Hi"}, {"role": "assistant", "content": "Hello"}]},
        {"inputs": {"question": "Open"}, "outputs": None},
    ]
    cases, left, _ = brought("langsmith", lines)
    assert [passes(case, text) for case, text in zip(cases, ("So", '{"sum": 3}', "hello"), strict=True)] == [
        {"normalised": True},
        {"json_fields": True},
        {"normalised": True},
    ]
    assert cases[2].input.messages == ({"role": "user", "content": "Hi"},)
    assert len(left) == 1 and left[0].startswith("in/My Data.txt:4: this says nothing")
    (case,), _, _ = brought("langsmith", "input_question,output_answer\nWhy?,So\n")
    assert case.input.messages[0]["content"] == "Why?" and passes(case, "so") == {"normalised": True}


def test_tables_by_the_names_of_their_columns() -> None:
    text = (
        "id;Question;Expected Answer;criticality;weight;segments.topic;note\n"
        "a;How long?;30 days;critical;2;refunds;x\n"
        ";How much?;;;;;\n"
        "a;Who?;Ann;;;;\n"
        "b;When?;Now;soon;;;\n"
        "c;1;2;3;4;5;6;7;8\n"
    )
    cases, left, _ = brought("csv", text, name="table")
    assert [(case.id, case.weight, case.criticality.value, dict(case.segments)) for case in cases] == [
        ("a", 2.0, "critical", {"topic": "refunds"}),
        ("a 2", 1.0, "normal", {}),
    ]
    assert left == [
        "in/My Data.txt:2 note: the column 'note' is not used; name it with --column if it is a field or a segment",
        "in/My Data.txt:3: this says nothing of what is expected; add an answer or an assertion",
        "in/My Data.txt:5 criticality: this is one of critical, normal, minor",
        "in/My Data.txt:6: this row has 9 columns, the header 7",
    ]
    named = {"prompt": "Frage", "expected": "Soll", "segment.region": "Land", "id": "Nr"}
    (case,), left, _ = brought("csv", "Nr,Frage,Soll,Land\n7,Wie?,So,AT\n", columns=named, grader="exact")
    assert (case.id, dict(case.segments), left) == ("7", {"region": "AT"}, [])
    assert passes(case, "so") == {"exact": False}
    rows = [
        {"id": "x", "prompt": "Hi", "expect": [{"exact": "4", "weight": 2}, "language"]},
        {"id": "y", "messages": [{"role": "user", "content": "Hi"}], "expect": {"regex": "^H"}},
    ]
    cases, left, _ = brought("jsonl", rows)
    assert [one.grader for case in cases for one in case.expectations] == ["exact", "regex"]
    assert "language" in left[0]


def test_what_is_no_such_file_converts_to_nothing() -> None:
    for form, text in (
        ("promptfoo", "a: 1"),
        ("promptfoo", "a: ["),
        ("promptfoo", ""),
        ("csv", '"open'),
        ("jsonl", '{"a": '),
        ("openai", ""),
        ("langfuse", "[1, 2]"),
    ):
        cases, left, _ = brought(form, text)
        assert cases == [] and (left or not text), (form, text)
    assert (
        "there is no column 'c'; there are a, b"
        in brought("csv", "a,b\n1,2\n", columns={"prompt": "c"})[1][0]
    )
    for wrong in ({"form": "xml"}, {"grader": "judge"}, {"name": "A B"}, {"columns": {"prmpt": "a"}}):
        given: dict[str, Any] = {"form": "csv", "text": "prompt,expected\n1,2\n", **wrong}
        with pytest.raises(Invalid):
            brought(given.pop("form"), given.pop("text"), **given)
