"""The policy of review as text, and every rule that it puts in force."""

from __future__ import annotations

from typing import Annotated, Any

import msgspec
import yaml
from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from holdfast.evals.actions import review as actions
from holdfast.evals.pages.review import TONES, address, tabs
from holdfast.evals.pages.verdicts import people
from holdfast.evals.reads import review as reads
from holdfast.evals.rules.located import Broken, from_yaml, plain
from holdfast.evals.rules.online import in_force, read_policy
from holdfast.evals.rules.review import Policy
from holdfast.kernel.errors import Conflict, HoldfastError, Invalid
from holdfast.platform.access.guard import form_caller, page_caller, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.platform.frame import here, page

router = APIRouter(include_in_schema=False, prefix="/w/{workspace}/review")
Reader = Annotated[Caller, Depends(page_caller(Scope.READ, everywhere=True))]
AdminForm = Annotated[Caller, Depends(form_caller(Scope.ADMIN, everywhere=True))]
Text = Annotated[str, Form(max_length=200_000)]
Short = Annotated[str, Form(max_length=1000)]


def written(policy: Policy) -> str:
    """A policy as YAML that reads back as the same."""
    text: str = yaml.safe_dump(  # type: ignore[no-untyped-call]
        msgspec.to_builtins(policy), sort_keys=False, allow_unicode=True, width=110, default_flow_style=False
    )
    return text


@router.get("/policy")
def policy_page(request: Request, by: Reader) -> HTMLResponse:
    """The policy in force."""
    return _page(request, by)


@router.post("/policy")
def change(
    request: Request, by: AdminForm, text: Text = "", note: Short = "", version: Short = ""
) -> Response:
    """Puts the text in force."""
    based = int(version) if version.isascii() and version.isdigit() and len(version) < 16 else 0
    try:
        policy = read_policy(_parsed(text))
        with services(request).database.transaction() as tx:
            actions.put_policy(by.ctx, tx, policy, based, note)
    except (Invalid, Conflict) as error:
        return _page(request, by, text, note, error)
    return RedirectResponse(f"{address(by, '/policy')}?saved=1", 303)


def _parsed(text: str) -> Any:
    try:
        found = plain(from_yaml(text.replace("\r\n", "\n").encode(errors="replace")))
    except Broken as error:
        line = f"line {error.line}: " if error.line else ""
        raise Invalid(f"{line}{error.what}", where="text") from None
    return {} if found is None else found


def _page(
    request: Request, by: Caller, text: str | None = None, note: str = "", error: HoldfastError | None = None
) -> HTMLResponse:
    with services(request).database.reading() as tx:
        kept = reads.policy(by.ctx, tx)
        names = people(by, tx)
    own = {one.name for one in kept.policy.rules}
    answer = page(
        request,
        by,
        "evals/review_policy.html",
        timeless=True,
        tabs=tabs(by, "/policy"),
        kept=kept,
        author=names.get(kept.author, kept.author),
        text=written(kept.policy) if text is None else text,
        note=note,
        rules=[(one, TONES[one.severity], one.name in own) for one in in_force(kept.policy)],
        may_change=by.may(Scope.ADMIN) and by.reach[Scope.ADMIN].everywhere,
        action=address(by, "/policy"),
        saved=bool(here(request).get("saved")),
        error=error,
    )
    if error is not None:
        answer.status_code = error.status
    return answer
