"""What was said: captured content of a span from attributes, indexed attributes and span events."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from holdfast.telemetry.conventions import flattened
from holdfast.telemetry.conventions.convention import Draft
from holdfast.telemetry.conventions.messages import Message, parse, text_message, to_messages, tool_call
from holdfast.telemetry.conventions.shelf import TABLE
from holdfast.telemetry.model import Attributes, Content, Kind, SpanEvent

MALFORMED: Final = "content.malformed_json"

CONTENT_ATTRIBUTES: Final = frozenset(name for name, alias in TABLE.items() if alias.group == "content") | {
    "input.images",
    "input.documents",
    "output.images",
    "output.documents",
    "llm.function_call",
    "llm.prompts",
    "llm.choices",
    "llm.prompt_template.template",
    "llm.prompt_template.variables",
    "reranker.query",
    "tool.json_schema",
    "traceloop.prompt.template",
    "traceloop.prompt.template_variables",
    "gen_ai.headers",
    "llm.headers",
    "gen_ai.request.structured_output_schema",
    "ai.schema",
    "ai.embedding",
    "ai.embeddings",
    "ai.response.providerMetadata",  # may hold the answer's tokens one by one, or what a search found
    "mcp.request.argument",
    "mcp.response.value",
    "mlflow.spanInputs",
    "mlflow.spanOutputs",
    "langfuse.observation.input",
    "langfuse.observation.output",
    "langfuse.trace.input",
    "langfuse.trace.output",
    "gen_ai.event.content",
}
CONTENT_PREFIXES: Final = (
    "llm.input_messages.",
    "llm.output_messages.",
    "llm.tools.",
    "llm.prompts.",
    "llm.choices.",
    "llm.request.functions.",
    "retrieval.documents.",
    "reranker.input_documents.",
    "reranker.output_documents.",
    "embedding.embeddings.",
    "input.images.",
    "input.documents.",
    "output.images.",
    "output.documents.",
    "gen_ai.prompt.variable.",
    "gen_ai.memory.",
    "ai.prompt.",
    "ai.request.headers.",
    "ai.request.body",
    "ai.response.text",
    "ai.response.object",
    "ai.response.reasoning",
    "ai.response.files",
    "ai.response.toolCalls",
    "ai.toolCall.",
    "db.query.result.",
    "db.search.result.",
)
NOT_CONTENT: Final = frozenset(("ai.toolCall.name", "ai.toolCall.id", "gen_ai.memory.store.id"))
OLD_EVENTS: Final = {
    "gen_ai.system.message": "system",
    "gen_ai.user.message": "user",
    "gen_ai.assistant.message": "assistant",
    "gen_ai.tool.message": "tool",
}
CONTENT_EVENTS: Final = frozenset(OLD_EVENTS) | {
    "gen_ai.choice",
    "gen_ai.content.prompt",
    "gen_ai.content.completion",
    "gen_ai.client.inference.operation.details",
    "db.query.result",
    "db.search.result",
}


_LISTS: Final = ("documents", "results", "matches", "hits", "nodes", "data")
"""Names under which an answer to a search has the list of what was found."""
LONGEST_REMEMBERED: Final = 200  # characters; what is longer is judged anew, so that memory stays bounded


def is_content(name: str) -> bool:
    """Whether a raw attribute of this name carries what somebody said, asked, retrieved or sent along.

    Names of events that carry content in all their attributes count too: no attribute is called like them.
    """
    return _remembered(name) if len(name) <= LONGEST_REMEMBERED else _judged(name)


def _judged(name: str) -> bool:
    if name in CONTENT_ATTRIBUTES or name in CONTENT_EVENTS:
        return True
    if name.startswith(("gen_ai.prompt.", "gen_ai.completion.")):
        return name.split(".", 3)[2].isdecimal() or name.startswith("gen_ai.prompt.variable.")
    return name.startswith(CONTENT_PREFIXES) and name not in NOT_CONTENT


_remembered = lru_cache(maxsize=20_000)(_judged)


def is_content_event(name: str) -> bool:
    """Whether a span event of this name carries content in its attributes."""
    return name in CONTENT_EVENTS


def strip_content(attributes: Attributes) -> Attributes:
    """A copy of raw attributes without those that carry content, to be stored apart from it."""
    return {name: value for name, value in attributes.items() if not is_content(name)}


@dataclass(slots=True)
class Found:
    """Captured content, and what it says by the way."""

    content: Content = field(default_factory=Content)
    finish_reasons: list[str] = field(default_factory=list)
    quality: list[str] = field(default_factory=list)
    any: bool = False
    listed: bool = False  # documents were told one by one

    @property
    def refused(self) -> bool | None:
        """True for a part of type refusal in the answer, False for an answer without one, None for none."""
        answers = self.content.output_messages
        if not answers:
            return None
        return any(
            isinstance(part, dict) and part.get("type") == "refusal"
            for answer in answers
            for part in answer.get("parts") or ()
        )

    def put(self, name: str, value: Any) -> None:
        """Fill a field that is still unknown; the first source found is the best one."""
        if value is not None and getattr(self.content, name) is None:
            setattr(self.content, name, value)
            self.any = True

    def structured(self, value: Any, role: str) -> list[Message]:
        """Messages of an attribute that must be JSON; one text part and a code when it is malformed."""
        try:
            return to_messages(parse(value), role)
        except ValueError:
            self.quality.append(MALFORMED)
            return [text_message(role, as_text(value))]

    def loose(self, value: Any) -> Any:
        """The value of an attribute that may be JSON or plain text."""
        if isinstance(value, str) and value.lstrip()[:1] in ("{", "["):
            try:
                return parse(value)
            except ValueError:
                self.quality.append(MALFORMED)
        return value


def as_text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else str(value)


def read_content(draft: Draft, kind: Kind) -> Found | None:
    """All captured content of a span, or None when nothing was captured. Never raises."""
    found = Found()
    span = draft.span
    _from_slots(found, draft.content)
    families = flattened.families(draft.unknown) if draft.unknown else None
    if families:
        _from_families(found, span.attributes, families)
    if span.events:
        _from_events(found, span.events)
    _from_raw(found, draft.content, kind)
    return found if found.any else None


def glance(values: dict[str, Any], kind: Kind) -> Found | None:
    """Like `read_content` for a span that has its content in these slots alone, without events."""
    found = Found()
    _from_slots(found, values)
    _from_raw(found, values, kind)
    return found if found.any else None


def _from_slots(found: Found, values: dict[str, Any]) -> None:
    """Attributes of today's conventions."""
    get = values.get
    if (value := get("system_instructions")) is not None:
        instructions = found.structured(value, "system")
        found.put("system_instructions", [part for message in instructions for part in message["parts"]])
    if (value := get("input_messages")) is not None:
        found.put("input_messages", found.structured(value, "user"))
    if (value := get("output_messages")) is not None:
        answers = found.structured(value, "assistant")
        found.put("output_messages", answers)
        _note_finish(found, answers)
    if (value := get("tool_definitions")) is not None:
        found.put("tool_definitions", _definitions(found, value))
    for name in ("tool_arguments", "tool_result"):
        if (value := get(name)) is not None:
            found.put(name, found.loose(value))
    if (value := get("query")) is not None:
        found.put("query", as_text(value))
    if (value := get("documents")) is not None:
        _put_documents(found, found.loose(value))


