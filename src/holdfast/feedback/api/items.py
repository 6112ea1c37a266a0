"""The JSON door of feedback: given, listed, read, exported, set aside, erased."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Header, Query, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from holdfast.evals.actions.suites import sees_holdouts
from holdfast.feedback.actions import cases
from holdfast.feedback.actions import items as actions
from holdfast.feedback.actions.taking import Taking
from holdfast.feedback.api.shapes import AddedOut, FeedbackIn, ItemOut, TakenOut, shown
from holdfast.feedback.model import Item, Sentiment, Source, Wanted
from holdfast.feedback.reads import items as reads
from holdfast.feedback.reads import rates as rate_reads
from holdfast.feedback.reads import turns
from holdfast.feedback.rules import said
from holdfast.feedback.rules.rates import Rate, of_counts
from holdfast.kernel.context import Context
from holdfast.kernel.errors import Denied, Invalid
from holdfast.kernel.time import parse_instant
from holdfast.platform.access.guard import caller, problems, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.platform.audit import actions as audit
from holdfast.telemetry.reads.shapes import csv_lines, json_lines

ANSWERS = problems(401, 403, 404, 422, 503)
router = APIRouter(prefix="/api/v1/feedback", tags=["feedback"], responses=ANSWERS)
Sender = Annotated[Caller, Depends(caller(Scope.INGEST, everywhere=True))]
Reader = Annotated[Caller, Depends(caller(Scope.READ, everywhere=True))]
Operator = Annotated[Caller, Depends(caller(Scope.OPERATE, everywhere=True))]
Admin = Annotated[Caller, Depends(caller(Scope.ADMIN, everywhere=True))]
Id = Annotated[str, Field(max_length=said.MAX_ID)]
Once = Annotated[str, Header(alias="idempotency-key", max_length=255)]
Text = Annotated[str, Field(max_length=200)]
MOST_AT_ONCE = 1000
MEDIA_TYPES = {"jsonl": "application/x-ndjson", "csv": "text/csv; charset=utf-8"}


class Batch(BaseModel):
    """Several items, kept all or none."""

    model_config = ConfigDict(extra="forbid")

    items: Annotated[list[FeedbackIn], Field(min_length=1, max_length=MOST_AT_ONCE)]


class Filter(BaseModel):
    """Which items; what is not given is any. `unknown` among routes or releases is written as an empty text."""

    from_: Annotated[str, Field(alias="from", max_length=40)] = ""
    to: Annotated[str, Field(max_length=40)] = ""
    source: list[Source] = Field(default_factory=list, max_length=10)
    sentiment: list[Sentiment] = Field(default_factory=list, max_length=10)
    label: list[Text] = Field(default_factory=list, max_length=50)
    system: list[Text] = Field(default_factory=list, max_length=50)
    environment: list[Text] = Field(default_factory=list, max_length=50)
    route: list[Text] = Field(default_factory=list, max_length=50)
    release: list[Text] = Field(default_factory=list, max_length=50)
    trace_id: Annotated[str, Field(max_length=64)] = ""
    call_id: Text = ""
    joined: bool | None = None
    open: bool | None = None
    unique: bool = False

    def wanted(self) -> Wanted:
        """As the room asks for it. Raises Invalid."""
        return Wanted(
            start=parse_instant(self.from_, "from") if self.from_ else None,
            end=parse_instant(self.to, "to") if self.to else None,
            sources=tuple(self.source),
            sentiments=tuple(self.sentiment),
            labels=tuple(self.label),
            systems=tuple(self.system),
            environments=tuple(self.environment),
            routes=tuple(self.route),
            releases=tuple(self.release),
            trace_id=self.trace_id or None,
            call_id=self.call_id or None,
            joined=self.joined,
            open=self.open,
            unique=self.unique,
        )


class Listing(Filter):
    """A page of a list."""

    limit: Annotated[int, Field(ge=1, le=reads.MOST_LISTED)] = 50
    cursor: Annotated[str, Field(max_length=300)] = ""


class Exporting(Filter):
    """A whole list as a file."""

    format: Literal["jsonl", "csv"] = "jsonl"


class ItemPage(BaseModel):
    """Items, the latest first; `next_cursor` is null on the last page."""

    items: list[ItemOut]
    next_cursor: str | None


class Handling(BaseModel):
    """What becomes of an item: `open` again, or `dismissed` with a note on why."""

    model_config = ConfigDict(extra="forbid")

    handling: Literal["open", "dismissed"]
    note: Annotated[str, Field(max_length=300)] = ""


class CaseIn(BaseModel):
    """The suite that the case joins. `right`: what a right answer is; else the item's correction or used text."""

    model_config = ConfigDict(extra="forbid")

    suite: Annotated[str, Field(max_length=100)]
    right: Annotated[str, Field(max_length=cases.MAX_EXPECTED)] = ""


class CaseOut(BaseModel):
    """The case that was made, and the suite's new version."""

    suite: str
    case: str
    version: int


class RateOut(BaseModel):
    """`share` of `said` items that are negative, with its 95 % interval; null where nobody said which way."""

    value: str | None
    share: float | None
    low: float | None
    high: float | None
    negative: int
    said: int
    unknown: int


class RatesOut(BaseModel):
    """Rates of what people said, each opinion once; implicit signals are not among them."""

    whole: RateOut
    groups: list[RateOut]


def taking(request: Request) -> Taking:
    """What takes items in, of this process."""
    found: Taking = request.app.state.feedback_taking
    return found


def reads_content(by: Caller) -> bool:
    """Whether the caller may read what was said in words."""
    return by.may(Scope.CONTENT) and by.reach[Scope.CONTENT].everywhere


