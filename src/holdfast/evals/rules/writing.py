"""A suite as its file says it: what `rules.written` reads back as the same suite."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import yaml

from holdfast.evals.model import Bars, Case, Criticality, Document, Expectation, Provenance, Suite
from holdfast.evals.rules.cases import OWN, main_param
from holdfast.evals.rules.located import from_yaml

_DUMPER: Any = getattr(yaml, "CSafeDumper", yaml.SafeDumper)


class _Dumper(_DUMPER):  # type: ignore[misc]  # chosen above
    """Long texts as blocks, nothing as an alias."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


def _text(dumper: Any, text: str) -> Any:
    lines = text.split("\n")
    block = len(lines) > 1 and all(line.isprintable() and line == line.rstrip() for line in lines)
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style="|" if block else None)


_Dumper.add_representer(str, _text)


def text_of(suite: Suite, head: str = "") -> bytes:
    """The suite as one YAML file, after comment lines. Reading it gives the same suite, whatever its texts hold."""
    lines = [" ".join(line.split()) for line in head.splitlines()]
    comment = "".join(f"# {''.join(one for one in line if one.isprintable())}\n" for line in lines)
    written = mapping_of(suite)
    made: str = yaml.dump(written, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=110)
    if from_yaml(made.encode()) != written:  # a character that YAML changes, where nothing is escaped
        made = yaml.dump(written, Dumper=_Quoted, sort_keys=False, allow_unicode=False)
    return (comment + made).encode()


class _Quoted(yaml.SafeDumper):
    """Every text in quotes and escaped."""

    def ignore_aliases(self, data: Any) -> bool:
        return True


_Quoted.add_representer(
    str, lambda dumper, text: dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"')
)


def mapping_of(suite: Suite) -> dict[str, Any]:
    """The suite as a mapping that holds only what differs from what is taken where nothing is said."""
    made: dict[str, Any] = {"name": suite.name}
    made |= _said({"description": suite.description, "system": suite.system, "route": suite.route})
    bars = _bars(suite.bars)
    if bars:
        made["bars"] = bars
    made["cases"] = [case_mapping(one) for one in suite.cases]
    return made


def case_mapping(case: Case) -> dict[str, Any]:
    """A case as it is written."""
    asked = case.input
    made: dict[str, Any] = {"id": case.id}
    if _is_prompt(asked.messages):
        made["prompt"] = asked.messages[0]["content"]
    elif asked.messages:
        made["messages"] = [dict(one) for one in asked.messages]
    made |= _said(
        {
            "variables": dict(asked.variables),
            "tools": [dict(one) for one in asked.tools],
            "context": [_document(one) for one in asked.context],
            "parameters": dict(asked.parameters),
        }
    )
    made["expect"] = [expectation_mapping(one) for one in case.expectations]
    made |= _said({"segments": dict(case.segments), "family": case.family if case.family != case.id else ""})
    if case.weight != 1:
        made["weight"] = _number(case.weight)
    if case.criticality is not Criticality.NORMAL:
        made["criticality"] = case.criticality.value
    origin = _provenance(case.provenance)
    if origin:
        made["provenance"] = origin
    if case.holdout:
        made["holdout"] = True
    return made


def expectation_mapping(one: Expectation) -> Any:
    """An expectation in its shortest form."""
    params = dict(one.params)
    only = params.get(main_param(one.grader)) if len(params) == 1 else None
    short = only is not None and not isinstance(only, dict)
    if one.grader == "contains" and isinstance(only, list) and len(only) == 1 and isinstance(only[0], str):
        only = only[0]
    made: dict[str, Any] = {one.grader: only if short else params}
    if one.grader in ("grader", *OWN):  # it would be taken for one of our own fields
        made = {"grader": one.grader, **params}
    if one.weight != 1:
        made["weight"] = _number(one.weight)
    if one.bar is not None:
        made["bar"] = _number(one.bar)
    if one.name:
        made["name"] = one.name
    return one.grader if made == {one.grader: {}} else made


def _is_prompt(messages: tuple[Mapping[str, Any], ...]) -> bool:
    return (
        len(messages) == 1
        and set(messages[0]) == {"role", "content"}
        and messages[0]["role"] == "user"
        and isinstance(messages[0]["content"], str)
    )


def _document(one: Document) -> Any:
    if one == Document(one.text):
        return one.text
    date = one.date.isoformat() if one.date else ""
    return {"text": one.text, **_said({"id": one.id, "source": one.source, "date": date})}


def _provenance(one: Provenance) -> dict[str, Any]:
    if one == Provenance():
        return {}
    dates = {name: value.isoformat() for name in ("written_on", "review_on") if (value := getattr(one, name))}
    return {
        "source": one.source.value,
        **_said({"author": one.author}),
        **dates,
        **_said({"reference": one.reference}),
    }


def _bars(one: Bars) -> dict[str, Any]:
    usual = Bars()
    made: dict[str, Any] = {}
    for name in ("least", "margin", "alpha", "repeats"):
        value = getattr(one, name)
        if value != getattr(usual, name):
            made[name] = _number(value)
    if one.by:
        made["by"] = list(one.by)
    return made


def _number(value: float) -> float | int:
    return int(value) if value == int(value) and abs(value) < 1e15 else value


def _said(fields: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if value not in ("", [], {})}
