"""The barest proxy on the gateway's own stack: `python -m benchmarks.gateway_bare PORT VENDOR`. It knows nothing."""

from __future__ import annotations

import sys
from typing import Any

import aiohttp
import uvicorn

session: aiohttp.ClientSession | None = None
vendor = ""


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Forwards one request."""
    global session
    if scope["path"] == "/healthz":
        await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})
        return
    if session is None:
        connector = aiohttp.TCPConnector(limit=0)
        session = aiohttp.ClientSession(connector=connector, auto_decompress=False)
    message = await receive()
    headers = {"content-type": "application/json"}
    async with session.post(vendor + scope["path"], data=message["body"], headers=headers) as response:
        kind = response.headers["content-type"].encode()
        if response.content_length is not None:
            body = await response.read()
            length = str(len(body)).encode()
            made = [(b"content-type", kind), (b"content-length", length)]
            await send({"type": "http.response.start", "status": response.status, "headers": made})
            await send({"type": "http.response.body", "body": body})
            return
        made = [(b"content-type", kind)]
        await send({"type": "http.response.start", "status": response.status, "headers": made})
        async for chunk in response.content.iter_any():
            await send({"type": "http.response.body", "body": chunk, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


if __name__ == "__main__":
    vendor = f"http://127.0.0.1:{sys.argv[2]}"
    uvicorn.run(
        application, host="127.0.0.1", port=int(sys.argv[1]), loop="uvloop", http="httptools", log_level="warning",
        lifespan="off", ws="none", access_log=False,
    )  # fmt: skip
