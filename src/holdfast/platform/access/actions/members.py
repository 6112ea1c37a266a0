"""Verbs on members and their grants.

The ones that a person or a key asks for take the Caller, because nobody gives away what they do not hold:
roles only where one is admin, and `content` only where one may read content oneself.
"""

from __future__ import annotations

from dataclasses import replace

from holdfast.kernel.context import Context
from holdfast.kernel.errors import Conflict, Denied, Invalid, NotFound
from holdfast.kernel.ids import new_id
from holdfast.platform.access import rules
from holdfast.platform.access.actions import trail
from holdfast.platform.access.model import Caller, Grant, Member, Role, Scope
from holdfast.platform.access.store import members as store
from holdfast.platform.access.store import sessions as session_store
from holdfast.platform.audit import actions as audit
from holdfast.storage.sql import Transaction

LAST_ADMIN = "this is the last admin of the workspace; make another one first"


def make_admin(ctx: Context, tx: Transaction, email: str, *, content: bool = False) -> Member:
    """Makes a member, new or known, admin of `ctx.workspace`: for the one who runs Holdfast. Raises Invalid."""
    member = store.member_by_email(tx, rules.normal_email(email)) or _add(ctx, tx, email, "")
    _grant(ctx, tx, Grant(new_id("grant"), ctx.workspace, member.id, Role.ADMIN, "", "", content))
    return member


def invite(
    by: Caller,
    tx: Transaction,
    *,
    email: str,
    name: str,
    role: Role,
    system: str,
    environment: str,
    content: bool,
) -> tuple[Member, Grant, bool]:
    """Gives somebody a role here, making the member where new; the last value says whether a link is due.

    A link is due only for one who belongs to no other workspace and has no way in yet: whoever holds the link
    is that member. Raises Denied where the caller may not give this, Conflict for a member disabled elsewhere.
    """
    ctx = by.ctx
    _may_give(by, system, environment, content)
    if len(name) > 200:
        raise Invalid("a name has at most 200 characters", where="name")
    member = store.member_by_email(tx, rules.normal_email(email))
    new = member is None
    if member is None:
        member = _add(ctx, tx, email, name)
    elif member.disabled_at is not None:
        if store.grants_of_member(tx, member.id):
            raise Conflict("this member is disabled")
        store.change_member(tx, member.id, disabled_at=None, password_hash=None, oidc_subject=None)
        member, new = replace(member, disabled_at=None, password_hash=None, oidc_subject=None), True
    wanted = Grant(new_id("grant"), ctx.workspace, member.id, role, system, environment, content)
    _check_lowering(tx, wanted)
    return member, _grant(ctx, tx, wanted), new


def check_link_for(by: Caller, tx: Transaction, member_id: str) -> Member:
    """The member, where the caller may make a sign-in link for them: whoever has it can be them.

    So the member must belong to this workspace alone, and hold nothing that the caller does not.
    Raises NotFound, Denied.
    """
    grants = store.grants_of_member(tx, member_id)
    member = store.member(tx, member_id)
    if (
        member is None
        or member.disabled_at is not None
        or not any(one.workspace == by.ctx.workspace for one in grants)
    ):
        raise NotFound("there is no such member in this workspace")
    if any(one.workspace != by.ctx.workspace for one in grants):
        raise Denied("only whoever runs Holdfast can make a link for this member (holdfast member link)")
    for one in grants:
        _may_give(by, one.system, one.environment, one.content)
    return member


def put_grant(
    by: Caller, tx: Transaction, member_id: str, *, role: Role, system: str, environment: str, content: bool
) -> Grant:
    """Gives a member of this workspace a role at a place, or changes the one there.

    Raises NotFound for a member without any grant here, Denied, and Conflict where it would take the last admin.
    """
    _may_give(by, system, environment, content)
    member = _here(by.ctx, tx, member_id)
    wanted = Grant(new_id("grant"), by.ctx.workspace, member.id, role, system, environment, content)
    _check_lowering(tx, wanted)
    return _grant(by.ctx, tx, wanted)


def remove_grant(by: Caller, tx: Transaction, grant_id: str) -> None:
    """Takes a grant back. Raises NotFound, Denied, and Conflict where it is the last admin's."""
    grant = store.grant(tx, by.ctx.workspace, grant_id)
    if grant is None:
        raise NotFound("there is no such grant in this workspace")
    _may_give(by, grant.system, grant.environment, content=False)
    if grant.role is Role.ADMIN and grant.system == "" and grant.environment == "":
        _keep_an_admin(tx, by.ctx.workspace, grant.member)
    store.delete_grant(tx, by.ctx.workspace, grant.id)
    audit.record(by.ctx, tx, action="grant.removed", subject=grant.member, details=_details(grant))


