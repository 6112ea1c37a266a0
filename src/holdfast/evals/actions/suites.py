"""Verbs on suites: judge what was written, say what it would change, apply it, re-baseline its ground truth."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from holdfast.evals.graders import shelf
from holdfast.evals.model import Case, Criticality, KeptSuite, Source, Suite
from holdfast.evals.rules.differences import Difference, What, difference
from holdfast.evals.rules.hashing import hashed
from holdfast.evals.rules.judging import Kind
from holdfast.evals.rules.located import Fault
from holdfast.evals.rules.written import MAX_CASES, Read, read
from holdfast.evals.store import suites as store
from holdfast.kernel.context import Context
from holdfast.kernel.errors import Conflict, Denied, Invalid, NotFound
from holdfast.platform.access.model import Caller, Scope
from holdfast.platform.audit import actions as audit
from holdfast.storage.sql import Transaction

MAX_NOTE = 1000
MOST_FAULTS = 1000
"""Faults that are told at once."""
_NAMED = 100  # cases that an audit entry names


@dataclass(frozen=True, slots=True)
class Applied:
    """What became of one suite: the version now in force, the one before (0: none), and how they differ.

    `kept` is None where it was only asked what would change. `secret` counts holdout cases that stayed as they were,
    because whoever applied may not see them.
    """

    name: str
    before: int
    version: int
    hash: str
    difference: Difference
    secret: int = 0

    @property
    def changed(self) -> bool:
        """Whether this is a new version."""
        return self.version != self.before


def sees_holdouts(by: Caller) -> bool:
    """Whether the caller may read holdout cases."""
    return by.may(Scope.ADMIN) and by.reach[Scope.ADMIN].everywhere


def judge(files: Mapping[str, bytes], judges: Mapping[str, Kind] | None = None) -> Read:
    """Reads files, without a store: every fault with file, line and remedy, or the suites and judges.

    `judges`: those that the workspace has, as `judges.kinds` tells; without it an expectation may name any.
    """
    return read(files, shelf.faults, judges)


def refusal(faults: Sequence[Fault]) -> Invalid:
    """The error that tells every fault, up to MOST_FAULTS."""
    told = faults[:MOST_FAULTS]
    errors = [(one.at, one.what) for one in told]
    if len(faults) > len(told):
        errors.append(("", f"and {len(faults) - len(told):,} more; mend these first"))
    said = "; ".join(f"{where}: {what}" if where else what for where, what in errors[:3])
    more = f"; and {len(errors) - 3:,} more" if len(errors) > 3 else ""
    return Invalid(said + more, where=errors[0][0] or None, errors=tuple(errors))


def read_whole(files: Mapping[str, bytes], judges: Mapping[str, Kind] | None = None) -> Read:
    """The suites and judges that files hold. Raises Invalid with every fault."""
    judged = judge(files, judges)
    if judged.faults:
        raise refusal(judged.faults)
    return judged


def read_all(files: Mapping[str, bytes]) -> tuple[Suite, ...]:
    """The suites that files hold, whatever judges they name. Raises Invalid with every fault."""
    return read_whole(files).suites


def check(ctx: Context, tx: Transaction, suites: Sequence[Suite], *, holdouts: bool) -> list[Applied]:
    """What applying would do; nothing is changed. Arguments and errors as of `apply`."""
    return [_planned(ctx, tx, one, holdouts)[1] for one in suites]


def apply(
    ctx: Context,
    tx: Transaction,
    suites: Sequence[Suite],
    *,
    holdouts: bool,
    note: str = "",
    expected: Mapping[str, int] | None = None,
) -> list[Applied]:
    """Keeps each suite as its next version, all or none; one that says the same stays as it is.

    `holdouts`: whether the actor may see holdout cases. One who may not can neither add nor change any, and those that
    there are stay. `expected`: name → the version that must be in force (0: none). Raises Invalid, Denied, Conflict.
    """
    if len(note) > MAX_NOTE:
        raise Invalid(f"a note has at most {MAX_NOTE} characters", where="note")
    planned = [_planned(ctx, tx, one, holdouts) for one in suites]
    for name, wanted in (expected or {}).items():
        current = next((one.before for _, one in planned if one.name == name), None)
        if current is None:
            raise Invalid(f"there is no suite {name[:100]!r} among these", where="expected")
        if current != wanted:
            raise Conflict(
                f"version {current} of {name} is in force, not {wanted}: it was changed meanwhile; read it again"
            )
    changed = [(suite, done) for suite, done in planned if done.changed]
    for suite, done in changed:
        _keep(ctx, tx, suite, done.version, note)
    for suite, done in changed:  # last: whoever records holds the audit tree
        details = {"version": done.version, "note": note, **_said(suite, done.difference)}
        audit.record(ctx, tx, action="suite.applied", subject=f"suite:{suite.name}", details=details)
    return [done for _, done in planned]


def rebaseline(
    ctx: Context,
    tx: Transaction,
    name: str,
    *,
    author: str,
    review_on: dt.date,
    revised: Suite | None = None,
    note: str = "",
) -> Applied:
    """An expert answers for the suite's ground truth anew, from today until `review_on`: its next version.

    `revised` is the suite as the expert has corrected it (None: it stands as it is). Every case whose ground truth is an
    expert's bears the author's name and these days. The audit log has the hashes before and after, and what was
    corrected. Whoever calls this may see holdout cases. Raises NotFound, Invalid, Conflict.
    """
    today = ctx.now.date()
    if not author.strip() or len(author) > 200 or not author.isprintable():
        raise Invalid("name the expert who answers for it, in at most 200 characters", where="author")
    if not today < review_on <= today + dt.timedelta(days=3660):
        raise Invalid("the next review is a day after today, within ten years", where="review_on")
    if len(note) > MAX_NOTE:
        raise Invalid(f"a note has at most {MAX_NOTE} characters", where="note")
    head, before = _current(ctx, tx, name)
    if head is None or before is None:
        raise NotFound("there is no such suite in this workspace")
    if revised is not None and revised.name != name:
        raise Invalid(f"this is the suite {revised.name!r}, not {name!r}", where="document")
    corrected = revised or before
    cases = tuple(_signed(one, author.strip(), today, review_on) for one in corrected.cases)
    signed = sum(one.provenance.source is Source.EXPERT for one in cases)
    if not signed:
        raise Invalid("no case of this suite has an expert's ground truth", where="cases")
    after = hashed(replace(corrected, cases=cases, version=0))
    told = difference(before, corrected)
    done = Applied(name, head.version, head.version + 1, after.hash, difference(before, after))
    _keep(ctx, tx, after, done.version, note)
    details = {
        "before": {"version": head.version, "hash": head.hash},
        "after": {"version": done.version, "hash": after.hash},
        "author": author.strip(),
        "review_on": review_on.isoformat(),
        "confirmed": signed,
        "corrected": _counts(told),
        "note": note,
    }
    audit.record(ctx, tx, action="suite.rebaselined", subject=f"suite:{name}", details=details)
    return done


def _signed(case: Case, author: str, today: dt.date, review_on: dt.date) -> Case:
    if case.provenance.source is not Source.EXPERT:
        return case
    return replace(
        case, provenance=replace(case.provenance, author=author, written_on=today, review_on=review_on)
    )


def _current(ctx: Context, tx: Transaction, name: str) -> tuple[KeptSuite | None, Suite | None]:
    head = store.head(tx, ctx.workspace, name)
    return head, (store.suite(tx, ctx.workspace, name, head.version) if head else None)


def _planned(ctx: Context, tx: Transaction, suite: Suite, holdouts: bool) -> tuple[Suite, Applied]:
    head, before = _current(ctx, tx, suite.name)
    secret: tuple[Case, ...] = ()
    if not holdouts:
        secret = tuple(case for case in (before.cases if before else ()) if case.holdout)
        suite = _without_touching(suite, secret)
    found = difference(before, suite, holdouts=holdouts)
    version = head.version if head else 0
    same = head is not None and head.hash == suite.hash and head.description == suite.description
    return suite, Applied(
        suite.name, version, version if same else version + 1, suite.hash, found, len(secret)
    )


def _without_touching(suite: Suite, secret: tuple[Case, ...]) -> Suite:
    """The suite with the holdout cases that there are. Raises Denied where it says anything of one."""
    own = {case.id for case in suite.cases if case.holdout} | (
        {case.id for case in suite.cases} & {case.id for case in secret}
    )
    if own:
        raise Denied(
            f"{suite.name}: {', '.join(sorted(own)[:5])}: holdout cases are read and written with the permission "
            "'admin' alone; leave them out, and those that there are stay"
        )
    if not secret:
        return suite
    if len(suite.cases) + len(secret) > MAX_CASES:
        raise Invalid(f"a suite has at most {MAX_CASES:,} cases, its holdout among them", where="cases")
    return hashed(replace(suite, cases=suite.cases + secret))


def _keep(ctx: Context, tx: Transaction, suite: Suite, version: int, note: str) -> None:
    reviews = [case.provenance.review_on for case in suite.cases if case.provenance.review_on]
    made = KeptSuite(
        workspace=ctx.workspace,
        name=suite.name,
        version=version,
        hash=suite.hash,
        description=suite.description,
        system=suite.system,
        route=suite.route,
        cases=len(suite.cases),
        holdouts=sum(case.holdout for case in suite.cases),
        critical=sum(case.criticality is Criticality.CRITICAL for case in suite.cases),
        review_on=min(reviews, default=None),
        created_at=ctx.now,
        author=ctx.actor.id,
        note=note,
    )
    if not store.add(tx, made, replace(suite, version=0)):
        raise Conflict(
            f"another version of {suite.name} was applied at the same moment; read it and try again"
        )


def _said(suite: Suite, found: Difference) -> dict[str, object]:
    return {
        "hash": suite.hash,
        "cases": len(suite.cases),
        "suite": [one.field for one in found.suite],
        **_counts(found),
    }


def _counts(found: Difference) -> dict[str, object]:
    named = [{"case": one.id, "what": one.what.value} for one in found.cases[:_NAMED]]
    return {**{what.value: found.count(what) for what in What}, "named": named}
