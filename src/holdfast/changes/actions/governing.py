"""Verbs on what changes go by: the workspace's policy, and freezes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import rfc8785

from holdfast.changes import store
from holdfast.changes.actions.persons import permit, person_of
from holdfast.changes.model import ChangeClass, Freeze, PolicyVersion
from holdfast.changes.rules import policy as policies
from holdfast.changes.rules import windows_written
from holdfast.kernel.context import Context
from holdfast.kernel.errors import Conflict, Invalid, NotFound
from holdfast.kernel.ids import new_id
from holdfast.platform.audit import actions as audit
from holdfast.storage.sql import Transaction

MAX_BYTES = 256 * 1024
MAX_NOTE = 1000
MAX_REASON = 1000


def put_policy(
    ctx: Context,
    tx: Transaction,
    document: Mapping[str, Any],
    *,
    expected_version: int | None = None,
    note: str = "",
) -> PolicyVersion:
    """Puts a policy in force, whole, as the next version. Changes that were submitted go on by the one that they had.

    Raises Invalid with the place of what is wrong, and Conflict where another version is in force than expected.
    """
    written = policies.parse(document)
    if written.windows:
        windows_written.parse(written.windows)
    if len(note) > MAX_NOTE:
        raise Invalid(f"a note has at most {MAX_NOTE} characters", where="note")
    if len(rfc8785.dumps(dict(document))) > MAX_BYTES:
        raise Invalid(f"a policy has at most {MAX_BYTES >> 10} KiB", where="policy")
    before = store.policy(tx, ctx.workspace)
    version = before.version if before else 0
    if expected_version is not None and expected_version != version:
        raise Conflict(f"version {version} is in force, not {expected_version}: read it again")
    made = PolicyVersion(ctx.workspace, version + 1, document, ctx.now, ctx.actor.id, note)
    if not store.add_policy(tx, made):
        raise Conflict("another policy was put in force at the same moment; read it and try again")
    details = {"version": made.version, "note": note, "policy": dict(document)}
    audit.record(ctx, tx, action="change.policy", subject=f"policy:{made.version}", details=details)
    return made


def freeze(
    ctx: Context,
    tx: Transaction,
    *,
    reason: str,
    systems: Sequence[str] = (),
    begins_at: datetime | None = None,
    ends_at: datetime | None = None,
    lets_emergencies: bool = False,
) -> Freeze:
    """Nothing begins or goes on from an instant (now) until another, or until it is lifted. Raises Invalid, Denied."""
    _permit(ctx, tx, systems)
    if not 1 <= len(reason.strip()) <= MAX_REASON:
        raise Invalid(f"say why, in at most {MAX_REASON} characters", where="reason")
    begins = begins_at or ctx.now
    if ends_at is not None and ends_at <= max(begins, ctx.now):
        raise Invalid("it would have ended before it begins, or before now", where="ends_at")
    made = Freeze(
        id=new_id("frz"),
        workspace=ctx.workspace,
        systems=tuple(dict.fromkeys(systems)),
        begins_at=begins,
        ends_at=ends_at,
        reason=reason.strip(),
        lets_emergencies=lets_emergencies,
        by=ctx.actor.id,
        made_at=ctx.now,
    )
    store.add_freeze(tx, made)
    audit.record(ctx, tx, action="change.frozen", subject=made.id, details=_told(made))
    return made


def lift(ctx: Context, tx: Transaction, id: str) -> Freeze:
    """Ends a freeze now. Raises NotFound, Denied, Conflict where it has ended."""
    found = store.freeze(tx, ctx.workspace, id)
    if found is None:
        raise NotFound("there is no such freeze in this workspace")
    _permit(ctx, tx, found.systems)
    if found.ends_at is not None and found.ends_at <= ctx.now:
        raise Conflict("this freeze has ended already")
    lifted = replace(found, ends_at=ctx.now)
    store.put_freeze(tx, lifted)
    audit.record(ctx, tx, action="change.unfrozen", subject=id, details=_told(lifted))
    return lifted


def _permit(ctx: Context, tx: Transaction, systems: Sequence[str]) -> None:
    """Whoever may freeze in each of the systems; for all of them, by the policy for all."""
    found = store.policy(tx, ctx.workspace)
    written = policies.parse(found.document) if found else policies.Policy()
    for system in systems or ("",):
        permit(policies.of(written, system, ChangeClass.MAJOR), "freeze", person_of(ctx, tx, system))


def _told(one: Freeze) -> dict[str, Any]:
    return {
        "systems": list(one.systems),
        "begins_at": one.begins_at,
        "ends_at": one.ends_at,
        "reason": one.reason,
        "lets_emergencies": one.lets_emergencies,
    }
