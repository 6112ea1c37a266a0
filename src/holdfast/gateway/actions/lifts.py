"""Break-glass: a cap gives way for a while, and somebody answers for it on the audit log."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from msgspec import structs

from holdfast.gateway import store
from holdfast.gateway.model import Configuration, Lift, Lifted, Scope
from holdfast.kernel.context import Context
from holdfast.kernel.errors import Conflict, Invalid, NotFound
from holdfast.kernel.ids import new_id
from holdfast.kernel.time import iso
from holdfast.platform.audit import actions as audit
from holdfast.platform.epochs import actions as epochs
from holdfast.storage.sql import Transaction

LONGEST = timedelta(hours=24)
MOST = 100
"""Lifts that a workspace may have in force at once: every request is judged by them."""
MAX_TEXT = 1000
MAX_NAME = 300


def lift(
    ctx: Context,
    tx: Transaction,
    *,
    what: Lifted,
    scope: Scope,
    value: str = "",
    until: datetime,
    reason: str,
    person: str = "",
    extra: Decimal | None = None,
) -> Lift:
    """Lets requests pass what the configuration in force has as hard budgets, or as limits, over a value of a scope.

    `value` empty: every one. `extra`: only so much above each budget; None: whatever they cost. `person` answers for it:
    the member who asks, and else somebody who must be named. Gateways hear of it within a second; at `until` it ends by
    itself, whether they hear of anything or not. Raises Invalid, Conflict.
    """
    made = Lift(
        id=new_id("lift"),
        workspace=ctx.workspace,
        what=what,
        scope=scope,
        value=value.strip(),
        until=until,
        extra=extra,
        person=ctx.actor.name if ctx.actor.kind == "member" else person.strip(),
        reason=reason.strip(),
        made_at=ctx.now,
        made_by=ctx.actor.id,
    )
    _check(ctx, made)
    current = store.latest(tx, ctx.workspace)
    if not _over(made, current.configuration if current else Configuration()):
        what_ = "hard budget" if what is Lifted.BUDGET else "limit"
        of = f" {made.value}" if made.value else ""
        raise Invalid(f"no {what_} over {scope}{of} is in force: there is nothing to lift", where="scope")
    if len(store.lifts(tx, ctx.workspace, ctx.now)) >= MOST:
        raise Conflict(f"{MOST} lifts are in force; end one first")
    epochs.advance(tx)
    store.add_lift(tx, made)
    audit.record(ctx, tx, action="gateway.lifted", subject=made.id, details=_told(made))
    return made


def end_lift(ctx: Context, tx: Transaction, lift_id: str) -> Lift:
    """Ends a lift before its time; one that has ended stays as it is. Raises NotFound."""
    found = store.lift(tx, ctx.workspace, lift_id)
    if found is None:
        raise NotFound("there is no such lift in this workspace")
    if not found.holds(ctx.now):
        return found
    epochs.advance(tx)
    store.end_lift(tx, ctx.workspace, lift_id, ctx.now, ctx.actor.id)
    audit.record(ctx, tx, action="gateway.lift_ended", subject=lift_id, details=_told(found))
    return structs.replace(found, ended_at=ctx.now, ended_by=ctx.actor.id)


def _check(ctx: Context, made: Lift) -> None:
    if made.until.tzinfo is None:
        raise Invalid("an instant needs its time zone; add Z for UTC", where="until")
    if not ctx.now < made.until <= ctx.now + LONGEST:
        raise Invalid("a lift ends in the future, after 24 hours at most", where="until")
    if not made.reason or len(made.reason) > MAX_TEXT:
        raise Invalid(f"say why, in at most {MAX_TEXT} characters", where="reason")
    if not made.person or len(made.person) > MAX_NAME:
        raise Invalid(f"name the person who answers for it, in at most {MAX_NAME} characters", where="person")
    if len(made.value) > MAX_NAME:
        raise Invalid(f"a value has at most {MAX_NAME} characters", where="value")
    if made.extra is not None:
        if made.what is not Lifted.BUDGET:
            raise Invalid("an extra amount is for budgets; a limit is lifted whole", where="extra")
        if not made.extra.is_finite() or not 0 < made.extra < 10**12:
            raise Invalid("an extra amount is above 0 and below 10^12", where="extra")


def _over(made: Lift, configured: Configuration) -> bool:
    """Whether it is over anything: a lift that changes nothing would look like help."""
    if made.what is Lifted.BUDGET:
        over = [one.only for one in configured.budgets if one.scope is made.scope and one.hard]
    else:
        over = [one.only for one in configured.limits if one.scope is made.scope]
    return any(not only or not made.value or made.value in only for only in over)


def _told(made: Lift) -> dict[str, object]:
    """What the audit log says of it."""
    return {
        "what": made.what.value,
        "scope": made.scope.value,
        "value": made.value,
        "until": iso(made.until),
        "extra": None if made.extra is None else f"{made.extra:f}",
        "person": made.person,
        "reason": made.reason,
    }
