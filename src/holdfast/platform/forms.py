"""Settings pages: one menu that rooms add to, forms that say what is wrong where, lists with a form beneath."""

from __future__ import annotations

from typing import Any

from fastapi import Request, Response
from fastapi.responses import RedirectResponse

from holdfast.kernel.errors import HoldfastError
from holdfast.platform.access.model import Caller
from holdfast.platform.frame import frame, page


def sections(request: Request, by: Caller, current: str) -> list[dict[str, Any]]:
    """The menu of the settings."""
    base = f"/w/{by.workspace.slug}/settings"
    return [
        {"label": label, "href": f"{base}/{path}".rstrip("/"), "icon": icon, "current": path == current}
        for label, path, icon in frame(request).sections
    ]


def with_error(fields: list[dict[str, Any]], error: HoldfastError | None) -> list[dict[str, Any]]:
    """The fields of a form, with an error at the one it is about (else at the first)."""
    if error is None:
        return fields
    at = error.where if any(one["name"] == error.where for one in fields) else fields[0]["name"]
    return [one | ({"error": error.detail} if one["name"] == at else {}) for one in fields]


def show(
    request: Request, by: Caller, section: str, error: HoldfastError | None = None, **context: Any
) -> Response:
    """A settings page: a form or (with `columns`) a list with a form beneath it."""
    template = "access/settings_list.html" if "columns" in context else "access/settings_form.html"
    answer = page(request, by, template, sections=sections(request, by, section), timeless=True, **context)
    if error is not None:
        answer.status_code = error.status
    return answer


def to(by: Caller, section: str, saved: bool = True) -> Response:
    """Back to a settings page after a form."""
    base = f"/w/{by.workspace.slug}/settings/{section}".rstrip("/")
    return RedirectResponse(f"{base}{'?saved=1' if saved else ''}", 303)


def said(request: Request) -> str:
    """What the page says right after a form was taken."""
    return "Saved" if request.query_params.get("saved") else ""
