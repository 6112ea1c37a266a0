"""Messages of any client turned into the GenAI form: `{"role", "parts": [{"type": "text", "content": …}, …]}`.

Understood are OpenTelemetry's own form, OpenAI's (content and tool_calls), Anthropic's (blocks), Vercel's
(tool-call, tool-result), and plain text. What is not understood is kept whole inside a part, never dropped.
"""

from __future__ import annotations

from contextlib import suppress
from typing import Any

from holdfast.telemetry.conventions.values import loads

Message = dict[str, Any]
TEXT_TYPES = ("text", "input_text", "output_text")
REASONING_TYPES = ("reasoning", "thinking")
CALL_TYPES = ("tool_call", "tool-call", "tool_use", "function_call", "function")
RESULT_TYPES = ("tool_call_response", "tool_result", "tool-result", "function_call_output")
LISTS_INSIDE = ("messages", "contents", "choices", "output", "input", "prompt")


def text_message(role: str, text: str) -> Message:
    return {"role": role, "parts": [{"type": "text", "content": text}]}


def parse(value: Any) -> Any:
    """A JSON string as its value; a list of JSON strings as their values; anything else as it is.

    Raises ValueError when a string is no JSON.
    """
    if isinstance(value, str):
        return loads(value)
    if isinstance(value, bytes):
        return loads(value.decode("utf-8", "replace"))
    if isinstance(value, (list, tuple)):
        return [loads(item) if isinstance(item, str) and item[:1] in "{[" else item for item in value]
    return value


def to_messages(value: Any, role: str) -> list[Message]:
    """Messages from parsed JSON of whatever shape; `role` is for those that state none."""
    if isinstance(value, dict):
        if "role" in value or "parts" in value or "content" in value or "tool_calls" in value:
            return [to_message(value, role)]
        for name in LISTS_INSIDE:
            inner = value.get(name)
            if isinstance(inner, list):
                return _with_system(value, to_messages(inner, role))
            if isinstance(inner, str) and name in ("input", "prompt"):
                return _with_system(value, [text_message(role, inner)])
        return [{"role": role, "parts": [to_part(value)]}]
    if isinstance(value, (list, tuple)):
        if all(
            isinstance(item, dict) and type(item.get("parts")) is list and "role" in item for item in value
        ):
            return list(value)
        return [message for item in value for message in _one(item, role)]
    return [text_message(role, value if isinstance(value, str) else str(value))]


def _one(item: Any, role: str) -> list[Message]:
    if isinstance(item, dict):
        inner = item.get("message")
        if isinstance(inner, dict):  # a choice
            message = to_message(inner, role)
            if isinstance(item.get("finish_reason"), str):
                message["finish_reason"] = item["finish_reason"]
            return [message]
        return [to_message(item, role)]
    if isinstance(item, (list, tuple)):
        return [message for nested in item if isinstance(nested, dict) for message in _one(nested, role)]
    return [text_message(role, item if isinstance(item, str) else str(item))]


def _with_system(whole: Message, messages: list[Message]) -> list[Message]:
    system = whole.get("system") or whole.get("instructions")
    return [text_message("system", system), *messages] if isinstance(system, str) else messages


def to_message(item: Message, role: str) -> Message:
    """One message from a dict in anybody's form."""
    stated = item.get("role")
    message: Message = {"role": stated if isinstance(stated, str) and stated else role}
    parts = item.get("parts")
    if isinstance(parts, list):
        message["parts"] = [to_part(part) for part in parts]
    else:
        message["parts"] = _content_parts(item)
        if not message["parts"] and "type" in item and "role" not in item:
            message["parts"] = [to_part(item)]
    for name in ("name", "finish_reason"):
        if isinstance(item.get(name), str) and "type" not in item:
            message[name] = item[name]
    return message


def _content_parts(item: Message) -> list[Message]:
    content = item.get("content")
    parts: list[Message] = []
    answered = item.get("tool_call_id")
    if isinstance(answered, str):
        return [{"type": "tool_call_response", "id": answered, "response": content}]
    if isinstance(content, (list, tuple)):
        parts = [to_part(part) for part in content]
    elif isinstance(content, dict):
        parts = [to_part(content)]
    elif content is not None:
        parts = [{"type": "text", "content": content if isinstance(content, str) else str(content)}]
    if isinstance(item.get("refusal"), str):
        parts.append({"type": "refusal", "content": item["refusal"]})
    calls = item.get("tool_calls")
    if isinstance(calls, (list, tuple)):
        parts += [tool_call(call) for call in calls if isinstance(call, dict)]
    return parts


def to_part(part: Any) -> Message:
    """One part of a message in the canonical form; unknown types stay as they are."""
    if not isinstance(part, dict):
        return {"type": "text", "content": part if isinstance(part, str) else str(part)}
    kind = part.get("type")
    if kind in TEXT_TYPES or (kind is None and isinstance(part.get("text"), str)):
        return {"type": "text", "content": part.get("content", part.get("text"))}
    if kind in REASONING_TYPES:
        return {"type": "reasoning", "content": _first(part, "content", "thinking", "text")}
    if kind == "refusal":
        return {"type": "refusal", "content": _first(part, "content", "refusal")}
    if kind in CALL_TYPES:
        return tool_call(part)
    if kind in RESULT_TYPES:
        return {
            "type": "tool_call_response",
            "id": _first(part, "id", "tool_use_id", "toolCallId", "call_id"),
            "response": _first(part, "response", "result", "content", "output"),
        }
    return part if isinstance(kind, str) else {"type": "unknown", "content": part}


def tool_call(call: Message) -> Message:
    """A tool call in the canonical form; arguments written as JSON text become their value."""
    function = call.get("function")
    source = function if isinstance(function, dict) else call
    arguments = _first(source, "arguments", "input", "args")
    if isinstance(arguments, str):
        with suppress(ValueError):
            arguments = loads(arguments)
    return {
        "type": "tool_call",
        "id": _first(call, "id", "call_id", "toolCallId", "tool_call_id"),
        "name": _first(source, "name", "toolName"),
        "arguments": arguments,
    }


def _first(source: Message, *names: str) -> Any:
    return next((source[name] for name in names if source.get(name) is not None), None)
