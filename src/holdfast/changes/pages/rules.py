"""What changes go by, on a page: windows and freezes of the days to come, and the policy by class."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Annotated, Any

import yaml
from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from holdfast.changes.actions import governing
from holdfast.changes.model import ChangeClass
from holdfast.changes.pages.changes import Operator, Reader
from holdfast.changes.reads import listing
from holdfast.changes.reads.calendar import calendar
from holdfast.changes.rules import policy as policies
from holdfast.kernel.context import Context
from holdfast.kernel.errors import Conflict, Denied, HoldfastError, Invalid, NotFound
from holdfast.platform.access.guard import form_caller, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.platform.frame import page
from holdfast.storage.sql import Transaction

router = APIRouter(include_in_schema=False, prefix="/w/{workspace}/change-rules")
Admin = Annotated[Caller, Depends(form_caller(Scope.ADMIN, everywhere=True))]
Words = Annotated[str, Form(max_length=4000)]
LONGEST_HOURS = 24 * 366


@router.get("")
def rules_page(request: Request, by: Reader) -> HTMLResponse:
    """Windows, freezes, and the policy in force."""
    return _page(request, by)


@router.post("/freeze")
def freeze(
    request: Request, by: Operator, reason: Words = "", systems: Words = "", hours: Words = ""
) -> Response:
    """Stops the line: nothing begins or goes on from now, for so many hours or until it is lifted."""

    def act(ctx: Context, tx: Transaction) -> object:
        named = tuple(one.strip() for one in systems.split(",") if one.strip())
        until = ctx.now + timedelta(hours=_hours(hours)) if hours.strip() else None
        return governing.freeze(ctx, tx, reason=reason, systems=named, ends_at=until)

    return _done(request, by, act)


@router.post("/freezes/{frozen}/lift")
def lift(request: Request, by: Operator, frozen: str) -> Response:
    """Ends a freeze now."""
    return _done(request, by, lambda ctx, tx: governing.lift(ctx, tx, frozen))


@router.post("/policy")
def put_policy(
    request: Request,
    by: Admin,
    policy: Annotated[str, Form(max_length=governing.MAX_BYTES)] = "",
    version: Annotated[str, Form(max_length=12)] = "0",
    note: Words = "",
) -> Response:
    """Puts a policy in force as it is written, in YAML."""

    def act(ctx: Context, tx: Transaction) -> object:
        expected = int(version) if version.isascii() and version.isdigit() else 0
        return governing.put_policy(ctx, tx, _read(policy), expected_version=expected, note=note)

    return _done(request, by, act, written=policy)


def _hours(text: str) -> float:
    try:
        found = float(text)
    except ValueError:
        found = 0.0
    if not 0 < found <= LONGEST_HOURS:
        raise Invalid(
            "hours are a number above 0, at most a year; leave it empty to lift it by hand", where="hours"
        )
    return found


def _read(text: str) -> Mapping[str, Any]:
    try:
        found = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"line {mark.line + 1}" if mark else "the text"
        raise Invalid(
            f"{place} is no YAML: {getattr(error, 'problem', None) or 'it cannot be read'}", where="policy"
        ) from error
    if not isinstance(found, dict):
        raise Invalid("a policy is a mapping of systems, parameters and windows", where="policy")
    return found


def _done(
    request: Request, by: Caller, act: Callable[[Context, Transaction], object], written: str | None = None
) -> Response:
    try:
        with services(request).database.transaction() as tx:
            act(by.ctx, tx)
    except (Invalid, Conflict, Denied, NotFound) as error:
        return _page(request, by, error, written)
    return RedirectResponse(f"/w/{by.workspace.slug}/change-rules", 303)


def _page(
    request: Request, by: Caller, error: HoldfastError | None = None, written: str | None = None
) -> HTMLResponse:
    with services(request).database.reading() as tx:
        found = listing.policy(by.ctx, tx)
        dates = calendar(by.ctx, tx)
    read = policies.parse(found.document) if found else policies.Policy()
    systems = sorted({policies.EVERY_SYSTEM, *read.systems})
    document = dict(found.document) if found else {}
    answer = page(
        request,
        by,
        "changes/rules.html",
        timeless=True,
        calendar=dates,
        classes=[(one, cls, policies.of(read, one, cls)) for one in systems for cls in ChangeClass],
        version=found.version if found else 0,
        written=written if written is not None else _yaml(document),
        may_freeze=by.may(Scope.OPERATE) and by.reach[Scope.OPERATE].everywhere,
        may_write=by.may(Scope.ADMIN) and by.reach[Scope.ADMIN].everywhere,
        href=f"/w/{by.workspace.slug}/change-rules",
        back=f"/w/{by.workspace.slug}/changes",
        fault=_fault(error),
    )
    answer.status_code = error.status if error else 200
    return answer


def _yaml(document: Mapping[str, Any]) -> str:
    return yaml.safe_dump(dict(document), sort_keys=False, allow_unicode=True) if document else ""


def _fault(error: HoldfastError | None) -> str:
    if error is None:
        return ""
    where = getattr(error, "where", "")
    return f"{where}: {error.detail}" if where else error.detail
