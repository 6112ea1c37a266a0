"""The JSON door of imports: another tool's suite in our written form, for review."""

from __future__ import annotations

from typing import Annotated, Literal

from fastapi import APIRouter, Request
from pydantic import BaseModel, ConfigDict, Field

from holdfast.evals.actions import imports as actions
from holdfast.evals.api.suites import Operator
from holdfast.platform.access.guard import problems

router = APIRouter(
    prefix="/api/v1/evals/imports", tags=["evals"], responses=problems(401, 403, 404, 422, 503)
)


class ImportIn(BaseModel):
    """A file of another tool. `grader`: by which answers are held against given ones; `columns`: our field → theirs."""

    model_config = ConfigDict(extra="forbid")

    format: Literal["promptfoo", "openai", "langfuse", "langsmith", "csv", "jsonl"]
    file: Annotated[str, Field(max_length=300, description="Its name, for what is told of it.")]
    text: str
    name: Annotated[str, Field(max_length=100)] = ""
    grader: Literal["normalised", "exact", "contains", "similarity"] = "normalised"
    columns: Annotated[dict[str, str], Field(max_length=100)] = Field(default_factory=dict)


class LeftOut(BaseModel):
    """What did not convert, where, and why."""

    file: str
    line: int | None
    where: str
    reason: str


class ImportedOut(BaseModel):
    """The suite as a YAML file to review and apply, null where nothing converted; and what was left out."""

    suite: str | None
    cases: int
    left: list[LeftOut]


@router.post("")
def convert_suite(request: Request, by: Operator, body: ImportIn) -> ImportedOut:
    """Reads another tool's suite or data set; nothing is kept."""
    found, text = actions.imported(
        body.format,
        body.file,
        body.text.encode(errors="replace"),
        name=body.name,
        grader=body.grader,
        columns=body.columns,
    )
    return ImportedOut(
        suite=text.decode() or None,
        cases=len(found.suite.cases) if found.suite else 0,
        left=[LeftOut(file=one.file, line=one.line, where=one.where, reason=one.what) for one in found.left],
    )
