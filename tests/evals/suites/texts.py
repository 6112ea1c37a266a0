"""Suites to read, and a small shelf of graders that refuses what a real one would."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from holdfast.evals.model import Expectation, Suite
from holdfast.evals.rules.written import Read, read

GRADERS = ("exact", "regex", "refusal", "json", "judge", "language", "contains")

SUPPORT = """\
description: What the support assistant must get right
system: helpdesk
route: support
bars: {least: 0.8, margin: 0.03, repeats: 3, by: [language]}
defaults:
  segments: {language: en}
  provenance: {author: Ann, written_on: 2026-01-05, review_on: 2027-01-05}
cases:
  - id: refund-window
    prompt: Within how many days may I return shoes?
    expect:
      - exact: "30"
    criticality: critical
  - id: refund-window-de
    prompt: Wie lange kann ich Schuhe zurückgeben?
    expect: {regex: "30 Tage"}
    segments: {language: de}
    family: refund-window
"""
HOLDOUT = """\
  - id: kept-back
    prompt: The question that no author sees
    expect: {exact: "the secret answer"}
    holdout: true
"""


def check(one: Expectation) -> Iterable[tuple[str, str]]:
    """A stand-in for the shelf of graders."""
    if one.bar is not None and not 0 <= one.bar <= 1:
        yield "bar", "a bar is from 0 to 1"
    if one.grader not in GRADERS:
        yield "grader", f"there is no grader {one.grader!r}; there are {', '.join(GRADERS)}"
    if one.grader == "exact" and not isinstance(one.params.get("expected"), str):
        yield "params.expected", "this is a text; put it in quotes"
    if one.grader == "judge" and not one.params.get("labels"):
        yield "params.labels", "a judge is trusted by human labels alone; name a labelled set"


def reading(files: dict[str, str | bytes]) -> Read:
    texts = {path: text.encode() if isinstance(text, str) else text for path, text in files.items()}
    return read(texts, check)


def suite(text: str = SUPPORT, path: str = "support.yaml", **more: str | bytes) -> Suite:
    """One suite that has no fault."""
    found = reading({path: text, **more})
    assert not found.faults, found.faults
    (only,) = found.suites
    return only


def faults(files: dict[str, str | bytes] | str) -> list[tuple[str, str]]:
    """(place, what) of each fault."""
    found = reading({"s.yaml": files} if isinstance(files, str) else files)
    assert not found.suites
    return [(one.at, one.what) for one in found.faults]


def only_fault(files: Any) -> tuple[str, str]:
    (found,) = faults(files)
    return found