@router.post("", status_code=201, responses=problems(401, 403, 404, 409, 422, 503))
def give(request: Request, by: Sender, body: FeedbackIn, once: Once = "") -> TakenOut:
    """Takes one piece of feedback. Its call may arrive before or after."""
    item = body.item(by.ctx.workspace, by.ctx.now, Source.EXPLICIT, once)
    return _taken(request, by.ctx, [item], [""])


@router.post("/batch", status_code=201, responses=problems(401, 403, 404, 409, 422, 503))
def give_batch(request: Request, by: Sender, body: Batch, once: Once = "") -> TakenOut:
    """Takes up to 1,000, all or none; `errors` of a refusal name each by its place."""
    places = [f"items.{number}" for number in range(len(body.items))]
    items = [
        one.item(by.ctx.workspace, by.ctx.now, Source.EXPLICIT, f"{once}\n{place}" if once else "", place)
        for one, place in zip(body.items, places, strict=True)
    ]
    if len({one.id for one in items}) < len(items):
        raise Invalid("two items of this batch have the same id; give each one of its own", where="items")
    return _taken(request, by.ctx, items, places)


def _taken(request: Request, ctx: Context, items: list[Item], places: list[str]) -> TakenOut:
    done = taking(request).take(ctx, items, places=places)
    return TakenOut(items=[AddedOut(id=one.id, became=one.became.value, same_as=one.same_as) for one in done])


@router.get("")
def list_feedback(request: Request, by: Reader, query: Annotated[Listing, Query()]) -> ItemPage:
    """Items, page by page. What was said in words, with the permission `content` alone."""
    with services(request).database.reading() as tx:
        found = reads.items(by.ctx, tx, query.wanted(), query.limit, query.cursor or None)
    content = reads_content(by)
    return ItemPage(items=[shown(one, content) for one in found.items], next_cursor=found.next_cursor)


@router.get("/rates")
def feedback_rates(
    request: Request,
    by: Reader,
    query: Annotated[Filter, Query()],
    group: Literal["route", "release", "system", "environment", "source", "label"] = "route",
) -> RatesOut:
    """The share that is negative, of all and by a dimension."""
    with services(request).database.reading() as tx:
        found = rate_reads.by(by.ctx, tx, query.wanted(), group, 200)
    whole = of_counts(
        sum(one.negative for _, one in found),
        sum(one.positive for _, one in found),
        sum(one.unknown for _, one in found),
    )
    return RatesOut(whole=_rate(None, whole), groups=[_rate(value, one) for value, one in found])


def _rate(value: str | None, one: Rate) -> RateOut:
    return RateOut(
        value=value,
        share=one.share,
        low=one.low,
        high=one.high,
        negative=one.negative,
        said=one.said,
        unknown=one.unknown,
    )


@router.get("/export", response_class=StreamingResponse)
def export_feedback(request: Request, by: Reader, query: Annotated[Exporting, Query()]) -> StreamingResponse:
    """All items of a filter, the oldest first, as a file that can be imported again."""
    found = services(request)
    content = reads_content(by)
    wanted = query.wanted()
    with found.database.transaction() as tx:
        audit.record(
            by.ctx,
            tx,
            action="feedback.exported",
            subject="feedback",
            details={"format": query.format, "content": content},
        )

    def rows() -> Iterator[dict[str, Any]]:
        with found.database.reading() as tx:
            for one in reads.iterate(by.ctx, tx, wanted):
                yield shown(one, content).model_dump()

    lines = {"jsonl": json_lines, "csv": csv_lines}[query.format]
    headers = {
        "content-disposition": f'attachment; filename="feedback.{query.format}"',
        "x-content-type-options": "nosniff",
    }
    return StreamingResponse(lines(rows()), media_type=MEDIA_TYPES[query.format], headers=headers)


@router.get("/{feedback}")
def read_feedback(request: Request, by: Reader, feedback: Id) -> ItemOut:
    """One item."""
    with services(request).database.reading() as tx:
        return shown(reads.item(by.ctx, tx, feedback), reads_content(by))


@router.put("/{feedback}/handling")
def handle_feedback(request: Request, by: Operator, feedback: Id, body: Handling) -> ItemOut:
    """Sets an item aside, or opens it again."""
    handled = None if body.handling == "open" else f"dismissed:{body.note}"
    with services(request).database.transaction() as tx:
        actions.handle(by.ctx, tx, feedback, handled)
        return shown(reads.item(by.ctx, tx, feedback), reads_content(by))


@router.post("/{feedback}/case", status_code=201, responses=problems(401, 403, 404, 409, 422, 503))
def make_feedback_case(request: Request, by: Operator, feedback: Id, body: CaseIn) -> CaseOut:
    """Makes a case of a suite of an item: what was asked, and what is right. Needs `content` too."""
    if not reads_content(by):
        raise Denied("a case quotes what was asked: this needs the permission 'content'")
    found = services(request)
    with found.database.reading() as tx:
        item = reads.item(by.ctx, tx, feedback)
    exchange = turns.exchange(found.columns, item)
    with found.database.transaction() as tx:
        made = cases.make_case(
            by.ctx, tx, feedback, body.suite, body.right, exchange, holdouts=sees_holdouts(by)
        )
    return CaseOut(suite=body.suite, case=made.case, version=made.applied.version)


@router.delete("/{feedback}/words", status_code=204)
def erase_feedback(request: Request, by: Admin, feedback: Id) -> None:
    """Takes away for good what an item says in words, and whose it is; its figures stay."""
    with services(request).database.transaction() as tx:
        actions.erase(by.ctx, tx, feedback)
