"""Suites on pages: the list, the cases of one, its versions, and how two of them differ."""

from __future__ import annotations

from datetime import date
from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse

from holdfast.evals.actions.suites import sees_holdouts
from holdfast.evals.model import Case, Criticality, KeptSuite
from holdfast.evals.reads import listing, suites
from holdfast.evals.rules.case_words import asked, content, expected
from holdfast.evals.rules.differences import Difference, What
from holdfast.kernel.errors import Invalid
from holdfast.platform.access import reads as access
from holdfast.platform.access.guard import page_caller, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.platform.frame import here, page
from holdfast.storage.sql import Transaction

router = APIRouter(include_in_schema=False, prefix="/w/{workspace}/suites")
Reader = Annotated[Caller, Depends(page_caller(Scope.READ, everywhere=True))]
ROWS = 100
MOST_SHOWN = 300
"""Cases of a difference on one page."""
TONES = {Criticality.CRITICAL: "danger", Criticality.NORMAL: "", Criticality.MINOR: ""}


def may_apply(by: Caller) -> bool:
    """Whether the caller may put suites in force."""
    return by.may(Scope.OPERATE) and by.reach[Scope.OPERATE].everywhere


def address(by: Caller, name: str, path: str = "") -> str:
    """Of a suite's page."""
    return f"/w/{by.workspace.slug}/suites/{quote(name, safe='')}{path}"


def tabs(by: Caller, name: str, current: str) -> list[dict[str, Any]]:
    """The pages of a suite, side by side."""
    found = [
        ("", "Cases"),
        ("/coverage", "Coverage"),
        ("/versions", "Versions"),
        ("/diff", "Differences"),
        ("/triggers", "Triggers"),
    ]
    if may_apply(by):
        found.append(("/edit", "Edit"))
    return [
        {"label": label, "href": address(by, name, path), "current": path == current, "count": None}
        for path, label in found
    ]


def review(on: date | None, today: date) -> tuple[str, str] | None:
    """Tone and words of the next review; None where there is none."""
    if on is None:
        return None
    return ("warning", f"due since {on.isoformat()}") if on <= today else ("", on.isoformat())


@router.get("")
def suites_page(request: Request, by: Reader) -> HTMLResponse:
    """Every suite as it is in force."""
    with services(request).database.reading() as tx:
        found = suites.latest(by.ctx, tx)
    rows = [
        {"one": one, "href": address(by, one.name), "review": review(one.review_on, by.ctx.now.date())}
        for one in found
    ]
    command = f"holdfast suites apply DIR --workspace {by.workspace.slug}"
    return page(
        request, by, "evals/suites.html", timeless=True, rows=rows, command=command, may_apply=may_apply(by)
    )


@router.get("/{suite}")
def suite_page(request: Request, by: Reader, suite: str) -> HTMLResponse:
    """The cases of a suite, narrowed down; `version` shows an earlier one."""
    place = here(request)
    with services(request).database.reading() as tx:
        found = suites.suite(
            by.ctx, tx, suite, _number(place.get("version"), "version"), holdouts=sees_holdouts(by)
        )
        latest = suites.suite(by.ctx, tx, suite).head.version if place.get("version") else found.head.version
    cases = found.suite.cases
    names = listing.names(cases)
    chosen = {name: place.all(name) for name in names}
    narrowed = listing.filtered(cases, chosen, place.get("q"))
    start = _number(place.get("cursor"), "cursor") or 0
    today = by.ctx.now.date()
    return page(
        request,
        by,
        "evals/suite.html",
        timeless=True,
        tabs=tabs(by, suite, ""),
        head=found.head,
        latest=latest,
        bars=found.suite.bars,
        review=review(found.head.review_on, today),
        rows=[_row(one, today) for one in narrowed[start : start + ROWS]],
        matching=len(narrowed),
        next_cursor=str(start + ROWS) if start + ROWS < len(narrowed) else None,
        facets=[_facet(one) for one in listing.facets(cases)],
        filters={name: listing.LABELS.get(name, name.removeprefix(listing.SEGMENT)) for name in names}
        | {"q": "Search"},
        export=f"/api/v1/evals/suites/{quote(suite, safe='')}/export?workspace={by.workspace.slug}"
        f"&version={found.head.version}",
    )


