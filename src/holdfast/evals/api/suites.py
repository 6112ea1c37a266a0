"""The JSON door of suites: read, compared, put in force, re-baselined."""

from __future__ import annotations

import datetime as dt
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from holdfast.evals.actions import judges
from holdfast.evals.actions import suites as actions
from holdfast.evals.actions.suites import Applied, sees_holdouts
from holdfast.evals.model import Bars, KeptSuite
from holdfast.evals.reads import suites as reads
from holdfast.evals.rules.differences import Difference, FieldChange, What
from holdfast.evals.rules.writing import case_mapping
from holdfast.evals.rules.written import Read
from holdfast.kernel.errors import Invalid
from holdfast.kernel.time import iso
from holdfast.platform.access.guard import caller, problems, services
from holdfast.platform.access.model import Caller, Scope

router = APIRouter(prefix="/api/v1/evals/suites", tags=["evals"], responses=problems(401, 403, 404, 422, 503))
Reader = Annotated[Caller, Depends(caller(Scope.READ, everywhere=True))]
Operator = Annotated[Caller, Depends(caller(Scope.OPERATE, everywhere=True))]
Admin = Annotated[Caller, Depends(caller(Scope.ADMIN, everywhere=True))]
Name = Annotated[str, Field(max_length=100)]
Number = Annotated[int, Field(ge=1, le=1 << 53)]
Note = Annotated[str, Field(max_length=actions.MAX_NOTE)]
MOST_CASES = 1000
"""Cases of a difference that are told one by one."""


class SuiteHeadOut(BaseModel):
    """A version without its cases. `cases` counts all; `review_on`: the first day on which a case is to be reviewed."""

    name: str
    version: int
    hash: str
    description: str
    system: str | None
    route: str | None
    cases: int
    holdouts: int
    critical: int
    review_on: dt.date | None
    created_at: str
    author: str
    note: str

    @classmethod
    def of(cls, one: KeptSuite) -> SuiteHeadOut:
        """As it is kept."""
        return cls(
            name=one.name,
            version=one.version,
            hash=one.hash,
            description=one.description,
            system=one.system or None,
            route=one.route or None,
            cases=one.cases,
            holdouts=one.holdouts,
            critical=one.critical,
            review_on=one.review_on,
            created_at=iso(one.created_at),
            author=one.author,
            note=one.note,
        )


class BarsOut(BaseModel):
    """What a run is held against."""

    least: float | None
    margin: float
    alpha: float
    repeats: int
    by: list[str]

    @classmethod
    def of(cls, one: Bars) -> BarsOut:
        """As it is kept."""
        return cls(least=one.least, margin=one.margin, alpha=one.alpha, repeats=one.repeats, by=list(one.by))


class CaseOut(BaseModel):
    """A case as it is written. Of a holdout that you may not read, `hash` is null and `case` lacks all that it says."""

    id: str
    hash: str | None
    holdout: bool
    case: dict[str, Any]


class SuiteOut(SuiteHeadOut):
    """A version with its bars and some of its cases; `next_offset` is null after the last."""

    bars: BarsOut
    listed: list[CaseOut]
    next_offset: int | None


class PieceOut(BaseModel):
    """Words that stayed, went or came."""

    kind: str
    text: str


class FieldChangeOut(BaseModel):
    """A field that differs; null where it is absent. `pieces`: of two texts, word by word."""

    field: str
    before: Any
    after: Any
    pieces: list[PieceOut]

    @classmethod
    def of(cls, one: FieldChange) -> FieldChangeOut:
        """As it was found."""
        pieces = [PieceOut(kind=piece.kind.value, text=piece.text) for piece in one.pieces]
        return cls(field=one.field, before=one.before, after=one.after, pieces=pieces)


class CaseChangeOut(BaseModel):
    """A case that was added, removed or changed; `fields` of a changed one that you may read."""

    id: str
    what: What
    holdout: bool
    fields: list[FieldChangeOut]


class DifferenceOut(BaseModel):
    """What differs. `listed`: the first cases that do."""

    suite: list[FieldChangeOut]
    same: int
    added: int
    removed: int
    changed: int
    listed: list[CaseChangeOut]

    @classmethod
    def of(cls, one: Difference) -> DifferenceOut:
        """As it was found."""
        listed = [
            CaseChangeOut(
                id=case.id,
                what=case.what,
                holdout=case.holdout,
                fields=[FieldChangeOut.of(field) for field in case.fields],
            )
            for case in one.cases[:MOST_CASES]
        ]
        return cls(
            suite=[FieldChangeOut.of(field) for field in one.suite],
            same=one.same,
            added=one.count(What.ADDED),
            removed=one.count(What.REMOVED),
            changed=one.count(What.CHANGED),
            listed=listed,
        )


class ComparedOut(BaseModel):
    """Two versions; `before` is null where there is none before."""

    before: SuiteHeadOut | None
    after: SuiteHeadOut
    difference: DifferenceOut


class SuitesIn(BaseModel):
    """Suites as written: `files` by path, with `/`. `expected`: name → the version that must be in force, 0 for none."""

    model_config = ConfigDict(extra="forbid")

    files: Annotated[dict[str, str], Field(min_length=1, max_length=1000)]
    note: Note = ""
    dry_run: bool = False
    expected: Annotated[dict[str, int] | None, Field(max_length=1000)] = None


