"""A vendor on a loopback port that behaves as each request's model name tells it to: well, or badly in a stated way.

It keeps a meter of its own of what it was asked and what it generated, which a gateway cannot see.
"""

from __future__ import annotations

import asyncio
import json
import threading
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import uvicorn

from stand import free_port


@dataclass
class Vendor:
    """Speaks OpenAI, Anthropic and Gemini. `tell(model, …)` sets how it behaves for a model; without, it answers well."""

    port: int = field(default_factory=free_port)
    behaviours: dict[str, list[str]] = field(default_factory=dict)
    seen: list[dict[str, Any]] = field(default_factory=list)
    meter: Counter[str] = field(default_factory=Counter)
    open: int = 0
    words: list[str] = field(default_factory=lambda: ["Hello", " there", ",", " friend", "."])
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def tell(self, model: str, *behaviours: str) -> None:
        """Each request for the model takes the next behaviour; the last stays."""
        self.behaviours[model] = list(behaviours)

    def _next(self, model: str) -> str:
        left = self.behaviours.get(model)
        if not left:
            return "well"
        return left.pop(0) if len(left) > 1 else left[0]

    def start(self) -> None:
        config = uvicorn.Config(
            self, host="127.0.0.1", port=self.port, lifespan="off", log_level="error", ws="none",
            timeout_graceful_shutdown=1,
        )  # fmt: skip
        self._server = uvicorn.Server(config)
        self._server.install_signal_handlers = lambda: None  # type: ignore[attr-defined]
        self._thread = threading.Thread(target=self._server.run, daemon=True)
        self._thread.start()
        while not self._server.started:
            assert self._thread.is_alive()
            threading.Event().wait(0.01)

    def stop(self) -> None:
        self.released.set()
        self._server.should_exit = True
        self._thread.join(10)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        raw, more = b"", True
        while more:
            message = await receive()
            raw += message.get("body", b"")
            more = message.get("more_body", False)
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        path = scope["path"]
        try:
            body = json.loads(raw) if raw else {}
        except ValueError:
            body = {}
        model = body.get("model", "") or path.rpartition("/")[2].partition(":")[0]
        asked = {"path": path, "query": scope["query_string"].decode(), "method": scope["method"],
                 "headers": headers, "body": body, "raw": raw}  # fmt: skip
        self.seen.append(asked)
        self.meter["asked"] += 1
        self.open += 1
        try:
            await self._behave(self._next(model), path, body, receive, send)
        finally:
            self.open -= 1

    async def _behave(self, how: str, path: str, body: dict[str, Any], receive: Any, send: Any) -> None:
        status, _, rest = how.partition(" ")
        if status.isdecimal():
            extra = [(b"retry-after", rest.encode())] if rest else []
            await whole(
                send,
                int(status),
                {"error": {"message": f"told to say {status}", "type": "told", "code": None}},
                extra,
            )
        elif how == "slow 200":
            await asyncio.sleep(0.6)
            await whole(send, 200, self._answer(path, body, how))
        elif how == "slow 500":
            await asyncio.sleep(0.3)
            await whole(send, 500, {"error": {"message": "told to say 500, late", "type": "told"}})
        elif how == "stall":
            await gone_or(receive, self.released)
        elif how == "reset":
            send.__self__.transport.abort()
        elif how == "half":
            await start(send, 200, b"application/json", [(b"content-length", b"1000")])
            await send({"type": "http.response.body", "body": b'{"id": "x", "choi', "more_body": True})
            send.__self__.transport.close()
        elif streams(path, body):
            await self._stream(how, path, body, receive, send)
        else:
            await whole(send, 200, self._answer(path, body, how))

    def _answer(self, path: str, body: dict[str, Any], how: str) -> dict[str, Any]:
        text = how.removeprefix("says ") if how.startswith("says ") else "".join(self.words)
        asked, told = len(json.dumps(body)) // 4 + 1, len(self.words)
        if how.startswith("usage "):
            told = int(how.split()[1])
        self.meter["input"] += asked
        self.meter["output"] += told
        model = body.get("model", "")
        if path.endswith("/embeddings"):
            return {"object": "list", "model": model, "data": [{"object": "embedding", "index": 0, "embedding": [0.1, 0.2]}],
                    "usage": {"prompt_tokens": asked, "total_tokens": asked}}  # fmt: skip
        if path.endswith("/responses"):
            return self._response(model, text, asked, told)
        if path.endswith("count_tokens"):
            return {"input_tokens": asked}
        if path.endswith("/messages"):
            return {"id": "msg_1", "type": "message", "role": "assistant", "model": model,
                    "content": [{"type": "text", "text": text}], "stop_reason": "end_turn", "stop_sequence": None,
                    "usage": {"input_tokens": asked, "output_tokens": told}}  # fmt: skip
        if "generatecontent" in path.casefold():
            used = {"promptTokenCount": asked, "candidatesTokenCount": told, "totalTokenCount": asked + told}
            return {"candidates": [{"content": {"role": "model", "parts": [{"text": text}]}, "finishReason": "STOP"}],
                    "usageMetadata": used,
                    "modelVersion": path.rpartition("/")[2].partition(":")[0], "responseId": "g1"}  # fmt: skip
        message: dict[str, Any] = {"role": "assistant", "content": text}
        reason = "stop"
        if body.get("tools"):
            name = body["tools"][0]["function"]["name"]
            call = {
                "id": "call_1",
                "type": "function",
                "function": {"name": name, "arguments": '{"city": "Riga"}'},
            }
            message, reason = {"role": "assistant", "content": None, "tool_calls": [call]}, "tool_calls"
        if body.get("response_format", {}).get("type") == "json_schema":
            message = {"role": "assistant", "content": '{"city": "Riga"}'}
        return {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": model,
                "unknown_field": {"kept": True},
                "choices": [{"index": 0, "message": message, "finish_reason": reason}],
                "usage": {"prompt_tokens": asked, "completion_tokens": told, "total_tokens": asked + told}}  # fmt: skip

    def _response(self, model: str, text: str, asked: int, told: int) -> dict[str, Any]:
        part = {"type": "output_text", "text": text, "annotations": []}
        return {"id": "resp_1", "object": "response", "created_at": 1, "status": "completed", "model": model,
                "output": [{"id": "m1", "type": "message", "role": "assistant", "status": "completed", "content": [part]}],
                "parallel_tool_calls": True, "tool_choice": "auto", "tools": [],
                "usage": {"input_tokens": asked, "output_tokens": told, "total_tokens": asked + told,
                          "input_tokens_details": {"cached_tokens": 0},
                          "output_tokens_details": {"reasoning_tokens": 0}}}  # fmt: skip

    async def _stream(self, how: str, path: str, body: dict[str, Any], receive: Any, send: Any) -> None:
        events = self._events(path, body)
        await start(send, 200, b"text/event-stream")
        for number, event in enumerate(events):
            if how == "close mid" and number == 3:
                await send({"type": "http.response.body", "body": b""})
                return
            if (how == "reset mid" and number == 3) or (how == "reset late" and number == 5):
                send.__self__.transport.abort()
                return
            if how == "hold mid" and number == 3:
                await gone_or(receive, self.released)
            if how == "stall mid" and number == 3:
                await gone_or(receive, self.released)
                return
            if how == "error mid" and number == 3:
                await send(piece(b'data: {"error":{"message":"overloaded","type":"server_error"}}\n\n'))
                await send({"type": "http.response.body", "body": b""})
                return
            if how == "trickle":
                for byte in event:
                    await send(piece(bytes([byte])))
                    await asyncio.sleep(0)
            else:
                await send(piece(event))
                await asyncio.sleep(0)
        await send({"type": "http.response.body", "body": b""})

    def _events(self, path: str, body: dict[str, Any]) -> list[bytes]:
        answer = self._answer(path, body, "well")
        if path.endswith("/messages"):
            return anthropic(answer, self.words)
        if path.endswith("/responses"):
            return responses(answer, self.words)
        if "streamgeneratecontent" in path.casefold():
            pieces = [
                {"candidates": [{"content": {"parts": [{"text": word}], "role": "model"}}]}
                for word in self.words
            ]
            return [data(one) for one in [*pieces, {**answer, "candidates": [{"finishReason": "STOP"}]}]]
        return openai(answer, self.words, body)


