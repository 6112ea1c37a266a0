"""The written form: what a suite says, and every fault with its file, line, column, field and remedy."""

from __future__ import annotations

import datetime as dt
import json
from typing import Any

import pytest
from tests.evals.suites.texts import HOLDOUT, SUPPORT, faults, only_fault, reading, suite

from holdfast.evals.model import Bars, CaseInput, Criticality, Document, Expectation, Provenance, Source
from holdfast.evals.rules import written
from holdfast.evals.rules.written import referenced

CASE = "cases:\n  - id: a\n    prompt: Hi\n    expect: {exact: x}\n"


def test_a_suite_says_what_it_says() -> None:
    found = suite()
    assert (found.name, found.system, found.route) == ("support", "helpdesk", "support")
    assert found.bars == Bars(least=0.8, margin=0.03, repeats=3, by=("language",))
    first, second = found.cases
    assert first.input == CaseInput(
        messages=({"role": "user", "content": "Within how many days may I return shoes?"},)
    )
    assert first.expectations == (Expectation("exact", {"expected": "30"}),)
    assert (first.criticality, first.family) == (Criticality.CRITICAL, "refund-window")
    assert (second.segments, second.family) == ({"language": "de"}, "refund-window")
    ann = Provenance(Source.EXPERT, "Ann", dt.date(2026, 1, 5), dt.date(2027, 1, 5))
    assert first.provenance == second.provenance == ann


def test_an_expectation_has_three_forms() -> None:
    text = """\
cases:
  - id: a
    prompt: Hi
    expect:
      - refusal
      - exact: "4"
        weight: 2
        name: four
      - {grader: json, schema: {type: object}, bar: 0.5}
      - json: {schema: {type: array}}
        name: list
      - contains: one
      - contains: [two, three]
        name: more
      - regex: "^4$"
"""
    (case,) = suite(text).cases
    assert case.expectations == (
        Expectation("refusal"),
        Expectation("exact", {"expected": "4"}, 2.0, None, "four"),
        Expectation("json", {"schema": {"type": "object"}}, 1.0, 0.5),
        Expectation("json", {"schema": {"type": "array"}}, name="list"),
        Expectation("contains", {"all": ["one"]}),
        Expectation("contains", {"all": ["two", "three"]}, name="more"),
        Expectation("regex", {"pattern": "^4$"}),
    )


def test_plain_words_are_what_they_look_like() -> None:
    text = """\
cases:
  - id: a
    variables: {a: no, b: 12:30, c: 007, d: 1e3, e: true, f: ~, g: 2026-01-05, h: "5", i: 5, j: -0.5, k: 0x10}
    expect: {exact: yes}
"""
    (case,) = suite(text).cases
    assert case.input.variables == {
        "a": "no",
        "b": "12:30",
        "c": "007",
        "d": 1000.0,
        "e": True,
        "f": None,
        "g": "2026-01-05",
        "h": "5",
        "i": 5,
        "j": -0.5,
        "k": "0x10",
    }
    assert case.expectations[0].params == {"expected": "yes"}


def test_what_is_asked_stands_in_the_case_or_under_input() -> None:
    inside = """\
cases:
  - id: a
    input:
      messages: [{role: system, content: You help.}, {role: user, content: Hi}]
      tools: [{type: function, function: {name: look_up}}]
      context: [one, {text: two, id: 2, source: wiki, date: 2026-01-05}]
      parameters: {max_completion_tokens: 50}
      variables: {tone: kind}
    expect: {exact: x}
"""
    flat = inside.replace("    input:\n", "").replace("      ", "    ")
    (one,), (other,) = suite(inside).cases, suite(flat).cases
    assert one == other
    assert one.input.context == (Document("one"), Document("two", "2", "wiki", dt.date(2026, 1, 5)))
    assert one.input.tools[0]["function"] == {"name": "look_up"}


def test_cases_in_json_lines() -> None:
    lines = '{"id": "b", "prompt": "Hi", "expect": {"exact": "x"}}\n\n{"id": "c", "prompt": "Ho", "expect": "refusal"}'
    found = reading({"d/s.yaml": CASE + "cases_from: more/c.jsonl\n", "d/more/c.jsonl": lines})
    assert [case.id for case in found.suites[0].cases] == ["a", "b", "c"]
    assert referenced("d/s.yaml", b"cases_from: [x.jsonl, ../up.jsonl, y.csv, 3]") == ("d/x.jsonl",)
    assert referenced("d/s.yaml", b"cases_from: [") == ()


