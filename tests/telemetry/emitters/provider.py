"""A small HTTP server that answers like OpenAI and Anthropic: real bytes for the official SDKs, fixed usage.

Every OpenAI answer bills 1000 input (600 of them cached) and 50 output (20 of them reasoning); an embedding
bills 5 input. Every Anthropic answer bills 100 uncached, 600 cache read, 300 cache write and 50 output. The
model `rate-limited` is answered with 429 and `broken` with 500. Response ids are unique per request.
"""

from __future__ import annotations

import itertools
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

OPENAI_USAGE = {
    "prompt_tokens": 1000,
    "completion_tokens": 50,
    "total_tokens": 1050,
    "prompt_tokens_details": {"cached_tokens": 600},
    "completion_tokens_details": {"reasoning_tokens": 20},
}
RESPONSES_USAGE = {
    "input_tokens": 1000,
    "output_tokens": 50,
    "total_tokens": 1050,
    "input_tokens_details": {"cached_tokens": 600},
    "output_tokens_details": {"reasoning_tokens": 20},
}
ANTHROPIC_USAGE = {
    "input_tokens": 100,
    "cache_read_input_tokens": 600,
    "cache_creation_input_tokens": 300,
    "output_tokens": 50,
}
NUMBERS = itertools.count(1)


def chat_answer(body: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": "Hello"}
    if body.get("tools"):
        function = {"name": "get_weather", "arguments": '{"city":"Paris"}'}
        message = {
            "role": "assistant",
            "content": None,
            "tool_calls": [{"id": "call_1", "type": "function", "function": function}],
        }
    return {
        "id": f"chatcmpl-{next(NUMBERS)}",
        "object": "chat.completion",
        "created": 1,
        "model": f"{body['model']}-2024-07-18",
        "service_tier": "default",
        "choices": [
            {
                "index": 0,
                "message": message,
                "finish_reason": "tool_calls" if body.get("tools") else "stop",
            }
        ],
        "usage": OPENAI_USAGE,
    }


def chat_chunks(body: dict[str, Any]) -> list[str]:
    whole = chat_answer(body)
    head = {key: whole[key] for key in ("id", "created", "model")} | {"object": "chat.completion.chunk"}
    deltas = [{"role": "assistant", "content": "Hel"}, {"content": "lo"}]
    chunks: list[dict[str, Any]] = [
        head | {"choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas
    ]
    chunks.append(head | {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]})
    chunks.append(head | {"choices": [], "usage": OPENAI_USAGE})
    return [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks] + ["data: [DONE]\n\n"]


def responses_answer(body: dict[str, Any]) -> dict[str, Any]:
    text = {"type": "output_text", "text": "Hello", "annotations": []}
    message = {
        "id": "m1",
        "type": "message",
        "role": "assistant",
        "status": "completed",
        "content": [text],
    }
    return {
        "id": f"resp_{next(NUMBERS)}",
        "object": "response",
        "created_at": 1,
        "model": f"{body['model']}-2024-07-18",
        "status": "completed",
        "incomplete_details": None,
        "output": [message],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": RESPONSES_USAGE,
    }


def embeddings_answer(body: dict[str, Any]) -> dict[str, Any]:
    return {
        "object": "list",
        "model": body["model"],
        "data": [{"object": "embedding", "index": 0, "embedding": [0.1, 0.2, 0.3]}],
        "usage": {"prompt_tokens": 5, "total_tokens": 5},
    }


def messages_answer(body: dict[str, Any]) -> dict[str, Any]:
    content: list[dict[str, Any]] = [{"type": "text", "text": "Hello"}]
    if body.get("tools"):
        content = [{"type": "tool_use", "id": "toolu_1", "name": "get_weather", "input": {"city": "Paris"}}]
    return {
        "id": f"msg_{next(NUMBERS)}",
        "type": "message",
        "role": "assistant",
        "model": f"{body['model']}-20250929",
        "content": content,
        "stop_reason": "tool_use" if body.get("tools") else "end_turn",
        "stop_sequence": None,
        "usage": ANTHROPIC_USAGE,
    }


def messages_chunks(body: dict[str, Any]) -> list[str]:
    whole = messages_answer(body)
    start = whole | {"content": [], "stop_reason": None, "usage": ANTHROPIC_USAGE | {"output_tokens": 1}}
    block = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    delta = {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hello"}}
    end = {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": ANTHROPIC_USAGE,
    }
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": start},
        block,
        delta,
        {"type": "content_block_stop", "index": 0},
        end,
        {"type": "message_stop"},
    ]
    return [f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events]


ANSWERS = {
    "/v1/chat/completions": (chat_answer, chat_chunks),
    "/v1/responses": (responses_answer, None),
    "/v1/embeddings": (embeddings_answer, None),
    "/v1/messages": (messages_answer, messages_chunks),
}
FAILURES = {"rate-limited": (429, "rate_limit_error"), "broken": (500, "api_error")}


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if body["model"] in FAILURES:
            status, kind = FAILURES[body["model"]]
            error = {"type": "error", "error": {"type": kind, "message": f"the provider says {kind}"}}
            return self.answer(status, "application/json", json.dumps(error))
        whole, chunks = ANSWERS[self.path.split("?")[0]]
        if body.get("stream") and chunks is not None:
            return self.answer(200, "text/event-stream", "".join(chunks(body)))
        return self.answer(200, "application/json", json.dumps(whole(body)))

    def answer(self, status: int, kind: str, text: str) -> None:
        payload = text.encode()
        self.send_response(status)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(payload)))
        self.end_headers()
        self.wfile.write(payload)

    def log_message(self, format: str, *args: Any) -> None:
        return None


@contextmanager
def provider() -> Iterator[str]:
    """Serve on a free port of 127.0.0.1 until the block ends; yields the base URL without a path."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=5)
