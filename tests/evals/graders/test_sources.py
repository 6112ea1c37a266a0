"""Graders of documents: citations, quotations, support, retrieval and its age."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from evals.graders.asked import case, faults, graded, score
from holdfast.evals.graders.citations import cited_in
from holdfast.evals.model import Answer

WARRANTY = "The warranty lasts 24 months from the day of purchase. It doesn't cover water damage."
RETURNS = "Goods can be returned within 30 days — free of charge — if they're unused."
CASE = case("How long is the warranty?", {"doc-1": WARRANTY, "doc-2": RETURNS})


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("It is so [doc-1].", ["doc-1"]),
        ("It is so [doc-1, doc-2] and [Doc-9]", ["doc-1", "doc-2", "Doc-9"]),
        ("So 【doc-2】", ["doc-2"]),
        ("[source: doc-2] [Document doc-1]", ["doc-2", "doc-1"]),
        ("[sic] [x] see [doc-1](https://example.org) [the warranty]", []),
        ("[^doc-1]", ["doc-1"]),
    ],
)
def test_citations_are_found(text: str, found: list[str]) -> None:
    assert [one.id for one in cited_in(text, ["doc-1", "doc-2"])] == found


def test_citations_by_a_pattern_stand_where_they_stand() -> None:
    text = "Größe (see #7) und (see #12)"
    found = cited_in(text, [], r"\(see #(\d+)\)")
    assert [one.id for one in found] == ["7", "12"]
    assert [text[one.start : one.end] for one in found] == ["(see #7)", "(see #12)"]


@pytest.mark.parametrize(
    ("params", "text", "expected"),
    [
        ({}, "It lasts 24 months [doc-1].", 1),
        ({}, "It lasts 24 months [doc-1] or so [doc-3].", 0.5),
        ({}, "It lasts 24 months.", 0),
        ({"least": 0}, "It lasts 24 months.", 1),
        ({"least": 2}, "It lasts 24 months [doc-1].", 0),
        ({}, "“the warranty lasts 24 months” [doc-1]", 1),
        ({}, "“the warranty lasts 24 months” [doc-2]", 0),
        ({}, "“the warranty lasts 36 months” [doc-1]", 0),
        ({}, "[doc-1] says: “the warranty lasts 24 months”", 1),
        ({}, '"The  Warranty lasts … day of purchase" [doc-1]', 1),
        ({"verbatim": True}, '"The Warranty lasts" [doc-1]', 0),
        ({"verbatim": True}, '"The warranty lasts" [doc-1]', 1),
        ({}, "it doesn’t cover “water” [doc-1]", 1),
        ({}, "“if theyre unused” [doc-2] and “can be returned within 40 days” [doc-2]", 0.5),
        (
            {"checks": ["sentences"]},
            "The warranty lasts 24 months [doc-1]. Goods can be returned [doc-2].",
            1,
        ),
        ({"checks": ["sentences"]}, "The warranty lasts 24 months. [doc-1] Bananas grow in Ecuador.", 0.5),
        ({"checks": ["sentences"]}, "The warranty lasts 36 months from purchase [doc-1].", 0),
        ({"checks": ["sentences"]}, "Bananas grow in sunny Ecuador [doc-1].", 0),
        ({"checks": ["ids"], "pattern": r"\((\w+-\d+)\)"}, "So (doc-1) (doc-7)", 0.5),
    ],
)
def test_citation(params: dict[str, Any], text: str, expected: float) -> None:
    assert score("citation", params, text, CASE) == expected


def test_documents_without_ids_are_cited_by_their_place() -> None:
    unnamed = dataclasses.replace(
        CASE,
        input=dataclasses.replace(
            CASE.input, context=tuple(dataclasses.replace(one, id="") for one in CASE.input.context)
        ),
    )
    assert score("citation", {}, "24 months [1], 30 days [2]", unnamed) == 1
    assert score("citation", {}, "24 months [3]", unnamed) == 0


def test_without_documents_nothing_can_be_said_of_citations() -> None:
    made = graded("citation", {}, "It is so [1].", case())
    assert made.score is None
    assert "no documents" in made.reason


def test_params_of_citations_that_are_wrong_are_faults() -> None:
    assert faults("citation", {"checks": []})["params.checks"]
    assert faults("citation", {"least": -1})["params.least"]
    assert faults("citation", {"pattern": "("})["params.pattern"]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"expected": ["a", "b"], "retrieved": ["a", "x", "b"]}, 1),
        ({"expected": ["a", "b"], "retrieved": ["a", "x", "b"], "k": 2}, 0.5),
        ({"expected": ["a", "b"], "retrieved": []}, 0),
        ({"expected": ["a", "b"], "retrieved": ["a", "a", "x", "y"], "measure": "precision"}, 0.333),
        ({"expected": ["a"], "retrieved": [], "measure": "precision"}, 0),
        ({"expected": ["a", "b"], "retrieved": ["x", "b", "a"], "measure": "mrr"}, 0.5),
        ({"expected": ["a"], "retrieved": ["x", "y", "a"], "measure": "mrr", "k": 2}, 0),
        ({"expected": ["a", "b"], "retrieved": ["b", "x", "a"], "k": 1, "measure": "precision"}, 1),
    ],
)
def test_retrieval(params: dict[str, Any], expected: float) -> None:
    assert score("retrieval", params, Answer(error="away")) == expected


def test_without_a_list_what_the_answer_cites_counts_as_retrieved() -> None:
    assert score("retrieval", {"expected": ["doc-1", "doc-2"]}, "So [doc-2].", CASE) == 0.5
    assert score("retrieval", {"expected": ["doc-1"]}, Answer("So [doc-1]", truncated=True), CASE) is None
    assert score("retrieval", {"expected": ["doc-1"]}, Answer(error="away"), CASE) is None


DATED = case(documents={"new": "x"}, date="2026-01-31")
BOTH = dataclasses.replace(
    DATED,
    input=dataclasses.replace(
        DATED.input,
        context=(*DATED.input.context, *case(documents={"old": "x"}, date="2025-01-01").input.context),
    ),
)
UNDATED = case(documents={"new": "x"})


@pytest.mark.parametrize(
    ("given", "params", "expected"),
    [
        (DATED, {"retrieved": ["new"], "max_age_days": 30, "at": "2026-03-02"}, 1),
        (DATED, {"retrieved": ["new"], "max_age_days": 29, "at": "2026-03-02"}, 0),
        (DATED, {"retrieved": ["new"], "max_age_days": 30}, None),
        (UNDATED, {"retrieved": ["new"], "max_age_days": 30, "at": "2026-03-02"}, None),
        (DATED, {"retrieved": ["elsewhere"], "max_age_days": 30, "at": "2026-03-02"}, None),
        (DATED, {"retrieved": [], "max_age_days": 30, "at": "2026-03-02"}, None),
        (BOTH, {"retrieved": ["old", "new"], "max_age_days": 30, "at": "2026-03-02"}, 1),
        (BOTH, {"retrieved": ["old", "new"], "max_age_days": 30, "at": "2026-03-02", "of": "oldest"}, 0),
        (BOTH, {"retrieved": ["old", "new"], "max_age_days": 30, "at": "2026-03-02", "k": 1}, 0),
        (BOTH, {"expected": ["new", "x"], "retrieved": ["new"], "max_age_days": 30, "at": "2026-03-02"}, 0.5),
    ],
)
def test_staleness(given: Any, params: dict[str, Any], expected: float | None) -> None:
    assert score("retrieval", params, "", given) == expected


def test_params_of_retrieval_that_are_wrong_are_faults() -> None:
    assert faults("retrieval", {})["params.expected"]
    assert faults("retrieval", {"expected": ["a"], "k": 0})["params.k"]
    assert faults("retrieval", {"max_age_days": -1})["params.max_age_days"]
    assert faults("retrieval", {"max_age_days": 1, "at": "soon"})["params.at"]
