"""The JSON door of prompts: for applications that render their own."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request, Response
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from holdfast.applications.actions import histories, labels
from holdfast.applications.api.callers import application
from holdfast.applications.api.tagged import tagged
from holdfast.applications.model import PRODUCTION, Label
from holdfast.applications.reads import prompts
from holdfast.gateway.model import Dimensions
from holdfast.kernel.time import iso
from holdfast.platform.access.guard import caller, problems, services
from holdfast.platform.access.model import Caller, Scope

router = APIRouter(
    prefix="/api/v1/prompts", tags=["prompts"], responses=problems(401, 403, 404, 409, 422, 503)
)
Application = Annotated[Caller, Depends(application)]
Operator = Annotated[Caller, Depends(caller(Scope.OPERATE, everywhere=True))]
Text = Annotated[str, Query(max_length=400)]


class PromptOut(BaseModel):
    """A prompt to be rendered, and what to call. `release` and `label` are null for a version that is asked for; `version`
    is null where no registered version says this. `parts`: further parts of the release, by kind.
    """

    name: str
    label: str | None
    release: str | None
    stable: bool
    split: bool
    version: int | None
    version_of: str | None
    labels: list[str]
    messages: list[dict[str, Any]]
    variables: dict[str, dict[str, Any]]
    model: str | None
    chain: list[dict[str, Any]]
    parameters: dict[str, Any]
    tools: dict[str, Any]
    parts: dict[str, Any]
    prompt_hash: str | None


class LabelIn(BaseModel):
    """The version that the label stands for from now on."""

    model_config = ConfigDict(extra="forbid")
    number: Annotated[int, Field(ge=1)]


class LabelOut(BaseModel):
    """A label of a prompt, and who set it where it stands."""

    name: str
    label: str
    number: int
    moved_at: str
    moved_by: str

    @staticmethod
    def of(one: Label) -> LabelOut:
        """As JSON."""
        return LabelOut(
            name=one.name,
            label=one.label,
            number=one.number,
            moved_at=iso(one.moved_at),
            moved_by=one.moved_by,
        )


class PastIn(BaseModel):
    """A version as it was elsewhere; `author` and `date` are null where they are not known."""

    model_config = ConfigDict(extra="forbid")
    messages: Annotated[list[dict[str, Any]], Field(max_length=1000)]
    author: Annotated[str | None, Field(max_length=1000)] = None
    date: AwareDatetime | None = None
    rationale: Annotated[str, Field(max_length=1 << 20)] = ""
    ticket: Annotated[str, Field(max_length=1000)] = ""


class HistoryIn(BaseModel):
    """A prompt's versions, the oldest first."""

    model_config = ConfigDict(extra="forbid")
    name: Annotated[str, Field(max_length=200)]
    source: Annotated[str, Field(max_length=400)] = ""
    versions: Annotated[list[PastIn], Field(min_length=1, max_length=10_000)]
    dry: bool = False


class PastOut(BaseModel):
    """added, kept (imported before), same (as the one before it) or refused; `number` of the version that is added."""

    what: str
    number: int | None
    why: list[str]


@router.post("/import")
def import_history(request: Request, by: Operator, body: HistoryIn) -> list[PastOut]:
    """Adds a prompt's versions from elsewhere, an answer for each; again adds none. `dry`: tells what it would add."""
    entries = [
        histories.Entry(one.messages, one.author, one.date, one.rationale, one.ticket)
        for one in body.versions
    ]
    with services(request).database.transaction() as tx:
        found = histories.add(by.ctx, tx, body.name, body.source, entries, dry=body.dry)
    return [PastOut(what=one.what, number=one.number, why=list(one.why)) for one in found]


@router.get("/{prompt:path}", response_model=PromptOut, responses={304: {"description": "As you have it"}})
def prompt(
    request: Request,
    by: Application,
    prompt: str,
    label: Annotated[str, Query(max_length=60)] = PRODUCTION,
    version: Annotated[int | None, Query(ge=1)] = None,
    key: Text = "",
    session: Text = "",
    user: Text = "",
    tenant: Text = "",
    began: Text = "",
) -> Response:
    """The prompt that the route of this name serves, by the share of traffic that `key` (or session, user, tenant) falls
    into; or a registered version by number or label.
    """
    said = Dimensions(session=session, user=user, tenant=tenant)
    with services(request).database.reading() as tx:
        found = prompts.prompt(
            by.ctx, tx, prompt, label=label, version=version, said=said, key=key, began=began
        )
    return tagged(request, PromptOut(**asdict(found)).model_dump(mode="json"))


@router.put("/{prompt:path}/labels/{label}")
def move(request: Request, by: Operator, prompt: str, label: str, body: LabelIn) -> LabelOut:
    """Has a label stand for a version. `production` is moved by changes alone, `latest` by itself."""
    with services(request).database.transaction() as tx:
        return LabelOut.of(labels.move(by.ctx, tx, prompt, label, body.number))


@router.delete("/{prompt:path}/labels/{label}", status_code=204)
def remove(request: Request, by: Operator, prompt: str, label: str) -> None:
    """Takes a label away."""
    with services(request).database.transaction() as tx:
        labels.remove(by.ctx, tx, prompt, label)
