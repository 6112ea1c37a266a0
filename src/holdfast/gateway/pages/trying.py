"""Try it: what a request would resolve to, or a real one through a gateway that runs."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse

from holdfast.gateway.actions import trying as actions
from holdfast.gateway.actions.trying import Trial, Tried
from holdfast.gateway.model import Dialect, Dimensions
from holdfast.gateway.pages.doors import Reader, Text, tabs
from holdfast.gateway.reads import explained
from holdfast.gateway.reads.explained import Explained
from holdfast.kernel.errors import HoldfastError, Invalid, Unavailable
from holdfast.platform.access import reads as access
from holdfast.platform.access.guard import form_caller, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.platform.frame import fragment, here, page

router = APIRouter(include_in_schema=False, prefix="/w/{workspace}/gateway")
OperatorForm = Annotated[Caller, Depends(form_caller(Scope.OPERATE, everywhere=True))]
SAYS = ("tenant", "user", "session", "agent", "system")
"""Dimensions that the form asks for; the rest can be given to the API."""
ASKED = ("model", "dialect", "key", "route", "message", "instructions", "max_tokens", *SAYS)


@router.get("/try")
def try_page(request: Request, by: Reader) -> HTMLResponse:
    """The form; with a model named, `ask_model`, also what it would resolve to. Nothing is sent."""
    place = here(request)
    asked = {name: (place.get(f"ask_{name}") or "")[:2000] for name in ASKED}
    dry = _explained(request, by, asked) if asked["model"] else None
    return _page(request, by, asked, {"dry": dry})


@router.post("/try")
def try_request(
    request: Request,
    by: OperatorForm,
    ask_model: Text = "",
    ask_dialect: Text = "openai",
    ask_key: Text = "",
    ask_route: Text = "",
    ask_message: Text = "",
    ask_instructions: Text = "",
    ask_max_tokens: Text = "300",
    ask_tenant: Text = "",
    ask_user: Text = "",
    ask_session: Text = "",
    ask_agent: Text = "",
    ask_system: Text = "",
) -> HTMLResponse:
    """Sends it, waits for the whole answer, and shows it beside what it was decided by."""
    asked = {
        "model": ask_model.strip(),
        "dialect": ask_dialect,
        "key": ask_key,
        "route": ask_route.strip(),
        "message": ask_message,
        "instructions": ask_instructions,
        "max_tokens": ask_max_tokens,
        "tenant": ask_tenant.strip(),
        "user": ask_user.strip(),
        "session": ask_session.strip(),
        "agent": ask_agent.strip(),
        "system": ask_system.strip(),
    }
    told: Tried | None = None
    fault = ""
    try:
        told = actions.send(by, services(request), _trial(asked))
    except (Invalid, Unavailable) as error:
        fault = error.detail
    shown: dict[str, Any] = {"told": told, "fault": fault, "why": None, "pairs": []}
    if told is not None:
        why = _why(request, by, asked, told.key, told.said, told.call_id)
        shown |= {"why": why, "pairs": _pairs(why)}
    if request.headers.get("hx-request") == "true":
        return fragment(request, by, "gateway/_tried.html", **shown)
    return _page(request, by, asked, shown)


def _trial(asked: dict[str, str]) -> Trial:
    text = asked["max_tokens"].strip() or "300"
    if not text.isascii() or not text.isdigit():
        raise Invalid("an answer has 1 to 100,000 tokens at most", where="max_tokens")
    return Trial(
        asked["model"],
        asked["message"],
        _dialect(asked),
        asked["instructions"].strip(),
        int(text[:9]),
        asked["key"],
        _said(asked),
    )


def _dialect(asked: dict[str, str]) -> Dialect:
    try:
        return Dialect(asked["dialect"] or "openai")
    except ValueError:
        raise Invalid("there is no such dialect", where="ask_dialect") from None


def _said(asked: dict[str, str]) -> Dimensions:
    return Dimensions(route=asked["route"], **{name: asked[name] for name in SAYS})


def _explained(request: Request, by: Caller, asked: dict[str, str]) -> dict[str, Any]:
    try:
        told = _why(request, by, asked, asked["key"], _said(asked), "")
    except HoldfastError as error:
        return {"why": None, "fault": error.detail, "pairs": []}
    return {"why": told, "fault": "", "pairs": _pairs(told)}


def _why(
    request: Request, by: Caller, asked: dict[str, str], key: str, said: Dimensions, call_id: str
) -> Explained:
    with services(request).database.reading() as tx:
        return explained.explain(
            by.ctx,
            tx,
            request.app.state.gateway_pricer,
            model=asked["model"],
            dialect=_dialect(asked),
            key=key,
            said=said,
            call_id=call_id,
        )


def _pairs(told: Explained) -> list[tuple[str, str]]:
    return [
        (name, getattr(told.dimensions, name))
        for name in Dimensions.__struct_fields__
        if getattr(told.dimensions, name)
    ]


def _page(request: Request, by: Caller, asked: dict[str, str], shown: dict[str, Any]) -> HTMLResponse:
    with services(request).database.reading() as tx:
        keys = [
            (key.id, key.name)
            for key in access.keys(tx, by.ctx.workspace)
            if key.revoked_at is None and access.opens(key, Scope.GATEWAY)
        ]
    return page(
        request,
        by,
        "gateway/try.html",
        timeless=True,
        tabs=tabs(by, "try"),
        asked=asked,
        says=SAYS,
        keys=sorted(keys, key=lambda pair: pair[1]),
        may_send=by.may(Scope.OPERATE) and by.reach[Scope.OPERATE].everywhere,
        **{"dry": None, "told": None, "fault": "", "why": None, "pairs": [], **shown},
    )
