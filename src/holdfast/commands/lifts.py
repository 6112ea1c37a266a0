"""`holdfast gateway lift`, `lifts` and `unlift`: break-glass for the operator. Works while a core runs or not."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from decimal import Decimal, InvalidOperation

from holdfast.commands import CLI, only_workspace, open_database
from holdfast.gateway.actions import lifts as actions
from holdfast.gateway.model import Lift, Lifted, Scope
from holdfast.gateway.reads import lifts as reads
from holdfast.kernel.context import Context
from holdfast.kernel.errors import Invalid
from holdfast.kernel.time import iso, utc_now
from holdfast.platform.settings import Settings
from holdfast.platform.tenancy import reads as tenancy
from holdfast.storage.sql import Transaction


def lift(
    settings: Settings,
    workspace: str,
    *,
    scope: str,
    value: str,
    minutes: int,
    person: str,
    reason: str,
    extra: str,
    limits: bool,
) -> str:
    """Lifts a cap; returns what to tell. Raises Invalid, Conflict, NotFound."""
    if scope not in set(Scope):
        raise Invalid(f"there is no such scope; there are {', '.join(Scope)}", where="scope")
    try:
        more = Decimal(extra) if extra else None
    except InvalidOperation:
        raise Invalid("an extra amount is a number", where="extra") from None
    slug = only_workspace(settings, workspace)
    with closing(open_database(settings)) as database, database.transaction() as tx:
        ctx = _context(tx, slug)
        made = actions.lift(
            ctx,
            tx,
            what=Lifted.LIMIT if limits else Lifted.BUDGET,
            scope=Scope(scope),
            value=value,
            until=ctx.now + timedelta(minutes=minutes),
            reason=reason,
            person=person,
            extra=more,
        )
    return _said(made)


def unlift(settings: Settings, workspace: str, lift_id: str) -> str:
    """Ends a lift before its time. Raises NotFound."""
    slug = only_workspace(settings, workspace)
    with closing(open_database(settings)) as database, database.transaction() as tx:
        return f"{actions.end_lift(_context(tx, slug), tx, lift_id).id} has ended"


def lifts(settings: Settings, workspace: str) -> str:
    """What is lifted now, one a line."""
    slug = only_workspace(settings, workspace)
    with closing(open_database(settings)) as database, database.reading() as tx:
        found = reads.in_force(_context(tx, slug), tx)
    return "\n".join(map(_said, found)) or f"nothing is lifted in workspace {slug}"


def _said(one: Lift) -> str:
    caps = "hard budgets" if one.what is Lifted.BUDGET else "limits"
    over = f"{one.scope} {one.value}" if one.value else f"every {one.scope}"
    more = f" by {one.extra:f}" if one.extra is not None else ""
    return f"{one.id}: {caps} over {over} lifted{more} until {iso(one.until)} for {one.person}: {one.reason}"


def _context(tx: Transaction, slug: str) -> Context:
    return Context(tenancy.workspace_by_slug(tx, slug).id, CLI, utc_now())
