"""How changes are shown: their states in words, their differences, their steps."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec

from holdfast.changes.model import Change, Evidence, State
from holdfast.changes.rules.reading import policy_of
from holdfast.changes.rules.splits import share_of
from holdfast.platform.access.model import Caller
from holdfast.registry.model import Difference, ValueChange, What

STATES = {
    State.DRAFT: ("", "draft"),
    State.GATED: ("accent", "at the gate"),
    State.APPROVED: ("accent", "approved"),
    State.SCHEDULED: ("accent", "scheduled"),
    State.SHADOW: ("accent", "shadow"),
    State.COMPARING: ("accent", "comparing"),
    State.RAMPING: ("accent", "ramping"),
    State.SOAKING: ("accent", "soaking"),
    State.COMPLETED: ("success", "completed"),
    State.HELD: ("warning", "held"),
    State.HALTED: ("danger", "halted"),
    State.ROLLED_BACK: ("danger", "rolled back"),
    State.FAILED: ("", "failed"),
}
CLASSES = {"minor": "", "moderate": "accent", "major": "warning", "emergency": "danger"}
LONGEST = 300


def row(by: Caller, one: Change) -> dict[str, Any]:
    """A change in a list."""
    tone, words = STATES[one.state]
    return {
        "one": one,
        "href": f"/w/{by.workspace.slug}/changes/{one.id}",
        "tone": tone,
        "words": words,
        "share": share_of(one, policy_of(one)),
        "class_tone": CLASSES[one.change_class.value],
    }


def compared(found: Difference | None) -> dict[str, Any] | None:
    """A difference of releases: texts word by word, other values by their paths. None: it cannot be told any more."""
    if found is None:
        return None
    parts = []
    for part in found.parts:
        in_texts = {text.path for text in part.texts}
        values = _values(one for one in part.changes if one.path not in in_texts)
        texts = [
            {"path": one.path or "/", "pieces": [(piece.what.value, piece.text) for piece in one.pieces]}
            for one in part.texts
        ]
        parts.append({"name": part.kind.value, "texts": texts, "values": values})
    if found.body:
        parts.append({"name": "release", "texts": [], "values": _values(found.body)})
    return {"first": found.first, "parts": parts, "manifest": found.manifest}


def steps(evidence: Iterable[Evidence]) -> list[dict[str, Any]]:
    """Steps, the latest first, each with what it rests on in sentences."""
    return [
        {"one": one, "tone": STATES[one.after][0], "words": STATES[one.after][1], "said": _said(one)}
        for one in sorted(evidence, key=lambda one: -one.number)
    ]


def _said(one: Evidence) -> list[str]:
    facts = one.facts
    said = [str(finding["said"]) for finding in facts.get("findings", ())]
    said += [f"{name}: nothing is known of it" for name in facts.get("unmeasured", ())]
    said += [f"{name}: {sentence}" for name, sentence in facts.get("sound", {}).items()]
    if facts.get("ab"):
        said.append(f"A/B: {facts['ab']['said']}")
    if facts.get("planned"):
        calls = facts["planned"]["calls"]
        about = "an unknown number of" if calls is None else f"about {calls:,}"
        said.append(f"A/B of {facts['planned']['metric']}: it takes {about} calls of both releases together")
    said += [
        f"suite {suite['suite']}: {suite['verdict']}"
        + "".join(f"; {reason}" for reason in suite["reasons"][:3])
        for suite in facts.get("suites", ())
    ]
    if facts.get("approvals"):
        said.append("approved by " + ", ".join(str(approval["name"]) for approval in facts["approvals"]))
    for name, words in (("gateways", "serving what was decided"), ("behind", "behind"), ("silent", "silent")):
        if facts.get(name):
            said.append(f"gateways {words}: {', '.join(facts[name])}")
    return said


def _values(changes: Iterable[ValueChange]) -> list[dict[str, Any]]:
    """By their paths; None on the side where there is none."""
    return [
        {
            "path": one.path or "/",
            "old": None if one.what is What.ADDED else _value(one.old),
            "new": None if one.what is What.REMOVED else _value(one.new),
        }
        for one in changes
    ]


def _value(value: Any) -> str:
    text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"
