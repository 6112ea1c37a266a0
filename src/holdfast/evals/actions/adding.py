"""A single case joins a suite: its next version."""

from __future__ import annotations

from dataclasses import replace

from holdfast.evals.actions import suites
from holdfast.evals.actions.suites import Applied
from holdfast.evals.model import Case
from holdfast.evals.rules.hashing import hashed
from holdfast.evals.store import suites as store
from holdfast.kernel.context import Context
from holdfast.kernel.errors import Conflict, NotFound
from holdfast.storage.sql import Transaction


def add_case(ctx: Context, tx: Transaction, suite: str, case: Case, *, holdouts: bool, note: str) -> Applied:
    """Adds a case at the end. Raises NotFound, and Conflict where one was made from the same reference already."""
    head = store.head(tx, ctx.workspace, suite)
    current = store.suite(tx, ctx.workspace, suite, head.version) if head else None
    if current is None:
        raise NotFound("there is no such suite in this workspace", where="suite")
    kept = tuple(one for one in current.cases if holdouts or not one.holdout)
    reference = case.provenance.reference
    if any(
        one.id == case.id or (reference and one.provenance.reference == reference) for one in current.cases
    ):
        raise Conflict(f"the suite {suite} has a case of this already")
    made = hashed(replace(current, cases=(*kept, replace(case, family=case.family or case.id))))
    (done,) = suites.apply(ctx, tx, [made], holdouts=holdouts, note=note)
    return done
