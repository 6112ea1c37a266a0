"""The inbox: what people said and what behaviour says, narrowed down, with rates; each item can become a case."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from holdfast.evals.actions.suites import sees_holdouts
from holdfast.evals.reads import suites
from holdfast.feedback.actions import cases
from holdfast.feedback.actions import items as actions
from holdfast.feedback.model import Item, Sentiment, Source, Wanted
from holdfast.feedback.reads import items as reads
from holdfast.feedback.reads import rates, turns
from holdfast.feedback.rules.rates import Rate
from holdfast.kernel.errors import Denied, Invalid
from holdfast.platform.access.guard import form_caller, page_caller, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.platform.frame import CARRY, Part, here, page, time_range
from holdfast.web.links import Here

router = APIRouter(include_in_schema=False)
Reader = Annotated[Caller, Depends(page_caller(Scope.READ, everywhere=True))]
Operator = Annotated[Caller, Depends(form_caller(Scope.OPERATE, everywhere=True))]
Text = Annotated[str, Form(max_length=cases.MAX_EXPECTED)]
ROWS = 50
UNKNOWN = "(unknown)"
LABELS = {
    "sentiment": "Says",
    "source": "Came by",
    "signal": "Behaviour",
    "route": "Route",
    "release": "Release",
    "system": "System",
    "label": "Label",
    "state": "State",
    "call": "Its call",
}
CHOSEN = ("sentiment", "source", "route", "release", "label", "environment", "system")
FLAGS: tuple[tuple[str, str, tuple[tuple[str, bool], ...]], ...] = (
    ("state", "open", (("open", True), ("handled", False))),
    ("call", "joined", (("found", True), ("unknown", False))),
)
TONES = {Sentiment.NEGATIVE: "danger", Sentiment.POSITIVE: "success", Sentiment.UNKNOWN: ""}


def may_handle(by: Caller) -> bool:
    """Whether the caller may set items aside and make cases of them."""
    return by.may(Scope.OPERATE) and by.reach[Scope.OPERATE].everywhere


def may_read_words(by: Caller) -> bool:
    """Whether the caller may read what was said in words."""
    return by.may(Scope.CONTENT) and by.reach[Scope.CONTENT].everywhere


def wanted_of(place: Here, by: Caller) -> Wanted:
    """The filter in a page's address. Raises Invalid."""
    start, end = time_range(place, by.ctx.now)
    values = {name: tuple("" if one == UNKNOWN else one for one in place.all(name)) for name in CHOSEN}
    try:
        sentiments = tuple(Sentiment(one) for one in values["sentiment"])
        sources = tuple(Source(one) for one in values["source"])
    except ValueError as error:
        raise Invalid(f"{error}; choose one that is offered", where="sentiment") from error
    return Wanted(
        start=start,
        end=end + timedelta(seconds=1),
        sources=sources,
        sentiments=sentiments,
        labels=values["label"],
        systems=values["system"],
        environments=values["environment"],
        routes=values["route"],
        releases=values["release"],
        joined=_either(place, "call", "found", "unknown"),
        open=_either(place, "state", "open", "handled"),
        unique=place.get("copies") != "shown",
    )


def _with(wanted: Wanted, field: str, value: bool) -> Wanted:
    return replace(wanted, open=value) if field == "open" else replace(wanted, joined=value)


def _either(place: Here, name: str, yes: str, no: str) -> bool | None:
    chosen = place.all(name)
    return None if len(chosen) != 1 else {yes: True, no: False}.get(chosen[0])


@router.get("/w/{workspace}/feedback")
def inbox(request: Request, by: Reader) -> HTMLResponse:
    """The page."""
    place = here(request)
    wanted = wanted_of(place, by)
    start, end = time_range(place, by.ctx.now)
    with services(request).database.reading() as tx:
        found = reads.items(by.ctx, tx, wanted, ROWS, place.get("cursor") or None)
        copies = reads.copies(by.ctx, tx, [one.id for one in found.items])
        course = rates.course(by.ctx, tx, wanted, start, end)
        groups = [(LABELS[name], rates.by(by.ctx, tx, wanted, name, 6)) for name in ("route", "release")]
        facets = rates.facets(by.ctx, tx, wanted)
        known = [one.name for one in suites.latest(by.ctx, tx)]
        flags = [
            _flag(
                name, [(words, reads.count(by.ctx, tx, _with(wanted, field, value))) for words, value in of]
            )
            for name, field, of in FLAGS
        ]
        ever = bool(found.items) or reads.count(by.ctx, tx, Wanted()) > 0
    words = may_read_words(by)
    return page(
        request,
        by,
        "feedback/inbox.html",
        rows=[row(by, one, words, copies.get(one.id, 0)) for one in found.items],
        next_cursor=found.next_cursor,
        facets=[_facet(name, values) for name, values in facets.items() if any(value for value, _ in values)]
        + flags,
        filters={name: label for name, label in LABELS.items()},
        whole=shown(course.whole),
        steps=[(at, shown(one)) for at, one in course.steps],
        groups=[(label, [(value, shown(one)) for value, one in rows]) for label, rows in groups],
        may_handle=may_handle(by),
        words_allowed=words,
        suites=known,
        ever=ever,
        export=f"/api/v1/feedback/export?workspace={by.workspace.slug}",
    )


