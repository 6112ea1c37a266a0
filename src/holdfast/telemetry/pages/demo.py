"""The demo's switches: they break the sample application for real, through its own control door on this machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Literal

import httpx2
from fastapi import APIRouter, Depends, Form, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from holdfast.kernel.errors import NotFound, Unavailable
from holdfast.platform.access.guard import form_caller, page_caller, services
from holdfast.platform.access.model import Caller, Scope
from holdfast.platform.frame import page
from holdfast.telemetry import actions

router = APIRouter(include_in_schema=False)
Reader = Annotated[Caller, Depends(page_caller(Scope.READ))]
Operator = Annotated[Caller, Depends(form_caller(Scope.OPERATE))]

WATCH = {
    "lengthen-prompt": ("Watch the input tokens", "calls?system=hr-assistant&range=1h"),
    "model-parameters": ("Watch the output tokens", "calls?system=hr-assistant&range=1h"),
    "swap-model": ("Watch the configurations", "systems/hr-assistant"),
    "slow-upstream": ("Watch the latency", "calls?system=hr-assistant&range=1h&sort=-duration_ms"),
    "new-topic": ("Watch what is asked", "calls?system=hr-assistant&range=15m&live=1"),
}


def control(data: Path, workspace: str) -> httpx2.Client:
    """A client of the demo's control door. Raises NotFound where no demo runs beside this workspace."""
    port = data / "demo" / "control.port"
    if workspace != "demo" or not port.is_file():
        raise NotFound("no demo runs here; start it with: holdfast up --demo")
    return httpx2.Client(base_url=f"http://127.0.0.1:{int(port.read_text())}", timeout=5, trust_env=False)


def state_of(client: httpx2.Client) -> dict[str, Any]:
    """What the demo says of itself. Raises Unavailable."""
    try:
        found: dict[str, Any] = client.get("/state").raise_for_status().json()
    except (httpx2.HTTPError, ValueError) as error:
        raise Unavailable(
            "the demo does not answer yet; it takes a few seconds to start", retry_after=5
        ) from error
    return found


@router.get("/w/{workspace}/demo")
def switches(request: Request, caller: Reader) -> HTMLResponse:
    """The page."""
    with control(services(request).settings.data, caller.workspace.slug) as client:
        state = state_of(client)
    base = f"/w/{caller.workspace.slug}"
    faults = [
        {
            "id": one["name"],
            "name": one["title"],
            "does": f"{one['effect'][0].upper()}{one['effect'][1:]}.",
            "broken": one["active"],
            "since": None,
            "watch": WATCH.get(one["name"], ("Watch the calls", "calls"))[0],
            "watch_href": f"{base}/{WATCH.get(one['name'], ('', 'calls'))[1]}",
        }
        for one in state["breaks"]
    ]
    return page(
        request,
        caller,
        "telemetry/demo.html",
        model=state.get("model", "a language model"),
        faults=faults,
        action=f"{base}/demo",
    )


@router.post("/w/{workspace}/demo")
def flip(
    request: Request,
    caller: Operator,
    fault: Annotated[str, Form(pattern="^[a-z-]{1,40}$")],
    state: Annotated[Literal["break", "mend"], Form()],
) -> Response:
    """Breaks or mends one thing."""
    found = services(request)
    with control(found.settings.data, caller.workspace.slug) as client:
        try:
            client.post(f"/{state}/{fault}").raise_for_status()
        except httpx2.HTTPError as error:
            raise Unavailable("the demo did not take this over; try again", retry_after=5) from error
    with found.database.transaction() as tx:
        actions.flip_demo(caller.ctx, tx, fault, state)
    return RedirectResponse(f"/w/{caller.workspace.slug}/demo", status_code=303)
