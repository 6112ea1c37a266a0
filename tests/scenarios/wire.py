"""What applications send, in OTLP/JSON."""

from __future__ import annotations

from typing import Any


def attributes(values: dict[str, Any]) -> list[dict[str, Any]]:
    """Attributes in OTLP/JSON."""

    def wire(value: Any) -> dict[str, Any]:
        if isinstance(value, bool):
            return {"boolValue": value}
        if isinstance(value, int):
            return {"intValue": str(value)}
        return {"doubleValue": value} if isinstance(value, float) else {"stringValue": value}

    return [{"key": key, "value": wire(value)} for key, value in values.items()]


def spoken(said: str) -> dict[str, Any]:
    """Captured content as attributes."""
    return {
        "gen_ai.input.messages": f'[{{"role":"user","parts":[{{"type":"text","content":"tell {said} now"}}]}}]',
        "gen_ai.output.messages": f'[{{"role":"assistant","parts":[{{"type":"text","content":"so {said}"}}]}}]',
        "gen_ai.headers": f"x-said: {said}",
        "ai.request.body": f'{{"said": "{said}"}}',
    }