@router.get("/{suite}/versions")
def versions_page(request: Request, by: Reader, suite: str) -> HTMLResponse:
    """The versions of a suite, the latest first."""
    before = _number(here(request).get("before"), "before")
    with services(request).database.reading() as tx:
        found = suites.versions(by.ctx, tx, suite, before, ROWS)
        names = _names(by, tx)
    return page(
        request,
        by,
        "evals/versions.html",
        timeless=True,
        tabs=tabs(by, suite, "/versions"),
        name=suite,
        rows=[_version(by, one, names) for one in found],
        next_before=str(found[-1].version) if len(found) == ROWS and found[-1].version > 1 else None,
    )


@router.get("/{suite}/diff")
def diff_page(request: Request, by: Reader, suite: str) -> HTMLResponse:
    """How two versions differ: `old` and `new`, else the latest and the one before it."""
    place = here(request)
    before, after = _number(place.get("old"), "old"), _number(place.get("new"), "new")
    with services(request).database.reading() as tx:
        found = suites.compared(by.ctx, tx, suite, before, after, holdouts=sees_holdouts(by))
        known = suites.versions(by.ctx, tx, suite, None, 200)
        names = _names(by, tx)
    return page(
        request,
        by,
        "evals/diff.html",
        timeless=True,
        tabs=tabs(by, suite, "/diff"),
        name=suite,
        before=found.before,
        after=found.after,
        names=names,
        versions=[one.version for one in known],
        shown=shown(found.difference),
    )


def shown(found: Difference) -> dict[str, Any]:
    """What the partial of a difference shows."""
    return {
        "found": found,
        "counts": [(found.count(what), what.value) for what in What if found.count(what)],
        "cases": found.cases[:MOST_SHOWN],
        "more": max(0, len(found.cases) - MOST_SHOWN),
    }


def _names(by: Caller, tx: Transaction) -> dict[str, str]:
    """Ids of members and keys, as people know them."""
    members = {one.id: one.name or one.email for one, _ in access.members(tx, by.ctx.workspace)}
    keys = {one.id: f"key {one.name}" for one in access.keys(tx, by.ctx.workspace)}
    return {**members, **keys, "cli": "command line"}


def _number(text: str, where: str) -> int | None:
    if not text:
        return None
    if not text.isascii() or not text.isdigit() or len(text) > 15:
        raise Invalid("this is a whole number", where=where)
    return int(text)


def _facet(one: listing.Facet) -> dict[str, Any]:
    values = [{"value": value, "label": value, "count": count} for value, count in one.values]
    return {"name": one.name, "label": one.label, "open": True, "values": values}


def _version(by: Caller, one: KeptSuite, names: dict[str, str]) -> dict[str, Any]:
    return {
        "one": one,
        "author": names.get(one.author, one.author),
        "href": f"{address(by, one.name)}?version={one.version}",
        "diff": f"{address(by, one.name, '/diff')}?old={one.version - 1}&new={one.version}",
    }


def _row(one: Case, today: date) -> dict[str, Any]:
    hidden = one.holdout and not one.expectations
    said = one.provenance
    return {
        "case": one,
        "hidden": hidden,
        "asked": asked(one),
        "messages": [(str(message.get("role")), content(message)) for message in one.input.messages],
        "expected": [expected(each) for each in one.expectations],
        "tone": TONES[one.criticality],
        "family": one.family if one.family != one.id else "",
        "tools": ", ".join(str(tool["function"]["name"]) for tool in one.input.tools),
        "review": review(said.review_on, today),
    }
