"""Structures spread over indexed attribute names (`llm.input_messages.0.message.role`), put together again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from holdfast.telemetry.conventions.messages import CALL_TYPES, Message, text_message, to_message, to_part
from holdfast.telemetry.conventions.values import loads
from holdfast.telemetry.model import Attributes

OI_INPUT = "llm.input_messages."
OI_OUTPUT = "llm.output_messages."
OI_TOOLS = "llm.tools."
OI_DOCUMENTS = "retrieval.documents."
OI_RERANKED = "reranker.output_documents."
OI_EMBEDDED = "embedding.embeddings."
TL_PROMPT = "gen_ai.prompt."
TL_COMPLETION = "gen_ai.completion."
TL_FUNCTIONS = "llm.request.functions."
PREFIXES = (
    OI_INPUT,
    OI_OUTPUT,
    OI_TOOLS,
    OI_DOCUMENTS,
    OI_RERANKED,
    OI_EMBEDDED,
    TL_PROMPT,
    TL_COMPLETION,
    TL_FUNCTIONS,
)
DEEPEST = 12


def families(names: Iterable[str]) -> dict[str, list[str]]:
    """The indexed names among these, by the prefix of their family."""
    found: dict[str, list[str]] = {}
    for name in names:
        if name.startswith(PREFIXES):
            for prefix in PREFIXES:
                if name.startswith(prefix) and name[len(prefix) : len(prefix) + 1].isdigit():
                    found.setdefault(prefix, []).append(name)
                    break
    return found


def gather(attributes: Attributes, prefix: str, names: Iterable[str]) -> list[dict[str, Any]]:
    """The items of one family as nested dicts in index order; `.3.` inside becomes a list position."""
    items: dict[int, dict[str, Any]] = {}
    for name in names:
        index, _, rest = name[len(prefix) :].partition(".")
        path = rest.split(".", DEEPEST)
        if not index.isdecimal() or len(index) > 9:
            continue
        node = items.setdefault(int(index), {})
        for step in path[:-1]:
            inner = node.setdefault(step, {})
            if not isinstance(inner, dict):
                break
            node = inner
        else:
            node[path[-1]] = attributes[name]
    return [items[index] for index in sorted(items)]


def in_order(node: Any) -> list[Any]:
    """A gathered dict keyed by digits as a list; empty for anything else."""
    if not isinstance(node, dict):
        return []
    return [node[key] for key in sorted((k for k in node if k.isdecimal()), key=lambda k: (len(k), k))]


def openinference_message(item: dict[str, Any], role: str) -> Message:
    """One gathered OpenInference message."""
    body = item.get("message")
    if not isinstance(body, dict):
        return {"role": role, "parts": []}
    message = to_message({"role": body.get("role"), "content": body.get("content")}, role)
    for content in in_order(body.get("contents")):
        block = content.get("message_content") if isinstance(content, dict) else None
        if isinstance(block, dict) and block.get("type") not in CALL_TYPES:  # the calls follow by themselves
            message["parts"].append(to_part(block))
    for call in in_order(body.get("tool_calls")):
        inner = call.get("tool_call") if isinstance(call, dict) else None
        if isinstance(inner, dict):
            message["parts"].append(to_part(inner | {"type": "tool_call"}))
    answered = body.get("tool_call_id")
    if isinstance(answered, str):
        message["parts"] = [{"type": "tool_call_response", "id": answered, "response": body.get("content")}]
    return message


def traceloop_message(item: dict[str, Any], role: str) -> Message:
    """One gathered gen_ai.prompt.{i} or gen_ai.completion.{i}."""
    content = item.get("content")
    if isinstance(content, str) and content[:1] == "[":
        try:
            content = loads(content)
        except ValueError:
            content = item.get("content")
    return to_message(
        {
            "role": item.get("role"),
            "content": content,
            "tool_calls": in_order(item.get("tool_calls")),
            "tool_call_id": item.get("tool_call_id"),
            "finish_reason": item.get("finish_reason"),
        },
        role,
    )


def document(item: dict[str, Any]) -> dict[str, Any]:
    """A gathered or native document as {id, score, content, metadata}; None is not stated."""
    body = item.get("document")
    source = body if isinstance(body, dict) else item
    content = next(
        (source[n] for n in ("content", "text", "page_content", "document") if source.get(n)), None
    )
    metadata = source.get("metadata")
    if isinstance(metadata, str):
        try:
            metadata = loads(metadata)
        except ValueError:
            metadata = source.get("metadata")
    score = source.get("score")
    return {
        "id": source.get("id"),
        "score": float(score) if isinstance(score, (int, float)) and not isinstance(score, bool) else None,
        "content": content,
        "metadata": metadata,
    }


def embedded_text(item: dict[str, Any]) -> Message | None:
    """The text that was embedded, never the vector."""
    body = item.get("embedding")
    text = body.get("text") if isinstance(body, dict) else None
    return text_message("user", text) if isinstance(text, str) else None


def tool_definition(item: dict[str, Any]) -> dict[str, Any] | None:
    """A gathered OpenInference tool schema or an old traceloop function."""
    body = item.get("tool")
    source = body.get("json_schema") if isinstance(body, dict) else item
    if isinstance(source, str):
        try:
            source = loads(source)
        except ValueError:
            return {"type": "unknown", "content": source}
    return source if isinstance(source, dict) else None