class AppliedOut(BaseModel):
    """What became of a suite, or would: its version before (0: none) and now; the same where nothing differs.

    `holdouts_kept`: holdout cases that stayed because you may not see them.
    """

    name: str
    before: int
    version: int
    hash: str
    holdouts_kept: int
    difference: DifferenceOut

    @classmethod
    def of(cls, one: Applied) -> AppliedOut:
        """As it was done."""
        return cls(
            name=one.name,
            before=one.before,
            version=one.version,
            hash=one.hash,
            holdouts_kept=one.secret,
            difference=DifferenceOut.of(one.difference),
        )


class RebaselineIn(BaseModel):
    """Who answers for the ground truth from today until `review_on`. `files`: the suite, where it was corrected."""

    model_config = ConfigDict(extra="forbid")

    author: Annotated[str, Field(max_length=200)]
    review_on: dt.date
    files: Annotated[dict[str, str] | None, Field(min_length=1, max_length=100)] = None
    note: Note = ""


@router.get("")
def list_suites(request: Request, by: Reader) -> list[SuiteHeadOut]:
    """Every suite as it is in force, by name."""
    with services(request).database.reading() as tx:
        return [SuiteHeadOut.of(one) for one in reads.latest(by.ctx, tx)]


@router.put("", responses=problems(401, 403, 404, 409, 422, 503))
def put_suites(request: Request, by: Operator, body: SuitesIn) -> list[AppliedOut]:
    """Puts suites in force, each as its next version, all or none; with `dry_run` only says what that would change.

    Judges that the files hold are kept with them; the answer tells of the suites.

    Refused with every fault: its file, line and column, field, what is wrong and how to mend it.
    """
    holdouts = sees_holdouts(by)
    database = services(request).database
    read = _read(request, by, body.files)
    suites = read.suites
    if body.dry_run:
        with database.reading() as tx:
            done = actions.check(by.ctx, tx, suites, holdouts=holdouts)
    else:
        with database.transaction() as tx:
            judges.apply(by.ctx, tx, read.judges, note=body.note)
            done = actions.apply(
                by.ctx, tx, suites, holdouts=holdouts, note=body.note, expected=body.expected
            )
    return [AppliedOut.of(one) for one in done]


@router.get("/{suite}")
def get_suite(
    request: Request,
    by: Reader,
    suite: Name,
    version: Number | None = None,
    offset: Annotated[int, Field(ge=0, le=1_000_000)] = 0,
    limit: Annotated[int, Field(ge=1, le=5000)] = 1000,
) -> SuiteOut:
    """A version of a suite, the latest where none is named, with `limit` of its cases."""
    with services(request).database.reading() as tx:
        found = reads.suite(by.ctx, tx, suite, version, holdouts=sees_holdouts(by))
    cases = found.suite.cases[offset : offset + limit]
    more = offset + limit < len(found.suite.cases)
    return SuiteOut(
        **SuiteHeadOut.of(found.head).model_dump(),
        bars=BarsOut.of(found.suite.bars),
        listed=[
            CaseOut(id=one.id, hash=one.hash or None, holdout=one.holdout, case=case_mapping(one))
            for one in cases
        ],
        next_offset=offset + limit if more else None,
    )


@router.get("/{suite}/versions")
def list_versions(
    request: Request,
    by: Reader,
    suite: Name,
    before: Number | None = None,
    limit: Annotated[int, Field(ge=1, le=200)] = 50,
) -> list[SuiteHeadOut]:
    """The versions, the latest first; those below `before`."""
    with services(request).database.reading() as tx:
        return [SuiteHeadOut.of(one) for one in reads.versions(by.ctx, tx, suite, before, limit)]


@router.get("/{suite}/diff")
def compare_versions(
    request: Request,
    by: Reader,
    suite: Name,
    before: Annotated[int | None, Query(alias="from", ge=0, le=1 << 53)] = None,
    after: Annotated[int | None, Query(alias="to", ge=1, le=1 << 53)] = None,
) -> ComparedOut:
    """How two versions differ: the latest and the one before it where none is named; 0 is before the first."""
    with services(request).database.reading() as tx:
        found = reads.compared(by.ctx, tx, suite, before, after, holdouts=sees_holdouts(by))
    return ComparedOut(
        before=SuiteHeadOut.of(found.before) if found.before else None,
        after=SuiteHeadOut.of(found.after),
        difference=DifferenceOut.of(found.difference),
    )


@router.get("/{suite}/export", response_class=Response)
def export_suite(request: Request, by: Reader, suite: Name, version: Number | None = None) -> Response:
    """A version as a YAML file that can be applied again; without holdout cases where you may not read them."""
    with services(request).database.reading() as tx:
        text = reads.exported(by.ctx, tx, suite, version, holdouts=sees_holdouts(by))
    return Response(text, media_type="application/yaml")


@router.post("/{suite}/rebaseline", responses=problems(401, 403, 404, 409, 422, 503))
def rebaseline_suite(request: Request, by: Admin, suite: Name, body: RebaselineIn) -> AppliedOut:
    """An expert answers for the ground truth anew: the next version, on the audit log with the hashes before and after."""
    revised = None
    if body.files is not None:
        read = _read(request, by, body.files)
        if read.judges or not read.suites:
            raise Invalid("these files are to hold the suite, as it was corrected", where="files")
        revised = next((one for one in read.suites if one.name == suite), read.suites[0])
    with services(request).database.transaction() as tx:
        done = actions.rebaseline(
            by.ctx,
            tx,
            suite,
            author=body.author,
            review_on=body.review_on,
            revised=revised,
            note=body.note,
        )
    return AppliedOut.of(done)


def _read(request: Request, by: Caller, files: dict[str, str]) -> Read:
    with services(request).database.reading() as tx:
        known = judges.kinds(by.ctx, tx)
    return actions.read_whole(
        {path: text.encode(errors="surrogatepass") for path, text in files.items()}, known
    )
