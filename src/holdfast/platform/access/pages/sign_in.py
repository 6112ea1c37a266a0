"""Signing in and out: password, one-time link, identity provider; setting a password."""

from __future__ import annotations

from typing import Annotated, Any
from urllib.parse import quote

from fastapi import APIRouter, Depends, Form, Request, Response
from fastapi.responses import HTMLResponse, RedirectResponse

from holdfast.kernel.context import Context
from holdfast.kernel.errors import HoldfastError
from holdfast.platform.access import guard, reads, rules
from holdfast.platform.access.actions import links, oidc, provider, sessions, trail
from holdfast.platform.access.model import NewSession, SignedIn
from holdfast.platform.frame import HEADERS, frame

router = APIRouter(include_in_schema=False)
PASSWORD_PATH = "/sign-in/password"  # noqa: S105 - an address
OIDC_PATH = "/sign-in/oidc"
OIDC_COOKIE = "holdfast_oidc"
Member = Annotated[SignedIn, Depends(guard.member_page)]
MemberForm = Annotated[SignedIn, Depends(guard.member_form)]
Field = Annotated[str, Form(max_length=4000)]


def _show(request: Request, template: str, status: int = 200, **context: Any) -> HTMLResponse:
    text = frame(request).renderer.render(f"access/{template}", **context)
    return HTMLResponse(text, status, HEADERS)


def _sign_in_page(
    request: Request, *, following: str, email: str = "", error: HoldfastError | None = None
) -> HTMLResponse:
    found = guard.services(request)
    settings = found.settings
    offered = []
    if settings.oidc_issuer:
        href = f"{OIDC_PATH}?next={quote(following, safe='')}"
        offered.append({"label": "Continue with your organisation's sign-in", "href": href})
    with found.database.reading() as tx:
        nobody = not reads.anybody_signs_in(tx)
    answer = _show(
        request,
        "sign_in.html",
        error.status if error else 200,
        csrf_token="",
        action=guard.SIGN_IN_PATH,
        email=email,
        error=error.detail if error else "",
        local=settings.local_sign_in,
        providers=offered,
        next=following,
        first_start=settings.local_sign_in and nobody,
    )
    if error is not None and error.retry_after is not None:
        answer.headers["retry-after"] = str(error.retry_after)
    return answer


def _enter(request: Request, made: NewSession, to: str) -> Response:
    response = RedirectResponse(to, 303, HEADERS)
    guard.give_cookie(request, response, made)
    return response


@router.get("/")
def start(request: Request, who: Member) -> Response:
    """To the first workspace that the member belongs to."""
    mine = guard.reachable_workspaces(request)
    if not mine:
        return _show(
            request, "message.html", title="No workspace yet", text="Ask an admin to give you a role."
        )
    return RedirectResponse(f"/w/{mine[0].slug}/today", 303, HEADERS)


@router.get("/sign-in")
def sign_in_page(request: Request, next: str = "/") -> Response:
    """The form; whoever is signed in already goes on."""
    following = rules.safe_next(next)
    try:
        guard.signed_in(request)
    except HoldfastError:
        return _sign_in_page(request, following=following)
    return RedirectResponse(following, 303, HEADERS)


@router.post("/sign-in")
def sign_in(request: Request, email: Field = "", password: Field = "", next: Field = "/") -> Response:
    """Takes the form."""
    guard.check_origin(request)
    found = guard.services(request)
    following = rules.safe_next(next)
    try:
        made = sessions.sign_in(
            found.database,
            found.settings,
            found.clock(),
            email=email,
            password=password,
            address=guard.address(request),
        )
    except HoldfastError as error:
        return _sign_in_page(request, following=following, email=email, error=error)
    return _enter(request, made, following)


@router.get(links.LINK_PATH)
def link_page(request: Request, token: str = "") -> Response:
    """A button, so that whatever opens links to look at them does not use this one up."""
    found = guard.services(request)
    with found.database.reading() as tx:
        living = found.settings.local_sign_in and reads.living_link(tx, token, found.clock()) is not None
    return _link_page(request, token, living)


def _link_page(request: Request, token: str, living: bool) -> HTMLResponse:
    status = 200 if living else 401
    return _show(
        request, "link.html", status, token=token if living else "", action=links.LINK_PATH, living=living
    )


@router.post(links.LINK_PATH)
def use_link(request: Request, token: Field = "") -> Response:
    """Signs in and uses the link up; on to a password."""
    guard.check_origin(request)
    found = guard.services(request)
    ctx = Context(trail.INSTANCE, sessions.NOBODY, found.clock())
    try:
        with found.database.transaction() as tx:
            made = links.use_link(ctx, tx, found.settings, token)
    except HoldfastError:
        return _link_page(request, "", living=False)
    return _enter(request, made, PASSWORD_PATH)


@router.get(PASSWORD_PATH)
def password_page(request: Request, who: Member) -> Response:
    """The form for a new password."""
    return _password_page(request, who, None)


def _password_page(request: Request, who: SignedIn, error: HoldfastError | None) -> HTMLResponse:
    return _show(
        request,
        "password.html",
        error.status if error else 200,
        csrf_token=who.session.csrf,
        action=PASSWORD_PATH,
        email=who.member.email,
        has_one=who.member.password_hash is not None,
        least=rules.MIN_PASSWORD,
        error=error.detail if error else "",
        where=(error.where or "") if error else "",
    )


@router.post(PASSWORD_PATH)
def set_password(request: Request, who: MemberForm, password: Field = "", current: Field = "") -> Response:
    """Sets it; every other browser of the member is signed out."""
    found = guard.services(request)
    try:
        made = sessions.set_password(
            found.database,
            found.settings,
            found.clock(),
            who,
            password=password,
            current=current,
            address=guard.address(request),
        )
    except HoldfastError as error:
        return _password_page(request, who, error)
    return _enter(request, made, "/")


@router.post("/sign-out")
def sign_out(request: Request, who: MemberForm) -> Response:
    """Ends the session."""
    found = guard.services(request)
    with found.database.transaction() as tx:
        sessions.sign_out(tx, found.clock(), who)
    response = RedirectResponse(guard.SIGN_IN_PATH, 303, HEADERS)
    guard.drop_cookie(request, response)
    return response


@router.get(OIDC_PATH)
def oidc_begin(request: Request, next: str = "/") -> Response:
    """Off to the identity provider."""
    found = guard.services(request)
    started = oidc.begin(found.settings, found.clock(), next)
    response = RedirectResponse(started.url, 303, HEADERS)
    response.set_cookie(
        OIDC_COOKIE,
        started.cookie,
        max_age=int(oidc.COOKIE_LIFE.total_seconds()),
        path=provider.CALLBACK_PATH,
        secure=guard.secure(request),
        httponly=True,
        samesite="lax",
    )
    return response


@router.get(provider.CALLBACK_PATH)
def oidc_end(request: Request) -> Response:
    """Back from the identity provider."""
    found = guard.services(request)
    cookie = request.cookies.get(OIDC_COOKIE, "")
    answer = dict(request.query_params)
    response: Response
    try:
        made, following = oidc.finish(found.database, found.settings, found.clock(), cookie, answer)
        response = _enter(request, made, following)
    except HoldfastError as error:
        response = _sign_in_page(request, following="/", error=error)
    response.delete_cookie(OIDC_COOKIE, path=provider.CALLBACK_PATH)
    return response