def _note_finish(found: Found, answers: list[Message]) -> None:
    found.finish_reasons += [r for answer in answers if isinstance(r := answer.get("finish_reason"), str)]


def _definitions(found: Found, value: Any) -> list[dict[str, Any]]:
    parsed = found.loose(value)
    parsed = [found.loose(item) for item in parsed] if isinstance(parsed, (list, tuple)) else [parsed]
    return [item if isinstance(item, dict) else {"type": "unknown", "content": item} for item in parsed]


def _put_documents(found: Found, value: Any) -> None:
    """What a retrieval found: a list, or one under a name that such answers use; else one text of unknown parts."""
    if isinstance(value, dict):
        value = next((value[name] for name in _LISTS if isinstance(value.get(name), list)), value)
    if found.content.documents is None:
        found.listed = isinstance(value, (list, tuple))
    found.put("documents", _documents(value))


def _documents(value: Any) -> list[dict[str, Any]]:
    items = value if isinstance(value, (list, tuple)) else [value]
    return [flattened.document(item if isinstance(item, dict) else {"content": item}) for item in items]


def _from_families(found: Found, attributes: Attributes, families: dict[str, list[str]]) -> None:
    """Indexed attributes of OpenInference and of older traceloop releases."""

    def items(prefix: str) -> list[dict[str, Any]]:
        return flattened.gather(attributes, prefix, families[prefix]) if prefix in families else []

    if inputs := items(flattened.OI_INPUT):
        found.put("input_messages", [flattened.openinference_message(item, "user") for item in inputs])
    if outputs := items(flattened.OI_OUTPUT):
        found.put("output_messages", [flattened.openinference_message(item, "assistant") for item in outputs])
    if prompts := items(flattened.TL_PROMPT):
        found.put("input_messages", [flattened.traceloop_message(item, "user") for item in prompts])
    if completions := items(flattened.TL_COMPLETION):
        answers = [flattened.traceloop_message(item, "assistant") for item in completions]
        found.put("output_messages", answers)
        _note_finish(found, answers)
    if tools := items(flattened.OI_TOOLS) + items(flattened.TL_FUNCTIONS):
        definitions = [flattened.tool_definition(item) for item in tools]
        found.put("tool_definitions", [d for d in definitions if d is not None] or None)
    if documents := items(flattened.OI_RERANKED) or items(flattened.OI_DOCUMENTS):
        _put_documents(found, documents)
    if embedded := items(flattened.OI_EMBEDDED):
        texts = [flattened.embedded_text(item) for item in embedded]
        found.put("input_messages", [text for text in texts if text is not None] or None)


