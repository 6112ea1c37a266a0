"""Reading by templates gives the facts of a full reading, whatever the spans before it taught it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from holdfast.telemetry.conventions.content import is_content
from holdfast.telemetry.conventions.convention import ScopeOverride
from holdfast.telemetry.conventions.reading import read_facts
from holdfast.telemetry.conventions.shelf import TABLE
from holdfast.telemetry.conventions.templates import MOST_TEMPLATES, QuickReader, Templates
from holdfast.telemetry.model import Span
from telemetry.conventions.spans import event, span
from telemetry.conventions.test_never_raises import ATTRIBUTES, EVENTS, SCOPES, VALUES

OVERRIDES = {"my.client": ScopeOverride(input_includes_cache=False)}
CHAT = {
    "gen_ai.operation.name": "chat",
    "gen_ai.provider.name": "openai",
    "gen_ai.request.model": "gpt-4o",
    "gen_ai.response.model": "gpt-4o-2024-08-06",
    "gen_ai.response.id": "chatcmpl-1",
    "gen_ai.response.finish_reasons": ["stop"],
    "gen_ai.request.temperature": 0.2,
    "gen_ai.request.stop_sequences": ["a"],
    "gen_ai.usage.input_tokens": 100,
    "gen_ai.usage.output_tokens": 50,
    "gen_ai.usage.cache_read.input_tokens": 60,
    "gen_ai.response.time_to_first_chunk": 0.25,
    "gen_ai.usage.cost": 0.5,
    "gen_ai.input.messages": '[{"role":"user","parts":[{"type":"text","content":"hi"}]}]',
    "gen_ai.output.messages": '[{"role":"assistant","parts":[{"type":"text","content":"ho"}],"finish_reason":"stop"}]',
    "user.id": "u-1",
    "holdfast.tenant": "t-1",
}
REFUSED = (
    '[{"role":"assistant","parts":[{"type":"refusal","content":"no"}],"finish_reason":"content_filter"}]'
)
OTHERS = {
    "gen_ai.provider.name": ("anthropic", "OPENAI", "", 7, True, 1, 1.0),
    "gen_ai.response.id": ("chatcmpl-2", "", "x" * 600, 3, None),
    "gen_ai.response.finish_reasons": (["length"], ["content_filter"], "stop", [], [1], "[", [["x"]]),
    "gen_ai.request.temperature": (1, True, None, [0.1], [[1]], "0.7"),
    "gen_ai.usage.input_tokens": (0, -1, True, 100.0, "100", 10**13, 50, None),
    "gen_ai.usage.cache_read.input_tokens": (0, 500, "x"),
    "gen_ai.response.time_to_first_chunk": (1.5, -1.0, float("nan"), 2, "0.1", True),
    "gen_ai.usage.cost": (0.25, "0.1", -1, "x", None, float("inf")),
    "gen_ai.input.messages": ("[", "plain", "", 7, ["a"]),
    "gen_ai.output.messages": (REFUSED, "{", "[]", ""),
    "user.id": ("u-2", "", 9, "y" * 600),
    "holdfast.tenant": ("t-2", 5, False),
    "gen_ai.operation.name": ("embeddings", "execute_tool", "invoke_agent", "strange", -0.0, 0.0),
}


def facts_of(spans: Sequence[Span], templates: Templates) -> None:
    """Holds each span's facts, read one after the other, against those of a full reading."""
    reader = QuickReader(templates)
    for one in spans:
        facts, names = reader.read(one)
        full = read_facts(one, templates.overrides)
        full.content = None
        assert facts == full or re.search(r"\bnan\b", repr(full))
        assert list(names) == [name for name in one.attributes if is_content(name)]


@st.composite
def variants(draw: st.DrawFn) -> list[Span]:
    """Spans of one shape that differ in a few values, as a service sends them; some with one attribute less."""
    made = []
    scope = draw(SCOPES | st.just("my.client.chat"))
    for _ in range(draw(st.integers(2, 5))):
        attributes: dict[str, Any] = dict(CHAT)
        for name in draw(st.lists(st.sampled_from(sorted(OTHERS)), max_size=3)):
            attributes[name] = draw(st.sampled_from(OTHERS[name]))
        if draw(st.booleans()):
            attributes.pop(draw(st.sampled_from(sorted(CHAT))))
        resource = draw(st.sampled_from(({"service.name": "a"}, {"service.name": "b", "user.id": "r"}, {})))
        status = draw(st.sampled_from(("ok", "unset", "error")))
        made.append(span(attributes, scope_name=scope, resource=resource, status=status))
    return made


