"""Changes as tests want them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import msgspec

from holdfast.changes.model import Change, ChangeClass, Person, State, Verdict
from holdfast.changes.rules.policy import SHIPPED

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def change(state: State, **more: Any) -> Change:
    """One of class moderate that somebody wrote; `more` replaces fields."""
    made: dict[str, Any] = {
        "id": "chg_1",
        "workspace": "ws_1",
        "system": "",
        "route": "chat",
        "baseline": "rel_old",
        "candidate": "rel_new",
        "title": "Shorter answers",
        "rationale": "",
        "ticket": "",
        "source": "api",
        "author": Person("mem_1", "Ann", frozenset({"operator"})),
        "editors": ("mem_1",),
        "computed": ChangeClass.MODERATE,
        "change_class": ChangeClass.MODERATE,
        "reasons": (),
        "class_because": "",
        "content": "c" * 64,
        "policy": msgspec.to_builtins(SHIPPED[ChangeClass.MODERATE]),
        "state": state,
        "stage": 0,
        "from_state": None,
        "reason": "",
        "since": NOW,
        "first_at": None,
        "gate": Verdict.PENDING,
        "risk": None,
        "not_before": None,
        "review_due": None,
        "version": 1,
        "created_at": NOW,
        "updated_at": NOW,
    }
    return Change(**{**made, **more})
