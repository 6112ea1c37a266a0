"""Items as the API takes and shows them."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

from holdfast.feedback.model import Item, Source
from holdfast.feedback.rules import said
from holdfast.kernel.ids import new_id
from holdfast.kernel.time import iso, parse_instant

Words = Annotated[str | None, Field(max_length=said.MAX_WORDS)]
Name = Annotated[str | None, Field(max_length=said.MAX_NAME)]


class FeedbackIn(BaseModel):
    """One piece of feedback, about a call (`call_id`: the answer's x-holdfast-call-id), a trace or a session.

    At least one of rating, score, label, comment, correction, used. `id` is yours: sent again, it is kept once.
    """

    model_config = ConfigDict(extra="forbid")

    id: Annotated[str | None, Field(max_length=said.MAX_ID)] = None
    call_id: Name = None
    trace_id: Annotated[str | None, Field(max_length=64)] = None
    session: Name = None
    rating: Annotated[int | None, Field(description="-1 (thumb down) or 1 (thumb up).")] = None
    score: Annotated[float | None, Field(description="0 (worst) to 1 (best).")] = None
    label: Annotated[str | None, Field(max_length=said.MAX_LABEL)] = None
    comment: Words = None
    correction: Annotated[Words, Field(description="What the answer should have been.")] = None
    used: Annotated[Words, Field(description="The text that was used in the end.")] = None
    author: Annotated[Name, Field(description="A pseudonym of who gave it.")] = None
    created_at: Annotated[str | None, Field(max_length=40, description="When it was given; else now.")] = None
    metadata: Annotated[dict[str, Any], Field(max_length=100)] = Field(default_factory=dict)

    def item(self, workspace: str, now: datetime, source: Source, once: str = "", where: str = "") -> Item:
        """The item; `once` names it where it has no id of its own. Raises Invalid on a time that is none."""
        given = self.id or (f"fb_{hashlib.sha256(once.encode()).hexdigest()[:32]}" if once else new_id("fb"))
        at = ".".join(part for part in (where, "created_at") if part)
        return Item(
            id=given,
            workspace=workspace,
            source=source,
            call_id=self.call_id or None,
            trace_id=(self.trace_id or "").lower() or None,
            session=self.session or None,
            rating=self.rating,
            score=self.score,
            label=self.label or None,
            comment=self.comment or None,
            correction=self.correction or None,
            used=self.used or None,
            author=self.author or None,
            created_at=parse_instant(self.created_at, at) if self.created_at else now,
            received_at=now,
            metadata=self.metadata,
        )


class AddedOut(BaseModel):
    """What became of an item: `added`, `known` (it was sent before), `revised`. `same_as` says the same and counts."""

    id: str
    became: str
    same_as: str | None


class TakenOut(BaseModel):
    """What became of each item, in the order of the request. It is on the disk."""

    items: list[AddedOut]


class CallOut(BaseModel):
    """What is known of the call. Null: it does not say, or the calls of the trace or session differ."""

    call_id: str | None
    trace_id: str | None
    session: str | None
    system: str | None
    environment: str | None
    route: str | None
    release: str | None
    model: str | None
    started_at: str | None


class ItemOut(BaseModel):
    """An item. `call` is null until its call is found. `words`: what is kept of what was said, or `denied`."""

    id: str
    source: str
    sentiment: str
    call_id: str | None
    trace_id: str | None
    session: str | None
    rating: int | None
    score: float | None
    label: str | None
    comment: str | None
    correction: str | None
    used: str | None
    author: str | None
    created_at: str
    received_at: str
    metadata: dict[str, Any]
    signal: str | None
    confidence: float | None
    words: str
    same_as: str | None
    call: CallOut | None
    handled: str | None
    handled_by: str | None
    handled_at: str | None


def shown(item: Item, content: bool) -> ItemOut:
    """An item as the API shows it; what was said in words where `content` allows it."""
    call = None
    if item.joined is not None:
        found = item.joined
        call = CallOut(
            call_id=found.call_id,
            trace_id=found.trace_id,
            session=found.session,
            system=found.system,
            environment=found.environment,
            route=found.route,
            release=found.release,
            model=found.model,
            started_at=iso(found.at) if found.at else None,
        )
    worded = any((item.comment, item.correction, item.used, item.metadata))
    return ItemOut(
        id=item.id,
        source=item.source.value,
        sentiment=item.sentiment.value,
        call_id=item.call_id,
        trace_id=item.trace_id,
        session=item.session,
        rating=item.rating,
        score=item.score,
        label=item.label,
        comment=item.comment if content else None,
        correction=item.correction if content else None,
        used=item.used if content else None,
        author=item.author,
        created_at=iso(item.created_at),
        received_at=iso(item.received_at),
        metadata=dict(item.metadata) if content else {},
        signal=item.signal.value if item.signal else None,
        confidence=item.confidence,
        words="denied" if worded and not content else item.words.value,
        same_as=item.same_as,
        call=call,
        handled=item.handled,
        handled_by=item.handled_by,
        handled_at=iso(item.handled_at) if item.handled_at else None,
    )
