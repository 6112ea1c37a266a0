"""The form that begins a run: what of, held against what, and what it will ask."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from holdfast.evals.actions import runs as actions
from holdfast.evals.pages import verdicts
from holdfast.evals.reads import runs as reads
from holdfast.evals.reads import suites
from holdfast.evals.states import ACTIVE, Run, RunState
from holdfast.gateway.reads import applied
from holdfast.kernel.errors import Conflict, HoldfastError, Invalid, NotFound
from holdfast.platform.access.guard import form_caller, page_caller, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.platform.forms import with_error
from holdfast.platform.frame import here, page
from holdfast.storage.sql import Transaction
from holdfast.web import words

router = APIRouter(include_in_schema=False, prefix="/w/{workspace}")
Operator = Annotated[Caller, Depends(page_caller(Scope.OPERATE, everywhere=True))]
OperatorForm = Annotated[Caller, Depends(form_caller(Scope.OPERATE, everywhere=True))]
Text = Annotated[str, Form(max_length=300)]
BASELINES = 50
FIELDS = (
    "suite",
    "release",
    "model",
    "baseline",
    "repeats",
    "least",
    "margin",
    "seed",
    "concurrency",
    "max_cost",
)


@router.get("/new-run")
def new_run_page(request: Request, by: Operator) -> HTMLResponse:
    """The form; what the address names is filled in."""
    place = here(request)
    given = {name: place.get(name)[:300] for name in FIELDS} | {"anew": place.get("anew")}
    return _form_page(request, by, given, None)


@router.post("/new-run")
def make_run(
    request: Request,
    by: OperatorForm,
    suite: Text = "",
    release: Text = "",
    model: Text = "",
    baseline: Text = "",
    repeats: Text = "",
    least: Text = "",
    margin: Text = "",
    seed: Text = "",
    concurrency: Text = "",
    max_cost: Text = "",
    anew: Text = "",
) -> Response:
    """Registers the run with its bars, and has it begin."""
    values = (suite, release, model, baseline, repeats, least, margin, seed, concurrency, max_cost)
    given = {name: value.strip() for name, value in zip(FIELDS, values, strict=True)} | {"anew": anew}
    try:
        wanted = actions.Wanted(
            suite=given["suite"],
            release=given["release"],
            model=given["model"],
            baseline=given["baseline"],
            repeats=_whole(given, "repeats"),
            least=_share(given, "least"),
            margin=_share(given, "margin"),
            seed=_whole(given, "seed"),
            concurrency=_whole(given, "concurrency") or 8,
            max_cost=_number(given, "max_cost"),
            reuse=not anew,
        )
        with services(request).database.transaction() as tx:
            made = actions.register(by.ctx, tx, wanted)
    except (Invalid, NotFound, Conflict) as error:
        return _form_page(request, by, given, error)
    return RedirectResponse(verdicts.address(by, made.id), 303)


def _whole(given: dict[str, str], name: str) -> int | None:
    text = given[name]
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise Invalid("this is a whole number", where=name)
    return int(text)


def _number(given: dict[str, str], name: str) -> Decimal | None:
    try:
        found = Decimal(given[name]) if given[name] else None
    except InvalidOperation:
        found = Decimal("NaN")
    if found is not None and not found.is_finite():
        raise Invalid("this is a number, such as 0.05", where=name)
    return found


def _share(given: dict[str, str], name: str) -> float | None:
    found = _number(given, name)
    return None if found is None else float(found)


def _form_page(
    request: Request, by: Caller, given: dict[str, str], error: HoldfastError | None
) -> HTMLResponse:
    with services(request).database.reading() as tx:
        known = suites.latest(by.ctx, tx)
        name = given["suite"] or (known[0].name if known else "")
        chosen = next((one for one in known if one.name == name), None)
        version = applied.in_force(by.ctx, tx)
        past = reads.runs(by.ctx, tx, name, None, BASELINES) if chosen else []
        bars = suites.suite(by.ctx, tx, name).suite.bars if chosen else None
        cost = _usual_cost(by, tx, past[:20])
    releases = [] if version is None else sorted(version.release_ids)
    route = chosen.route if chosen else ""
    done = [run for run in past if run.state is RunState.DONE]
    given = given | {"suite": name}
    fields: list[dict[str, Any]] = [
        {
            "name": "release",
            "label": "Asked of",
            "required": True,
            "value": given["release"],
            "options": [
                ("", f"whatever answers the route {route}" if route else "the model named below"),
                *((one, f"release {one}") for one in releases),
            ],
            "hint": "" if releases else "The gateway has no release yet.",
        },
        {
            "name": "baseline",
            "label": "Held against",
            "required": True,
            "value": given["baseline"],
            "options": [
                ("", "no other run: only its bar"),
                *((run.id, _told(run, by.ctx.now)) for run in done),
            ],
            "hint": "Runs of this suite that are done." if done else "No run of this suite is done yet.",
        },
        {
            "name": "repeats",
            "label": "Answers to each case",
            "value": given["repeats"],
            "placeholder": str(bars.repeats) if bars else "",
            "hint": "More of them tell chance from change. 1 to 100.",
        },
        {
            "name": "least",
            "label": "Least score",
            "value": given["least"],
            "placeholder": f"{bars.least:g}" if bars and bars.least is not None else "none",
            "hint": "0 to 1.",
        },
        {
            "name": "margin",
            "label": "Margin below the baseline",
            "value": given["margin"],
            "placeholder": f"{bars.margin:g}" if bars else "",
            "hint": "How much lower the score may be, 0 to 1.",
        },
        {
            "name": "max_cost",
            "label": "Cost ceiling, USD",
            "value": given["max_cost"],
            "placeholder": "none",
            "hint": "It stops before it would spend more.",
        },
        {
            "name": "concurrency",
            "label": "Questions at once",
            "value": given["concurrency"],
            "placeholder": "8",
            "hint": f"1 to {actions.MOST_CONCURRENCY}.",
        },
        {
            "name": "seed",
            "label": "Seed",
            "value": given["seed"],
            "placeholder": "the model's own chance",
            "hint": "Each repeat has its own, made from it.",
        },
    ]
    if not route:
        fields.insert(
            1,
            {
                "name": "model",
                "label": "Model",
                "value": given["model"],
                "hint": "Where no release is chosen: a name that the gateway knows.",
            },
        )
    suite_field = {
        "name": "suite",
        "label": "Suite",
        "required": True,
        "value": name,
        "options": [(one.name, f"{one.name} ({one.cases:,} cases)") for one in known]
        or [("", "no suite yet")],
    }
    suite_field, *fields = with_error([suite_field, *fields], error)
    answer = page(
        request,
        by,
        "evals/new_run.html",
        timeless=True,
        any_suite=bool(known),
        suite_field=suite_field,
        fields=fields,
        anew=given["anew"],
        asks=_asks(chosen.cases if chosen else 0, bars.repeats if bars else 1, given, cost),
        gateway=version is not None,
    )
    if error is not None:
        answer.status_code = error.status
    return answer


def _told(run: Run, now: datetime) -> str:
    """A run in one line, for people to choose from."""
    verdict = reads.verdict_of(run)
    score = verdicts.estimated(verdict.suite) if verdict else None
    said = [words.ago(run.created_at, now), verdicts.answering(run), f"version {run.version}"]
    if verdict is not None:
        said.append(verdicts.BADGES[verdict.outcome][2] + (f" {score.value:.3f}" if score else ""))
    return ", ".join(said)


def _usual_cost(by: Caller, tx: Transaction, past: list[Run]) -> Decimal | None:
    """What an answer cost in the latest run that says so; None where none does."""
    for run, told in zip(past, reads.progresses(by.ctx, tx, past).values(), strict=True):
        asked = told.done - told.reused - told.unpriced
        if run.state not in ACTIVE and asked > 0 and told.cost:
            return told.cost / asked
    return None


def _asks(cases: int, repeats: int, given: dict[str, str], cost: Decimal | None) -> dict[str, Any]:
    """What the run will ask: cases, repeats (None where they are not to be read), and what that is likely to cost."""
    text = given["repeats"]
    if text:
        repeats = int(text) if text.isascii() and text.isdigit() and len(text) < 4 else 0
    answers = cases * repeats
    return {
        "cases": cases,
        "repeats": repeats or None,
        "answers": answers,
        "cost": None if cost is None or not answers else cost * answers,
        "too_many": answers > actions.MOST_TRIALS,
        "most": actions.MOST_TRIALS,
    }
