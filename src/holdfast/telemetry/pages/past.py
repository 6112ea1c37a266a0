"""Past calls in the settings: have them priced or counted anew, and watch it being done."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import HTMLResponse

from holdfast.kernel.errors import Conflict, HoldfastError, Invalid
from holdfast.platform.access.guard import form_caller, page_caller, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.platform.forms import sections, to, with_error
from holdfast.platform.frame import fragment, page
from holdfast.telemetry import actions
from holdfast.telemetry.model import TimeRange
from holdfast.telemetry.reads import calls
from holdfast.telemetry.reads import past as reads
from holdfast.telemetry.reads.past import PastJob, PastKind

SECTION = ("Past calls", "past-calls", "clock")
router = APIRouter(include_in_schema=False, prefix="/w/{workspace}/settings/past-calls")
Admin = Annotated[Caller, Depends(page_caller(Scope.ADMIN, everywhere=True))]
AdminForm = Annotated[Caller, Depends(form_caller(Scope.ADMIN, everywhere=True))]
DAY = timedelta(days=1)
SHOWN = 20


def line(job: PastJob) -> dict[str, Any]:
    """A job as a line of the list: what was asked, how far it is, what came of it."""
    made = reads.tally(job)
    counts = (
        ("changed", made.changed),
        ("not counted before", made.new),
        ("no call after all", made.gone),
        ("left as they are", made.left),
    )
    known = reads.knows_costs(job)
    return {
        "job": job,
        "words": "Priced anew" if job.kind is PastKind.PRICE else "Counted anew",
        "unit": "calls" if job.kind is PastKind.PRICE else "traces",
        "share": min(job.seen, job.total) if job.finished_at is None else max(job.total, 1),
        "counts": [(words, number) for words, number in counts if number],
        "looked_at": made.seen,
        "costs": [
            {
                "currency": currency,
                "before": made.before.get(currency),
                "after": made.after.get(currency),
                "difference": made.difference.get(currency),
            }
            for currency in sorted(made.before | made.after)
            if known
        ],
    }


def _runs(request: Request, by: Caller) -> dict[str, Any]:
    with services(request).database.reading() as tx:
        found = reads.jobs(tx, by.ctx.workspace)
    return {
        "lines": [line(job) for job in found[:SHOWN]],
        "running": any(job.finished_at is None for job in found),
        "more": max(len(found) - SHOWN, 0),
    }


@router.get("")
def past_page(request: Request, by: Admin) -> HTMLResponse:
    """The form, and what was done."""
    today = by.ctx.now.astimezone(UTC).date()
    given = {"from_at": (today - 29 * DAY).isoformat(), "to_at": today.isoformat()}
    return _page(request, by, given, None)


def _page(request: Request, by: Caller, given: dict[str, str], error: HoldfastError | None) -> HTMLResponse:
    named = sorted({system for system, _ in calls.places(services(request).columns, by.ctx.workspace)} - {""})
    chosen = given.get("system", "")
    systems = named if chosen in ("", *named) else [*named, chosen]
    fields: list[dict[str, Any]] = [
        {"name": "from_at", "label": "From", "hint": "A day (UTC), such as 2026-11-01.", "required": True},
        {"name": "to_at", "label": "To", "hint": "A day (UTC), which is included.", "required": True},
        {"name": "system", "label": "System", "options": [("", "All systems"), *((s, s) for s in systems)]},
    ]
    fields = [one | {"value": given.get(one["name"], "")} for one in fields]
    answer = page(
        request,
        by,
        "telemetry/past_calls.html",
        sections=sections(request, by, SECTION[1]),
        timeless=True,
        fields=with_error(fields, error),
        **_runs(request, by),
    )
    if error is not None:
        answer.status_code = error.status
    return answer


@router.get("/runs")
def past_runs(request: Request, by: Admin) -> HTMLResponse:
    """What was done and what is under way, fetched again while anything is."""
    return fragment(request, by, "telemetry/_past_runs.html", **_runs(request, by))


@router.post("")
def begin(
    request: Request,
    by: AdminForm,
    kind: Annotated[Literal["price", "count"], Form()],
    from_at: Annotated[str, Form(max_length=40)] = "",
    to_at: Annotated[str, Form(max_length=40)] = "",
    system: Annotated[str, Form(max_length=512)] = "",
) -> Response:
    """Takes the form."""
    held = services(request)
    wanted = PastKind(kind)
    try:
        within = TimeRange(_instant(from_at, "from_at"), _instant(to_at, "to_at", whole_day=True))
        total = reads.total(held.columns, by.ctx.workspace, wanted, within, system)
        with held.database.transaction() as tx:
            actions.begin_past(by.ctx, tx, wanted, (within.start, within.end), system, total)
    except (Invalid, Conflict) as error:
        return _page(request, by, {"from_at": from_at, "to_at": to_at, "system": system}, error)
    return to(by, SECTION[1], saved=False)


def _instant(text: str, where: str, *, whole_day: bool = False) -> datetime:
    """The start of a day (its end with `whole_day`), or an instant where a time is given too. Raises Invalid."""
    try:
        found = datetime.fromisoformat(text.strip())
        aware = found if found.tzinfo else found.replace(tzinfo=UTC)
        return aware + DAY if whole_day and len(text.strip()) <= len("2026-11-01") else aware
    except (ValueError, OverflowError) as error:
        raise Invalid("this is not a day; write it like 2026-11-01", where=where) from error
