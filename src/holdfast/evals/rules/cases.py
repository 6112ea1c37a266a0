"""One written case, and what a suite gives all of its cases: read into `model.Case`, or every fault in its place."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from holdfast.evals.model import Case, CaseInput, Criticality, Document, Expectation, Provenance, Source
from holdfast.evals.rules import templates
from holdfast.evals.rules.fields import Fields, storable
from holdfast.evals.rules.hashing import case_hash
from holdfast.evals.rules.located import Fault, Place, plain
from holdfast.kernel.errors import Invalid

Check = Callable[[Expectation], Iterable[tuple[str, str]]]
"""What is wrong with an expectation: (place: `grader`, `params.expected`, …; what, and how to mend it)."""

MAX_TEXT = 1 << 20
INPUT = ("prompt", "messages", "variables", "tools", "context", "parameters")
ABOUT = ("segments", "family", "weight", "criticality", "provenance", "holdout")
CASE = ("id", "input", *INPUT, "expect", *ABOUT)
DEFAULTS = ("template", "tools", "parameters", "expect", "segments", "weight", "criticality", "provenance")
ROLES = ("system", "developer", "user", "assistant", "tool")
OWN = ("weight", "bar", "name")
"""Fields of an expectation; all others are the grader's."""
_MAIN = {
    "regex": "pattern",
    "format": "form",
    "contains": "all",
    "latency": "most_ms",
    "cost": "most_usd",
    "python": "entry",
    "http": "url",
    "judge": "judge",
    "human": "rubric",
}


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds for a case that says nothing else. `template`: messages, with placeholders; None where there is none."""

    template: tuple[Mapping[str, Any], ...] | None = None
    tools: tuple[Mapping[str, Any], ...] = ()
    parameters: Mapping[str, Any] = field(default_factory=dict)
    expectations: tuple[Expectation, ...] = ()
    segments: Mapping[str, str] = field(default_factory=dict)
    weight: float = 1.0
    criticality: Criticality = Criticality.NORMAL
    provenance: Provenance = field(default_factory=Provenance)


def read_defaults(value: Any, place: Place, faults: list[Fault], check: Check) -> Defaults:
    """What stands under `defaults`."""
    found = Fields(value, place, faults, DEFAULTS)
    template = None
    if "template" in found:
        template = _messages(found, "template", faults)
        for what in templates.faults(list(template)):
            found.at("template", what)
    return Defaults(
        template=template,
        tools=_tools(found, faults),
        parameters=plain(found.mapping("parameters")),
        expectations=_expectations(found, faults, check),
        segments=_segments(found, faults),
        weight=found.number("weight", 1.0, 0, 1e9) or 0.0,
        criticality=found.word("criticality", Criticality, Criticality.NORMAL),
        provenance=_provenance(found, Provenance(), faults),
    )


def read_case(value: Any, place: Place, defaults: Defaults, faults: list[Fault], check: Check) -> Case | None:
    """The case with its hash; None where anything of it is wrong."""
    before = len(faults)
    found = Fields(value, place, faults, CASE)
    if len(faults) > before and not found.given:
        return None
    case_id = found.name("id")
    if not case_id and "id" not in found:
        faults.append(
            place.fault("a case has an id, by which it is known from version to version; give it one")
        )
    asked = _input(found, defaults, faults)
    expectations = _with_defaults(_expectations(found, faults, check), defaults.expectations)
    if not expectations and "expect" not in found:
        faults.append(
            place.fault('nothing is expected of this case; write expect, like expect: {exact: "4"}')
        )
    elif not expectations and len(faults) == before:
        found.at("expect", 'nothing is expected of this case; name a grader, like {exact: "4"}')
    elif sum(one.weight for one in expectations) == 0 and expectations:
        found.at("expect", "all weights of these expectations are 0; give one a weight")
    made = Case(
        id=case_id,
        input=asked,
        expectations=expectations,
        family=found.name("family") or case_id,
        segments={**defaults.segments, **_segments(found, faults)},
        weight=_or_zero(found.number("weight", defaults.weight, 0, 1e9)),
        criticality=found.word("criticality", Criticality, defaults.criticality),
        provenance=_provenance(found, defaults.provenance, faults),
        holdout=found.flag("holdout"),
    )
    if len(faults) > before:
        return None
    try:
        return replace(made, hash=case_hash(made))
    except Invalid as error:
        faults.append(place.fault(error.detail))
        return None


def _or_zero(number: float | None) -> float:
    return 0.0 if number is None else number


def _input(case: Fields, defaults: Defaults, faults: list[Fault]) -> CaseInput:
    """What the case asks: its fields stand under `input`, or in the case itself."""
    found = case
    if "input" in case:
        found = Fields(case.given["input"], case.of("input"), faults, INPUT)
        for name in INPUT:
            if name in case:
                case.at(name, f"{name} stands under input or in the case itself, not in both; choose one")
    if "prompt" in found and "messages" in found:
        found.at("prompt", "prompt is short for one user message; leave out it or messages")
    variables = plain(found.mapping("variables"))
    messages: Sequence[Mapping[str, Any]] = ()
    before = len(faults)
    if "prompt" in found or "messages" in found:
        messages = _messages(found, "prompt" if "prompt" in found else "messages", faults)
        meant = sorted(templates.used(list(messages)) & variables.keys())
        if meant:
            found.at("variables", _not_replaced(meant[0]))
    elif defaults.template is not None:
        messages, variables = _from_template(found, defaults.template, variables)
    if not messages and not variables and len(faults) == before:
        case.at("prompt", "this case asks nothing; write prompt, messages, or variables for a managed prompt")
    return CaseInput(
        messages=tuple(messages),
        variables=variables,
        tools=_tools(found, faults) or defaults.tools,
        context=tuple(_documents(found, faults)),
        parameters={**defaults.parameters, **plain(found.mapping("parameters"))},
    )


def _not_replaced(name: str) -> str:
    return f"{{{{{name}}}}} is replaced only in defaults.template; put the prompt there, or its text in place here"


def _from_template(
    found: Fields, template: tuple[Mapping[str, Any], ...], variables: dict[str, Any]
) -> tuple[Sequence[Mapping[str, Any]], dict[str, Any]]:
    """The template's messages for this case, and the variables that it leaves to a managed prompt."""
    try:
        messages = templates.rendered(list(template), variables)
    except templates.Missing as error:
        found.at(
            "variables", f"defaults.template uses {{{{{error}}}}}, which this case does not give; add it"
        )
        return (), {}
    needed = templates.used(list(template))
    left = {name: value for name, value in variables.items() if name not in needed}
    meant = sorted(templates.used(messages) & left.keys())
    if meant:
        found.at("variables", _not_replaced(meant[0]))
    return tuple(messages), left


