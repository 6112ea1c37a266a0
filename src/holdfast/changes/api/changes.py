"""The JSON door of changes: propose, submit, review, have one go on, stand still or be rolled back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Request
from fastapi.responses import PlainTextResponse
from pydantic import AwareDatetime, Field

from holdfast.changes.actions import proposing, reviewing, rolling
from holdfast.changes.actions.keeping import load
from holdfast.changes.api.shapes import (
    ChangeIn,
    ChangeOut,
    ReasonIn,
    ReviewIn,
    ReviewOut,
    RiskIn,
    RouteReasonIn,
    ServedOut,
    WholeOut,
)
from holdfast.changes.model import Change, Decision, State
from holdfast.changes.reads import briefing, listing, standing
from holdfast.changes.rules.brief import markdown
from holdfast.changes.rules.reading import policy_of
from holdfast.changes.rules.splits import share_of
from holdfast.kernel.context import Context
from holdfast.platform.access.guard import caller, problems, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.storage.sql import Transaction

router = APIRouter(
    prefix="/api/v1/changes", tags=["changes"], responses=problems(401, 403, 404, 409, 422, 503)
)
routes = APIRouter(prefix="/api/v1", tags=["changes"], responses=problems(401, 403, 404, 409, 422, 503))
Reader = Annotated[Caller, Depends(caller(Scope.READ, everywhere=True))]
Operator = Annotated[Caller, Depends(caller(Scope.OPERATE, everywhere=True))]
ChangeId = Annotated[str, Field(max_length=40)]
Route = Annotated[str | None, Query(max_length=120)]


def out(one: Change) -> ChangeOut:
    """A change as the doors give it."""
    return ChangeOut.of(one, share_of(one, policy_of(one)))


@router.get("")
def listed(
    request: Request,
    by: Reader,
    route: Route = None,
    state: Annotated[list[State] | None, Query()] = None,
    before: Annotated[AwareDatetime | None, Query()] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> list[ChangeOut]:
    """Changes of the workspace, the latest made first; `before`: those made before an instant."""
    with services(request).database.reading() as tx:
        found = listing.changes(by.ctx, tx, states=state, route=route, before=before, limit=limit)
        return [out(one) for one in found]


@router.post("", status_code=201)
def propose(request: Request, by: Operator, body: ChangeIn) -> ChangeOut:
    """A draft, whose class is worked out from its difference to what the route serves."""
    with services(request).database.transaction() as tx:
        return out(proposing.propose(by.ctx, tx, body.proposal()))


@routes.post("/rollbacks", status_code=201)
def roll_back_route(request: Request, by: Operator, body: RouteReasonIn) -> ChangeOut:
    """Rolls back what is under way on a route, else what it completed last. No approval, also inside a freeze."""
    with services(request).database.transaction() as tx:
        return out(rolling.roll_back_route(by.ctx, tx, body.route, body.reason))


@routes.get("/served")
def served(
    request: Request,
    by: Reader,
    route: Annotated[str, Query(min_length=1, max_length=120)],
    at: Annotated[AwareDatetime | None, Query()] = None,
) -> ServedOut:
    """What a route served at an instant (now), who decided it, and who approved."""
    with services(request).database.reading() as tx:
        found = listing.served(by.ctx, tx, route, at or by.ctx.now)
        share = share_of(found.change, policy_of(found.change)) if found.change else 0
        return ServedOut.of(found, share)


@router.get("/{change}")
def shown(request: Request, by: Reader, change: ChangeId) -> WholeOut:
    """A change with its evidence, reviews and gate."""
    with services(request).database.reading() as tx:
        found = listing.change(by.ctx, tx, change)
        return WholeOut.of(found, share_of(found.change, policy_of(found.change)))


@router.get("/{change}/brief", response_class=PlainTextResponse)
def brief(request: Request, by: Reader, change: ChangeId) -> PlainTextResponse:
    """What the change would change for people, and whether to go on with it, as Markdown."""
    with services(request).database.reading() as tx:
        text = markdown(briefing.brief(by.ctx, tx, change))
    return PlainTextResponse(text, media_type="text/markdown")


@router.put("/{change}")
def edit(request: Request, by: Operator, change: ChangeId, body: ChangeIn) -> ChangeOut:
    """Writes it anew: a draft again, and what was decided about it holds no more."""
    return _stepped(request, by, lambda ctx, tx: proposing.edit(ctx, tx, change, body.proposal()))


@router.post("/{change}/submit")
def submit(request: Request, by: Operator, change: ChangeId) -> ChangeOut:
    """Has its suites run, and asks for reviews."""
    return _stepped(request, by, lambda ctx, tx: proposing.submit(ctx, tx, change))


@router.post("/{change}/withdraw")
def withdraw(request: Request, by: Operator, change: ChangeId, body: ReasonIn) -> ChangeOut:
    """Takes it back before it served anybody."""
    return _stepped(request, by, lambda ctx, tx: proposing.withdraw(ctx, tx, change, body.reason))


@router.post("/{change}/reviews", status_code=201)
def review(request: Request, by: Operator, change: ChangeId, body: ReviewIn) -> ReviewOut:
    """Approves or rejects the content that was read. Not by its author, whichever way they come in."""
    with services(request).database.transaction() as tx:
        decision = Decision(body.decision)
        return ReviewOut.of(reviewing.review(by.ctx, tx, change, decision, body.content_hash, body.note))


@router.post("/{change}/accept-risk")
def accept_risk(request: Request, by: Operator, change: ChangeId, body: RiskIn) -> ChangeOut:
    """Answers for going on with an inconclusive gate until an instant."""
    return _stepped(
        request, by, lambda ctx, tx: reviewing.accept_risk(ctx, tx, change, body.reason, body.until)
    )


@router.post("/{change}/advance")
def advance(request: Request, by: Operator, change: ChangeId, body: ReasonIn) -> ChangeOut:
    """One stage on, before its dwell or samples are there; never inside a freeze."""

    def act(ctx: Context, tx: Transaction) -> Change:
        blocked = standing.blocked(ctx, tx, load(ctx, tx, change))
        return rolling.advance(ctx, tx, change, body.reason, blocked)

    return _stepped(request, by, act)


@router.post("/{change}/hold")
def hold(request: Request, by: Operator, change: ChangeId, body: ReasonIn) -> ChangeOut:
    """Has it stand still, with the traffic that it has."""
    return _stepped(request, by, lambda ctx, tx: rolling.hold(ctx, tx, change, body.reason))


@router.post("/{change}/resume")
def resume(request: Request, by: Operator, change: ChangeId, body: ReasonIn) -> ChangeOut:
    """Lets it go on; its stage begins again."""
    return _stepped(request, by, lambda ctx, tx: rolling.resume(ctx, tx, change, body.reason))


@router.post("/{change}/roll-back")
def roll_back(request: Request, by: Operator, change: ChangeId, body: ReasonIn) -> ChangeOut:
    """Takes traffic off it at once: no approval, in every state, also inside a freeze."""
    return _stepped(request, by, lambda ctx, tx: rolling.roll_back(ctx, tx, change, body.reason))


def _stepped(request: Request, by: Caller, act: Callable[[Context, Transaction], Change]) -> ChangeOut:
    with services(request).database.transaction() as tx:
        return out(act(by.ctx, tx))
