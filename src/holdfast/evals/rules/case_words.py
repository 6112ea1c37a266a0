"""Cases in words, for tables: what is asked and what is expected, each on a line."""

from __future__ import annotations

from typing import Any

import msgspec

from holdfast.evals.model import Case, Expectation
from holdfast.evals.rules.cases import main_param


def asked(case: Case) -> str:
    """The last thing that the user says; of a case without messages, its variables."""
    for message in reversed(case.input.messages):
        if message.get("role") == "user":
            return content(message)
    if case.input.messages:
        return content(case.input.messages[-1])
    return ", ".join(f"{name}: {_short(value)}" for name, value in case.input.variables.items())


def content(message: Any) -> str:
    """A message's text; of parts, those that are text, and the kinds of the others."""
    said = message.get("content")
    if isinstance(said, list):
        parts = [
            str(one.get("text") or f"[{one.get('type', 'part')}]") if isinstance(one, dict) else str(one)
            for one in said
        ]
        return "\n".join(parts)
    calls = message.get("tool_calls")
    return str(said) if said else msgspec.json.encode(calls).decode() if calls else ""


def expected(one: Expectation) -> tuple[str, str]:
    """The grader, and what it looks for: the main parameter first."""
    main = main_param(one.grader)
    said = [_short(one.params[main])] if main in one.params else []
    said += [f"{name} {_short(value)}" for name, value in one.params.items() if name != main]
    if one.bar is not None:
        said.append(f"at least {one.bar:g}")
    if one.weight != 1:
        said.append(f"weight {one.weight:g}")
    label = f"{one.name} ({one.grader})" if one.name else one.grader
    return label, ", ".join(said)


def _short(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list) and all(isinstance(one, str) for one in value):
        return " | ".join(value)
    return msgspec.json.encode(value).decode()
