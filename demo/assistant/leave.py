"""The assistant's one tool: how many days of leave an employee has left."""

from __future__ import annotations

import hashlib
from typing import Any

TOOL: dict[str, Any] = {
    "type": "function",
    "function": {
        "name": "leave_balance",
        "description": "Days of annual leave that an employee has left this year",
        "parameters": {
            "type": "object",
            "properties": {"employee_id": {"type": "string", "description": "such as E-1042"}},
            "required": ["employee_id"],
        },
    },
}


class UnknownEmployee(LookupError):
    """The tool was called with something that is no employee number."""


def leave_balance(employee_id: str) -> dict[str, Any]:
    """The balance from the (invented) personnel system: the same number for the same employee, 0 … 27 days.

    Raises UnknownEmployee where the number does not look like E-1042.
    """
    if not (employee_id.startswith("E-") and employee_id[2:].isdigit() and len(employee_id) == 6):
        raise UnknownEmployee(f"no employee has the number {employee_id[:40]!r}")
    days = hashlib.sha256(employee_id.encode()).digest()[0] % 28
    return {"employee_id": employee_id, "days_left": days}
