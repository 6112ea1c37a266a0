"""The JSON door to metrics of calls."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, Field

from holdfast.kernel.errors import Invalid
from holdfast.kernel.time import iso
from holdfast.platform.access.guard import caller, problems, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.telemetry.api.calls import CallQuery, Values, chosen
from holdfast.telemetry.ingest.service import of as ingest
from holdfast.telemetry.model import MetricAnswer, MetricQuery, Step, TimeRange
from holdfast.telemetry.reads import metrics as reads
from holdfast.telemetry.reads.calls import UNKNOWN
from holdfast.telemetry.rules.histogram import RELATIVE_ERROR
from holdfast.telemetry.rules.measures import MEASURES

router = APIRouter(prefix="/api/v1/metrics", tags=["metrics"], responses=problems(401, 403, 404, 422, 503))
Reader = Annotated[Caller, Depends(caller(Scope.READ))]
CALENDAR = ("day", "week", "month")


class MetricsQuery(CallQuery):
    """Measures of the calls and operations of a filter; the last 24 hours unless told otherwise.

    `tool` and `data_source` are dimensions of operations alone.
    """

    tool: Values
    data_source: Values

    measure: Annotated[list[str], Field(description="Names of measures.", min_length=1, max_length=20)]
    group_by: Annotated[
        list[str], Field(default_factory=list, description="At most two dimensions.", max_length=2)
    ]
    step: Annotated[
        str, Field(description="Seconds, or day, week, month; empty: one figure of the whole.", max_length=20)
    ] = ""
    zone: Annotated[
        str, Field(description="Time zone of days, weeks, months (IANA name).", max_length=60)
    ] = "UTC"
    limit: int = Field(100, ge=1, le=10_000, description="Most groups answered, those with most calls.")


class MeasureOut(BaseModel):
    """A measure: its name, its unit (UCUM; `currency` for amounts by currency), and what it says."""

    name: str
    unit: str
    says: str


class MetricRowOut(BaseModel):
    """One step of one group. Unknown is null; amounts are decimal texts by currency."""

    start: str | None
    group: dict[str, str | None]
    values: dict[str, Any]


class MetricsOut(BaseModel):
    """The answer. A step or group without calls has no row. `complete` is false while something is being counted,
    or where groups were left out; `groups` says how many there are. Quantiles are off by at most `relative_error`.
    """

    from_: str = Field(serialization_alias="from")
    to: str
    measures: list[MeasureOut]
    rows: list[MetricRowOut]
    groups: int
    complete: bool
    relative_error: float
    seconds_from_calls: float
    seconds_from_operations: float


@router.get("/measures")
def list_measures(found: Reader) -> list[MeasureOut]:
    """Every measure there is."""
    return [MeasureOut(name=one.name, unit=one.unit, says=one.says) for one in MEASURES.values()]


@router.get("/query")
def query_metrics(request: Request, query: Annotated[MetricsQuery, Query()], found: Reader) -> MetricsOut:
    """Measures over a window, by step and by at most two dimensions, exact at this moment."""
    complete = ingest(request).counter.wait()
    asked = asked_for(query, found)
    answer = reads.query(services(request).columns, found.ctx.workspace, asked, complete=complete)
    return shown(asked, answer)


def asked_for(query: MetricsQuery, found: Caller) -> MetricQuery:
    """The query that was sent, limited to what the caller may see. Raises Invalid, NotFound."""
    if query.text or query.min_duration_ms is not None:
        raise Invalid("metrics have no filter by text or duration", where="text")
    filters = chosen(query, found)
    now = found.ctx.now
    end = filters.within.end if query.to else now
    start = filters.within.start if query.from_ else end - timedelta(hours=24)
    asked = MetricQuery(
        tuple(dict.fromkeys(query.measure)),
        TimeRange(start, end),
        step_of(query.step, query.zone),
        tuple(query.group_by),
        filters.equals,
        filters.pairs,
        query.limit,
    )
    own = {
        name: tuple("" if value == UNKNOWN else value for value in values if value)
        for name, values in (("tool", query.tool), ("data_source", query.data_source))
    }
    equals = {name: values for name, values in {**asked.equals, **own}.items() if values}
    return replace(asked, equals=equals)


def step_of(text: str, zone: str) -> Step | None:
    """A step as it is written in an address. Raises Invalid."""
    if not text:
        return None
    if text in CALENDAR:
        return Step(calendar=text, zone=zone)  # type: ignore[arg-type]
    if not text.isdecimal() or len(text) > 9:
        raise Invalid(f"a step is a number of seconds, or one of {', '.join(CALENDAR)}", where="step")
    return Step(int(text))


def shown(asked: MetricQuery, answer: MetricAnswer) -> MetricsOut:
    """An answer as JSON."""
    return MetricsOut(
        from_=iso(asked.within.start),
        to=iso(asked.within.end),
        measures=[
            MeasureOut(name=name, unit=MEASURES[name].unit, says=MEASURES[name].says)
            for name in asked.measures
        ],
        rows=[
            MetricRowOut(
                start=iso(row.start) if row.start else None,
                group={name: value or None for name, value in zip(asked.group_by, row.group, strict=True)},
                values={name: plain(value) for name, value in row.values.items()},
            )
            for row in answer.rows
        ],
        groups=answer.groups,
        complete=answer.complete,
        relative_error=RELATIVE_ERROR,
        seconds_from_calls=answer.from_calls,
        seconds_from_operations=answer.from_operations,
    )


def plain(value: Any) -> Any:
    """A value as JSON holds it: amounts are decimal texts."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in sorted(value.items())}
    if isinstance(value, Decimal):
        return format(value, "f")
    return value
