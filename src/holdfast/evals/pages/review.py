"""Review on pages: the queue with its rates, and one item to be decided by hand or by keys."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from itertools import pairwise
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from holdfast.evals.actions import review as actions
from holdfast.evals.actions import review_case as cases
from holdfast.evals.actions.suites import sees_holdouts
from holdfast.evals.pages.suites import address as suite_address
from holdfast.evals.pages.suites import may_apply
from holdfast.evals.pages.verdicts import Axis, people
from holdfast.evals.reads import review as reads
from holdfast.evals.reads import review_judges, suites
from holdfast.evals.rules import review as rules
from holdfast.evals.rules.review import Decision, Dimension, Found, Item, Severity, State
from holdfast.kernel.errors import HoldfastError, Invalid, NotFound
from holdfast.kernel.page import decode_cursor, encode_cursor
from holdfast.platform.access.guard import form_caller, page_caller, services
from holdfast.platform.access.model import Caller, Reach, Scope
from holdfast.platform.frame import here, page
from holdfast.telemetry import actions as telemetry
from holdfast.telemetry.reads import arrivals
from holdfast.telemetry.reads.arrivals import Said

router = APIRouter(include_in_schema=False, prefix="/w/{workspace}/review")
Reader = Annotated[Caller, Depends(page_caller(Scope.READ, everywhere=True))]
OperatorForm = Annotated[Caller, Depends(form_caller(Scope.OPERATE, everywhere=True))]
Short = Annotated[str, Form(max_length=200)]
Note = Annotated[str, Form(max_length=actions.MAX_NOTE)]
ROWS = 50
BESIDE = 12
"""Items of the queue beside the one that is open."""
DAYS = 7
WIDE = 20
"""Calls on which a rate rests before its interval may widen the axis that all share."""
TONES = {Severity.CRITICAL: "danger", Severity.HIGH: "danger", Severity.MEDIUM: "warning", Severity.LOW: ""}
STATES = {
    State.OPEN: ("", "dot", "open"),
    State.CLAIMED: ("accent", "user", "claimed"),
    State.DECIDED: ("success", "ok", "decided"),
}
KEYS = ((Decision.CONFIRMED, "1", "danger"), (Decision.FINE, "2", ""), (Decision.UNCLEAR, "3", ""))
SAID = {
    Decision.CONFIRMED: ("danger", "error", "confirmed"),
    Decision.FINE: ("success", "ok", "not a problem"),
    Decision.UNCLEAR: ("warning", "question", "unclear"),
}
WHY = {
    "denied": "Reading what was said is a permission of its own, which you do not have here.",
    "none": "No content was captured.",
    "off": "The data policy of this system keeps no content.",
    "unsampled": "The data policy keeps the content of a share of the traces only.",
    "expired": "The data policy keeps content for a shorter time than the figures of a call.",
    "erased": "It was erased at a person's request.",
    "withheld": "The company's own check did not answer in time, so nothing was stored.",
    "gone": "The trace is no longer kept.",
}


def may_decide(by: Caller) -> bool:
    """Whether the caller may claim and decide."""
    return by.may(Scope.OPERATE) and by.reach[Scope.OPERATE].everywhere


def address(by: Caller, path: str = "") -> str:
    """Of a page of review."""
    return f"/w/{by.workspace.slug}/review{path}"


def tabs(by: Caller, current: str) -> list[dict[str, Any]]:
    """The pages of review, side by side."""
    return [
        {"label": label, "href": address(by, path), "current": path == current, "count": None}
        for path, label in (("", "Queue"), ("/policy", "Policy"))
    ]


@router.get("")
def queue_page(request: Request, by: Reader) -> HTMLResponse:
    """The queue, what presses most first, and how every dimension stands."""
    place = here(request)
    named = place.get("dimension")
    if named and named not in set(Dimension):
        raise NotFound("there is no such dimension", where="dimension")
    state = State.DECIDED if place.get("state") == "decided" else None
    after = None
    if place.get("cursor"):
        priority, last = decode_cursor(place.get("cursor"), (int, str))
        after = (int(priority) % (1 << 31), str(last))
    end = by.ctx.now
    start = end - timedelta(days=DAYS)
    with services(request).database.reading() as tx:
        dimension = Dimension(named) if named else None
        states = (state,) if state else reads.WAITING
        found = reads.queue(by.ctx, tx, states, dimension, None, after, ROWS + 1)
        work = reads.work(by.ctx, tx, start, end)
        rates = reads.rates(by.ctx, tx, start, end, step=timedelta(hours=6))
        judges = review_judges.judge_rates(by.ctx, tx, reads.policy(by.ctx, tx).policy, start, end)
        standing = reads.standing(by.ctx, tx)
        names = people(by, tx)
    more, found = len(found) > ROWS, found[:ROWS]
    last_one = found[-1].item if more else None
    wide = [one.rate.high for one in rates if one.rate.of >= WIDE]
    axis = Axis(0.0, max([*wide, 0.02]))
    return page(
        request,
        by,
        "evals/review.html",
        timeless=True,
        tabs=tabs(by, ""),
        states=[
            {
                "label": "Waiting",
                "href": str(place.without("state", "cursor")),
                "current": not state,
                "count": work.waiting,
            },
            {
                "label": "Decided",
                "href": str(place.without("cursor").set(state="decided")),
                "current": bool(state),
                "count": None,
            },
        ],
        dimensions=list(Dimension),
        dimension=named,
        rows=[_row(by, one, names) for one in found],
        next_cursor=None if last_one is None else encode_cursor(last_one.priority, last_one.id),
        work=work,
        standing=standing,
        days=DAYS,
        judges=judges,
        rates=[
            {
                "one": one,
                "placed": None
                if one.rate.value is None
                else axis.band(one.rate.low, one.rate.high) | {"point": axis.at(one.rate.value)},
                "past": [flagged / judged if judged else None for _, flagged, judged in one.series],
            }
            for one in rates
        ],
        axis=axis,
    )


@router.get("/{item}")
def item_page(request: Request, by: Reader, item: str) -> HTMLResponse:
    """One item: what was said with the spots marked, what was found, what people said, and the keys to decide."""
    return _item_page(request, by, item)


@router.post("/{item}/claim")
def claim(request: Request, by: OperatorForm, item: str) -> Response:
    """Takes it."""
    return _done(request, by, item, lambda tx: actions.claim(by.ctx, tx, item))


@router.post("/{item}/release")
def release(request: Request, by: OperatorForm, item: str) -> Response:
    """Gives it back."""
    return _done(request, by, item, lambda tx: actions.release(by.ctx, tx, item))


@router.post("/{item}/decide")
def decide(
    request: Request,
    by: OperatorForm,
    item: str,
    decision: Short = "",
    each: Annotated[list[str], Form()] = [],  # noqa: B006 - FastAPI copies it
    note: Note = "",
) -> Response:
    """Decides every dimension alike (`decision`), or each by itself (`each`: dimension=decision); then the next item."""
    try:
        with services(request).database.transaction() as tx:
            one = reads.item(by.ctx, tx, item).item
            actions.decide(by.ctx, tx, item, _decisions(one, decision, each), note)
        with services(request).database.reading() as tx:
            following = [
                opened.item
                for opened in reads.queue(by.ctx, tx, limit=BESIDE)
                if opened.item.id != item
                and not rules.free_for(opened.item, by.ctx.actor.id, opened.votes, by.ctx.now)
            ]
    except HoldfastError as error:
        if isinstance(error, NotFound):
            raise
        return _item_page(request, by, item, error, note)
    return RedirectResponse(address(by, f"/{following[0].id}" if following else ""), 303)


@router.post("/{item}/case")
def to_case(
    request: Request, by: OperatorForm, item: str, suite: Short = "", expected: Note = ""
) -> Response:
    """The call becomes a case of a suite."""
    found = services(request)
    try:
        with found.database.reading() as tx:
            opened = reads.item(by.ctx, tx, item)
        said = _said(request, by, opened.item)
        if said.state == "denied":
            raise Invalid(WHY["denied"], where="suite")
        with found.database.transaction() as tx:
            telemetry.open_content(by.ctx, tx, opened.item.call.trace)
            cases.make(
                by.ctx, tx, opened.item, opened.found, said, suite, expected, holdouts=sees_holdouts(by)
            )
    except HoldfastError as error:
        if isinstance(error, NotFound) and not suite:
            raise
        return _item_page(request, by, item, error)
    return RedirectResponse(f"{address(by, f'/{item}')}?case={suite}", 303)


def _decisions(one: Item, decision: str, each: Sequence[str]) -> dict[Dimension, Decision]:
    try:
        if decision:
            return dict.fromkeys(one.dimensions, Decision(decision))
        parts = [text.partition("=") for text in each]
        return {Dimension(name): Decision(said) for name, _, said in parts}
    except ValueError:
        raise Invalid(
            f"a decision is one of: {', '.join(Decision)}; of: {', '.join(one.dimensions)}", where="decision"
        ) from None


def _done(request: Request, by: Caller, item: str, act: Any) -> Response:
    try:
        with services(request).database.transaction() as tx:
            act(tx)
    except HoldfastError as error:
        if isinstance(error, NotFound):
            raise
        return _item_page(request, by, item, error)
    return RedirectResponse(address(by, f"/{item}"), 303)


def _item_page(
    request: Request, by: Caller, item: str, error: HoldfastError | None = None, note: str = ""
) -> HTMLResponse:
    found = services(request)
    with found.database.reading() as tx:
        opened = reads.item(by.ctx, tx, item)
        beside = reads.queue(by.ctx, tx, limit=BESIDE)
        names = people(by, tx)
        known = [one.name for one in suites.latest(by.ctx, tx)]
    one = opened.item
    said = _said(request, by, one)
    if said.answer is not None or said.messages:
        with found.database.transaction() as tx:
            telemetry.open_content(by.ctx, tx, one.call.trace)
    mine = one.holder == by.ctx.actor.id and one.state is State.CLAIMED
    why_not = rules.free_for(one, by.ctx.actor.id, opened.votes, by.ctx.now)
    case = here(request).get("case")
    answer = page(
        request,
        by,
        "evals/review_item.html",
        timeless=True,
        row=_row(by, opened, names),
        one=one,
        found=opened.found,
        votes=[(vote, names.get(vote.reviewer, vote.reviewer), SAID[vote.decision]) for vote in opened.votes],
        said=said,
        why_nothing=""
        if said.answer is not None
        else WHY.get(said.state, "The call has no text for an answer."),
        pieces=marked(said.answer or "", opened.found),
        beside=[_row(by, other, names) for other in beside],
        mine=mine,
        may=may_decide(by),
        why_not=why_not,
        keys=KEYS,
        decisions=list(Decision),
        trace=f"/w/{by.workspace.slug}/traces/{one.call.trace}?span={one.call.id}",
        suites=known if may_apply(by) else [],
        case={"name": case, "href": suite_address(by, case)} if case in known else None,
        error=error,
        note=note,
    )
    if error is not None:
        answer.status_code = error.status
    return answer


def _said(request: Request, by: Caller, one: Item) -> Said:
    """What was said in the call, read now from where calls are kept; nothing where the reader may not."""
    if not by.reach.get(Scope.CONTENT, Reach(())).covers(one.call.system, one.call.environment):
        return Said("denied")
    columns = services(request).columns
    call = arrivals.call(columns, by.ctx.workspace, one.call.trace, one.call.id)
    if call is None:
        return Said("gone")
    return arrivals.said(columns, by.ctx.workspace, [call])[call.trace_id, call.id]


def marked(text: str, found: Sequence[Found]) -> list[tuple[str, str]]:
    """An answer in pieces, each with the names of the rules that found it (empty: none)."""
    edges = {0, len(text)}
    for one in found:
        edges |= {min(at, len(text)) for spot in one.spots for at in spot}
    cuts = sorted(edges)
    pieces = []
    for start, end in pairwise(cuts):
        by = [one.rule for one in found if any(a <= start and end <= b for a, b in one.spots)]
        pieces.append((text[start:end], ", ".join(by)))
    return pieces


def _row(by: Caller, opened: reads.Opened, names: dict[str, str]) -> dict[str, Any]:
    one = opened.item
    return {
        "one": one,
        "href": address(by, f"/{one.id}"),
        "tone": TONES[one.severity],
        "state": STATES[one.state],
        "holder": names.get(one.holder, one.holder),
        "late": (one.decided_at or by.ctx.now) > one.due_at,
        "rules": ", ".join(each.rule for each in opened.found),
        "said": sorted({SAID[vote.decision][2] for vote in opened.votes}),
        "looked": len({vote.reviewer for vote in opened.votes}),
    }
