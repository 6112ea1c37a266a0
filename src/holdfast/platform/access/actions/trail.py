"""How deeds of members reach the audit logs of the workspaces that they concern."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from holdfast.kernel.context import Actor, Context
from holdfast.platform.access.model import Member
from holdfast.platform.access.store import members as store
from holdfast.platform.audit import actions as audit
from holdfast.storage.sql import Transaction

INSTANCE = "instance"  # the log of what belongs to no workspace


def actor(member: Member) -> Actor:
    """A member as one who acts."""
    return Actor("member", member.id, member.name or member.email)


def record(
    ctx: Context,
    tx: Transaction,
    member: Member | None,
    *,
    action: str,
    details: Mapping[str, Any] | None = None,
    outcome: Literal["ok", "denied", "failed"] = "ok",
) -> None:
    """Records in every workspace where the member has a grant, in the order of their ids; else for the instance."""
    workspaces = (
        sorted({grant.workspace for grant in store.grants_of_member(tx, member.id)}) if member else []
    )
    subject = member.id if member else "member:unknown"
    for workspace in workspaces or [INSTANCE]:
        there = Context(workspace, ctx.actor, ctx.now)
        audit.record(there, tx, action=action, subject=subject, details=details, outcome=outcome)