def _from_events(found: Found, events: Iterable[SpanEvent]) -> None:
    """Span events of the conventions before 1.37, the details event, and vector-store results."""
    inputs: list[Message] = []
    outputs: list[Message] = []
    documents: list[dict[str, Any]] = []
    for event in events:
        get = event.attributes.get
        role = OLD_EVENTS.get(event.name)
        if role is not None:
            inputs += to_messages(_event_body(found, event, role), role)
        elif event.name == "gen_ai.choice":
            answers = to_messages([_event_body(found, event, "assistant")], "assistant")
            outputs += answers
            _note_finish(found, answers)
        elif event.name == "gen_ai.content.prompt" and get("gen_ai.prompt") is not None:
            inputs += found.structured(get("gen_ai.prompt"), "user")
        elif event.name == "gen_ai.content.completion" and get("gen_ai.completion") is not None:
            outputs += found.structured(get("gen_ai.completion"), "assistant")
        elif event.name == "gen_ai.client.inference.operation.details":
            _from_slots(found, _details(event))
        elif event.name in ("db.query.result", "db.search.result"):
            fields = {name[len(event.name) + 1 :]: value for name, value in event.attributes.items()}
            documents.append(fields)
    found.put("input_messages", inputs or None)
    found.put("output_messages", outputs or None)
    if documents:
        _put_documents(found, documents)


def _details(event: SpanEvent) -> dict[str, Any]:
    """The content slots that the details event of 1.37 fills."""
    known = ((TABLE.get(name), value) for name, value in event.attributes.items())
    return {a.key: value for a, value in known if a is not None and a.group == "content"}


def _event_body(found: Found, event: SpanEvent, role: str) -> Any:
    """The message in an event: its attributes, or the JSON that some put into gen_ai.event.content."""
    body: dict[str, Any] = dict(event.attributes)
    packed = body.pop("gen_ai.event.content", None)
    if packed is not None:
        inner = found.loose(packed)
        body = dict(inner) if isinstance(inner, dict) else {"content": inner}
    for name in ("message", "tool_calls"):
        if isinstance(body.get(name), str):
            inner = found.loose(body[name])
            body[name] = inner if name != "message" or isinstance(inner, dict) else {"content": inner}
    if role == "tool" and isinstance(body.get("id"), str):
        body["tool_call_id"] = body["id"]
    if "content" not in body and "message" not in body and "tool_calls" not in body:
        body["content"] = ""
    return body


def _unquoted(value: Any) -> Any:
    """A text that was written as a JSON string; anything else as it is."""
    if isinstance(value, str) and value[:1] == '"':
        with suppress(ValueError):
            return parse(value)
    return value


def _from_raw(found: Found, values: dict[str, Any], kind: Kind) -> None:
    """The catch-all attributes (input.value, traceloop.entity.input, ai.prompt …), read by kind of span."""
    if (embedded := values.get("embedded")) is not None:
        texts = embedded if isinstance(embedded, (list, tuple)) else [embedded]
        found.put(
            "input_messages", [text_message("user", as_text(_unquoted(text))) for text in texts] or None
        )
    said, answered = values.get("raw_input"), values.get("raw_output")
    calls = values.get("output_tool_calls")
    if said is None and answered is None and calls is None:
        return
    content = found.content
    if kind is Kind.TOOL:
        found.put("tool_arguments", None if said is None else found.loose(said))
        found.put("tool_result", None if answered is None else found.loose(answered))
        return
    if kind in (Kind.RETRIEVAL, Kind.RERANK):
        found.put("query", None if said is None else as_text(said))
        if answered is not None and content.documents is None and kind is Kind.RETRIEVAL:
            _put_documents(found, found.loose(answered))
        return
    if said is not None and content.input_messages is None:
        found.put("input_messages", to_messages(found.loose(said), "user"))
    if content.output_messages is None and kind is not Kind.EMBEDDINGS:
        answers = [] if answered is None else to_messages(found.loose(answered), "assistant")
        if calls is not None:
            listed = found.loose(calls)
            parts = (
                [tool_call(call) for call in listed if isinstance(call, dict)]
                if isinstance(listed, list)
                else []
            )
            answers.append({"role": "assistant", "parts": parts})
        _note_finish(found, answers)
        found.put("output_messages", answers or None)
