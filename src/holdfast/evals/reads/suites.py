"""Answers on suites. Of a holdout case, whoever may not see it learns that it is there, not what it asks or expects."""

from __future__ import annotations

from dataclasses import dataclass, replace

from holdfast.evals.model import Case, CaseInput, KeptSuite, Provenance, Suite
from holdfast.evals.rules.differences import Difference, difference
from holdfast.evals.rules.writing import text_of
from holdfast.evals.store import suites as store
from holdfast.kernel.context import Context
from holdfast.kernel.errors import NotFound
from holdfast.kernel.time import iso
from holdfast.storage.sql import Transaction


@dataclass(frozen=True, slots=True)
class Shown:
    """A version with what it says."""

    head: KeptSuite
    suite: Suite


@dataclass(frozen=True, slots=True)
class Compared:
    """Two versions, and how they differ; `before` is None where the first is compared with nothing."""

    before: KeptSuite | None
    after: KeptSuite
    difference: Difference


def latest(ctx: Context, tx: Transaction) -> list[KeptSuite]:
    """Every suite of the workspace, by name, as it is in force."""
    return store.latest(tx, ctx.workspace)


def versions(
    ctx: Context, tx: Transaction, name: str, before: int | None = None, limit: int = 50
) -> list[KeptSuite]:
    """Versions of a suite, the latest first; those below `before`. Raises NotFound where there is no such suite."""
    found = store.heads(tx, ctx.workspace, name, before=before, limit=limit)
    if not found:
        _head(ctx, tx, name, None)
    return found


def suite(
    ctx: Context, tx: Transaction, name: str, version: int | None = None, *, holdouts: bool = False
) -> Shown:
    """A version of a suite, the latest where none is named. Raises NotFound."""
    head = _head(ctx, tx, name, version)
    return Shown(head, _suite(ctx, tx, head, holdouts))


def compared(
    ctx: Context,
    tx: Transaction,
    name: str,
    before: int | None,
    after: int | None,
    *,
    holdouts: bool = False,
) -> Compared:
    """Two versions side by side: the latest and the one before it, where none is named. Raises NotFound."""
    new = _head(ctx, tx, name, after)
    number = new.version - 1 if before is None else before
    if number == 0:
        return Compared(None, new, difference(None, _suite(ctx, tx, new, holdouts=True), holdouts=holdouts))
    old = _head(ctx, tx, name, number)
    found = difference(
        _suite(ctx, tx, old, holdouts=True), _suite(ctx, tx, new, holdouts=True), holdouts=holdouts
    )
    return Compared(old, new, found)


def exported(
    ctx: Context, tx: Transaction, name: str, version: int | None = None, *, holdouts: bool = False
) -> bytes:
    """A version in the written form, which can be applied again and then says the same. Raises NotFound.

    Without `holdouts`, those cases are left out; applied by somebody who may not see them either, they stay.
    """
    found = suite(ctx, tx, name, version, holdouts=True)
    head, shown = found.head, found.suite
    lines = [f"{head.name}, version {head.version}, {iso(head.created_at)}", f"hash {head.hash}"]
    if head.note:
        lines.insert(1, head.note)
    secret = sum(case.holdout for case in shown.cases)
    if secret and not holdouts:
        lines.append(f"without {secret} holdout cases, which stay as they are when this is applied")
        shown = replace(shown, cases=tuple(case for case in shown.cases if not case.holdout))
    return text_of(shown, "\n".join(lines))


def _head(ctx: Context, tx: Transaction, name: str, version: int | None) -> KeptSuite:
    found = store.head(tx, ctx.workspace, name, version)
    if found is None:
        what = "such suite" if version is None else "such version of this suite"
        raise NotFound(f"there is no {what} in this workspace")
    return found


def _suite(ctx: Context, tx: Transaction, head: KeptSuite, holdouts: bool) -> Suite:
    found = store.suite(tx, ctx.workspace, head.name, head.version)
    assert found is not None
    cases = found.cases if holdouts else tuple(_masked(case) for case in found.cases)
    return replace(found, cases=cases, version=head.version)


def _masked(case: Case) -> Case:
    """A holdout case without what it asks and expects, from which one could tell it, or where it comes from."""
    if not case.holdout:
        return case
    return replace(
        case, input=CaseInput(), expectations=(), hash="", provenance=Provenance(case.provenance.source)
    )
