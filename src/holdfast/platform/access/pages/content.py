"""The settings page of what is captured and how long it is kept."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response

from holdfast.kernel.errors import HoldfastError, Invalid, NotFound
from holdfast.platform.access.guard import services
from holdfast.platform.access.model import Caller
from holdfast.platform.access.pages.settings import Admin, AdminForm, Text
from holdfast.platform.forms import said, show, to, with_error
from holdfast.platform.tenancy import actions, reads
from holdfast.platform.tenancy.model import CaptureMode, DataPolicy

router = APIRouter(include_in_schema=False, prefix="/w/{workspace}/settings")


@router.get("/content")
def content_page(request: Request, by: Admin, system: str = "") -> Response:
    """What is captured and kept: the workspace's own policy, or one system's."""
    with services(request).database.reading() as tx:
        found = reads.policies(tx, by.ctx.workspace)
        if system and system not in {one.slug for one in reads.systems(tx, by.ctx.workspace)}:
            raise NotFound("there is no such system in this workspace")
    own = found.get("", DataPolicy(by.ctx.workspace))
    return _content(request, by, system, _policy_form(found.get(system, own)), None)


def _policy_form(policy: DataPolicy) -> dict[str, str]:
    return {
        "capture": policy.capture.value,
        "sample_percent": f"{policy.sample_rate * 100:g}",
        "redact_kinds": ", ".join(policy.redact_kinds),
        "dlp_webhook": policy.dlp_webhook,
        "content_days": str(policy.content_days),
        "span_days": str(policy.span_days),
        "call_days": str(policy.call_days),
    }


def _content(
    request: Request, by: Caller, system: str, given: dict[str, str], error: HoldfastError | None
) -> Response:
    modes = {
        "on": "kept as sent",
        "off": "not kept",
        "sampled": "a share is kept",
        "redacted": "kept with personal data removed",
    }
    texts = (
        ("sample_percent", "Share that is kept, in percent", "For “a share is kept”."),
        ("redact_kinds", "What is removed", "Of: email, phone, iban, card, key."),
        ("dlp_webhook", "Your own detector", "A URL that content is sent to before it is kept."),
        ("content_days", "Content is kept, in days", ""),
        ("span_days", "Spans are kept, in days", ""),
        ("call_days", "Calls are kept, in days", ""),
    )
    fields: list[dict[str, Any]] = [
        {
            "name": "capture",
            "label": "Prompts and answers",
            "required": True,
            "options": list(modes.items()),
            "value": given["capture"],
        }
    ]
    for name, label, hint in texts:
        required = name not in ("dlp_webhook", "redact_kinds")
        fields.append(
            {"name": name, "label": label, "hint": hint, "value": given[name], "required": required}
        )
    action = f"/w/{by.workspace.slug}/settings/content"
    intro = f"For the system {system}." if system else "For every system that has no policy of its own."
    saved = said(request)
    form = {
        "action": f"{action}?system={system}" if system else action,
        "submit": "Save",
        "fields": with_error(fields, error),
    }
    return show(
        request,
        by,
        "content",
        error,
        heading_text="Content and retention",
        intro=intro,
        saved=saved,
        form=form,
    )


@router.post("/content")
def put_content(
    request: Request,
    by: AdminForm,
    system: str = "",
    capture: Text = "redacted",
    sample_percent: Text = "100",
    redact_kinds: Text = "",
    dlp_webhook: Text = "",
    content_days: Text = "",
    span_days: Text = "",
    call_days: Text = "",
) -> Response:
    """Takes the form."""
    given = {
        "capture": capture,
        "sample_percent": sample_percent,
        "redact_kinds": redact_kinds,
        "dlp_webhook": dlp_webhook,
        "content_days": content_days,
        "span_days": span_days,
        "call_days": call_days,
    }
    try:
        with services(request).database.transaction() as tx:
            if system and system not in {one.slug for one in reads.systems(tx, by.ctx.workspace)}:
                raise NotFound("there is no such system in this workspace")
            actions.set_policy(by.ctx, tx, _policy(by.ctx.workspace, system, given))
    except Invalid as error:
        return _content(request, by, system, given, error)
    return to(by, "content")


def _policy(workspace: str, system: str, given: dict[str, str]) -> DataPolicy:
    if given["capture"] not in set(CaptureMode):
        raise Invalid("there is no such way to capture", where="capture")
    numbers: dict[str, float] = {}
    for name in ("sample_percent", "content_days", "span_days", "call_days"):
        try:
            numbers[name] = float(given[name]) if name == "sample_percent" else int(given[name])
        except ValueError as error:
            raise Invalid("this is not a number", where=name) from error
    if not 0 <= numbers["sample_percent"] <= 100:
        raise Invalid("a share is from 0 to 100 percent", where="sample_percent")
    return DataPolicy(
        workspace=workspace,
        system=system,
        capture=CaptureMode(given["capture"]),
        sample_rate=numbers["sample_percent"] / 100,
        redact_kinds=tuple(part.strip() for part in given["redact_kinds"].split(",") if part.strip()),
        dlp_webhook=given["dlp_webhook"].strip(),
        content_days=int(numbers["content_days"]),
        span_days=int(numbers["span_days"]),
        call_days=int(numbers["call_days"]),
    )