def test_a_template_is_filled_by_each_case() -> None:
    text = """\
defaults:
  template:
    - {role: system, content: "You serve {{shop.name}}."}
    - {role: user, content: "{{ question }}"}
cases:
  - id: a
    variables: {shop: {name: Birch}, question: "What is {{shop}} in Jinja?", tone: kind}
    expect: refusal
  - id: b
    prompt: Asked as it stands, {{question}}
    expect: refusal
"""
    first, second = suite(text).cases
    assert [one["content"] for one in first.input.messages] == [
        "You serve Birch.",
        "What is {{shop}} in Jinja?",
    ]
    assert first.input.variables == {"tone": "kind"}  # left to a managed prompt
    assert second.input.messages[0]["content"] == "Asked as it stands, {{question}}"


def test_defaults_hold_for_cases_that_say_nothing_else() -> None:
    text = """\
defaults:
  expect: [{exact: shared}, refusal]
  weight: 2
  criticality: minor
  segments: {language: en, tier: free}
  parameters: {temperature: 0, seed: 7}
cases:
  - {id: a, prompt: Hi}
  - id: b
    prompt: Hi
    expect: {exact: own}
    weight: 0.5
    criticality: critical
    segments: {tier: gold}
    parameters: {seed: 8}
"""
    first, second = suite(text).cases
    assert first.expectations == (Expectation("exact", {"expected": "shared"}), Expectation("refusal"))
    assert (first.weight, first.criticality) == (2.0, Criticality.MINOR)
    assert second.expectations == (Expectation("exact", {"expected": "own"}), Expectation("refusal"))
    assert (second.weight, second.criticality) == (0.5, Criticality.CRITICAL)
    assert second.segments == {"language": "en", "tier": "gold"}
    assert second.input.parameters == {"temperature": 0, "seed": 8}


