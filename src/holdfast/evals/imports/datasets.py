"""Data sets of OpenAI evals, Langfuse and LangSmith, and plain tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from holdfast.evals.imports.data import (
    ANSWERED,
    ASKED,
    answering,
    asking,
    is_messages,
    loosened,
    rows,
    segments,
)
from holdfast.evals.imports.drafts import Reading
from holdfast.evals.rules.cases import CASE, OWN, short
from holdfast.evals.rules.located import Broken, Place

Drafts = Iterator[tuple[dict[str, Any], Place]]


def openai(source: Reading) -> Drafts:
    """Samples of OpenAI evals: `input`, a chat or a text, and `ideal`, an answer or several."""
    for row, place in rows(source):
        if "ideal" not in row:
            source.leave(
                place, "this sample has no ideal answer: it was judged by a model, which needs human labels"
            )
            continue
        yield _draft(row, place, source, row.get("input"), row["ideal"], row.get("metadata")), place


def langfuse(source: Reading) -> Drafts:
    """Items of a data set of Langfuse: `input`, `expectedOutput`, `metadata`, as its API or its export gives them."""
    for row, place in rows(source, "data"):
        if str(row.get("status", "")).upper() == "ARCHIVED":
            source.leave(place, "this item is archived")
            continue
        answer = row.get("expectedOutput", row.get("expected_output"))
        draft = _draft(row, place, source, row.get("input"), answer, row.get("metadata"))
        trace = row.get("sourceTraceId") or row.get("source_trace_id")
        if trace:
            draft["provenance"] = {"source": "production", "reference": f"trace {trace}"}
        yield draft, place


def langsmith(source: Reading) -> Drafts:
    """Examples of a data set of LangSmith: `inputs` and `outputs`; or messages that end with the answer."""
    for row, place in rows(source, "examples"):
        inputs, outputs = loosened(row.get("inputs")), loosened(row.get("outputs"))
        if is_messages(row.get("messages")) and not inputs:
            inputs, outputs = row["messages"][:-1], row["messages"][-1]
        if inputs is None:
            inputs, outputs = _prefixed(row, ("inputs.", "input_")), _prefixed(row, ("outputs.", "output_"))
        yield _draft(row, place, source, inputs, outputs, row.get("metadata")), place


def _prefixed(row: Mapping[str, Any], prefixes: tuple[str, ...]) -> dict[str, Any]:
    """Columns of an export to CSV that are parts of one value."""
    found = {}
    for name, value in row.items():
        prefix = next((one for one in prefixes if name.startswith(one)), None)
        if prefix and value not in ("", None):
            found[name.removeprefix(prefix)] = loosened(value)
    return found


def tabular(source: Reading) -> Drafts:
    """Rows of CSV, JSON Lines or JSON, by column; `columns` of the wishes say which is which where names do not."""
    told: set[str] = set()
    for row, place in rows(source):
        names = {name: name for name in row if name in CASE}
        names |= _guessed(row, names)
        names |= {ours: theirs for ours, theirs in source.wishes.columns.items() if theirs in row}
        missing = [theirs for theirs in source.wishes.columns.values() if theirs not in row]
        if missing:
            raise Broken(f"there is no column {missing[0]!r}; there are {', '.join(row)}", place.line)
        ours = {one: loosened(row[theirs]) for one, theirs in names.items() if not one.startswith("segment.")}
        answer = ours.pop("expected", None)
        draft = {name: _typed(name, value) for name, value in ours.items() if value not in ("", None)}
        if is_messages(draft.get("prompt")):
            draft["messages"] = draft.pop("prompt")
        if not isinstance(draft.get("expect"), list | dict):
            draft["expect"] = answering(answer, source.wishes.grader)
        draft["expect"] = _named(draft["expect"])
        used = set(names.values())
        tags = {name.removeprefix("segments."): row[name] for name in row if name.startswith("segments.")}
        tags |= {
            one.removeprefix("segment."): row[theirs]
            for one, theirs in names.items()
            if one.startswith("segment.")
        }
        found = segments({**(draft.get("segments") or {}), **tags})
        if found:
            draft["segments"] = found
        for name in row:
            if name and name not in used and not name.startswith("segments.") and name not in told:
                told.add(name)
                what = f"the column {name!r} is not used; name it with --column if it is a field or a segment"
                source.leave(Place(source.file, place.line, None, name[:100]), what)
        yield draft, place


def _guessed(row: Mapping[str, Any], known: Mapping[str, str]) -> dict[str, str]:
    """Our field → their column, by the usual names."""
    lower = {name.lower().replace(" ", "_"): name for name in row}
    found: dict[str, str] = {}
    if not {"prompt", "messages", "variables"} & known.keys():
        asked = next((lower[name] for name in ASKED if name in lower), None)
        found |= {"prompt": asked} if asked else {}
    if "expect" not in known:
        usual = ("expected", "ideal", "expected_output", "expected_answer", "reference", *ANSWERED)
        answer = next(
            (lower[name] for name in usual if name in lower and lower[name] not in found.values()), None
        )
        found |= {"expected": answer} if answer else {}
    return found


def _typed(name: str, value: Any) -> Any:
    """What a table can only write as text."""
    if name == "weight" and isinstance(value, str):
        try:
            return float(value)
        except ValueError:
            return value
    if name == "holdout" and isinstance(value, str):
        return {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}.get(
            value.strip().lower(), value
        )
    return value


def _named(value: Any) -> list[dict[str, Any]]:
    """Expectations with their graders named, as they are kept here."""
    made = []
    for one in value if isinstance(value, list) else [value]:
        if isinstance(one, str):
            made.append({"grader": one})
        elif isinstance(one, dict) and "grader" in one:
            made.append(dict(one))
        elif isinstance(one, dict):
            own = {name: one[name] for name in OWN if name in one}
            made += [{"grader": name, **short(name, one[name]), **own} for name in one if name not in OWN]
    return made


def _draft(
    row: Mapping[str, Any], place: Place, source: Reading, asked: Any, answer: Any, metadata: Any
) -> dict[str, Any]:
    fields = asking(asked)
    if not fields:
        source.leave(place, "this asks nothing that can be read: neither a text, nor messages, nor variables")
    expect = answering(answer, source.wishes.grader)
    if fields and not expect and answer not in (None, "", [], {}):
        source.leave(
            place, "no grader holds an answer against this expected one; write an expectation for it"
        )
    told = not fields or (not expect and answer not in (None, "", [], {}))
    return {
        "id": row.get("id"),
        **fields,
        "expect": expect if fields else [],
        "segments": segments(metadata),
        "told": told,
    }
