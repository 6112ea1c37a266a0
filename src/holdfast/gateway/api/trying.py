"""The JSON door of Try it: a real request through a gateway that runs."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Depends, Request
from pydantic import BaseModel, Field

from holdfast.gateway.actions import trying as actions
from holdfast.gateway.api.configuration import AskIn, ExplainedOut
from holdfast.gateway.model import Dimensions
from holdfast.gateway.reads import explained
from holdfast.platform.access.guard import caller, problems, services
from holdfast.platform.access.model import Caller, Scope

router = APIRouter(
    prefix="/api/v1/gateway/try", tags=["gateway"], responses=problems(401, 403, 404, 422, 503)
)
Operator = Annotated[Caller, Depends(caller(Scope.OPERATE, everywhere=True))]


class TryIn(AskIn):
    """A request to be sent, and what it says of itself. It costs what it costs."""

    message: Annotated[str, Field(max_length=actions.MOST)]
    instructions: Annotated[str, Field(max_length=actions.MOST)] = ""
    max_tokens: Annotated[int, Field(ge=1, le=100_000)] = 300


class TriedOut(BaseModel):
    """What came of it, and what it was decided by. `error` in plain words; empty where there is an answer."""

    status: int
    answer: str
    error: str
    latency_ms: float
    call_id: str
    trace_id: str
    upstream: str
    cost: str
    attempts: list[str]
    lifted: str
    explained: ExplainedOut


@router.post("")
def try_request(request: Request, by: Operator, body: TryIn) -> TriedOut:
    """Sends a real request through a gateway that runs, and waits for the whole answer. It is recorded as any call is."""
    said = Dimensions(**{name: getattr(body, name) for name in Dimensions.__struct_fields__})
    trial = actions.Trial(
        body.model, body.message, body.dialect, body.instructions, body.max_tokens, body.key, said
    )
    told = actions.send(by, services(request), trial)
    with services(request).database.reading() as tx:
        why = explained.explain(
            by.ctx,
            tx,
            request.app.state.gateway_pricer,
            model=body.model,
            dialect=body.dialect,
            key=told.key,
            said=told.said,
            call_id=told.call_id,
        )
    return TriedOut(
        status=told.status,
        answer=told.answer,
        error=told.error,
        latency_ms=told.latency_ms,
        call_id=told.call_id,
        trace_id=told.trace_id,
        upstream=told.upstream,
        cost=told.cost,
        attempts=list(told.attempts),
        lifted=told.lifted,
        explained=ExplainedOut.of(why),
    )