def _messages(found: Fields, name: str, faults: list[Fault]) -> tuple[dict[str, Any], ...]:
    """Messages in the form of Chat Completions; a text is one user message."""
    value = found.given[name]
    if isinstance(value, str):
        text = found.text(name, most=MAX_TEXT)
        if not text.strip() and value == text:
            found.at(name, "this is empty; write what is asked")
        return ({"role": "user", "content": text},)
    if name == "prompt":
        found.at(name, "this is a text, put it in quotes; several messages stand under messages")
        return ()
    messages = []
    for one, place in found.items(name):
        said = one if isinstance(one, dict) else {}
        if said.get("role") not in ROLES:
            faults.append(place.fault(f"a message has a role, one of {', '.join(ROLES)}, and a content"))
        elif not said.get("content") and not said.get("tool_calls"):
            faults.append(place.fault("this message is empty; write its content"))
        elif not isinstance(said.get("content"), str | list | None):
            faults.append(
                place.of(one, "content").fault("this is a text, put it in quotes, or a list of parts")
            )
        else:
            messages.append(plain(said))
    if isinstance(value, list) and not value:
        found.at(name, "this is empty; write what is asked")
    return tuple(messages)


def _tools(found: Fields, faults: list[Fault]) -> tuple[Mapping[str, Any], ...]:
    tools = []
    for one, place in found.items("tools"):
        function = one.get("function") if isinstance(one, dict) else None
        if isinstance(function, dict) and isinstance(function.get("name"), str) and function["name"]:
            tools.append(plain(one))
        else:
            faults.append(place.fault("a tool is {type: function, function: {name: …, parameters: …}}"))
    return tuple(tools)


def _documents(found: Fields, faults: list[Fault]) -> Iterator[Document]:
    for one, place in found.items("context"):
        if isinstance(one, str):
            yield Document(one)
            continue
        said = Fields(one, place, faults, ("text", "id", "source", "date"))
        text = said.text("text", most=MAX_TEXT)
        if not text:
            faults.append(place.fault("a document has a text"))
        yield Document(text, said.name("id"), said.text("source", most=2000), said.date("date"))


