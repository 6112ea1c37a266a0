"""Mustache's own cases, each accounted for: rendered as its specification says, otherwise for a reason, or refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from holdfast.gateway.model import Prompt, Release, Variable
from holdfast.gateway.rules.configured_releases import release_faults
from holdfast.gateway.rules.placeholders import Placeholder, scanned
from holdfast.gateway.rules.rendering import rendered
from holdfast.gateway.rules.written import Fault
from holdfast.kernel.errors import Invalid

CORE = ("comments", "delimiters", "interpolation", "inverted", "partials", "sections")
OPTIONAL = ("~dynamic-names", "~inheritance", "~lambdas")
AS_SPECIFIED = frozenset(
    f"interpolation: {name}"
    for name in (
        "No Interpolation",
        "Basic Interpolation",
        "No Re-interpolation",
        "Basic Integer Interpolation",
        "Basic Decimal Interpolation",
        "Basic Null Interpolation",
        "Dotted Names - Arbitrary Depth",
        "Dotted Names - No Masking",
        "Interpolation - Surrounding Whitespace",
        "Interpolation - Standalone",
        "Interpolation With Padding",
    )
)
MISSING = "a missing variable, or part of one, is an error and never silently nothing"
CODE = "variables are data: nothing of them is run, and an object is written as JSON"
DIFFERENTLY = {
    "interpolation: HTML Escaping": "prompts are no HTML: nothing is escaped",
    "interpolation: Basic Context Miss Interpolation": MISSING,
    "interpolation: Dotted Names - Broken Chains": MISSING,
    "interpolation: Dotted Names - Broken Chain Resolution": MISSING,
    "interpolation: Dotted Names are never single keys": MISSING,
    "~lambdas: Interpolation": CODE,
    "~lambdas: Interpolation - Expansion": CODE,
}
UNESCAPED = 'These characters should be HTML escaped: & " < >\n'


def told(template: str) -> tuple[list[Fault], Prompt]:
    """A prompt of this template, with the variables that it uses declared, and what is wrong with it."""
    used = [tag for tag in scanned(template) if isinstance(tag, Placeholder)]
    prompt = Prompt(
        messages=({"role": "user", "content": template},),
        variables={tag.name: Variable(type="json", required=False) for tag in used},
    )
    return list(release_faults("one", Release(chain=(), prompt=prompt), {}, ()))[1:], prompt


def outcome(template: str, data: Any) -> tuple[str, str]:
    """`refused` with what is said of it, `missing` with where, or `rendered` with the text."""
    found, prompt = told(template)
    if found:
        return "refused", found[0].what
    needed = {name: Variable(type="json", required=name not in data) for name in prompt.variables}
    given = {name: value for name, value in data.items() if name in needed}
    try:
        made = rendered(Prompt(messages=prompt.messages, variables=needed), given)
    except Invalid as error:
        return "missing", str(error.where)
    return "rendered", made[0]["content"]


@pytest.mark.parametrize("file", [*CORE, *OPTIONAL])
def test_every_case_is_accounted_for(shared_data: Path, file: str) -> None:
    for case in json.loads((shared_data / "mustache" / f"{file}.json").read_text())["tests"]:
        name, template = f"{file}: {case['name']}", case["template"]
        does, said = outcome(template, case["data"])
        if name in AS_SPECIFIED:
            assert (does, said) == ("rendered", case["expected"]), name
        elif DIFFERENTLY.get(name) == MISSING:
            assert does == "missing" and said.startswith("variables."), name
        elif DIFFERENTLY.get(name) == CODE:
            assert does == "rendered" and json.dumps(case["data"]["lambda"], separators=(",", ":")) in said
        elif name in DIFFERENTLY:
            assert (does, said) == ("rendered", UNESCAPED), name
        else:
            assert does == "refused", name
            place, _, why = said.partition(": ")
            line, column = (int(word.split()[1]) for word in place.split(", "))
            assert template.splitlines()[line - 1][column - 1 :].startswith("{{"), name
            assert "{{" in why and "write {{braces}}" in why, name


def test_the_cases_are_those_that_were_counted(shared_data: Path) -> None:
    names = [
        f"{file}: {case['name']}"
        for file in (*CORE, *OPTIONAL)
        for case in json.loads((shared_data / "mustache" / f"{file}.json").read_text())["tests"]
    ]
    core = [name for name in names if not name.startswith("~")]
    assert (len(core), len(names)) == (136, 194)
    assert set(names) >= AS_SPECIFIED | DIFFERENTLY.keys()
    refused = [name for name in core if name not in AS_SPECIFIED and name not in DIFFERENTLY]
    assert (len(AS_SPECIFIED), len(refused)) == (11, 120), "and 5 differ for a stated reason"
