"""A vendor of batches on a loopback port: files, OpenAI's batches and Anthropic's, finished when a test says so."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from typing import Any

from vendor import Vendor, gone_or, start, whole


@dataclass
class BatchVendor(Vendor):
    """`finish(id, …)` ends a batch; `how` is what becomes of the next request for one: made, `stall` or a status."""

    files: dict[str, bytes] = field(default_factory=dict)
    batches: dict[str, dict[str, Any]] = field(default_factory=dict)
    looked: dict[str, int] = field(default_factory=dict)
    how: str = ""

    def made(self) -> list[str]:
        """Ids of all batches, the oldest first."""
        return list(self.batches)

    def finish(
        self, id: str, status: str = "completed", answered: int | None = None, *, says: bool = True
    ) -> None:
        """Ends a batch with results for its first `answered` requests (None: all). `says`: whether they state usage."""
        batch = self.batches[id]
        results = []
        for number, one in enumerate(batch["asked"][:answered]):
            used = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15} if says else None
            body = {"id": f"c{number}", "model": one["body"]["model"] + "-2026", "choices": [], "usage": used}
            response = {"status_code": 200, "request_id": "r", "body": body}
            if "bad" in one["custom_id"]:
                response = {"status_code": 400, "request_id": "r", "body": {"error": {"message": "no"}}}
            results.append(
                {"id": f"r{number}", "custom_id": one["custom_id"], "response": response, "error": None}
            )
        batch |= {"status": status}
        if results:
            self.files[f"file-out-{id}"] = b"\n".join(json.dumps(line).encode() for line in results) + b"\n"
            batch["output_file_id"] = f"file-out-{id}"

    def end(self, id: str) -> None:
        """Ends one of Anthropic's."""
        self.batches[id] |= {"processing_status": "ended", "results_url": "https://elsewhere.invalid/results"}

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        path = scope["path"].removeprefix("/v1")
        if not re.match(r"/(files|batches|messages/batches)", path):
            await super().__call__(scope, receive, send)
            return
        raw, more = b"", True
        while more:
            message = await receive()
            raw += message.get("body", b"")
            more = message.get("more_body", False)
        self.meter["asked"] += 1
        if scope["method"] == "POST" and path in ("/batches", "/messages/batches"):
            if self.how == "stall":
                await gone_or(receive, self.released)
                return
            if self.how:
                await whole(send, int(self.how), {"error": {"message": "told to", "type": "told"}})
                return
        await self._do(scope["method"], path, raw, send)

    async def _do(self, method: str, path: str, raw: bytes, send: Any) -> None:
        named = path.split("/")
        if method == "POST" and path == "/files":
            id = f"file-{len(self.files)}"
            self.files[id] = re.split(rb"\r\n--", raw.partition(b'filename="')[2].partition(b"\r\n\r\n")[2])[
                0
            ]
            await whole(
                send, 200, {"id": id, "object": "file", "bytes": len(self.files[id]), "purpose": "batch"}
            )
        elif path.startswith("/files/"):
            content = self.files.get(named[2])
            if content is None:
                await whole(send, 404, {"error": {"message": "no such file", "type": "not_found"}})
                return
            await start(send, 200, b"application/octet-stream")
            for at in range(0, len(content), 7):
                await send({"type": "http.response.body", "body": content[at : at + 7], "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        elif method == "POST" and path == "/batches":
            asked = json.loads(raw)
            lines = [json.loads(line) for line in self.files[asked["input_file_id"]].splitlines() if line]
            await whole(
                send, 200, self._new({"object": "batch", "status": "validating", "asked": lines, **asked})
            )
        elif method == "POST" and path == "/messages/batches":
            asked = json.loads(raw)["requests"]
            await whole(
                send,
                200,
                self._new({"type": "message_batch", "processing_status": "in_progress", "asked": asked}),
            )
        elif path.endswith("/results"):
            await start(send, 200, b"application/x-jsonl")
            for one in self.batches[named[3]]["asked"]:
                used = {"input_tokens": 10, "output_tokens": 5, "cache_read_input_tokens": 100}
                message = {
                    "id": "m",
                    "model": one["params"]["model"],
                    "stop_reason": "end_turn",
                    "usage": used,
                }
                result = (
                    {"type": "errored"}
                    if "bad" in one["custom_id"]
                    else {"type": "succeeded", "message": message}
                )
                line = json.dumps({"custom_id": one["custom_id"], "result": result}).encode() + b"\n"
                await send({"type": "http.response.body", "body": line, "more_body": True})
            await send({"type": "http.response.body", "body": b""})
        else:
            id = named[-1]
            self.looked[id] = self.looked.get(id, 0) + 1
            await whole(send, 200, self._shown(id))

    def _new(self, batch: dict[str, Any]) -> dict[str, Any]:
        id = f"batch_{len(self.batches)}"
        self.batches[id] = {"id": id, "created_at": 1, "endpoint": "/v1/chat/completions", **batch}
        return self._shown(id)

    def _shown(self, id: str) -> dict[str, Any]:
        return {name: value for name, value in self.batches[id].items() if name != "asked"}
