"""The grader of form: JSON, YAML, CSV, a list, one line, plain text."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Literal

import msgspec
import yaml

from holdfast.evals.graders.grading import Bounds, Fault, Finding, Made, Outside
from holdfast.evals.graders.json_texts import DEEPEST, json_in
from holdfast.evals.graders.numbers import numbers_in
from holdfast.evals.model import Answer, Case

_LONGEST_YAML = 200_000
_LONGEST_NUMBER = 200
_WORD = re.compile(r"[^\W\d_]{4,}")
_ITEM = re.compile(r"^[ \t]{0,3}(?:[-*+•–]|\d{1,4}[.)])[ \t]+\S", re.MULTILINE)
_MARKDOWN = (
    ("a heading", re.compile(r"^ {0,3}#{1,6}[ \t]+\S", re.MULTILINE)),
    ("a code fence", re.compile(r"^ {0,3}(?:```|~~~)", re.MULTILINE)),
    (
        "bold or italics",
        re.compile(
            r"(?<![\w*])\*{1,3}[^\s*](?:[^*\n]{0,200}[^\s*])?\*{1,3}(?![\w*])|(?<!\w)__[^\s_][^_\n]{0,200}__(?!\w)"
        ),
    ),
    ("inline code", re.compile(r"`[^`\n]{1,200}`")),
    ("a link", re.compile(r"\[[^\]\n]{1,200}\]\([^)\s]{1,2000}\)")),
    ("a list", re.compile(r"^[ \t]{0,8}[-*+][ \t]+\S", re.MULTILINE)),
    ("a table", re.compile(r"^[ \t]*\|?[ \t]*:?-{3,}:?[ \t]*\|", re.MULTILINE)),
    ("a quotation", re.compile(r"^ {0,3}>[ \t]", re.MULTILINE)),
)


class _Format(msgspec.Struct, forbid_unknown_fields=True):
    form: Literal["json", "json_lines", "yaml", "csv", "list", "single_line", "plain", "number"]
    """`plain` has no Markdown; `number` is nothing but a number."""
    items: Bounds | None = None
    """Of a list, JSON lines or CSV: how many; CSV without its header."""
    columns: list[str] = []
    """Of CSV: its header."""
    delimiter: str = ","


def _faults(params: _Format) -> Iterator[Fault]:
    if params.items is not None:
        yield from params.items.faults("items")
        if params.form not in ("list", "json_lines", "csv"):
            yield "items", "this is for list, json_lines and csv"
    if params.columns and params.form != "csv":
        yield "columns", "this is for csv"
    if len(params.delimiter) != 1 or params.delimiter in '\r\n"':
        yield "delimiter", "this is one character, such as , or ;"


def _table(text: str, params: _Format) -> int:
    """Rows of a table, without the header where columns are named. Raises ValueError."""
    try:
        rows = list(
            csv.reader(io.StringIO(text.strip(), newline=""), delimiter=params.delimiter, strict=True)
        )
    except csv.Error as error:
        raise ValueError(f"it is no CSV: {error}") from None
    rows = [row for row in rows if row]
    if not rows:
        raise ValueError("there is no row")
    if params.columns:
        header = [name.strip() for name in rows.pop(0)]
        if header != params.columns:
            raise ValueError(f"the columns are {', '.join(header)[:200]}")
    width = len(params.columns) or len(rows[0])
    for number, row in enumerate(rows, 1):
        if len(row) != width:
            raise ValueError(f"row {number} has {len(row)} fields instead of {width}")
    return len(rows)


def _yaml(text: str, _: _Format) -> None:
    """Reads events alone: building the values can be made to overflow the stack, or to grow without end."""
    depth, root, anchors = 0, None, set()
    try:
        for event in yaml.parse(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
            if isinstance(event, yaml.AliasEvent) and event.anchor not in anchors:
                raise ValueError(f"it is no YAML: *{event.anchor} refers to nothing")
            anchors.add(getattr(event, "anchor", None))
            root = root or (event if isinstance(event, yaml.NodeEvent) else None)
            depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST:
                raise ValueError("it is nested too deeply")
    except yaml.YAMLError as error:
        raise ValueError(f"it is no YAML: {str(error).partition(chr(10))[0][:200]}") from None
    if not isinstance(root, yaml.CollectionStartEvent):
        raise ValueError("it is one text, neither a mapping nor a list")


def _json(text: str, _: _Format) -> None:
    json_in(text, strict=True)


def _json_lines(text: str, _: _Format) -> int:
    lines = [line for line in text.splitlines() if line.strip()]
    for line in lines:
        json_in(line, strict=True)
    return len(lines)


def _list(text: str, _: _Format) -> int:
    if not (count := len(_ITEM.findall(text))):
        raise ValueError("there is no list")
    return count


def _single_line(text: str, _: _Format) -> None:
    if len(text.strip().splitlines()) > 1:
        raise ValueError("it has several lines")


def _number(text: str, _: _Format) -> None:
    if len(text) > _LONGEST_NUMBER or len(list(numbers_in(text))) != 1 or _WORD.search(text):
        raise ValueError("it is not one number alone")


def _plain(text: str, _: _Format) -> None:
    if found := [name for name, pattern in _MARKDOWN if pattern.search(text)]:
        raise ValueError(f"it has {', '.join(found)}")


_READERS: Mapping[str, Callable[[str, _Format], int | None]] = MappingProxyType(
    {
        "json": _json,
        "json_lines": _json_lines,
        "yaml": _yaml,
        "csv": _table,
        "list": _list,
        "single_line": _single_line,
        "number": _number,
        "plain": _plain,
    }
)
"""Each says how many items a text in its form has (None where the form has none). Raises ValueError."""


def _look(_: Case, params: _Format, answer: Answer, __: Outside) -> Finding:
    if not answer.text.strip():
        return Finding(0.0, "the text is empty")
    if params.form == "yaml" and len(answer.text) > _LONGEST_YAML:
        return Finding(None, f"YAML of more than {_LONGEST_YAML:,} characters is not judged")
    try:
        count = _READERS[params.form](answer.text, params)
    except ValueError as error:
        return Finding(0.0, str(error))
    if params.items is not None and count is not None and not params.items.hold(count):
        return Finding(0.0, f"{count} items; {params.items} are asked for", {"items": count})
    return Finding(1.0, "", {} if count is None else {"items": count})


FORMAT = Made("format", "1", _Format, _look, _faults)
