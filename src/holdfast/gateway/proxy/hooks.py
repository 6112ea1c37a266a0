"""Webhooks that judge: asked over the guarded connections of upstreams, and never waited for longer than they may take.

POST {"guardrail", "at", "call_id", "route", "system", "texts": […], "before": […]} is answered by {"verdict": …}, and for
`redact` by as many `texts` as were sent. `before` holds what stood before each text and went out already.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from typing import Any, Literal

import msgspec

from holdfast.gateway.dialects.speech import encode
from holdfast.gateway.model import Side, Workspace
from holdfast.gateway.proxy.arming import Armed
from holdfast.gateway.proxy.credentials import Credentials
from holdfast.gateway.proxy.records import Record
from holdfast.gateway.proxy.response import Failure, TimedOut
from holdfast.gateway.proxy.upstreams import Upstreams
from holdfast.kernel.errors import HoldfastError

MOST_LABELS = 20
_LABEL = re.compile(r"[A-Za-z0-9_.-]{1,40}")


class Answer(msgspec.Struct, frozen=True):
    """What a webhook says. `labels` name what it found, and are recorded."""

    verdict: Literal["allow", "flag", "redact", "block"]
    texts: list[str] | None = None
    labels: list[str] = []


class Failed(Exception):
    """A webhook could not be asked, or does not answer as agreed."""


Asking = Callable[[Armed, Side, list[str], list[str]], Awaitable[Answer]]
_answer = msgspec.json.Decoder(Answer)


def asking(upstreams: Upstreams, credentials: Credentials, workspace: Workspace, record: Record) -> Asking:
    """How the guardrails of one call ask webhooks. Raises TimeoutError and Failed."""

    async def ask(one: Armed, side: Side, texts: list[str], before: list[str]) -> Answer:
        guardrail = one.guardrail
        said: dict[str, Any] = {
            "guardrail": one.name,
            "at": side.value,
            "call_id": record.span_id.hex(),
            "route": record.dimensions.route,
            "system": record.dimensions.system,
            "texts": [_well_formed(text) for text in texts],
            "before": [_well_formed(text) for text in before],
        }
        headers = {"content-type": "application/json", "accept": "application/json"}
        try:
            async with asyncio.timeout(guardrail.timeout_ms / 1000):
                if guardrail.credential:
                    credential = await credentials.named(workspace, guardrail.credential)
                    headers["authorization"] = f"Bearer {credential}"
                body = encode(said)
                raw = await upstreams.ask(guardrail.url, headers, body, 2 * len(body) + (64 << 10))
            answer = _answer.decode(raw)
        except TimedOut:
            raise TimeoutError from None
        except (Failure, msgspec.DecodeError, UnicodeDecodeError, HoldfastError) as error:
            raise Failed from error
        if answer.verdict == "redact" and (answer.texts is None or len(answer.texts) != len(texts)):
            raise Failed("the answer has another number of texts")
        labels = [label for label in answer.labels[:MOST_LABELS] if _LABEL.fullmatch(label)]
        return Answer(answer.verdict, answer.texts, labels)

    return ask


def _well_formed(text: str) -> str:
    """A text as JSON can say it: half of a surrogate pair cannot be."""
    return text.encode("utf-8", "replace").decode()