WRONG: list[tuple[str, str, str]] = [
    ("", "s.yaml:1:1", "this suite is empty"),
    ("- 1", "s.yaml:1:1", "a suite is a mapping of name"),
    ("description: x\ncases: []", "s.yaml:2:1 cases", "has no cases"),
    ("a: [", "s.yaml:", "not YAML"),
    (CASE + "x: &a 1\ny: *a", "s.yaml:6:4", "aliases"),
    (CASE + "x: !!python/name:os.system 1", "s.yaml:5:4", "tags"),
    (CASE + "cases: []", "s.yaml:5:1", "'cases' comes twice in one mapping"),
    (CASE + "---\na: 1", "s.yaml:5:1", "holds one document"),
    (CASE + "descripton: x", "s.yaml:5:1 descripton", "did you mean description?"),
    (CASE + "name: Big One", "s.yaml:5:1 name", "small letters"),
    (CASE + "bars: {least: 2}", "s.yaml:5:8 bars.least", "between 0 and 1, not 2"),
    (CASE + "bars: {alpha: 0}", "s.yaml:5:8 bars.alpha", "with 0 nothing can ever be shown"),
    (CASE + "bars: {repeats: 1.5}", "s.yaml:5:8 bars.repeats", "whole number"),
    (CASE + "bars: {by: [region]}", "s.yaml:5:8 bars.by", "no case has a segment 'region'"),
    (CASE + "    weight: -1", "s.yaml:5:5 cases[0].weight", "0 or more, not -1"),
    (CASE + "    weight: high", "s.yaml:5:5 cases[0].weight", "a number, without quotes"),
    (CASE + "    weight: 0", "s.yaml:1:1 cases", "all weights of the cases are 0"),
    (CASE + "    criticality: vital", "s.yaml:5:5 cases[0].criticality", "one of critical, normal, minor"),
    (CASE + "    segments: {tier: 1}", "s.yaml:5:16 cases[0].segments.tier", "in quotes"),
    (CASE + "    holdout: maybe", "s.yaml:5:5 cases[0].holdout", "true or false"),
    (
        CASE + "    provenance: {written_on: 2026-02-30}",
        "s.yaml:5:18 cases[0].provenance.written_on",
        "a day",
    ),
    (
        CASE + "    provenance: {written_on: 2026-02-01, review_on: 2026-01-01}",
        "s.yaml:5:42 cases[0].provenance.review_on",
        "before the day",
    ),
    (CASE + "    tools: [{name: x}]", "s.yaml:5:13 cases[0].tools[0]", "a tool is {type: function"),
    (CASE + "    variables: [1]", "s.yaml:5:5 cases[0].variables", "a mapping"),
    (CASE + "    variables: {n: 9007199254740993}", "s.yaml:2:5 cases[0]", "below 2^53"),
    (CASE + "    messages: []", "s.yaml:3:5 cases[0].prompt", "leave out it or messages"),
    (CASE + "    input: {prompt: Ho}", "s.yaml:3:5 cases[0].prompt", "not in both"),
    (
        CASE + "  - id: a\n    prompt: Ho\n    expect: refusal",
        "s.yaml:5:5 cases[1].id",
        "the id 'a' is taken",
    ),
    ("cases:\n  - id: a\n    prompt: Hi", "s.yaml:2:5 cases[0]", "nothing is expected"),
    (
        "cases:\n  - id: a\n    prompt: Hi\n    expect: []",
        "s.yaml:4:5 cases[0].expect",
        "nothing is expected",
    ),
    ("cases:\n  - id: a\n    expect: refusal", "s.yaml:2:5 cases[0].prompt", "asks nothing"),
    ("cases:\n  - prompt: Hi\n    expect: refusal", "s.yaml:2:5 cases[0]", "a case has an id"),
    ("cases:\n  - id: a\n    prompt: [Hi]\n    expect: refusal", "s.yaml:3:5 cases[0].prompt", "a text"),
    (
        "cases:\n  - {id: a, prompt: Hi, expect: {exat: x}}",
        "s.yaml:2:34 cases[0].expect.exat",
        "no grader 'exat'",
    ),
    (
        "cases:\n  - {id: a, prompt: Hi, expect: {exact: 4}}",
        "s.yaml:2:34 cases[0].expect.exact",
        "put it in quotes",
    ),
    (
        "cases:\n  - {id: a, prompt: Hi, expect: {grader: exact,\n      expected: 4}}",
        "s.yaml:3:7 cases[0].expect.expected",
        "put it in quotes",
    ),
    (
        "cases:\n  - {id: a, prompt: Hi, expect: [{exact: x, regex: y}]}",
        "s.yaml:2:34 cases[0].expect[0]",
        "this names exact, regex",
    ),
    (
        "cases:\n  - {id: a, prompt: Hi, expect: [{exact: x}, {exact: y}]}",
        "s.yaml:2:46 cases[0].expect[1]",
        "two expectations are called 'exact'",
    ),
    (
        "cases:\n  - {id: a, prompt: Hi, expect: {exact: x, weight: 0}}",
        "s.yaml:2:25 cases[0].expect",
        "all weights",
    ),
    (
        "cases:\n  - {id: a, prompt: Hi, expect: {judge: {rubric: Is it kind?}}}",
        "s.yaml:2:34 cases[0].expect.judge.labels",
        "human labels",
    ),
    (
        "defaults: {template: 'Hi {{name'}\ncases:\n  - {id: a, variables: {name: x}, expect: refusal}",
        "s.yaml:1:12 defaults.template",
        "'{{name' is no placeholder",
    ),
    (
        "defaults: {template: 'Hi {{name}}'}\ncases:\n  - {id: a, variables: {nme: x}, expect: refusal}",
        "s.yaml:3:13 cases[0].variables",
        "uses {{name}}, which this case does not give",
    ),
    (
        "cases:\n  - {id: a, prompt: 'Hi {{name}}', variables: {name: x}, expect: refusal}",
        "s.yaml:2:36 cases[0].variables",
        "replaced only in defaults.template",
    ),
    (
        "cases:\n  - {id: a, messages: [{role: robot, content: x}], expect: refusal}",
        "s.yaml:2:24 cases[0].messages[0]",
        "a message has a role",
    ),
    (CASE + "cases_from: gone.jsonl", "s.yaml:5:1 cases_from", "there is no file gone.jsonl"),
    (CASE + "cases_from: ../up.jsonl", "s.yaml:5:1 cases_from", "beside or below"),
]


@pytest.mark.parametrize(("text", "place", "what"), WRONG)
def test_a_fault_is_told_with_its_place(text: str, place: str, what: str) -> None:
    at, said = only_fault(text)
    assert at.startswith(place) if place.endswith(":") else at == place
    assert what in said


def test_all_faults_are_told_at_once_in_their_order() -> None:
    text = CASE + "    weight: -1\n  - id: b\n    expect: nobody\nbars: {least: 7}\n"
    assert [at for at, _ in faults(text)] == [
        "s.yaml:5:5 cases[0].weight",
        "s.yaml:6:5 cases[1].prompt",
        "s.yaml:7:5 cases[1].expect.nobody",
        "s.yaml:8:8 bars.least",
    ]


