"""Who stands behind an actor: a key is the person who made it, so nobody reviews what is their own by another way in."""

from __future__ import annotations

from holdfast.changes.model import Person
from holdfast.changes.rules import policy as policies
from holdfast.changes.rules.policy import ClassPolicy
from holdfast.kernel.context import Context
from holdfast.kernel.errors import Denied, NotFound
from holdfast.platform.access import reads as access
from holdfast.platform.access.model import ApiKey, Scope
from holdfast.storage.sql import Transaction

EVERY_ROLE = frozenset(policies.ROLES)
DEEPEST = 10
"""How many keys may have made one another."""


def person_of(ctx: Context, tx: Transaction, system: str) -> Person:
    """Who acts, with their roles in a system. Without an id where nobody can tell who it is."""
    actor = ctx.actor
    match actor.kind:
        case "member":
            return _member(ctx, tx, actor.id, system) or Person("", actor.name)
        case "key":
            return _behind(ctx, tx, actor.id, system)
        case "cli":
            return Person("", actor.name, EVERY_ROLE)
        case "system":
            return Person("", actor.name)


def permit(policy: ClassPolicy, act: str, person: Person) -> None:
    """Raises Denied where the policy does not let them."""
    if not policies.may(policy, act, person.roles):
        who = " or ".join(policy.may.get(act, ())) or "nobody"
        raise Denied(f"by the policy for changes of this class, {act.replace('_', ' ')} is for: {who}")


def _member(ctx: Context, tx: Transaction, id: str, system: str) -> Person | None:
    try:
        member, grants = access.member(tx, ctx.workspace, id)
    except NotFound:
        return None
    if member.disabled_at is not None:
        return None
    roles = frozenset(one.role.value for one in grants if one.system in ("", system))
    return Person(member.id, member.name or member.email, roles)


def _behind(ctx: Context, tx: Transaction, id: str, system: str) -> Person:
    keys = {one.id: one for one in access.keys(tx, ctx.workspace)}
    asked = maker = keys.get(id)
    for _ in range(DEEPEST):
        if maker is None or maker.created_by not in keys:
            break
        maker = keys[maker.created_by]
    behind = _member(ctx, tx, maker.created_by, system) if maker is not None else None
    roles = _roles(asked) if asked is not None else frozenset[str]()
    if behind is None:
        return Person("", ctx.actor.name, roles)
    return Person(behind.id, behind.name, behind.roles & roles)


def _roles(key: ApiKey) -> frozenset[str]:
    """What a key can stand for at most."""
    if Scope.ADMIN in key.scopes:
        return EVERY_ROLE
    return frozenset({"operator", "approver"}) if Scope.OPERATE in key.scopes else frozenset()
