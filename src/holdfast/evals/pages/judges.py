"""Judges on pages: what there is, and how good each one is by what people say."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from holdfast.evals.actions import judges as actions
from holdfast.evals.pages import verdicts
from holdfast.evals.pages.suites import may_apply
from holdfast.evals.reads import judges as reads
from holdfast.evals.rules.judging import Kind
from holdfast.evals.states import ACTIVE, RunState
from holdfast.platform.access.guard import form_caller, page_caller, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.platform.frame import page

router = APIRouter(include_in_schema=False, prefix="/w/{workspace}/judges")
Reader = Annotated[Caller, Depends(page_caller(Scope.READ, everywhere=True))]
OperatorForm = Annotated[Caller, Depends(form_caller(Scope.OPERATE, everywhere=True))]
KINDS = {
    Kind.RUBRIC: "by its rubric",
    Kind.REFERENCE: "against a reference",
    Kind.PAIRWISE: "which of two is better",
}
STATES = {
    RunState.QUEUED: ("", "waiting"),
    RunState.RUNNING: ("", "running"),
    RunState.DONE: ("success", "done"),
    RunState.STOPPED: ("warning", "stopped early"),
    RunState.CANCELLED: ("", "cancelled"),
}
WEAK = 0.6
"""κ below which a judge agrees with people no more than moderately (Landis & Koch 1977)."""


@router.get("")
def judges_page(request: Request, by: Reader) -> HTMLResponse:
    """Every judge, and what its last check shows."""
    with services(request).database.reading() as tx:
        rows = [
            {
                "one": one,
                "href": f"/w/{by.workspace.slug}/judges/{one.name}",
                "kind": KINDS[one.kind],
                "last": next(iter(reads.checks(by.ctx, tx, one.name, 1)), None),
            }
            for one in reads.latest(by.ctx, tx)
        ]
    return page(request, by, "evals/judges.html", timeless=True, rows=rows, states=STATES, weak=WEAK)


@router.get("/{judge}")
def judge_page(request: Request, by: Reader, judge: str) -> HTMLResponse:
    """One judge: how it agrees with people, its biases, its drift, its checks and versions."""
    with services(request).database.reading() as tx:
        versions = reads.versions(by.ctx, tx, judge)
        shown = reads.judge(by.ctx, tx, judge)
        checks = reads.checks(by.ctx, tx, judge)
        names = verdicts.people(by, tx)
    last = next((one for one in checks if one.health is not None), None)
    return page(
        request,
        by,
        "evals/judge.html",
        timeless=True,
        judge=shown,
        head=versions[0],
        kind=KINDS[shown.kind],
        pair=shown.kind is Kind.PAIRWISE,
        answering=shown.model or shown.release or f"route {shown.route}",
        versions=versions,
        checks=checks,
        last=last,
        figures=_figures(last) if last else [],
        stale=last is not None and last.check.asks != shown.asks,
        active=any(one.check.state in ACTIVE for one in checks),
        states=STATES,
        names=names,
        may_operate=may_apply(by),
        href=f"/w/{by.workspace.slug}/judges/{judge}",
    )


@router.post("/{judge}/check")
def check(request: Request, by: OperatorForm, judge: str) -> Response:
    """Has it asked about all of its labelled answers."""
    with services(request).database.transaction() as tx:
        actions.check(by.ctx, tx, judge)
    return RedirectResponse(f"/w/{by.workspace.slug}/judges/{judge}", 303)


def _figures(checked: reads.Checked) -> list[dict[str, Any]]:
    """(what, value, interval, what it means) of a check; a tone where it is to be looked at."""
    health = checked.health
    assert health is not None
    kappa, alpha = health.kappa, health.alpha
    found = [
        _figure("Agreement κ", kappa.value, kappa.low, kappa.high, "1 at best, 0 as chance (Cohen)",
                warn=kappa.value is None or kappa.value < WEAK),
        _figure("Agreement α", alpha.value, alpha.low, alpha.high, "the same, that counts how far off (Krippendorff)"),
    ]  # fmt: skip
    if health.bias is not None:
        bias = health.bias
        found.append(
            _figure("Bias", bias.value, bias.low, bias.high, "how much higher it scores than people",
                    sign=True, warn=bias.low > 0 or bias.high < 0)
        )  # fmt: skip
    if health.swaps is not None:
        swaps = health.swaps
        found.append(
            _figure("Same in both orders", swaps.consistent, None, None,
                    f"first place wins twice in {swaps.first:.0%}, second in {swaps.second:.0%} of {swaps.pairs} pairs",
                    warn=swaps.p < 0.05)
        )  # fmt: skip
    length = health.length
    found.append(
        _figure("Length", length.value, length.low, length.high,
                f"log odds for each e-fold of length, over {length.pairs} answers; 0: length does not count",
                sign=True, warn=length.p < 0.05)
        if length is not None
        else _figure("Length", None, None, None, "too few answers tell whether length counts")
    )  # fmt: skip
    if health.drift is not None:
        for what, one in (
            ("Drift of its rightness", health.drift.right),
            ("Drift of its scores", health.drift.score),
        ):
            found.append(
                _figure(what, one.difference, one.low, one.high, f"since the check before, over {one.cases} answers",
                        sign=True, warn=one.low > 0 or one.high < 0)
            )  # fmt: skip
    return found


def _figure(
    what: str,
    value: float | None,
    low: float | None,
    high: float | None,
    means: str,
    *,
    sign: bool = False,
    warn: bool = False,
) -> dict[str, Any]:
    form = "{:+.3f}" if sign else "{:.3f}"
    return {
        "what": what,
        "value": None if value is None else form.format(value).replace("-", "−"),
        "interval": None
        if low is None or high is None
        else f"{form.format(low)} to {form.format(high)}".replace("-", "−"),
        "means": means,
        "warn": warn,
    }
