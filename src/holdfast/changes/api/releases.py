"""The JSON door of releases in files: what applying them would do, doing it, and writing what is served as files."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from holdfast.changes.actions import applying
from holdfast.changes.actions.applying import Plan, Planned
from holdfast.changes.api.changes import Operator, Reader, out
from holdfast.changes.api.shapes import ChangeOut
from holdfast.changes.reads import exporting
from holdfast.changes.rules.release_files import lines_of
from holdfast.platform.access.guard import problems, services
from holdfast.registry.model import Difference

router = APIRouter(
    prefix="/api/v1/releases", tags=["changes"], responses=problems(401, 403, 404, 409, 422, 503)
)
Path = Annotated[str, Field(max_length=500)]
Files = Annotated[
    dict[Path, Annotated[str, Field(max_length=applying.MAX_BYTES)]],
    Field(max_length=2000, description="Path → text: YAML of each route, and the texts that it names."),
]
MOST_LINES = 400


class FilesIn(BaseModel):
    """Files of a repository."""

    model_config = ConfigDict(extra="forbid")

    files: Files


class ApplyIn(FilesIn):
    """Files to apply. `digest`: of the plan that was looked at; `beside`: although another change of a route is open."""

    digest: Annotated[str, Field(max_length=64)] = ""
    beside: bool = False


class PlannedOut(BaseModel):
    """What files mean for a route. `action`: none, propose, edit, proposed (an open change says the same) or conflict."""

    route: str
    file: str
    action: str
    baseline: str
    candidate: str
    change_class: Annotated[str | None, Field(serialization_alias="class")]
    reasons: list[dict[str, str]]
    lines: list[str]
    versions: list[dict[str, Any]]
    change: str
    conflicts: list[dict[str, str]]
    decided_by: Annotated[str, Field(description="The change by which it serves the baseline; '': none.")]
    decided_source: str

    @classmethod
    def of(cls, one: Planned) -> PlannedOut:
        """As it was planned."""
        classed = one.classed.reasons if one.classed else ()
        return cls(
            route=one.file.route,
            file=one.file.place.file,
            action=_action(one),
            baseline=one.baseline,
            candidate=one.candidate,
            change_class=one.change_class.value if one.change_class else None,
            reasons=[{"class": it.change_class.value, "where": it.where, "what": it.what} for it in classed],
            lines=_lines(one.difference) if one.difference else [],
            versions=[{"kind": it.kind.value, "name": it.name, "number": it.number} for it in one.versions],
            change=one.proposed or one.edits,
            conflicts=[{"change": it.id, "title": it.title, "state": it.state.value} for it in one.conflicts],
            decided_by=one.decided_by,
            decided_source=one.decided_source,
        )


class PlanOut(BaseModel):
    """What applying would do. `differs`: what is served or named is not what the files say."""

    differs: bool
    digest: str
    routes: list[PlannedOut]
    unfiled: Annotated[list[str], Field(description="Routes that no file speaks of; they stay as they are.")]

    @classmethod
    def of(cls, one: Plan) -> PlanOut:
        """As it was made."""
        routes = [PlannedOut.of(it) for it in one.routes]
        return cls(differs=one.differs, digest=one.digest, routes=routes, unfiled=list(one.unfiled))


class AppliedOut(BaseModel):
    """What was applied, and the drafts that propose it."""

    plan: PlanOut
    changes: list[ChangeOut]


class ExportOut(BaseModel):
    """Files by path; `left_out`: routes that the configuration splits by itself."""

    files: dict[str, str]
    left_out: list[str]


@router.post("/plan")
def plan(request: Request, by: Reader, body: FilesIn) -> PlanOut:
    """What applying these files would do; nothing is changed."""
    with services(request).database.reading() as tx:
        return PlanOut.of(applying.plan(by.ctx, tx, _bytes(body)))


@router.post("/apply", status_code=201)
def apply(request: Request, by: Operator, body: ApplyIn) -> AppliedOut:
    """Adds the named versions, and proposes a change for each route that differs: all of it or nothing."""
    with services(request).database.transaction() as tx:
        made, changes = applying.apply(by.ctx, tx, _bytes(body), digest=body.digest, beside=body.beside)
        return AppliedOut(plan=PlanOut.of(made), changes=[out(one) for one in changes])


@router.get("/export")
def export(request: Request, by: Reader) -> ExportOut:
    """What routes serve, as files that apply without a difference."""
    with services(request).database.reading() as tx:
        files, left = exporting.exported(by.ctx, tx)
    return ExportOut(files=files, left_out=list(left))


def _bytes(body: FilesIn) -> dict[str, bytes]:
    return {path: text.encode("utf-8", "surrogatepass") for path, text in body.files.items()}


def _action(one: Planned) -> str:
    if one.difference is None:
        return "none"
    if one.proposed:
        return "proposed"
    if one.conflicts:
        return "conflict"
    return "edit" if one.edits else "propose"


def _lines(difference: Difference) -> list[str]:
    found = [f"{one.what.value} release{one.path}: {_shown(one)}" for one in difference.body]
    for part in difference.parts:
        words = {one.path for one in part.texts}
        for text in part.texts:
            found.append(f"changed {part.kind.value}{text.path}:")
            found += [f"  {line}" for line in lines_of(text.pieces)]
        found += [
            f"{one.what.value} {part.kind.value}{one.path}: {_shown(one)}"
            for one in part.changes
            if one.path not in words
        ]
    more = len(found) - MOST_LINES
    return found if more <= 0 else [*found[:MOST_LINES], f"… {more:,} lines more"]


def _shown(one: Any) -> str:
    old, new = (repr(it) if len(repr(it)) < 200 else f"{it!r:.199}…" for it in (one.old, one.new))
    return {"added": new, "removed": old}.get(one.what.value, f"{old} → {new}")
