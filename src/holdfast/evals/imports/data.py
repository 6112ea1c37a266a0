"""Rows of data sets, in whatever dress: JSON, JSON Lines, CSV; and what of a row is asked and what is expected."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from typing import Any

from holdfast.evals.imports.drafts import Reading
from holdfast.evals.rules.cases import ROLES
from holdfast.evals.rules.located import Broken, Fault, Place, from_json, from_lines

ASKED = ("prompt", "question", "input", "query", "text", "instruction")
ANSWERED = ("answer", "output", "expected", "ideal", "response", "content", "text", "completion")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def rows(source: Reading, inside: str = "") -> Iterator[tuple[dict[str, Any], Place]]:
    """The mappings of a file of JSON (a list, or one under `inside`), JSON Lines or CSV. Raises Broken."""
    head = source.text.lstrip(b"\xef\xbb\xbf \t\r\n")[:1]
    if head not in (b"{", b"["):
        yield from table(source)
        return
    try:
        whole = from_json(source.text.removeprefix(b"\xef\xbb\xbf"))
    except Broken:
        whole = None
    if isinstance(whole, dict) and isinstance(whole.get(inside), list):
        whole = whole[inside]
    if isinstance(whole, list):
        listed: Iterator[tuple[Any, Place]] = (
            (one, Place(source.file, None, None, f"[{index}]")) for index, one in enumerate(whole)
        )
    else:
        listed = ((one, Place(source.file, line)) for line, one in from_lines(source.text, _telling(source)))
    for one, place in listed:
        if isinstance(one, dict):
            yield one, place
        else:
            source.leave(place, "this is no mapping")


def _telling(source: Reading) -> Any:
    def broken(error: Broken) -> None:
        source.left.append(Fault(source.file, error.line, error.column, "", error.what))

    return broken


def table(source: Reading) -> Iterator[tuple[dict[str, Any], Place]]:
    """The rows of a CSV file with a header, by the names there. Raises Broken."""
    try:
        text = source.text.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise Broken("this is not UTF-8 text; save it as UTF-8") from None
    first = text.split("\n", 1)[0]
    delimiter = max(",;\t", key=first.count)
    read = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        header = [one.strip() for one in next(read, [])]
        for row in read:
            place = Place(source.file, read.line_num)
            if not any(one.strip() for one in row):
                continue
            if len(row) > len(header):
                source.leave(place, f"this row has {len(row)} columns, the header {len(header)}")
                continue
            yield dict(zip(header, row, strict=False)), place
    except csv.Error as error:
        raise Broken(f"this is not CSV: {error}", read.line_num) from None


def loosened(value: Any) -> Any:
    """A text that is a JSON object or list, read; anything else as it is: exports to CSV write values so."""
    if isinstance(value, str) and value.strip()[:1] in ("{", "["):
        try:
            return from_json(value)
        except Broken:
            return value
    return value


def is_messages(value: Any) -> bool:
    """Whether these are messages of a chat."""
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(one, dict) and one.get("role") in ROLES and "content" in one for one in value)
    )


def asking(value: Any) -> dict[str, Any]:
    """What is asked, as fields of a case; empty where nothing is."""
    value = loosened(value)
    if isinstance(value, str) and value.strip():
        return {"prompt": value}
    if is_messages(value):
        return {"messages": value}
    if isinstance(value, dict):
        if is_messages(value.get("messages")):
            more = {name: value[name] for name in ("tools",) if value.get(name)}
            return {"messages": value["messages"], **more}
        texts = [name for name in ASKED if isinstance(value.get(name), str) and value[name].strip()]
        if texts and len(value) == 1:
            return {"prompt": value[texts[0]]}
        return {"variables": value} if value else {}
    return {}


def answering(value: Any, grader: str) -> list[dict[str, Any]]:
    """What is expected, as expectations; none where nothing is, or in a form that no grader holds answers against."""
    value = loosened(value)
    if isinstance(value, bool | int | float):
        return [{"grader": "normalised", "expected": str(value)}]
    if isinstance(value, str):
        return [_answer([value], grader)] if value.strip() else []
    if isinstance(value, list) and value and all(isinstance(one, str) and one.strip() for one in value):
        return [_answer(value, grader)]
    if is_messages(value):
        return answering(value[-1]["content"], grader)
    if isinstance(value, Mapping) and value:
        texts = [name for name in ANSWERED if isinstance(value.get(name), str) and value[name].strip()]
        if texts and (len(value) == 1 or value.get("role") == "assistant"):
            return [_answer([value[texts[0]]], grader)]
        if is_messages(value.get("messages")):
            return answering(value["messages"], grader)
        if all(_PLAIN.fullmatch(name) for name in value):
            return [{"grader": "json_fields", "expected": dict(value)}]
    return []


def _answer(texts: list[str], grader: str) -> dict[str, Any]:
    if grader == "contains":
        return {"grader": grader, "any": texts} if len(texts) > 1 else {"grader": grader, "all": texts}
    return {"grader": grader, "expected": texts if len(texts) > 1 else texts[0]}


def segments(value: Any) -> dict[str, str]:
    """What of metadata can be a segment: short texts, numbers, true and false."""
    value = loosened(value)
    if not isinstance(value, dict):
        return {}
    said = {
        name: str(one).lower() if isinstance(one, bool) else str(one)
        for name, one in value.items()
        if isinstance(one, str | int | float)
    }
    return {name: one for name, one in said.items() if 0 < len(one) <= 100 and 0 < len(name) <= 100}
