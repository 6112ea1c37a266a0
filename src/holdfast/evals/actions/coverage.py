"""Verbs of coverage: ask for a map, and make a case of what nothing covers."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import timedelta

from holdfast.evals.actions import adding
from holdfast.evals.actions.suites import Applied
from holdfast.evals.model import Case, CaseInput, Expectation, Provenance, Source
from holdfast.evals.rules.coverage import Ref
from holdfast.evals.states import CoverageMap
from holdfast.evals.store import coverage as store
from holdfast.evals.store import suites as suite_store
from holdfast.kernel.context import Context
from holdfast.kernel.errors import Invalid, NotFound
from holdfast.kernel.ids import new_id
from holdfast.platform.audit import actions as audit
from holdfast.storage.sql import Transaction

DAYS = 30
"""How far back calls are looked at, where nobody says otherwise."""
MOST_DAYS = 365
ROLES = frozenset({"system", "developer", "user", "assistant"})
MAX_EXPECTED = 20_000


def ask(ctx: Context, tx: Transaction, suite: str, days: int = DAYS) -> CoverageMap:
    """Has a map of a suite begin; one that is under way is given back. Raises NotFound, Invalid."""
    if not 1 <= days <= MOST_DAYS:
        raise Invalid(f"a map looks at calls of 1 to {MOST_DAYS} days", where="days")
    if suite_store.head(tx, ctx.workspace, suite) is None:
        raise NotFound("there is no such suite in this workspace")
    active = store.active_of(tx, ctx.workspace, suite)
    if active is not None:
        return active
    made = CoverageMap(
        new_id("map"), ctx.workspace, suite, 0, ctx.now - timedelta(days=days), ctx.now, ctx.now, ctx.actor.id
    )
    store.add(tx, made)
    audit.record(
        ctx,
        tx,
        action="suite.coverage_asked",
        subject=f"suite:{suite}",
        details={"map": made.id, "days": days},
    )
    return made


def make_case(
    ctx: Context,
    tx: Transaction,
    suite: str,
    ref: Ref,
    messages: Sequence[tuple[str, str]],
    expected: str,
    *,
    holdouts: bool,
) -> tuple[str, Applied]:
    """A call joins a suite as a case: what was asked there, and what a person says is right. The case's id, what was done.

    `messages` are (role, text). Whoever calls this may read content, and records that it was opened. Raises NotFound;
    Invalid where nothing was asked or nobody says what is right; Conflict where the suite has a case of this call.
    """
    if not expected.strip():
        raise Invalid("say what a right answer is; nothing else would make it a case", where="expected")
    if len(expected) > MAX_EXPECTED:
        raise Invalid(f"a right answer has at most {MAX_EXPECTED:,} characters", where="expected")
    asked = [{"role": role, "content": text} for role, text in messages if role in ROLES]
    while asked and asked[-1]["role"] == "assistant":
        asked.pop()
    if not any(one["role"] == "user" for one in asked):
        raise Invalid("what was asked is not kept, so nobody can be asked it again", where="expected")
    name = f"production-{hashlib.sha256(f'{ref.trace}/{ref.call}'.encode()).hexdigest()[:12]}"
    case = Case(
        id=name,
        input=CaseInput(tuple(asked)),
        expectations=(Expectation("similarity", {"expected": expected.strip()}),),
        family=name,
        provenance=Provenance(Source.PRODUCTION, ctx.actor.name, ctx.now.date(), None, ref.call),
    )
    note = f"asked in production by call {ref.call}, and not covered"
    return name, adding.add_case(ctx, tx, suite, case, holdouts=holdouts, note=note)
