"""An upstream for runs: answers every chat completion after a while. `python -m benchmarks.eval_upstream PORT SECONDS`."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import Any

import uvicorn

ANSWER = json.dumps(
    {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1,
        "model": "smollm2-135m-instruct",
        "choices": [
            {"index": 0, "message": {"role": "assistant", "content": "fine"}, "finish_reason": "stop"}
        ],
        "usage": {"prompt_tokens": 10, "completion_tokens": 1, "total_tokens": 11},
    }
).encode()


def application(seconds: float) -> Any:
    """The ASGI application."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        more = True
        while more:
            more = (await receive()).get("more_body", False)
        if scope["path"] != "/health":
            await asyncio.sleep(seconds)
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(ANSWER)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": ANSWER})

    return app


if __name__ == "__main__":
    uvicorn.run(
        application(float(sys.argv[2])),
        port=int(sys.argv[1]),
        log_level="error",
        access_log=False,
        lifespan="off",
    )
