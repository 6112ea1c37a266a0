"""What the tests of translation share: small requests, strict readings by the SDKs' own types, events read back."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from typing import Any, get_type_hints

import pydantic
from anthropic.types.message_create_params import (
    MessageCreateParamsNonStreaming,
    MessageCreateParamsStreaming,
)
from openai.types.chat.completion_create_params import (
    CompletionCreateParamsNonStreaming,
    CompletionCreateParamsStreaming,
)

from holdfast.gateway.model import Dialect

OPENAI, ANTHROPIC = Dialect.OPENAI, Dialect.ANTHROPIC
NOW = 1_790_000_000
PNG = "iVBORw0KGgo="

OLDER = frozenset({"temperature", "top_p"})
"""What the Messages API takes in the version that is sent, and the installed SDK no longer types."""

_TYPED: dict[tuple[Dialect, bool], Any] = {
    (OPENAI, False): CompletionCreateParamsNonStreaming,
    (OPENAI, True): CompletionCreateParamsStreaming,
    (ANTHROPIC, False): MessageCreateParamsNonStreaming,
    (ANTHROPIC, True): MessageCreateParamsStreaming,
}


def fields(dialect: Dialect) -> frozenset[str]:
    """The top-level fields of a request that the installed SDK knows."""
    return frozenset(get_type_hints(_TYPED[dialect, True]))


@cache
def _adapter(dialect: Dialect, streamed: bool) -> pydantic.TypeAdapter[Any]:
    return pydantic.TypeAdapter(_TYPED[dialect, streamed])


def check(body: Mapping[str, Any], dialect: Dialect) -> None:
    """Fails unless the SDK could have sent this body: known fields, and each of its type down to the leaves."""
    unknown = body.keys() - fields(dialect) - (OLDER if dialect is ANTHROPIC else frozenset())
    assert not unknown, f"the SDK does not know {unknown}"
    read = _adapter(dialect, bool(body.get("stream"))).validate_python(
        {name: body[name] for name in body.keys() - OLDER}
    )
    _settle(read)
    json.dumps(body)


def _settle(value: object) -> None:
    """Walks all of it: an Iterable is validated only when it is read."""
    if isinstance(value, Mapping):
        for one in value.values():
            _settle(one)
    elif isinstance(value, Iterable) and not isinstance(value, str | bytes):
        for one in value:
            _settle(one)


def chat(*messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A request to Chat Completions."""
    turns = list(messages) or [{"role": "user", "content": "Hi"}]
    return {"model": "some-model", "max_completion_tokens": 64, "messages": turns, **more}


def ask(*messages: dict[str, Any], **more: Any) -> dict[str, Any]:
    """A request to Messages."""
    turns = list(messages) or [{"role": "user", "content": "Hi"}]
    return {"model": "some-model", "max_tokens": 64, "messages": turns, **more}


def user(content: Any) -> dict[str, Any]:
    return {"role": "user", "content": content}


def assistant(content: Any, **more: Any) -> dict[str, Any]:
    return {"role": "assistant", "content": content, **more}


def system(content: Any) -> dict[str, Any]:
    return {"role": "system", "content": content}


def text(words: str) -> dict[str, Any]:
    return {"type": "text", "text": words}


def call(id: str, name: str, arguments: str) -> dict[str, Any]:
    return {"id": id, "type": "function", "function": {"name": name, "arguments": arguments}}


def tool_use(id: str, name: str, input: dict[str, Any]) -> dict[str, Any]:
    return {"type": "tool_use", "id": id, "name": name, "input": input}


def events(raw: bytes) -> Iterator[tuple[str, bytes]]:
    """Name and data of each server-sent event. Fails on half an event."""
    assert raw == b"" or raw.endswith(b"\n\n")
    for block in raw.split(b"\n\n")[:-1]:
        name, data = "", b""
        for line in block.split(b"\n"):
            field, _, value = line.partition(b": ")
            if field == b"event":
                name = value.decode()
            else:
                assert field == b"data" and not data
                data = value
        yield name, data


def wire(*said: dict[str, Any], done: bool = True) -> bytes:
    """An upstream's stream: Anthropic's events have a type, which names them; OpenAI's have none and end in [DONE]."""
    raw = b""
    for one in said:
        named = f"event: {one['type']}\n" if "type" in one else ""
        raw += f"{named}data: {json.dumps(one)}\n\n".encode()
    return raw + (b"data: [DONE]\n\n" if done and "type" not in said[0] else b"")
