"""Try it: a real request through a gateway that runs, and beside its answer what it was decided by."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import Any

import httpx2

from holdfast.gateway.actions.inner import Asker, Inner
from holdfast.gateway.model import Dialect, Dimensions
from holdfast.kernel.errors import Invalid
from holdfast.kernel.ids import new_id
from holdfast.platform.access import reads as access
from holdfast.platform.access.model import Caller, Scope
from holdfast.platform.audit import actions as audit
from holdfast.platform.services import Services

FEATURE = "try-it"
KEY = "try-it"
"""What a request counts as that is tried without a key: a name that no key has."""
MOST = 100_000
"""Characters of a message."""
PATHS = {Dialect.OPENAI: "/v1/chat/completions", Dialect.ANTHROPIC: "/v1/messages"}


@dataclass(frozen=True, slots=True)
class Trial:
    """What to ask. `key`: the id of a key to ask as; empty: as none in particular."""

    model: str
    message: str
    dialect: Dialect = Dialect.OPENAI
    instructions: str = ""
    max_tokens: int = 300
    key: str = ""
    said: Dimensions = field(default_factory=Dimensions)


@dataclass(frozen=True, slots=True)
class Tried:
    """What came of it. `error` in plain words; empty where there is an answer. What is not known is empty.

    `key` and `said` are what it came with.
    """

    status: int
    answer: str
    error: str
    latency_ms: float
    call_id: str
    trace_id: str
    upstream: str
    cost: str
    attempts: tuple[str, ...]
    lifted: str
    key: str
    said: Dimensions


def send(by: Caller, services: Services, asked: Trial) -> Tried:
    """Asks a gateway that runs, as the caller, and waits for the whole answer; it is recorded as any call is.

    Raises Invalid for what cannot be asked, Unavailable where no gateway answers at its address.
    """
    _check(by, services, asked)
    said = Dimensions(
        **{name: getattr(asked.said, name) for name in Dimensions.__struct_fields__}
        | {"feature": FEATURE, "user": asked.said.user or by.email or by.ctx.actor.id}
    )
    with services.database.transaction() as tx:
        details = {"model": asked.model, "key": asked.key, "route": asked.said.route}
        audit.record(by.ctx, tx, action="gateway.tried", subject=new_id("try"), details=details)
    with Inner(services.settings, services.clock) as inner:
        began = time.monotonic()
        answer = inner.ask(
            Asker(by.ctx.workspace, asked.key or KEY), PATHS[asked.dialect], _body(asked), said
        )
    latency = (time.monotonic() - began) * 1000
    text, error = _read(answer)
    return Tried(
        answer.status_code,
        text,
        error,
        latency,
        answer.headers.get("x-holdfast-call-id", ""),
        answer.headers.get("x-holdfast-trace-id", ""),
        answer.headers.get("x-holdfast-upstream", ""),
        answer.headers.get("x-holdfast-cost", ""),
        tuple(one for one in answer.headers.get("x-holdfast-attempts", "").split(", ") if one),
        answer.headers.get("x-holdfast-limit-lifted", ""),
        asked.key or KEY,
        said,
    )


def _check(by: Caller, services: Services, asked: Trial) -> None:
    if not asked.model.strip() or len(asked.model) > 300:
        raise Invalid("name a model, or a name by which a route is asked for", where="model")
    if not asked.message.strip() or len(asked.message) > MOST or len(asked.instructions) > MOST:
        raise Invalid(f"say something, in at most {MOST:,} characters", where="message")
    if not 1 <= asked.max_tokens <= 100_000:
        raise Invalid("an answer has 1 to 100,000 tokens at most", where="max_tokens")
    if asked.dialect not in PATHS:
        raise Invalid("requests are tried as OpenAI or Anthropic clients say them", where="dialect")
    if asked.key:
        with services.database.reading() as tx:
            found = [key for key in access.keys(tx, by.ctx.workspace) if key.id == asked.key]
        if not found or found[0].revoked_at is not None or not access.opens(found[0], Scope.GATEWAY):
            raise Invalid("there is no such key of the gateway in this workspace", where="key")


def _body(asked: Trial) -> dict[str, Any]:
    messages = [{"role": "user", "content": asked.message}]
    made: dict[str, Any] = {"model": asked.model, "max_tokens": asked.max_tokens, "messages": messages}
    if asked.instructions and asked.dialect is Dialect.ANTHROPIC:
        made["system"] = asked.instructions
    elif asked.instructions:
        messages.insert(0, {"role": "system", "content": asked.instructions})
    return made


def _read(answer: httpx2.Response) -> tuple[str, str]:
    """Text of an answer, or an error in words."""
    try:
        found = answer.json()
    except ValueError:
        found = None
    if not isinstance(found, dict):
        return "", f"an answer that is no JSON, with status {answer.status_code}"
    if answer.status_code >= 400:
        fault = found.get("error")
        words = fault.get("message") if isinstance(fault, dict) else fault
        return "", str(words or f"status {answer.status_code}")
    return _text(found), ""


def _text(found: dict[str, Any]) -> str:
    choices = found.get("choices")
    if isinstance(choices, list) and choices and isinstance(choices[0], dict):
        said = choices[0].get("message") or {}
        content = said.get("content") if isinstance(said, dict) else None
        if isinstance(content, str) and content:
            return content
        return json.dumps(said, indent=2, ensure_ascii=False)
    blocks = found.get("content")
    if isinstance(blocks, list):
        texts = [one["text"] for one in blocks if isinstance(one, dict) and isinstance(one.get("text"), str)]
        if texts:
            return "\n".join(texts)
    return json.dumps(found, indent=2, ensure_ascii=False)
