"""The JSON door of what changes go by: the policy, and freezes."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, Request
from pydantic import Field

from holdfast.changes.actions import governing
from holdfast.changes.api.changes import Operator, Reader
from holdfast.changes.api.shapes import FreezeIn, FreezeOut, PolicyIn, PolicyOut
from holdfast.changes.model import ChangeClass, PolicyVersion
from holdfast.changes.reads import listing
from holdfast.changes.rules import policy as policies
from holdfast.platform.access.guard import caller, problems, services
from holdfast.platform.access.model import Caller, Scope

router = APIRouter(
    prefix="/api/v1/change-rules", tags=["changes"], responses=problems(401, 403, 404, 409, 422, 503)
)
Admin = Annotated[Caller, Depends(caller(Scope.ADMIN, everywhere=True))]
FreezeId = Annotated[str, Field(max_length=40)]


@router.get("/policy")
def policy(request: Request, by: Reader) -> PolicyOut:
    """The policy as it was written, and what follows for each class; version 0 is what is shipped."""
    with services(request).database.reading() as tx:
        return _out(listing.policy(by.ctx, tx))


@router.put("/policy")
def put_policy(request: Request, by: Admin, body: PolicyIn) -> PolicyOut:
    """Puts a policy in force, whole. Changes that were submitted go on by the one that they had."""
    with services(request).database.transaction() as tx:
        made = governing.put_policy(
            by.ctx, tx, body.policy, expected_version=body.expected_version, note=body.note
        )
        return _out(made)


@router.get("/freezes")
def freezes(request: Request, by: Reader) -> list[FreezeOut]:
    """Freezes that have not ended, what begins first first."""
    with services(request).database.reading() as tx:
        return [FreezeOut.of(one) for one in listing.freezes(by.ctx, tx)]


@router.post("/freezes", status_code=201)
def freeze(request: Request, by: Operator, body: FreezeIn) -> FreezeOut:
    """Nothing begins or goes on from an instant (now) until another, or until it is lifted. Rollback always may."""
    with services(request).database.transaction() as tx:
        made = governing.freeze(
            by.ctx,
            tx,
            reason=body.reason,
            systems=body.systems,
            begins_at=body.begins_at,
            ends_at=body.ends_at,
            lets_emergencies=body.lets_emergencies,
        )
        return FreezeOut.of(made)


@router.delete("/freezes/{frozen}")
def lift(request: Request, by: Operator, frozen: FreezeId) -> FreezeOut:
    """Ends a freeze now."""
    with services(request).database.transaction() as tx:
        return FreezeOut.of(governing.lift(by.ctx, tx, frozen))


def _out(found: PolicyVersion | None) -> PolicyOut:
    written = policies.parse(found.document) if found else policies.Policy()
    classes: dict[str, dict[str, Any]] = {
        system: {one.value: msgspec.to_builtins(policies.of(written, system, one)) for one in ChangeClass}
        for system in sorted({policies.EVERY_SYSTEM, *written.systems})
    }
    return PolicyOut.of(found, classes)