def shown(one: Rate) -> dict[str, Any]:
    """A rate with its place on an axis from 0 to 1, in percent."""
    band = None
    if one.share is not None and one.low is not None and one.high is not None:
        band = {"at": one.low * 100, "width": max((one.high - one.low) * 100, 0.5), "point": one.share * 100}
    return {"rate": one, "band": band}


def row(by: Caller, one: Item, words: bool, copies: int) -> dict[str, Any]:
    """An item as a line of a list."""
    base = f"/w/{by.workspace.slug}"
    call = one.joined
    trace = (call.trace_id if call else None) or one.trace_id
    span = call.call_id if call else None
    href = (
        f"{base}/traces/{quote(trace)}" + (f"?span={quote(span)}" if span else "") if call and trace else ""
    )
    handled = (one.handled or "").partition(":")
    suite = handled[2].partition("/")[0] if handled[0] == "case" else ""
    return {
        "one": one,
        "tone": TONES[one.sentiment],
        "said": said(one),
        "words": words,
        "worded": bool(one.comment or one.correction or one.used),
        "copies": copies,
        "trace_href": href,
        "call": call,
        "handled": handled[0],
        "note": handled[2],
        "suite_href": f"{base}/suites/{quote(suite, safe='')}" if suite else "",
        "action": f"{base}/feedback/{quote(one.id, safe='')}",
        "can_be_case": bool(span) and words,
    }


def said(one: Item) -> str:
    """What an item says, without its words."""
    if one.signal is not None:
        return one.signal.value
    if one.rating is not None:
        return "thumb up" if one.rating > 0 else "thumb down"
    return "no rating" if one.score is None else f"score {one.score:.2f}"


def _facet(name: str, values: Sequence[tuple[str, int]]) -> dict[str, Any]:
    listed = [{"value": value or UNKNOWN, "label": value or "unknown", "count": n} for value, n in values]
    if name == "signal":
        listed = [one for one in listed if one["value"] != UNKNOWN]
    return {
        "name": name,
        "label": LABELS[name],
        "values": listed,
        "open": name in ("sentiment", "source", "route"),
    }


def _flag(name: str, values: Sequence[tuple[str, int]]) -> dict[str, Any]:
    listed = [{"value": one, "label": one, "count": n} for one, n in values]
    return {"name": name, "label": LABELS[name], "values": listed, "open": True}


@router.post("/w/{workspace}/feedback/{feedback}/case")
def make_case(request: Request, by: Operator, feedback: str, suite: Text = "", right: Text = "") -> Response:
    """Makes a case of an item."""
    if not may_read_words(by):
        raise Denied("a case quotes what was asked: this needs the permission 'content'")
    found = services(request)
    with found.database.reading() as tx:
        item = reads.item(by.ctx, tx, feedback)
    exchange = turns.exchange(found.columns, item)
    with found.database.transaction() as tx:
        made = cases.make_case(by.ctx, tx, feedback, suite, right, exchange, holdouts=sees_holdouts(by))
    to = f"/w/{by.workspace.slug}/suites/{quote(suite, safe='')}?q={made.case}"
    return RedirectResponse(to, 303)


@router.post("/w/{workspace}/feedback/{feedback}/aside")
def set_aside(request: Request, by: Operator, feedback: str, note: Text = "", back: Text = "") -> Response:
    """Sets an item aside; with `back` it is open again."""
    with services(request).database.transaction() as tx:
        actions.handle(by.ctx, tx, feedback, None if back else f"dismissed:{note[:300]}")
    return RedirectResponse(f"/w/{by.workspace.slug}/feedback?range=30d", 303)


def on_trace(request: Request, by: Caller, facts: Mapping[str, Any]) -> Part | None:
    """What was said of a trace, for its page; None where nothing was, or the reader may not read all of the workspace."""
    if not by.may(Scope.READ) or not by.reach[Scope.READ].everywhere:
        return None
    with services(request).database.reading() as tx:
        found = reads.items(by.ctx, tx, Wanted(trace_id=facts["trace_id"]), 20)
        copies = reads.copies(by.ctx, tx, [one.id for one in found.items])
    if not found.items:
        return None
    words = may_read_words(by)
    rows = [row(by, one, words, copies.get(one.id, 0)) for one in found.items if one.same_as is None]
    href = here(request).only(CARRY).at(f"/w/{by.workspace.slug}/feedback").set(range="30d")
    return Part(
        "feedback/_on_trace.html", {"rows": rows, "href": str(href), "more": found.next_cursor is not None}
    )