def test_faults_in_json_lines_have_their_line() -> None:
    lines = [
        '{"id": "b", "prompt": "Hi", "expect": "refusal"}',
        '{"id": "b", "prompt": "Hi", "expect": "refusal"}',
        '{"id": "c", "prompt": "Hi", "expect": [{"exact": 4}]}',
        '{"id": "d", "prompt": "Hi", ',
        '{"id": "e", "id": "f", "prompt": "Hi", "expect": "refusal"}',
        '{"id": "g", "prompt": "Hi", "expect": {"regex": NaN}}',
        '{"id": "h", "prompt": "\\ud800", "expect": "refusal"}',
        '"i"',
        "[" * 100_000,
    ]
    found = faults({"s.yaml": CASE + "cases_from: [c.jsonl]", "c.jsonl": "\n".join(lines)})
    assert [at for at, _ in found] == [
        "c.jsonl:2 id",
        "c.jsonl:3 expect[0].exact",
        "c.jsonl:4:29",
        "c.jsonl:5",
        "c.jsonl:6",
        "c.jsonl:7 prompt",
        "c.jsonl:8",
        "c.jsonl:9",
    ]
    assert "taken by the case at c.jsonl:1" in found[0][1]


def test_files_that_belong_to_nothing() -> None:
    assert only_fault({}) == ("", "there is no suite here: no .yaml file")
    files: dict[str, Any] = {"a.yaml": CASE, "b.yaml": CASE + "name: a", "c.jsonl": "{}", "d.csv": "x"}
    assert faults(files) == [
        ("b.yaml name", "a.yaml has a suite 'a' too; give one of them another name"),
        (
            "c.jsonl",
            "no suite names this file under cases_from, and no judge under labels_from; name it, or take it away",
        ),
        ("d.csv", "a suite is a .yaml file, its cases beside it a .jsonl file; rename it"),
    ]
    twice = {"a.yaml": CASE + "cases_from: [c.jsonl, c.jsonl]", "c.jsonl": b""}
    assert only_fault(twice) == ("a.yaml:5:23 cases_from[1]", "c.jsonl is read already; name it once")
    assert "UTF-8" in only_fault({"a.yaml": b"\xff"})[1]
    assert "character" in only_fault({"a.yaml": b"a: \x07"})[1]


def test_one_bad_file_among_good_ones_gives_no_suite() -> None:
    assert reading({"a.yaml": CASE, "b.yaml": CASE + "    weight: -1"}).suites == ()


def test_a_suite_is_no_larger_than_it_may_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(written, "MAX_CASES", 2)
    lines = [json.dumps({"id": str(one), "prompt": "Hi", "expect": "refusal"}) for one in range(2)]
    assert suite("cases_from: c.jsonl", **{"c.jsonl": "\n".join(lines)})
    assert (
        "at most 2 cases"
        in only_fault({"s.yaml": CASE + "cases_from: c.jsonl", "c.jsonl": "\n".join(lines)})[1]
    )
    monkeypatch.setattr(written, "MAX_BYTES", 1 << 20)
    assert "at most 1 are read" in only_fault({"s.yaml": CASE + "#" * (1 << 20)})[1]


@pytest.mark.parametrize("opening", ["[", "{a: ", "- "])
def test_deep_nesting_is_refused(opening: str) -> None:
    assert reading({"s.yaml": "x: " + opening * 50_000}).faults


def test_the_hash_is_of_what_can_change_a_grade() -> None:
    def case(old: str, new: str) -> tuple[bool, bool]:
        """Whether the first case's hash changes, and the suite's."""
        before, after = suite(), suite(SUPPORT.replace(old, new, 1))
        return before.cases[0].hash != after.cases[0].hash, before.hash != after.hash

    assert case("return shoes", "return boots") == (True, True)
    assert case('exact: "30"', 'exact: "31"') == (True, True)
    assert case('- exact: "30"', '- {exact: "30", bar: 0.5}') == (True, True)
    assert case("criticality: critical", "criticality: minor") == (False, True)
    assert case("least: 0.8", "least: 0.9") == (False, True)
    assert case("Ann", "Ben") == (False, True)
    assert case("route: support", "route: chat") == (False, True)
    assert case("What the support", "All that the support") == (False, False)
    assert case("name", "name") == (False, False)
    one = suite(SUPPORT + HOLDOUT)
    other = suite(SUPPORT.replace("cases:\n", "cases:\n" + HOLDOUT))
    assert one.hash == other.hash, "in whatever order"
    assert len({case.hash for case in one.cases}) == 3
