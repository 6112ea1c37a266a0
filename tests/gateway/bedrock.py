"""Amazon Bedrock on a loopback port: verifies each signature by the specification, answers as Claude or in OpenAI's words.

The verifier is written from AWS's "Create a signed AWS API request", and shares no code with what signs.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import struct
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, unquote

from vendor import Vendor, anthropic, gone_or, piece, start, whole

ACCESS, SECRET = "AKIDEXAMPLE", "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"


@dataclass
class Bedrock(Vendor):
    """`secrets`: access key → secret and session token. `region` and `service` are what a signature must be for."""

    secrets: dict[str, tuple[str, str]] = field(default_factory=lambda: {ACCESS: (SECRET, "")})
    region: str = "us-east-1"
    service: str = "bedrock"
    skew: float = 0.0
    """Seconds by which this server's clock is ahead."""
    faults: list[str] = field(default_factory=list)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        raw, more = b"", True
        while more:
            message = await receive()
            raw += message.get("body", b"")
            more = message.get("more_body", False)
        headers = {name.decode(): value.decode("latin-1") for name, value in scope["headers"]}
        fault = self.fault(scope, headers, raw)
        if fault:
            self.faults.append(fault)
            await refusal(send, 403, fault.split(":")[0], fault)
            return
        path = scope["raw_path"].decode()
        body = json.loads(raw) if raw.startswith(b"{") else {}
        self.seen.append(
            {"path": path, "query": scope["query_string"].decode(), "headers": headers, "body": body}
        )
        self.meter["asked"] += 1
        if not path.startswith("/model/"):
            await self._behave(self._next(body.get("model", "")), path, body, receive, send)
            return
        _, _, model, action = path.split("/")
        model = unquote(model)
        how = self._next(model)
        status, _, kind = how.partition(" ")
        if status.isdecimal():
            await refusal(send, int(status), kind, f"told to say {kind}")
        elif "model" in body or "stream" in body or body.get("anthropic_version") != "bedrock-2023-05-31":
            await refusal(send, 400, "ValidationException", "Malformed input request")
        elif action == "invoke":
            await whole(send, 200, self._claude(model, body))
        else:
            await self._frames(how, model, body, receive, send)

    def _claude(self, model: str, body: dict[str, Any]) -> dict[str, Any]:
        made = self._answer("/messages", {**body, "model": model}, "well")
        made["model"] = "claude-sonnet-4-5-20250929"
        if body.get("tools"):
            call = {
                "type": "tool_use",
                "id": "toolu_1",
                "name": body["tools"][0]["name"],
                "input": {"city": "Riga"},
            }
            made |= {"content": [call], "stop_reason": "tool_use"}
        return made

    async def _frames(self, how: str, model: str, body: dict[str, Any], receive: Any, send: Any) -> None:
        events = [event.partition(b"data: ")[2].strip() for event in self._said(model, body)]
        await start(send, 200, b"application/vnd.amazon.eventstream")
        for number, event in enumerate(events):
            if number == 5 and how == "exception mid":
                await send(piece(frame({":message-type": "exception", ":exception-type": "throttlingException"},
                                       b'{"message":"Too many tokens"}')))  # fmt: skip
                break
            if number == 5 and how == "close mid":
                break
            if number == 5 and how == "stall mid":
                await gone_or(receive, self.released)
                return
            if number == 5 and how == "reset mid":
                send.__self__.transport.abort()
                return
            sent = frame({":event-type": "chunk", ":content-type": "application/json", ":message-type": "event"},
                         json.dumps({"bytes": base64.b64encode(event).decode(), "p": "abcdef"}).encode())  # fmt: skip
            if number == 5 and how == "corrupt mid":
                sent = sent[:-6] + bytes([sent[-6] ^ 1]) + sent[-5:]
            if how == "trickle":
                for byte in sent:
                    await send(piece(bytes([byte])))
            else:
                await send(piece(sent))
        await send({"type": "http.response.body", "body": b""})

    def _said(self, model: str, body: dict[str, Any]) -> list[bytes]:
        answer = self._claude(model, body)
        if not body.get("tools"):
            return anthropic(answer, self.words)
        call = answer["content"][0]
        made = anthropic(answer, ['{"city": ', '"Riga"}'])
        told = []
        for event in made:
            value = json.loads(event.partition(b"data: ")[2])
            if value["type"] == "content_block_start":
                value["content_block"] = {**call, "input": {}}
            elif value["type"] == "content_block_delta":
                value["delta"] = {"type": "input_json_delta", "partial_json": value["delta"]["text"]}
            elif value["type"] == "message_delta":
                value["delta"]["stop_reason"] = "tool_use"
            elif value["type"] == "message_stop":
                value["amazon-bedrock-invocationMetrics"] = {"inputTokenCount": 9, "outputTokenCount": 5}
            told.append(b"data: " + json.dumps(value).encode())
        return told

    def fault(self, scope: Any, headers: dict[str, str], raw: bytes) -> str:
        """Why a request is not authentic; empty where it is."""
        said = headers.get("authorization", "")
        if not said.startswith("AWS4-HMAC-SHA256 "):
            return "MissingAuthenticationTokenException: Missing Authentication Token"
        parts = dict(part.strip().split("=", 1) for part in said[17:].split(","))
        access, day, region, service, end = parts["Credential"].split("/")
        if access not in self.secrets:
            return "UnrecognizedClientException: The security token included in the request is invalid."
        secret, token = self.secrets[access]
        stamp = headers["x-amz-date"]
        made = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
        if abs(datetime.now(UTC).timestamp() + self.skew - made.timestamp()) > 300:
            return "InvalidSignatureException: Signature expired"
        if (day, region, service, end) != (stamp[:8], self.region, self.service, "aws4_request"):
            return f"InvalidSignatureException: Credential should be scoped to {self.region}/{self.service}"
        if headers.get("x-amz-security-token", "") != token:
            return "UnrecognizedClientException: The security token included in the request is invalid."
        names = parts["SignedHeaders"].split(";")
        must = {"host", *(name for name in headers if name.startswith("x-amz-"))}
        if not must <= set(names) or names != sorted(names):
            return "InvalidSignatureException: Headers that must be signed are not"
        path = "/".join(quote(one, safe="-_.~") for one in scope["raw_path"].decode().split("/"))
        query = "&".join(sorted(scope["query_string"].decode().split("&"))) if scope["query_string"] else ""
        canonical = [scope["method"], path, query]
        canonical += [f"{name}:{' '.join(headers[name].split())}" for name in names]
        canonical += ["", parts["SignedHeaders"], hashlib.sha256(raw).hexdigest()]
        digest = hashlib.sha256("\n".join(canonical).encode()).hexdigest()
        text = "\n".join(["AWS4-HMAC-SHA256", stamp, f"{day}/{region}/{service}/aws4_request", digest])
        key = f"AWS4{secret}".encode()
        for word in (day, region, service, "aws4_request"):
            key = hmac.digest(key, word.encode(), "sha256")
        if not hmac.compare_digest(hmac.digest(key, text.encode(), "sha256").hex(), parts["Signature"]):
            return "InvalidSignatureException: The request signature we calculated does not match"
        return ""


async def refusal(send: Any, status: int, kind: str, message: str) -> None:
    """An error as Bedrock says it."""
    named = (b"x-amzn-errortype", f"{kind}:http://internal.amazon.com/coral/com.amazon.bedrock/".encode())
    await whole(send, status, {"message": message}, [named])


def frame(headers: dict[str, str], payload: bytes) -> bytes:
    """One frame of an AWS event stream."""
    head = b"".join(
        bytes([len(name)]) + name.encode() + b"\x07" + struct.pack(">H", len(value)) + value.encode()
        for name, value in headers.items()
    )
    made = struct.pack(">II", 16 + len(head) + len(payload), len(head))
    made += struct.pack(">I", zlib.crc32(made)) + head + payload
    return made + struct.pack(">I", zlib.crc32(made))
