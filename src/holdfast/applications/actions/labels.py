"""Verbs on labels: move one, take one away."""

from __future__ import annotations

import re

from holdfast.applications import store
from holdfast.applications.model import PRODUCTION, RESERVED, Label
from holdfast.kernel.context import Context
from holdfast.kernel.errors import Conflict, Invalid, NotFound
from holdfast.platform.audit import actions as audit
from holdfast.registry import reads as registry
from holdfast.registry.model import Kind
from holdfast.storage.sql import Transaction

_LABEL = re.compile(r"[a-z0-9][a-z0-9._-]{0,59}")


def move(ctx: Context, tx: Transaction, name: str, label: str, number: int) -> Label:
    """Has a label stand for a version of a prompt from now on. Raises Conflict for a protected one, NotFound, Invalid."""
    _check(label)
    registry.version(ctx, tx, Kind.PROMPT, name, number)
    before = next((one for one in store.labels_of(tx, ctx.workspace, name) if one.label == label), None)
    if before is not None and before.number == number:
        return before
    made = Label(ctx.workspace, name, label, number, ctx.now, ctx.actor.id)
    store.put_label(tx, made)
    details = {"label": label, "from": before.number if before else None, "to": number}
    audit.record(ctx, tx, action="prompt_label.moved", subject=f"prompt:{name}", details=details)
    return made


def remove(ctx: Context, tx: Transaction, name: str, label: str) -> None:
    """Takes a label away. Raises Conflict for a protected one, NotFound."""
    _check(label)
    if not store.remove_label(tx, ctx.workspace, name, label):
        raise NotFound("no version of a prompt of this name has this label in this workspace")
    audit.record(ctx, tx, action="prompt_label.removed", subject=f"prompt:{name}", details={"label": label})


def _check(label: str) -> None:
    if label == PRODUCTION:
        raise Conflict(
            "production is what the route serves: open a change, and it moves when that is completed"
        )
    if label in RESERVED:
        raise Conflict("latest is the version that was added last: it moves by itself")
    if not _LABEL.fullmatch(label):
        raise Invalid("a label is small letters, digits and . _ -, 60 characters at most", where="label")
