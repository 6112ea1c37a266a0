"""The JSON door of triggers: what has runs begin by themselves."""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from holdfast.evals.actions import runs as run_actions
from holdfast.evals.actions import triggers as actions
from holdfast.evals.api.runs import Amount, Name
from holdfast.evals.reads import triggers as reads
from holdfast.evals.states import RunTrigger, Trigger
from holdfast.kernel.time import iso
from holdfast.platform.access.guard import caller, problems, services
from holdfast.platform.access.model import Caller, Scope

router = APIRouter(
    prefix="/api/v1/evals/triggers", tags=["evals"], responses=problems(401, 403, 404, 422, 503)
)
Reader = Annotated[Caller, Depends(caller(Scope.READ, everywhere=True))]
Operator = Annotated[Caller, Depends(caller(Scope.OPERATE, everywhere=True))]
TriggerId = Annotated[str, Field(max_length=40)]


class TriggerIn(BaseModel):
    """What has a run of a suite begin, and how that run is made. Left out: as the suite says."""

    model_config = ConfigDict(extra="forbid")

    suite: Annotated[str, Field(max_length=100)]
    kind: Literal["schedule", "change", "model", "knowledge"]
    cron: Annotated[
        str, Field(max_length=100, description="Of a schedule: minute hour day month weekday.")
    ] = ""
    time_zone: Annotated[str, Field(max_length=100, description="Of a schedule: its IANA name.")] = "UTC"
    release: Annotated[
        Name, Field(description="By its name in the gateway; empty: what answers the route.")
    ] = ""
    baseline: Annotated[
        str, Field(max_length=40, description="Id of a run of the suite; empty: the latest that passed.")
    ] = ""
    repeats: Annotated[int | None, Field(ge=1, le=run_actions.MOST_REPEATS)] = None
    concurrency: Annotated[int, Field(ge=1, le=run_actions.MOST_CONCURRENCY)] = 8
    max_cost: Annotated[Amount | None, Field(description="USD, a decimal text; of each run.")] = None
    enabled: bool = True

    def wanted(self) -> actions.Wanted:
        """The trigger that this describes."""
        values = self.model_dump()
        values["kind"] = Trigger(self.kind)
        values["max_cost"] = None if self.max_cost is None else Decimal(self.max_cost)
        return actions.Wanted(**values)


class TriggerOut(TriggerIn):
    """A trigger as it stands. `problem`: why its last run did not begin; empty: nothing is wrong."""

    id: str
    created_at: str
    created_by: str
    due_at: Annotated[str | None, Field(description="Of a schedule: when the next run begins.")]
    looked: Annotated[bool, Field(description="Whether it is known by now what is not new.")]
    fired_at: str | None
    last_run: str
    problem: str

    @classmethod
    def of(cls, one: RunTrigger) -> TriggerOut:
        """As it is."""
        values = {name: getattr(one, name) for name in cls.model_fields if name != "looked"}
        for name in ("created_at", "due_at", "fired_at"):
            values[name] = None if values[name] is None else iso(values[name])
        values["max_cost"] = None if one.max_cost is None else format(one.max_cost, "f")
        return cls(**values, looked=one.kind is Trigger.SCHEDULE or one.seen is not None)


@router.get("")
def listed(
    request: Request, by: Reader, suite: Annotated[str | None, Field(max_length=100)] = None
) -> list[TriggerOut]:
    """Triggers of the workspace, the oldest first; `suite`: of one suite."""
    with services(request).database.reading() as tx:
        return [TriggerOut.of(one) for one in reads.triggers(by.ctx, tx, suite)]


@router.post("", status_code=201)
def make(request: Request, by: Operator, body: TriggerIn) -> TriggerOut:
    """A fresh trigger. What there is already when it first looks begins no run."""
    with services(request).database.transaction() as tx:
        return TriggerOut.of(actions.make(by.ctx, tx, body.wanted()))


@router.put("/{trigger}")
def change(request: Request, by: Operator, trigger: TriggerId, body: TriggerIn) -> TriggerOut:
    """In the place of what it was. Enabled anew, it looks afresh."""
    with services(request).database.transaction() as tx:
        return TriggerOut.of(actions.change(by.ctx, tx, trigger, body.wanted()))


@router.delete("/{trigger}", status_code=204, response_class=Response)
def remove(request: Request, by: Operator, trigger: TriggerId) -> None:
    """Its runs stay."""
    with services(request).database.transaction() as tx:
        actions.remove(by.ctx, tx, trigger)