def openai(answer: dict[str, Any], words: list[str], body: dict[str, Any]) -> list[bytes]:
    head = {"id": answer["id"], "object": "chat.completion.chunk", "created": 1, "model": answer["model"]}

    def chunk(delta: dict[str, Any], reason: str | None = None) -> bytes:
        return data({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})

    calls = answer["choices"][0]["message"].get("tool_calls")
    if calls:
        first = {
            "role": "assistant",
            "content": None,
            "tool_calls": [
                {"index": 0, **calls[0], "function": {"name": calls[0]["function"]["name"], "arguments": ""}}
            ],
        }
        made = [chunk(first)]
        made += [
            chunk({"tool_calls": [{"index": 0, "function": {"arguments": part}}]})
            for part in ('{"city": ', '"Riga"}')
        ]
        made.append(chunk({}, "tool_calls"))
    else:
        made = [
            chunk({"role": "assistant", "content": ""}),
            *(chunk({"content": word}) for word in words),
            chunk({}, "stop"),
        ]
    if (body.get("stream_options") or {}).get("include_usage"):
        made.append(data({**head, "choices": [], "usage": answer["usage"]}))
    return [*made, b"data: [DONE]\n\n"]


def anthropic(answer: dict[str, Any], words: list[str]) -> list[bytes]:
    begun = {**answer, "content": [], "stop_reason": None, "usage": {**answer["usage"], "output_tokens": 1}}
    return [
        named("message_start", {"message": begun}),
        named("content_block_start", {"index": 0, "content_block": {"type": "text", "text": ""}}),
        named("ping", {}),
        *(
            named("content_block_delta", {"index": 0, "delta": {"type": "text_delta", "text": word}})
            for word in words
        ),
        named("content_block_stop", {"index": 0}),
        named(
            "message_delta",
            {
                "delta": {"stop_reason": "end_turn", "stop_sequence": None},
                "usage": {"output_tokens": answer["usage"]["output_tokens"]},
            },
        ),
        named("message_stop", {}),
    ]


