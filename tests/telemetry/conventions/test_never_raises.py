"""Whatever a span holds, reading it gives facts: no exception, no negative count, no content left behind."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.telemetry.conventions.content import is_content, strip_content
from holdfast.telemetry.conventions.reading import read_facts
from holdfast.telemetry.conventions.shelf import SHELF, TABLE
from holdfast.telemetry.rules.quality import SENTENCES
from telemetry.conventions.spans import event, span

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=20)
    | st.binary(max_size=8)
    | st.sampled_from(
        ("chat", "LLM", "tool", "[", "{}", '[{"role":1}]', '{"message":{"content":[1]}}', "[[{}]]")
    )
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ("role", "parts", "content", "type", "tool_calls", "id", "text", "message", "input", "x")
            ),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
INDEXED = st.sampled_from(
    (
        "llm.input_messages.0.message.role",
        "llm.input_messages.0.message.contents.0.message_content.type",
        "llm.input_messages.0.message",
        "llm.output_messages.99999999999.message.content",
        "llm.output_messages.1.message.tool_calls.x.tool_call.function",
        "llm.tools.0.tool.json_schema",
        "llm.tools.٣.tool",
        "gen_ai.prompt.0",
        "gen_ai.prompt.0.content",
        "gen_ai.prompt.0.content.deeper.and.deeper",
        "gen_ai.completion.1.tool_calls.0.arguments",
        "retrieval.documents.0.document.score",
        "reranker.output_documents.0.document",
        "embedding.embeddings.0.embedding.text",
        "llm.request.functions.0.name",
        "db.system",
        "error.type",
        "http.route",
    )
)
NAMES = st.sampled_from(sorted(TABLE)) | INDEXED | st.text(max_size=12)
ATTRIBUTES = st.dictionaries(NAMES, VALUES, max_size=12)
EVENTS = st.lists(
    st.builds(
        event,
        st.sampled_from(
            (
                "gen_ai.user.message",
                "gen_ai.choice",
                "gen_ai.tool.message",
                "gen_ai.content.prompt",
                "gen_ai.content.completion",
                "gen_ai.client.inference.operation.details",
                "db.query.result",
                "exception",
                "First Token Stream Event",
            )
        ),
        st.dictionaries(
            NAMES | st.sampled_from(("content", "message", "tool_calls", "id", "gen_ai.event.content")),
            VALUES,
            max_size=4,
        ),
    ),
    max_size=3,
)
SCOPES = st.sampled_from(
    ("app", "", "openlit.instrumentation.anthropic", "com.anthropic.sdk.python", "ai", "openinference.x")
)


@settings(max_examples=600, deadline=None)
@given(
    ATTRIBUTES, EVENTS, SCOPES, ATTRIBUTES, st.sampled_from(("SERVER", "CLIENT", "INTERNAL")), st.booleans()
)
def test_reading_never_raises(
    attributes: dict[str, Any],
    events: list[Any],
    scope: str,
    resource: dict[str, Any],
    kind: str,
    failed: bool,
) -> None:
    read = span(
        attributes,
        events=events,
        scope_name=scope,
        resource=resource,
        kind=kind,
        status="error" if failed else "unset",
    )
    facts = read_facts(read)
    assert set(facts.quality) <= SENTENCES.keys()
    assert facts.convention in {convention.name for convention in SHELF} | {"none"}
    if facts.usage is not None:
        assert facts.kind.is_call
        assert all((getattr(facts.usage, bucket) or 0) >= 0 for bucket in facts.usage._fields)
    if failed:
        assert facts.error_class is not None
    for said in ("input_messages", "output_messages"):
        for message in (getattr(facts.content, said) or ()) if facts.content else ():
            assert isinstance(message["role"], str) and isinstance(message["parts"], list)
    assert not any(is_content(name) for name in strip_content(attributes))
    assert read_facts(read) == facts or "nan" in repr(facts)


@given(st.text(), st.sampled_from(sorted(n for n, a in TABLE.items() if a.group == "content")))
def test_any_text_as_content(text: str, name: str) -> None:
    read_facts(span({"gen_ai.operation.name": "chat", name: text}))
    read_facts(span({"openinference.span.kind": "LLM", name: json.dumps({"messages": text})}))
