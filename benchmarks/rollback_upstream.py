"""A vendor that keeps a log of its own: `python -m benchmarks.rollback_upstream PORT LOG`.

Each request for a completion is one line of LOG, written when its last byte has come: nanoseconds since 1970, the model.
It answers after SECONDS, as a model would that takes its time.
"""

from __future__ import annotations

import asyncio
import sys
import time
from typing import Any

import msgspec
import uvicorn

SECONDS = 0.05
_ANSWER = {
    "id": "chatcmpl-bench",
    "object": "chat.completion",
    "created": 1,
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "Twelve tokens."}, "finish_reason": "stop"}
    ],
    "usage": {"prompt_tokens": 24, "completion_tokens": 12, "total_tokens": 36},
}


class Vendor:
    """The application."""

    def __init__(self, log: str) -> None:
        self._log = open(log, "a", buffering=1, encoding="ascii")  # noqa: SIM115

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answers one request."""
        raw, more = b"", True
        while more:
            message = await receive()
            raw += message.get("body", b"")
            more = message.get("more_body", False)
        model = ""
        if raw:
            model = str(msgspec.json.decode(raw).get("model", ""))
            self._log.write(f"{time.time_ns()} {model}\n")
            await asyncio.sleep(SECONDS)
        body = msgspec.json.encode({**_ANSWER, "model": model})
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    uvicorn.run(
        Vendor(sys.argv[2]), host="127.0.0.1", port=int(sys.argv[1]), lifespan="off", log_level="error"
    )