def remove_member(by: Caller, tx: Transaction, member_id: str) -> None:
    """Takes all grants in this workspace. One left without any grant is disabled, and every session ends at once.

    Raises NotFound, Denied, and Conflict for the last admin.
    """
    _may_give(by, "", "", content=False)
    member = _here(by.ctx, tx, member_id)
    _keep_an_admin(tx, by.ctx.workspace, member.id)
    for grant in store.grants_of_member(tx, member.id):
        if grant.workspace == by.ctx.workspace:
            store.delete_grant(tx, by.ctx.workspace, grant.id)
    if not store.grants_of_member(tx, member.id):
        _disable(by.ctx, tx, member)
    audit.record(by.ctx, tx, action="member.removed", subject=member.id)


def disable(ctx: Context, tx: Transaction, email: str) -> None:
    """Disables a member everywhere, for the one who runs Holdfast. Raises NotFound, Conflict for a last admin."""
    member = store.member_by_email(tx, rules.normal_email(email))
    if member is None or member.disabled_at is not None:
        raise NotFound("there is no such member")
    for workspace in sorted({grant.workspace for grant in store.grants_of_member(tx, member.id)}):
        _keep_an_admin(tx, workspace, member.id)
    _disable(ctx, tx, member)
    trail.record(ctx, tx, member, action="member.disabled")


def _disable(ctx: Context, tx: Transaction, member: Member) -> None:
    store.change_member(tx, member.id, disabled_at=ctx.now)
    session_store.end_sessions_of(tx, member.id)
    session_store.drop_links_of(tx, member.id)


def found_workspace(by: Caller, tx: Transaction, workspace: str) -> None:
    """Gives a workspace just made its admins: the member who makes it, or for a key the admins of the key's own.

    The maker's right to read content comes along. Raises Conflict where nobody would be admin.
    """
    own = [by.ctx.actor.id] if by.ctx.actor.kind == "member" else store.lock_admins(tx, by.ctx.workspace)
    if not own:
        raise Conflict("a workspace needs an admin, and this key's workspace has none to take over")
    content = by.ctx.actor.kind == "member" and by.may(Scope.CONTENT) and by.reach[Scope.CONTENT].everywhere
    there = Context(workspace, by.ctx.actor, by.ctx.now)
    for member in own:
        _grant(there, tx, Grant(new_id("grant"), workspace, member, Role.ADMIN, "", "", content))


def _add(ctx: Context, tx: Transaction, email: str, name: str) -> Member:
    member = Member(new_id("mem"), rules.normal_email(email), name.strip(), None, None, ctx.now, None)
    store.add_member(tx, member)
    return member


def _grant(ctx: Context, tx: Transaction, grant: Grant) -> Grant:
    if len(grant.system) > 200 or len(grant.environment) > 200:
        raise Invalid("the name of a system or an environment has at most 200 characters", where="system")
    store.put_grant(tx, grant)
    kept = store.grant_at(tx, grant) or grant
    audit.record(ctx, tx, action="grant.put", subject=grant.member, details=_details(kept))
    return kept


def _here(ctx: Context, tx: Transaction, member_id: str) -> Member:
    member = store.member(tx, member_id)
    grants = store.grants_of_member(tx, member_id)
    if member is None or not any(grant.workspace == ctx.workspace for grant in grants):
        raise NotFound("there is no such member in this workspace")
    return member


def _may_give(by: Caller, system: str, environment: str, content: bool) -> None:
    admin, reads = by.reach.get(Scope.ADMIN), by.reach.get(Scope.CONTENT)
    if admin is None or not admin.covers(system, environment):
        raise Denied("this needs the permission 'admin' over all that it concerns")
    if content and (reads is None or not reads.covers(system, environment)):
        raise Denied("only somebody who may read captured content can give that permission away")


def _check_lowering(tx: Transaction, wanted: Grant) -> None:
    if wanted.role is not Role.ADMIN and wanted.system == "" and wanted.environment == "":
        _keep_an_admin(tx, wanted.workspace, wanted.member)


def _keep_an_admin(tx: Transaction, workspace: str, leaving: str) -> None:
    admins = store.lock_admins(tx, workspace)
    if leaving in admins and len(admins) == 1:
        raise Conflict(LAST_ADMIN)


def _details(grant: Grant) -> dict[str, str | bool]:
    return {
        "grant": grant.id,
        "role": grant.role.value,
        "system": grant.system,
        "environment": grant.environment,
        "content": grant.content,
        "source": grant.source,
    }
