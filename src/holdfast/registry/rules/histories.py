"""What of a history from elsewhere is new here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from holdfast.kernel.errors import Invalid
from holdfast.registry.rules import naming

MAX_AUTHOR = 200
MAX_BODY = 4 << 20
MAX_RATIONALE = 4000
MAX_TICKET = 200
Mark = tuple[str, str | None, datetime | None]
"""Content hash, original author, original date: what tells one imported version from another."""


def planned(entries: Sequence[Mark], there: Iterable[Mark]) -> list[str]:
    """For each entry, the oldest first: `same` as the one before it, `kept` from an import before, or `added`.

    What is there counts once for each entry, so a history that goes back to an older content keeps that step.
    """
    left = Counter(there)
    found: list[str] = []
    before = None
    for mark in entries:
        if mark[0] == before:
            found.append("same")
        elif left[mark] > 0:
            left[mark] -= 1
            found.append("kept")
        else:
            found.append("added")
        before = mark[0]
    return found


def faults(body: Mapping[str, Any], author: str | None, rationale: str, ticket: str) -> list[str]:
    """Why a version from elsewhere cannot be kept here; empty where it can."""
    found = []
    try:
        if len(naming.canonical(body).decode()) > MAX_BODY:
            found.append(f"the prompt has at most {MAX_BODY >> 20} MiB")
    except Invalid as error:
        found.append(error.detail)
    if author is not None and len(author) > MAX_AUTHOR:
        found.append(f"an author has at most {MAX_AUTHOR} characters")
    if len(rationale) > MAX_RATIONALE:
        found.append(f"a rationale has at most {MAX_RATIONALE} characters")
    if len(ticket) > MAX_TICKET or any(ord(one) < 32 for one in ticket):
        found.append(f"a ticket is one line, {MAX_TICKET} characters at most")
    return found