@settings(max_examples=400, deadline=None)
@given(variants())
@example([span(CHAT), span(CHAT | {"gen_ai.output.messages": REFUSED})])
@example([span(CHAT), span(CHAT | {"gen_ai.usage.input_tokens": 10})])
@example([span(CHAT), span(CHAT | {"gen_ai.request.model": "o3"}), span(CHAT)])
def test_spans_of_one_shape(spans: list[Span]) -> None:
    templates = Templates(OVERRIDES)
    facts_of(spans, templates)
    facts_of(spans, templates)  # now that all are known


@settings(max_examples=300, deadline=None)
@given(ATTRIBUTES, EVENTS, SCOPES, ATTRIBUTES, st.sampled_from(("SERVER", "CLIENT", "INTERNAL")), st.data())
def test_any_spans(
    attributes: dict[str, Any],
    events: list[Any],
    scope: str,
    resource: dict[str, Any],
    kind: str,
    data: st.DataObject,
) -> None:
    first = span(attributes, events=[], scope_name=scope, resource=resource, kind=kind)
    changed = dict(attributes)
    for name in list(changed)[:3]:
        changed[name] = data.draw(VALUES)
    others = [
        replace(first, attributes=changed),
        replace(first, events=events),
        replace(first, status="error"),
    ]
    facts_of([first, *others, first], Templates(OVERRIDES))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.sampled_from(sorted(TABLE)), min_size=1, max_size=6, unique=True), st.data())
def test_plain_values_under_any_known_names(names: list[str], data: st.DataObject) -> None:
    plain = st.sampled_from(("chat", "LLM", "x", "[]", "stop")) | st.integers(0, 50) | st.booleans()
    spans = [span({name: data.draw(plain) for name in names}) for _ in range(3)]
    facts_of([*spans, *spans], Templates())


def test_events_and_failures_are_read_in_full() -> None:
    spans = [
        span(CHAT),
        span(CHAT, events=[event("gen_ai.choice", {"message": '{"content":"x"}'})]),
        span(CHAT, status="error", status_message="429 rate limit"),
    ]
    facts_of(spans, Templates())


def test_conventions_that_put_right_what_was_stated() -> None:
    chat = CHAT | {"gen_ai.request.stop_sequences": "a"}
    unknown = {"gen_ai.usage.cost": 0, "gen_ai.request.max_tokens": -1, "gen_ai.request.stream": False}
    for first, second in (
        (chat, chat | unknown),
        (chat | unknown, chat | unknown | {"gen_ai.usage.cost": 0.5}),
    ):
        facts_of(
            [span(one, scope_name="openlit.instrumentation.openai") for one in (first, second)], Templates()
        )
    vercel = {"ai.operationId": "ai.generateText.doGenerate", "ai.model.provider": "openai.chat"}
    counts = {"ai.usage.promptTokens": 1000, "ai.usage.completionTokens": 50}
    cached = [
        {"ai.response.providerMetadata": f'{{"openai":{{"cachedPromptTokens":{n}}}}}'} for n in (600, 7)
    ]
    facts_of([span(vercel | counts | one) for one in cached], Templates())


def test_memory_is_bounded() -> None:
    templates = Templates()
    reader = QuickReader(templates)
    for number in range(MOST_TEMPLATES + 10):
        reader.read(span(CHAT | {"gen_ai.request.model": f"m{number}"}))
    held = sum(len(shape.templates) for shape in templates._shapes.values())
    assert held <= MOST_TEMPLATES
    facts_of([span(CHAT)], templates)


def test_facts_of_two_spans_share_nothing_that_changes() -> None:
    reader = QuickReader(Templates())
    (one, _), (two, _) = reader.read(span(CHAT)), reader.read(span(CHAT))
    one.parameters["temperature"] = 9
    assert two.parameters["temperature"] == CHAT["gen_ai.request.temperature"]


def test_reading_a_span_leaves_it_as_it_was() -> None:
    packed = {"message": "[half a list", "role": "user"}
    one = span(
        {"gen_ai.operation.name": "chat"},
        events=[event("gen_ai.user.message", {"gen_ai.event.content": packed})],
    )
    first = read_facts(one)
    assert first.quality == ("content.malformed_json",)
    assert read_facts(one) == first
    assert packed == {"message": "[half a list", "role": "user"}
