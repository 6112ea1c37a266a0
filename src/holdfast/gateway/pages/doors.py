"""What the gateway's pages share: who may, and the tabs."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Form

from holdfast.platform.access.guard import form_caller, page_caller
from holdfast.platform.access.model import Caller, Scope

Reader = Annotated[Caller, Depends(page_caller(Scope.READ, everywhere=True))]
Admin = Annotated[Caller, Depends(page_caller(Scope.ADMIN, everywhere=True))]
AdminForm = Annotated[Caller, Depends(form_caller(Scope.ADMIN, everywhere=True))]
Text = Annotated[str, Form(max_length=10_000)]


def administers(by: Caller) -> bool:
    """Whether the caller may change what the gateway does."""
    return by.may(Scope.ADMIN) and by.reach[Scope.ADMIN].everywhere


def tabs(by: Caller, current: str) -> list[dict[str, Any]]:
    """The room's pages, side by side, as far as the caller may see them."""
    base = f"/w/{by.workspace.slug}/gateway"
    found = [("", "Now"), ("budgets", "Budgets and limits"), ("try", "Try it")]
    if administers(by):
        found.insert(2, ("keys", "Keys"))
    return [
        {
            "label": label,
            "href": f"{base}/{path}".rstrip("/"),
            "current": path == current,
            "count": None,
        }
        for path, label in found
    ]