def responses(answer: dict[str, Any], words: list[str]) -> list[bytes]:
    begun = {**answer, "status": "in_progress", "output": [], "usage": None}
    item = {**answer["output"][0], "content": [], "status": "in_progress"}
    part = {"type": "output_text", "text": "", "annotations": []}
    made: list[tuple[str, dict[str, Any]]] = [
        ("response.created", {"response": begun}),
        ("response.output_item.added", {"output_index": 0, "item": item}),
        (
            "response.content_part.added",
            {"output_index": 0, "content_index": 0, "item_id": "m1", "part": part},
        ),
    ]
    at = {"output_index": 0, "content_index": 0, "item_id": "m1"}
    made += [("response.output_text.delta", {**at, "delta": word, "logprobs": []}) for word in words]
    made.append(("response.output_text.done", {**at, "text": "".join(words), "logprobs": []}))
    made.append(("response.completed", {"response": answer}))
    return [named(name, {**value, "sequence_number": number}) for number, (name, value) in enumerate(made)]


def data(value: dict[str, Any]) -> bytes:
    return b"data: " + json.dumps(value, separators=(",", ":")).encode() + b"\n\n"


def named(name: str, value: dict[str, Any]) -> bytes:
    return f"event: {name}\n".encode() + data({"type": name, **value})


def piece(body: bytes) -> dict[str, Any]:
    return {"type": "http.response.body", "body": body, "more_body": True}


def streams(path: str, body: dict[str, Any]) -> bool:
    return bool(body.get("stream")) or "streamgeneratecontent" in path.casefold()


async def start(send: Any, status: int, kind: bytes, extra: list[tuple[bytes, bytes]] | None = None) -> None:
    await send(
        {
            "type": "http.response.start",
            "status": status,
            "headers": [(b"content-type", kind), *(extra or [])],
        }
    )


async def whole(
    send: Any, status: int, value: dict[str, Any], extra: list[tuple[bytes, bytes]] | None = None
) -> None:
    body = json.dumps(value).encode()
    length = (b"content-length", str(len(body)).encode())
    await start(send, status, b"application/json", [length, (b"x-request-id", b"req_9"), *(extra or [])])
    await send({"type": "http.response.body", "body": body})


async def gone_or(receive: Any, released: threading.Event) -> None:
    """Until the client has gone away, or the vendor is stopped."""
    while True:
        try:
            async with asyncio.timeout(0.05):
                if (await receive())["type"] == "http.disconnect":
                    return
        except TimeoutError:
            if released.is_set():
                return
