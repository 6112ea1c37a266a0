"""The registry: what says the same is the same, what is kept is never changed, and nobody sees a neighbour's."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.kernel.context import Actor, Context
from holdfast.kernel.errors import Invalid, NotFound
from holdfast.platform.audit import store as audit_store
from holdfast.platform.tenancy import actions as tenancy
from holdfast.registry import actions, reads
from holdfast.registry.model import Kind, Release
from holdfast.registry.rules import naming
from holdfast.storage.sql import Database

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(1 - (1 << 53), (1 << 53) - 1)
    | st.floats(-1e15, 1e15)
    | st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"]), max_size=8), inner, max_size=4)
    ),
    max_leaves=20,
)
MODEL = {"chain": [{"upstream": "main"}], "parameters": {"temperature": 0.2}}
PROMPT = {"messages": [{"role": "system", "content": "Be kind."}]}


def context(database: Database, clock: Any, slug: str = "acme") -> Context:
    actor = Actor("member", "ada", "Ada")
    with database.transaction() as tx:
        return Context(tenancy.ensure_workspace(Context("", actor, clock()), tx, slug).id, actor, clock())


def register(database: Database, ctx: Context, **changed: Any) -> Release:
    given = {"body": {}, "components": {Kind.MODEL: MODEL, Kind.PROMPT: PROMPT}, **changed}
    with database.transaction() as tx:
        return actions.register(ctx, tx, **given)


def entries(database: Database, ctx: Context) -> list[str]:
    with database.reading() as tx:
        return [one.action for one in audit_store.entries_from(tx, ctx.workspace, 0, 100)]


def reordered(value: Any) -> Any:
    """The same value with the keys of its mappings in another order."""
    if isinstance(value, dict):
        return {name: reordered(value[name]) for name in reversed(list(value))}
    return [reordered(one) for one in value] if isinstance(value, list) else value


def same(one: Any, other: Any) -> bool:
    """Whether JSON takes two values for the same: 1 is 1.0, but no number is true."""
    if isinstance(one, bool) or isinstance(other, bool):
        return one is other
    if isinstance(one, int | float) and isinstance(other, int | float):
        return one == other
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return type(one) is type(other) and bool(one == other)


@given(VALUES)
def test_order_of_keys_and_a_way_through_json_change_no_hash(value: Any) -> None:
    wanted = naming.content_hash("model", value)
    assert naming.content_hash("model", reordered(value)) == wanted
    assert naming.content_hash("model", json.loads(json.dumps(value))) == wanted
    assert naming.content_hash("model", json.loads(naming.canonical(value))) == wanted
    assert naming.content_hash("prompt", value) != wanted


@given(VALUES, VALUES)
def test_what_differs_has_another_hash(one: Any, other: Any) -> None:
    equal = naming.content_hash("model", one) == naming.content_hash("model", other)
    assert equal == same(one, other)


@pytest.mark.parametrize(
    "value", [math.nan, math.inf, 1 << 53, {1: 2}, {"a": {None: 1}}, object(), "\ud800", {"a": {1, 2}}]
)
def test_what_json_cannot_hold_is_invalid(value: Any) -> None:
    with pytest.raises(Invalid):
        naming.canonical(value)


def test_deep_nesting_is_invalid_and_no_fault() -> None:
    value: Any = 1
    for _ in range(100_000):
        value = [value]
    with pytest.raises(Invalid):
        naming.canonical(value)


def test_a_release_is_kept_once(database: Database, clock: Any) -> None:
    ctx = context(database, clock)
    made = register(database, ctx, rationale="first")
    clock.move(hours=1)
    later = Context(ctx.workspace, Actor("member", "bob", "Bob"), clock())
    again = register(database, later, rationale="again", components={Kind.PROMPT: PROMPT, Kind.MODEL: MODEL})
    assert again == made
    assert made.id.startswith("rel_") and len(made.id) == 36
    assert entries(database, ctx).count("release.registered") == 1
    with database.reading() as tx:
        found, parts = reads.release(ctx, tx, made.id)
        assert reads.releases(ctx, tx) == [found]
    assert (found.author, found.created_at) == ("ada", ctx.now)
    assert {one.kind: one.body for one in parts} == {Kind.MODEL: MODEL, Kind.PROMPT: PROMPT}
    assert {one.rationale for one in parts} == {"first"}
    assert reads.release_id({}, {Kind.MODEL: MODEL, Kind.PROMPT: PROMPT}) == made.id


def test_each_part_is_told_apart(database: Database, clock: Any) -> None:
    ctx = context(database, clock)
    first = register(database, ctx)
    other = register(database, ctx, components={Kind.MODEL: MODEL, Kind.PROMPT: {"messages": []}})
    body = register(database, ctx, body={"continue_on_fallback": True})
    fewer = register(database, ctx, components={Kind.MODEL: MODEL})
    assert len({one.id for one in (first, other, body, fewer)}) == 4
    assert first.components[Kind.MODEL] == other.components[Kind.MODEL]
    with database.reading() as tx:
        entries_of = audit_store.entries_from(tx, ctx.workspace, 0, 100)
    told = [
        json.loads(one.text or "{}")["details"]["new"]
        for one in entries_of
        if one.action == "release.registered"
    ]
    assert told == [["model", "prompt"], ["prompt"], [], []]


def test_a_neighbours_release_is_not_there(database: Database, clock: Any) -> None:
    mine, theirs = context(database, clock), context(database, clock, "birch")
    made = register(database, mine)
    with database.reading() as tx, pytest.raises(NotFound):
        reads.release(theirs, tx, made.id)
    assert register(database, theirs).id == made.id  # the same content, kept for each
    with database.reading() as tx:
        assert [one.workspace for one in reads.releases(theirs, tx)] == [theirs.workspace]
    assert entries(database, theirs).count("release.registered") == 1


@pytest.mark.parametrize(
    ("changed", "where"),
    [
        ({"components": {}}, "components"),
        ({"components": {Kind.MODEL: {"top_p": math.nan}}}, "components.model"),
        ({"components": {Kind.PROMPT: {"text": "x" * (5 << 20)}}}, "components.prompt"),
        ({"body": {"n": 1 << 60}}, "body"),
        ({"rationale": "x" * 5000}, "rationale"),
    ],
)
def test_what_cannot_be_kept_leaves_nothing(
    database: Database, clock: Any, changed: dict[str, Any], where: str
) -> None:
    ctx = context(database, clock)
    with pytest.raises(Invalid) as refused:
        register(database, ctx, **changed)
    assert refused.value.where == where
    with database.reading() as tx:
        assert reads.releases(ctx, tx) == []
    assert "release.registered" not in entries(database, ctx)
