"""What spans say of retrievals and of how a request has documents looked up, in every convention; unknown stays unknown."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.telemetry.conventions.spans import event, span

from holdfast.telemetry.conventions.moments import instant
from holdfast.telemetry.conventions.reading import read_facts
from holdfast.telemetry.conventions.requested import of_parameters, of_tools
from holdfast.telemetry.conventions.templates import QuickReader, Templates
from holdfast.telemetry.model import Facts, Kind

MARCH = 1_772_323_200 * 10**9  # 2026-03-01


def found(attributes: dict[str, Any], **given: Any) -> tuple[Any, ...]:
    """(documents, best score, newest) of a retrieval, read in full and quickly."""
    facts = [read_facts(span(attributes, **given))]
    quick = QuickReader(Templates())
    facts += [quick.read(span(attributes, **given))[0] for _ in range(2)]
    assert {one.kind for one in facts} == {Kind.RETRIEVAL}
    told = {(one.documents, one.top_score, one.newest_ns) for one in facts}
    assert len(told) == 1
    return told.pop()


def documents(*made: dict[str, Any]) -> str:
    return json.dumps(list(made))


OTEL = {"gen_ai.operation.name": "retrieval", "gen_ai.data_source.id": "handbook"}
RETRIEVER = {"openinference.span.kind": "RETRIEVER"}


@pytest.mark.parametrize(
    ("attributes", "expected"),
    [
        (OTEL, (None, None, None)),
        (OTEL | {"gen_ai.retrieval.documents": "[]"}, (0, None, None)),
        (
            OTEL | {"gen_ai.retrieval.documents": documents({"id": "a", "score": 0.4}, {"id": "b", "score": 0.9})},
            (2, 0.9, None),
        ),
        (OTEL | {"gen_ai.retrieval.documents": "[{cut off"}, (None, None, None)),
        (
            OTEL
            | {
                "gen_ai.retrieval.documents": documents(
                    {"id": "a", "metadata": {"last_modified_date": "2026-02-01"}},
                    {"id": "b", "metadata": {"lastModified": "2026-03-01T00:00:00Z", "created": "2026-05-01"}},
                )
            },
            (2, None, MARCH),
        ),
        (OTEL | {"holdfast.retrieval.document_count": 4, "holdfast.retrieval.top_score": -0.5}, (4, -0.5, None)),
        (OTEL | {"holdfast.retrieval.newest_document_at": "2026-03-01T00:00:00Z"}, (None, None, MARCH)),
        (
            RETRIEVER
            | {
                "retrieval.documents.0.document.id": "a",
                "retrieval.documents.0.document.score": 0.5,
                "retrieval.documents.1.document.id": "b",
                "retrieval.documents.1.document.score": 0.25,
                "retrieval.documents.1.document.metadata": '{"modified": 1772323200}',
            },
            (2, 0.5, MARCH),
        ),
        (RETRIEVER | {"output.value": '{"documents": []}'}, (0, None, None)),
        (RETRIEVER | {"output.value": '["one", "two"]'}, (2, None, None)),
        (RETRIEVER | {"output.value": "what was found, as one text"}, (None, None, None)),
        ({"db.system": "qdrant", "db.operation": "search", "db.response.returned_rows": 3}, (3, None, None)),
    ],
)  # fmt: skip
def test_what_a_retrieval_found(attributes: dict[str, Any], expected: tuple[Any, ...]) -> None:
    assert found(attributes) == expected


def test_results_of_a_vector_store_as_events() -> None:
    results = [event("db.query.result", {"db.query.result.id": name}) for name in ("a", "b")]
    assert found({"db.system": "pinecone", "db.operation": "query"}, events=results) == (2, None, None)
    scored = [event("db.query.result", {"db.query.result.score": 0.25})]
    assert found({"db.system": "pinecone"}, name="pinecone.query", events=scored) == (1, 0.25, None)


def test_where_it_was_looked_in_and_what_a_cache_answered() -> None:
    facts = read_facts(span(OTEL | {"gen_ai.retrieval.top_k": 5, "holdfast.retrieval_cache.hit": True}))
    assert (facts.data_source, facts.cache_hit, facts.parameters) == ("handbook", True, {"top_k": 5})
    stored = read_facts(
        span({"db.system.name": "milvus", "db.operation.name": "search", "db.collection.name": "docs"})
    )
    assert (stored.kind, stored.data_source) == (Kind.RETRIEVAL, "docs")
    plain = read_facts(span({"db.system.name": "postgresql", "db.collection.name": "orders"}))
    assert (plain.kind, plain.data_source, plain.documents) == (Kind.OTHER, None, None)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2026-03-01", MARCH),
        ("2026-03-01T01:00:00+01:00", MARCH),
        ("Sun, 01 Mar 2026 00:00:00 GMT", MARCH),
        (1772323200, MARCH),
        (1772323200000, MARCH),
        (1772323200.5, MARCH + 500_000_000),
        ("March", None),
        ("20", None),
        (12, None),
        (True, None),
        (float("nan"), None),
        ({}, None),
        (None, None),
    ],
)
def test_instants_of_metadata(value: Any, expected: int | None) -> None:
    assert instant(value) == expected


TOOLS = [
    {
        "type": "file_search",
        "vector_store_ids": ["vs_b", "vs_a"],
        "max_num_results": 5,
        "ranking_options": {"score_threshold": 0.4},
        "filters": {"type": "eq", "key": "user", "value": "ann@example.com"},
    },
    {"type": "web_search_20250305", "name": "web_search", "max_uses": 2, "user_location": {"city": "Köln"}},
    {"type": "provider-defined", "id": "openai.web_search_preview", "args": {"searchContextSize": "low"}},
    {"google_search": {}},
    {
        "retrieval": {
            "vertexRagStore": {
                "ragResources": [{"ragCorpus": "c2"}, {"ragCorpus": "c1"}],
                "similarityTopK": 7,
            }
        }
    },
    {"type": "function", "function": {"name": "file_search", "parameters": {"top_k": {"type": "integer"}}}},
    "nonsense",
]


def test_settings_of_search_tools() -> None:
    assert of_tools(TOOLS) == {
        "file_search.max_num_results": 5,
        "file_search.score_threshold": 0.4,
        "file_search.vector_store_ids": ["vs_a", "vs_b"],
        "web_search.max_uses": 2,
        "web_search.search_context_size": "low",
        "google_search.offered": True,
        "vertex_rag_store.rag_corpus": ["c1", "c2"],
        "vertex_rag_store.similarity_top_k": 7,
    }


def test_data_sources_without_their_keys() -> None:
    azure = {
        "type": "azure_search",
        "parameters": {
            "endpoint": "https://search.example",
            "index_name": "policies",
            "top_n_documents": 5,
            "strictness": 3,
            "authentication": {"type": "api_key", "key": "secret"},
        },
    }
    found = of_parameters({"extra_body": {"data_sources": [azure]}, "knowledgeBaseId": "KB1"})
    assert found == {
        "azure_ai_search.index_name": "policies",
        "azure_ai_search.strictness": 3,
        "azure_ai_search.top_n_documents": 5,
        "knowledge_base.knowledge_base_id": "KB1",
    }


def test_a_call_tells_its_settings_read_in_full_and_quickly() -> None:
    attributes = {
        "gen_ai.operation.name": "chat",
        "gen_ai.request.model": "gpt-5",
        "gen_ai.request.temperature": 0.5,
        "gen_ai.tool.definitions": json.dumps(TOOLS[:1]),
        "gen_ai.data_source.id": "kb-7",
    }
    quick = QuickReader(Templates())
    read: list[Facts] = [quick.read(span(attributes))[0] for _ in range(2)]
    full = read_facts(span(attributes))
    for facts in (full, *read):
        assert facts.parameters == {
            "temperature": 0.5,
            "retrieval.data_source": "kb-7",
            "retrieval.file_search.max_num_results": 5,
            "retrieval.file_search.score_threshold": 0.4,
            "retrieval.file_search.vector_store_ids": ["vs_a", "vs_b"],
        }
        assert facts.tools is not None and facts.tools[0].startswith("file_search#")
    packed = {
        "openinference.span.kind": "LLM",
        "llm.invocation_parameters": json.dumps({"web_search_options": {"search_context_size": "high"}}),
    }
    assert read_facts(span(packed)).parameters == {"retrieval.web_search.search_context_size": "high"}
