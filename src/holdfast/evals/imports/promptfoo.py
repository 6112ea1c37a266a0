"""A configuration of promptfoo: every prompt with every test is a case."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice, product
from typing import Any

from holdfast.evals.imports.data import is_messages, loosened, segments
from holdfast.evals.imports.drafts import Reading
from holdfast.evals.imports.promptfoo_asserts import Unconverted, expectations
from holdfast.evals.rules import templates
from holdfast.evals.rules.located import Broken, Place, from_yaml, plain

MOST_COMBINATIONS = 1000
_USED = ("prompts", "tests", "defaultTest", "description")
_QUIET = (
    "providers",
    "targets",
    "outputPath",
    "commandLineOptions",
    "sharing",
    "tags",
    "env",
    "evaluateOptions",
)
_TEST = ("vars", "assert", "description", "metadata", "options", "provider", "providers", "providerOutput")


def promptfoo(source: Reading) -> Iterator[tuple[dict[str, Any], Place]]:
    """Prompts, tests and what tests share. Files that it names are not read. Raises Broken."""
    config = from_yaml(source.text)
    if not isinstance(config, dict) or ("tests" not in config and "prompts" not in config):
        raise Broken("this is no configuration of promptfoo: it has neither prompts nor tests")
    top = Place(source.file, 1)
    for name in config:
        if name not in (*_USED, *_QUIET):
            source.leave(top.of(config, name), f"{name} is not read here")
    shared = config.get("defaultTest")
    if shared is not None and not isinstance(shared, dict):
        source.leave(top.of(config, "defaultTest"), "it is in another file; put it into this one")
    shared = shared if isinstance(shared, dict) else {}
    prompts = list(_prompts(config, top, source))
    for number, (test, place) in enumerate(_listed(config, "tests", top, source), 1):
        if isinstance(test, str):
            source.leave(place, f"these tests are in another file, {test[:200]}; import that as csv or jsonl")
        elif not isinstance(test, dict):
            source.leave(place, "this is no test")
        else:
            yield from _cases(test, place, number, shared, top.of(config, "defaultTest"), prompts, source)


def _listed(holder: Any, name: str, place: Place, source: Reading) -> Iterator[tuple[Any, Place]]:
    value = holder.get(name)
    place = place.of(holder, name)
    if isinstance(value, str):
        yield value, place
    elif isinstance(value, list):
        for index, one in enumerate(value):
            yield one, place.of(value, index)
    elif value is not None:
        source.leave(place, "this is no list")


def _prompts(config: Any, top: Place, source: Reading) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Label and messages, with placeholders, of each prompt that can be used."""
    for number, (one, place) in enumerate(_listed(config, "prompts", top, source), 1):
        label = str(one.get("label") or one.get("id") or number) if isinstance(one, dict) else str(number)
        text = one.get("raw", one.get("content")) if isinstance(one, dict) else one
        if not isinstance(text, str) or text.startswith(("file://", "exec:")) or _is_path(text):
            source.leave(place, "this prompt is in another file, or is code; put its text here")
            continue
        read = loosened(text)
        messages = plain(read) if is_messages(read) else [{"role": "user", "content": text}]
        wrong = next(iter(templates.faults(messages)), None) or (
            "it has blocks of Nunjucks ({% … %})" if "{%" in text else None
        )
        if wrong:
            source.leave(place, f"this prompt does not convert: {wrong}")
        else:
            yield label[:100], messages


def _is_path(text: str) -> bool:
    return (
        "\n" not in text
        and " " not in text
        and text.endswith((".txt", ".json", ".yaml", ".md", ".js", ".py", ".j2"))
    )


def _cases(
    test: Any,
    place: Place,
    number: int,
    shared: Any,
    shared_place: Place,
    prompts: list[tuple[str, list[dict[str, Any]]]],
    source: Reading,
) -> Iterator[tuple[dict[str, Any], Place]]:
    for name in test:
        if name not in _TEST:
            source.leave(place.of(test, name), f"{name} of a test has no counterpart")
    description = " ".join(str(test.get("description") or f"test {number}").split())[:150]
    given = {**_mapping(shared.get("vars")), **_mapping(test.get("vars"))}
    if not prompts:
        source.leave(place, "no prompt converts, so nothing is asked here")
        return
    combinations = list(islice(_combinations(given), MOST_COMBINATIONS + 1))
    if len(combinations) > MOST_COMBINATIONS:
        source.leave(place.of(test, "vars"), f"its lists make more than {MOST_COMBINATIONS:,} combinations")
        return
    many = len(combinations) * len(prompts) > 1
    told = False
    for index, variables in enumerate(combinations):
        found, left = _expected(test, place, shared, shared_place, variables, source if index == 0 else None)
        told = told or left
        for label, messages in prompts:
            try:
                made = templates.rendered(messages, variables)
            except templates.Missing as error:
                source.leave(place, f"the prompt {label} uses {{{{{error}}}}}, which this test does not give")
                continue
            tags = segments({**_mapping(shared.get("metadata")), **_mapping(test.get("metadata"))})
            yield (
                {
                    "id": description,
                    "messages": made,
                    "expect": [dict(one) for one in found],
                    "segments": tags | ({"prompt": label} if len(prompts) > 1 else {}),
                    "family": description if many else None,
                    "told": told,
                },
                place,
            )


def _mapping(value: Any) -> dict[str, Any]:
    return plain(value) if isinstance(value, dict) else {}


def _combinations(variables: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A list among the variables stands for each of its values in turn."""
    lists = [value if isinstance(value, list) and value else [value] for value in variables.values()]
    for values in product(*lists):
        yield dict(zip(variables, values, strict=True))


def _expected(
    test: Any,
    place: Place,
    shared: Any,
    shared_place: Place,
    variables: Mapping[str, Any],
    source: Reading | None,
) -> tuple[list[dict[str, Any]], bool]:
    """The expectations of a test and those that all share, and whether any was left out; `source` is told of these."""

    def render(value: Any) -> Any:
        try:
            return templates.rendered(value, variables)
        except templates.Missing as error:
            raise Unconverted(f"it uses {{{{{error}}}}}, which the test does not give") from None

    found: list[dict[str, Any]] = []
    left = False
    for holder, at in ((test, place), (shared, shared_place)):
        listed = holder.get("assert")
        for index, one in enumerate(listed if isinstance(listed, list) else []):
            try:
                found += expectations(one if isinstance(one, dict) else {}, render)
            except Unconverted as error:
                left = True
                kind = str(one.get("type", "?"))[:60] if isinstance(one, dict) else "?"
                if source is not None:
                    where = at.of(holder, "assert").of(listed, index)
                    source.leave(where, f"the assertion {kind} does not convert: {error}")
    return found, left
