"""What a change has kept, read back."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any

import msgspec
import rfc8785

from holdfast.changes.model import Change, ChangeClass
from holdfast.changes.rules.policy import ClassPolicy


def policy_of(change: Change) -> ClassPolicy:
    """The policy that it was submitted under."""
    return msgspec.convert(change.policy, ClassPolicy)


def content_hash(
    route: str, baseline: str, candidate: str, change_class: ChangeClass, policy: Mapping[str, Any]
) -> str:
    """SHA-256 in hex of what reviewers approve: which release takes whose place, on which route, by which rules."""
    said = {
        "route": route,
        "baseline": baseline,
        "candidate": candidate,
        "class": change_class.value,
        "policy": policy,
    }
    return hashlib.sha256(rfc8785.dumps(said)).hexdigest()