def _segments(found: Fields, faults: list[Fault]) -> dict[str, str]:
    made: dict[str, str] = {}
    given = found.mapping("segments")
    for name, value in given.items():
        fits = isinstance(value, str) and 0 < len(value) <= 100 and 0 < len(name) <= 100
        if fits and storable(name + value):
            made[name] = value
        else:
            what = "a segment is a name and a text of at most 100 characters, in quotes: language: de"
            faults.append(found.of("segments").of(given, name).fault(what))
    return made


def _provenance(case: Fields, before: Provenance, faults: list[Fault]) -> Provenance:
    if "provenance" not in case:
        return before
    known = ("source", "author", "written_on", "review_on", "reference")
    found = Fields(case.given["provenance"], case.of("provenance"), faults, known)
    made = Provenance(
        source=found.word("source", Source, before.source),
        author=found.text("author", before.author),
        written_on=found.date("written_on") or before.written_on,
        review_on=found.date("review_on") or before.review_on,
        reference=found.text("reference", before.reference, most=2000),
    )
    if made.written_on and made.review_on and made.review_on < made.written_on:
        found.at("review_on", "the review is before the day on which this was written; correct one of them")
    return made


def _with_defaults(own: tuple[Expectation, ...], shared: tuple[Expectation, ...]) -> tuple[Expectation, ...]:
    """A case's own first; one of the same name stands in place of the shared one."""
    names = {called(one) for one in own}
    return own + tuple(one for one in shared if called(one) not in names)


def called(one: Expectation) -> str:
    """What tells an expectation from the others of its case."""
    return one.name or one.grader


def _expectations(found: Fields, faults: list[Fault], check: Check) -> tuple[Expectation, ...]:
    value = found.given.get("expect")
    single = isinstance(value, dict | str)
    listed = [(value, found.of("expect"))] if single else list(found.items("expect"))
    made: list[Expectation] = []
    for one, place in listed:
        expectation = _expectation(one, place, faults, check)
        if expectation is None:
            continue
        if called(expectation) in {called(other) for other in made}:
            what = f"two expectations are called {called(expectation)!r}; give one of them a name of its own"
            faults.append(place.fault(what))
        made.append(expectation)
    return tuple(made)


def main_param(grader: str) -> str:
    """The parameter that a grader's short form gives: `{exact: "4"}` is `{grader: exact, expected: "4"}`."""
    return _MAIN.get(grader, "expected")


def short(grader: str, value: Any) -> dict[str, Any]:
    """The parameters that a short form stands for."""
    if value is None or isinstance(value, dict):
        return value or {}
    if grader == "contains" and isinstance(value, str):
        value = [value]
    return {main_param(grader): value}


def _expectation(value: Any, place: Place, faults: list[Fault], check: Check) -> Expectation | None:
    """`{grader: exact, expected: "4"}`, short `{exact: "4"}`, shorter `refusal`; `weight`, `bar` and `name` beside."""
    if isinstance(value, str):
        value = {value: None}
    if not isinstance(value, dict):
        faults.append(place.fault('an expectation names a grader: {exact: "4"}'))
        return None
    if "grader" in value:
        grader, named = value["grader"], None
        params = {name: one for name, one in value.items() if name not in ("grader", *OWN)}
    else:
        names = [name for name in value if name not in OWN]
        if len(names) != 1:
            said = f"this names {', '.join(names)}" if names else "this names none"
            faults.append(
                place.fault(f"an expectation names one grader, and {said}; write grader: and its name")
            )
            return None
        grader = named = names[0]
        params = short(named, value[named])
    if not isinstance(grader, str) or not grader:
        faults.append(place.of(value, "grader").fault("this is the name of a grader"))
        return None
    own = Fields(value, place, faults, tuple(value))
    made = Expectation(
        grader=grader,
        params=plain(params),
        weight=_or_zero(own.number("weight", 1.0, 0, 1e9)),
        bar=own.number("bar", None, 0, 1),
        name=own.name("name"),
    )
    for where, what in check(made):
        if where not in OWN:  # told already
            faults.append(_param_place(place, value, named, where).fault(what))
    return made


def _param_place(place: Place, value: dict[str, Any], named: str | None, where: str) -> Place:
    """Where a parameter of the grader stands, or its name."""
    head, _, where = where.partition(".")
    if head != "params" or not where:
        return place.of(value, named or "grader")
    if named is None:
        return place.of(value, where)
    inner = place.of(value, named)
    return inner.of(value[named], where) if isinstance(value[named], dict) else inner
