"""The settings pages of members and API keys."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Form, Request, Response

from holdfast.kernel.errors import Conflict, Denied, HoldfastError, Invalid
from holdfast.platform.access import reads
from holdfast.platform.access.actions import keys as key_actions
from holdfast.platform.access.actions import links, members
from holdfast.platform.access.guard import services
from holdfast.platform.access.model import Caller, Grant, Role, Scope
from holdfast.platform.access.pages.settings import Admin, AdminForm, Text
from holdfast.platform.forms import show, to, with_error

router = APIRouter(include_in_schema=False, prefix="/w/{workspace}/settings")
ROLES = {
    Role.VIEWER: "viewer: reads",
    Role.OPERATOR: "operator: reads and operates",
    Role.APPROVER: "approver: reads, operates, approves",
    Role.AUDITOR: "auditor: reads",
    Role.ADMIN: "admin: everything but content",
}
SCOPES = ("ingest", "gateway", "ingest,gateway", "read", "read,content", "operate", "admin")


def _place(grant: Grant) -> str:
    where = " in ".join(part for part in (grant.system, grant.environment) if part)
    words = grant.role.value + (f" · {where}" if where else "") + (" · content" if grant.content else "")
    return words + (" · by group" if grant.source == "oidc" else "")


@router.get("/members")
def members_page(request: Request, by: Admin) -> Response:
    """Who may do what here."""
    return _members(request, by, {}, None, None)


def _members(
    request: Request, by: Caller, given: dict[str, str], link: str | None, error: HoldfastError | None
) -> Response:
    base = f"/w/{by.workspace.slug}/settings/members"
    with services(request).database.reading() as tx:
        found = reads.members(tx, by.ctx.workspace)
    rows = []
    for member, grants in found:
        buttons = [
            {
                "words": f"Take back {_place(grant)}",
                "action": f"{base}/grants/{grant.id}/remove",
                "ask": f"Take this role back from {member.email}?",
            }
            for grant in grants
        ]
        buttons.append(
            {
                "words": "Sign-in link",
                "action": f"{base}/{member.id}/link",
                "ask": f"Make a link? Using it voids the password of {member.email}.",
            }
        )
        buttons.append(
            {
                "words": "Remove",
                "action": f"{base}/{member.id}/remove",
                "ask": f"Remove {member.email} from this workspace?",
            }
        )
        rows.append(
            {
                "cells": {
                    "email": member.email,
                    "name": member.name or None,
                    "roles": ", ".join(_place(grant) for grant in grants),
                    "state": "disabled" if member.disabled_at else "active",
                },
                "href": "",
                "actions": buttons,
            }
        )
    fields: list[dict[str, Any]] = [
        {
            "name": "email",
            "label": "E-mail",
            "type": "email",
            "required": True,
            "value": given.get("email", ""),
        },
        {"name": "name", "label": "Name", "value": given.get("name", "")},
        {
            "name": "role",
            "label": "Role",
            "required": True,
            "options": [(role.value, words) for role, words in ROLES.items()],
            "value": given.get("role", "viewer"),
        },
        {"name": "system", "label": "Only in the system", "value": given.get("system", "")},
        {"name": "environment", "label": "Only in the environment", "value": given.get("environment", "")},
        {
            "name": "content",
            "label": "Captured content",
            "required": True,
            "options": [("no", "may not read it"), ("yes", "may read it")],
            "value": given.get("content", "no"),
        },
    ]
    note = "It signs in once, within 24 hours, and is shown this once: whoever has it is that member."
    columns = (("email", "Member"), ("name", "Name"), ("roles", "Roles"), ("state", "State"))
    return show(
        request,
        by,
        "members",
        error,
        heading_text="Members",
        intro="Roles hold in the whole workspace, or in one system or environment. "
        "Reading captured content is a permission of its own.",
        columns=[{"key": key, "label": label} for key, label in columns],
        rows=rows,
        form={"action": base, "submit": "Give the role", "fields": with_error(fields, error)},
        revealed={"title": "Sign-in link.", "note": note, "value": link} if link else None,
        empty_title="Nobody yet",
        empty_text="Invite somebody below.",
    )


@router.post("/members")
def invite(
    request: Request,
    by: AdminForm,
    email: Text = "",
    name: Text = "",
    role: Text = "",
    system: Text = "",
    environment: Text = "",
    content: Text = "no",
) -> Response:
    """Gives a role; shows the link of a new member once."""
    found = services(request)
    given = {
        "email": email,
        "name": name,
        "role": role,
        "system": system,
        "environment": environment,
        "content": content,
    }
    try:
        if role not in set(Role):
            raise Invalid("there is no such role", where="role")
        with found.database.transaction() as tx:
            member, _, new = members.invite(
                by,
                tx,
                email=email,
                name=name,
                role=Role(role),
                system=system.strip(),
                environment=environment.strip(),
                content=content == "yes",
            )
            link = None
            if new and found.settings.local_sign_in:
                link = links.sign_in_link(by.ctx, tx, found.settings, member.email)
    except (Invalid, Conflict, Denied) as error:
        return _members(request, by, given, None, error)
    return _members(request, by, {}, link, None) if link else to(by, "members")


@router.post("/members/{member}/link")
def make_link(request: Request, by: AdminForm, member: str) -> Response:
    """A new link, shown once."""
    found = services(request)
    try:
        with found.database.transaction() as tx:
            email = members.check_link_for(by, tx, member).email
            link = links.sign_in_link(by.ctx, tx, found.settings, email)
    except Denied as error:
        return _members(request, by, {}, None, error)
    return _members(request, by, {}, link, None)


@router.post("/members/{member}/remove")
def remove_member(request: Request, by: AdminForm, member: str) -> Response:
    """Takes all roles here."""
    try:
        with services(request).database.transaction() as tx:
            members.remove_member(by, tx, member)
    except Conflict as error:
        return _members(request, by, {}, None, error)
    return to(by, "members")


@router.post("/members/grants/{grant}/remove")
def remove_grant(request: Request, by: AdminForm, grant: str) -> Response:
    """Takes one role back."""
    try:
        with services(request).database.transaction() as tx:
            members.remove_grant(by, tx, grant)
    except Conflict as error:
        return _members(request, by, {}, None, error)
    return to(by, "members")


@router.get("/keys")
def keys_page(request: Request, by: Admin) -> Response:
    """The API keys."""
    return _keys(request, by, {}, None, None)


def _keys(
    request: Request, by: Caller, given: dict[str, Any], text: str | None, error: HoldfastError | None
) -> Response:
    base = f"/w/{by.workspace.slug}/settings/keys"
    with services(request).database.reading() as tx:
        found = reads.keys(tx, by.ctx.workspace)
    rows = []
    for key in found:
        ended = key.revoked_at is not None or (key.expires_at is not None and key.expires_at <= by.ctx.now)
        revoke = {
            "words": "Revoke",
            "action": f"{base}/{key.id}/revoke",
            "ask": f"Revoke {key.prefix}…? Whatever uses it stops at once.",
        }
        rows.append(
            {
                "cells": {
                    "prefix": f"{key.prefix}…",
                    "name": key.name,
                    "scopes": ", ".join(sorted(key.scopes)),
                    "made": key.created_at.strftime("%Y-%m-%d"),
                    "state": "ended" if ended else "valid",
                },
                "href": "",
                "actions": [] if ended else [revoke],
            }
        )
    fields = [
        {"name": "name", "label": "What it is for", "required": True, "value": given.get("name", "")},
        {
            "name": "scopes",
            "label": "What it may do",
            "required": True,
            "options": [(one, one.replace(",", " and ")) for one in SCOPES],
            "value": given.get("scopes", "ingest"),
        },
    ]
    columns = (("prefix", "Key"), ("name", "For"), ("scopes", "Scopes"), ("made", "Made"), ("state", "State"))
    note = "It is shown this once; put it where your application reads it."
    return show(
        request,
        by,
        "keys",
        error,
        heading_text="API keys",
        intro="Applications and tools sign in with keys. Holdfast keeps only a hash of each.",
        columns=[{"key": key, "label": label} for key, label in columns],
        rows=rows,
        form={"action": base, "submit": "Make the key", "fields": with_error(fields, error)},
        revealed={"title": "Your new key.", "note": note, "value": text} if text else None,
        empty_title="No keys yet",
        empty_text="Make the first one below; sending telemetry needs the scope ingest.",
    )


@router.post("/keys")
def make_key(
    request: Request, by: AdminForm, name: Text = "", scopes: Annotated[str, Form()] = ""
) -> Response:
    """Makes a key and shows it once."""
    try:
        chosen = frozenset(Scope(part) for part in scopes.split(",") if part in set(Scope))
        with services(request).database.transaction() as tx:
            _, text = key_actions.create_key_for(by, tx, name, chosen)
    except (Invalid, Denied) as error:
        return _keys(request, by, {"name": name, "scopes": scopes}, None, error)
    return _keys(request, by, {}, text, None)


@router.post("/keys/{key}/revoke")
def revoke_key(request: Request, by: AdminForm, key: str) -> Response:
    """Ends a key at once."""
    with services(request).database.transaction() as tx:
        key_actions.revoke_key(by.ctx, tx, key)
    return to(by, "keys")
