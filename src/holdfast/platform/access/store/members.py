"""Queries on members and their grants."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

import sqlalchemy as sa

from holdfast.platform.access.model import Grant, Member, Role
from holdfast.platform.access.store.tables import grants, members
from holdfast.storage.sql import Transaction


def _member(row: Any) -> Member:
    return Member(
        row.id, row.email, row.name, row.password_hash, row.oidc_subject, row.created_at, row.disabled_at
    )


def _grant(row: Any) -> Grant:
    return Grant(
        id=row.id,
        workspace=row.workspace,
        member=row.member,
        role=Role(row.role),
        system=row.system,
        environment=row.environment,
        content=row.content,
        source=row.source,
    )


def add_member(tx: Transaction, member: Member) -> None:
    tx.execute(members.insert().values(**asdict(member)))


def member(tx: Transaction, member_id: str) -> Member | None:
    row = tx.execute(sa.select(members).where(members.c.id == member_id)).one_or_none()
    return None if row is None else _member(row)


def member_by_email(tx: Transaction, email: str) -> Member | None:
    row = tx.execute(sa.select(members).where(members.c.email == email)).one_or_none()
    return None if row is None else _member(row)


def member_by_oidc(tx: Transaction, subject: str) -> Member | None:
    row = tx.execute(sa.select(members).where(members.c.oidc_subject == subject)).one_or_none()
    return None if row is None else _member(row)


def first_member(tx: Transaction) -> Member | None:
    row = tx.execute(sa.select(members).order_by(members.c.created_at, members.c.id).limit(1)).first()
    return None if row is None else _member(row)


def anybody_signs_in(tx: Transaction) -> bool:
    """Whether any member has a password or an identity at the provider."""
    has = sa.or_(members.c.password_hash.is_not(None), members.c.oidc_subject.is_not(None))
    return (
        tx.execute(sa.select(members.c.id).where(has, members.c.disabled_at.is_(None)).limit(1)).first()
        is not None
    )


def change_member(tx: Transaction, member_id: str, **values: Any) -> None:
    tx.execute(members.update().where(members.c.id == member_id).values(**values))


def members_of(tx: Transaction, workspace: str) -> list[Member]:
    here = sa.select(grants.c.member).where(grants.c.workspace == workspace)
    rows = tx.execute(sa.select(members).where(members.c.id.in_(here)).order_by(members.c.email))
    return [_member(row) for row in rows]


def put_grant(tx: Transaction, grant: Grant) -> None:
    """Adds a grant, or changes the member's one at the same place; that one keeps its id."""
    values = asdict(grant) | {"role": grant.role.value}
    changed = (
        grants.update()
        .where(*_place(grant))
        .values(role=grant.role.value, content=grant.content, source=grant.source)
    )
    if tx.execute(changed).rowcount == 0:
        tx.execute(grants.insert().values(**values))


def grant_at(tx: Transaction, grant: Grant) -> Grant | None:
    """The member's grant at the place that `grant` names."""
    row = tx.execute(sa.select(grants).where(*_place(grant))).one_or_none()
    return None if row is None else _grant(row)


def _place(grant: Grant) -> list[sa.ColumnElement[bool]]:
    return [
        grants.c.workspace == grant.workspace,
        grants.c.member == grant.member,
        grants.c.system == grant.system,
        grants.c.environment == grant.environment,
    ]


def grant(tx: Transaction, workspace: str, grant_id: str) -> Grant | None:
    row = tx.execute(tx.select(grants, workspace).where(grants.c.id == grant_id)).one_or_none()
    return None if row is None else _grant(row)


def grants_in(tx: Transaction, workspace: str) -> list[Grant]:
    order = (grants.c.member, grants.c.system, grants.c.environment)
    return [_grant(row) for row in tx.execute(tx.select(grants, workspace).order_by(*order))]


def grants_of_member(tx: Transaction, member_id: str) -> list[Grant]:
    """In every workspace: for signing in, never for showing."""
    rows = tx.execute(
        sa.select(grants).where(grants.c.member == member_id).order_by(grants.c.workspace, grants.c.id)
    )
    return [_grant(row) for row in rows]


def delete_grant(tx: Transaction, workspace: str, grant_id: str) -> bool:
    done = tx.execute(grants.delete().where(grants.c.workspace == workspace, grants.c.id == grant_id))
    return done.rowcount == 1


def delete_grants_from(tx: Transaction, member_id: str, source: str) -> None:
    tx.execute(grants.delete().where(grants.c.member == member_id, grants.c.source == source))


def lock_admins(tx: Transaction, workspace: str) -> list[str]:
    """The enabled members who are admins of the whole workspace, held until the transaction ends.

    The grants are locked by one statement and the members read by the next, so that of two who remove each
    other at once the second sees what the first did (PostgreSQL; SQLite has one writer).
    """
    chosen = (grants.c.role == Role.ADMIN.value, grants.c.system == "", grants.c.environment == "")
    held = tx.select(grants, workspace).where(*chosen).order_by(grants.c.id).with_for_update()
    ids = {row.member for row in tx.execute(held)}
    enabled = sa.select(members.c.id).where(members.c.id.in_(ids), members.c.disabled_at.is_(None))
    return sorted(row.id for row in tx.execute(enabled.order_by(members.c.id).with_for_update()))
