"""One question to the gateway, and what its answer says."""

from __future__ import annotations

import time
from decimal import Decimal, InvalidOperation
from typing import Any, NamedTuple

import httpx2
import msgspec

from holdfast.evals.model import Answer, Case, ToolCall
from holdfast.evals.rules.scoring import seed_of
from holdfast.evals.states import Run
from holdfast.gateway.actions.inner import Asker, Inner
from holdfast.gateway.model import Dimensions

KEY = "evals"
"""What questions of evals count as, so that budgets and limits of the gateway can name them: scope key, only evals."""
PATH = "/v1/chat/completions"
FEATURE = "evals"
ENVIRONMENT = "evaluation"
LATER = frozenset({408, 409, 429, 500, 502, 503, 504, 529})
"""Statuses after which the same may be asked again."""


class Told(NamedTuple):
    """What came back. `status` as of HTTP; `wait` seconds, where the gateway says when to come back.

    `unknown` is where the gateway itself does not know what it was asked for: it may not have heard of it yet.
    """

    status: int
    answer: Answer
    wait: float | None = None
    unknown: bool = False


def ask(inner: Inner, run: Run, system: str, case: Case, repeat: int) -> Told:
    """Asks a case once: after a kill, the same question finds the answer that was made. Raises Unavailable."""
    once = f"eval/{run.id}/{case.hash}/{case.id}/{repeat}"
    asker = Asker(run.workspace, KEY, run.release, once)
    said = Dimensions(system=system, environment=ENVIRONMENT, route=run.route, feature=FEATURE, run=run.id)
    extra = {"variables": dict(case.input.variables)} if case.input.variables else None
    began = time.monotonic()
    response = inner.ask(asker, PATH, body(run, case, repeat), said, extra)
    return read(response, (time.monotonic() - began) * 1000)


def body(run: Run, case: Case, repeat: int) -> dict[str, Any]:
    """The request: what the case asks, and a seed of this repeat's own where the run has one."""
    made: dict[str, Any] = {**case.input.parameters, "messages": list(case.input.messages)}
    made["model"] = run.model or run.route or run.release
    if case.input.tools:
        made["tools"] = list(case.input.tools)
    seed = seed_of(run.seed, repeat)
    if seed is not None:
        made["seed"] = seed
    return made


def read(response: httpx2.Response, latency_ms: float) -> Told:
    """An answer as it came. What it does not say is None; one that was kept has no latency of its own."""
    replayed = response.headers.get("x-holdfast-replayed") == "true"
    known: dict[str, Any] = {
        "latency_ms": None if replayed else latency_ms,
        "cost": _cost(response.headers.get("x-holdfast-cost", "")),
        "call_id": response.headers.get("x-holdfast-call-id", ""),
        "trace_id": response.headers.get("x-holdfast-trace-id", ""),
    }
    try:
        found = msgspec.json.decode(response.content)
    except (msgspec.DecodeError, UnicodeDecodeError):
        found = None
    if response.status_code >= 400:
        answer = Answer(error=f"{response.status_code}: {_words(found)}"[:1000], **known)
        unknown = response.status_code in (401, 404) and _kind(found).startswith("holdfast_")
        return Told(response.status_code, answer, _wait(response.headers.get("retry-after", "")), unknown)
    said = _said(found)
    if said is None:
        return Told(response.status_code, Answer(error="the answer is no chat completion", **known))
    return Told(response.status_code, Answer(**said, **known))


def _said(found: Any) -> dict[str, Any] | None:
    choices = found.get("choices") if isinstance(found, dict) else None
    if not isinstance(choices, list) or not choices or not isinstance(choices[0], dict):
        return None
    message = choices[0].get("message")
    if not isinstance(message, dict):
        return None
    usage = found.get("usage") if isinstance(found.get("usage"), dict) else {}
    reason = _text(choices[0].get("finish_reason"))
    return {
        "text": _content(message.get("content")),
        "tool_calls": tuple(_calls(message.get("tool_calls"))),
        "finish_reason": reason,
        "refusal": _text(message.get("refusal")),
        "model": _text(found.get("model")),
        "input_tokens": _count(usage.get("prompt_tokens")),
        "output_tokens": _count(usage.get("completion_tokens")),
        "truncated": reason == "length",
    }


def _content(content: Any) -> str:
    if isinstance(content, list):
        return "".join(_text(one.get("text")) for one in content if isinstance(one, dict))
    return _text(content)


def _calls(calls: Any) -> list[ToolCall]:
    made = []
    for one in calls if isinstance(calls, list) else []:
        function = one.get("function") if isinstance(one, dict) else None
        if isinstance(function, dict):
            arguments = _text(function.get("arguments"))
            try:
                parsed = msgspec.json.decode(arguments) if arguments else None
            except msgspec.DecodeError:
                parsed = None
            made.append(ToolCall(_text(function.get("name")), arguments, parsed))
    return made


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


def _kind(found: Any) -> str:
    fault = found.get("error") if isinstance(found, dict) else None
    return _text(fault.get("code")) if isinstance(fault, dict) else ""


def _words(found: Any) -> str:
    fault = found.get("error") if isinstance(found, dict) else None
    words = fault.get("message") if isinstance(fault, dict) else fault
    return str(words or "no reason given")


def _cost(text: str) -> Decimal | None:
    amount, _, currency = text.partition(" ")
    try:
        return Decimal(amount) if amount and currency in ("", "USD") else None
    except InvalidOperation:
        return None


def _wait(text: str) -> float | None:
    return float(text) if text.isdecimal() else None
