"""What the doors take and give."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from holdfast.changes.actions.proposing import MAX_TEXT, MAX_TITLE, Proposal
from holdfast.changes.model import Change, ChangeClass, Evidence, Freeze, GateRun, PolicyVersion, Review
from holdfast.changes.reads.listing import Served, Whole
from holdfast.kernel.time import iso

Reason = Annotated[str, Field(min_length=1, max_length=4000)]
ClassName = Literal["minor", "moderate", "major", "emergency"]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid")


class ChangeIn(_In):
    """A change that is proposed: `document` as a release in a gateway's configuration, or `release_id` of the registry."""

    route: Annotated[str, Field(max_length=120)]
    title: Annotated[str, Field(max_length=MAX_TITLE)]
    document: Annotated[
        dict[str, Any] | None,
        Field(description="chain, parameters, prompt, guardrails: names, or a mapping of name to content"),
    ] = None
    release_id: Annotated[str, Field(max_length=40)] = ""
    rationale: Annotated[str, Field(max_length=MAX_TEXT)] = ""
    ticket: Annotated[str, Field(max_length=MAX_TEXT)] = ""
    declared: Annotated[
        ClassName | None, Field(description="A class above the computed one; below it with a reason.")
    ] = None
    class_because: Annotated[str, Field(max_length=MAX_TEXT)] = ""
    not_before: AwareDatetime | None = None
    source: Literal["api", "file", "observed"] = "api"

    def proposal(self) -> Proposal:
        """The proposal that this describes."""
        values = self.model_dump()
        values["release"] = values.pop("document")
        values["declared"] = None if self.declared is None else ChangeClass(self.declared)
        return Proposal(**values)


class ReasonIn(_In):
    """Why."""

    reason: Reason


class RouteReasonIn(ReasonIn):
    """A route, and why."""

    route: Annotated[str, Field(max_length=120)]


class ReviewIn(_In):
    """What a reviewer decides about the content that they read."""

    decision: Literal["approved", "rejected"]
    content_hash: Annotated[
        str, Field(min_length=64, max_length=64, description="Of what was read: `content` of the change.")
    ]
    note: Annotated[str, Field(max_length=4000)] = ""


class RiskIn(ReasonIn):
    """Going on with an inconclusive gate, for a while."""

    until: AwareDatetime


class PolicyIn(_In):
    """A policy, whole."""

    policy: dict[str, Any]
    expected_version: int | None = None
    note: Annotated[str, Field(max_length=1000)] = ""


class FreezeIn(ReasonIn):
    """From when to when nothing begins or goes on."""

    systems: Annotated[list[Annotated[str, Field(max_length=200)]], Field(max_length=100)] = []
    begins_at: AwareDatetime | None = None
    ends_at: AwareDatetime | None = None
    lets_emergencies: bool = False


class PersonOut(BaseModel):
    """Who; without an id where nobody knows."""

    id: str
    name: str


class ChangeOut(BaseModel):
    """A change as it stands."""

    id: str
    system: str
    route: str
    baseline: str
    candidate: str
    title: str
    rationale: str
    ticket: str
    source: str
    author: PersonOut
    computed: ClassName
    change_class: Annotated[ClassName, Field(serialization_alias="class")]
    reasons: list[dict[str, str]]
    class_because: str
    content: Annotated[str, Field(description="The hash that a review names; empty while it is a draft.")]
    state: str
    stage: int
    share: Annotated[int, Field(description="Percent of new conversations that the candidate answers.")]
    from_state: str | None
    reason: str
    gate: str
    risk: dict[str, str] | None
    since: str
    first_at: str | None
    not_before: str | None
    review_due: str | None
    version: int
    created_at: str
    updated_at: str

    @classmethod
    def of(cls, one: Change, share: int) -> ChangeOut:
        """As it is."""
        whole: dict[str, Any] = msgspec.to_builtins(one)
        for name in ("since", "first_at", "not_before", "review_due", "created_at", "updated_at"):
            whole[name] = _iso(getattr(one, name))
        if one.risk is not None:
            whole["risk"] = {
                "by": one.risk.name,
                "reason": one.risk.reason,
                "at": iso(one.risk.at),
                "until": iso(one.risk.until),
            }
        return cls(**{name: whole[name] for name in cls.model_fields if name in whole}, share=share)


class EvidenceOut(BaseModel):
    """One step, and the facts it rests on."""

    number: int
    at: str
    event: str
    before: str
    after: str
    stage: int
    reason: str
    facts: dict[str, Any]
    actor: str
    actor_name: str

    @classmethod
    def of(cls, one: Evidence) -> EvidenceOut:
        """As it was kept."""
        whole = msgspec.to_builtins(one)
        return cls(**{name: whole[name] for name in cls.model_fields if name != "at"}, at=iso(one.at))


class ReviewOut(BaseModel):
    """A review; whether it counts is for the gate to say."""

    id: str
    person: PersonOut
    decision: str
    content: str
    note: str
    at: str

    @classmethod
    def of(cls, one: Review) -> ReviewOut:
        """As it was given."""
        person = PersonOut(id=one.person.id, name=one.person.name)
        return cls(
            id=one.id,
            person=person,
            decision=one.decision.value,
            content=one.content,
            note=one.note,
            at=iso(one.at),
        )


class GateOut(BaseModel):
    """A suite of the gate, with the runs of both releases."""

    suite: str
    verdict: str
    baseline_run: str
    candidate_run: str
    reasons: list[str]
    deltas: Annotated[
        list[dict[str, Any]], Field(description="Of cost, latency and format: before, after, change.")
    ]

    @classmethod
    def of(cls, one: GateRun) -> GateOut:
        """As far as it is."""
        return cls(
            suite=one.suite,
            verdict=one.verdict.value,
            baseline_run=one.baseline_run,
            candidate_run=one.candidate_run,
            reasons=list(one.reasons),
            deltas=[msgspec.to_builtins(delta) for delta in one.deltas],
        )


class WholeOut(BaseModel):
    """A change with all that was decided and found about it."""

    change: ChangeOut
    evidence: list[EvidenceOut]
    reviews: list[ReviewOut]
    gate: list[GateOut]

    @classmethod
    def of(cls, one: Whole, share: int) -> WholeOut:
        """As it is."""
        return cls(
            change=ChangeOut.of(one.change, share),
            evidence=[EvidenceOut.of(step) for step in one.evidence],
            reviews=[ReviewOut.of(review) for review in one.reviews],
            gate=[GateOut.of(run) for run in one.gate],
        )


class ServedOut(BaseModel):
    """What a route served at an instant: shares by release, who decided it, and who approved."""

    route: str
    since: str
    variants: dict[str, int]
    shadow: str
    stable: str
    change: ChangeOut | None
    reviews: list[ReviewOut]

    @classmethod
    def of(cls, one: Served, share: int) -> ServedOut:
        """As it was."""
        traffic = one.decided.traffic
        return cls(
            route=one.decided.route,
            since=iso(one.decided.made_at),
            variants={variant.release: variant.weight for variant in traffic.variants},
            shadow=traffic.shadow.release if traffic.shadow else "",
            stable=traffic.stable,
            change=ChangeOut.of(one.change, share) if one.change else None,
            reviews=[ReviewOut.of(review) for review in one.reviews],
        )


class PolicyOut(BaseModel):
    """The policy in force: as it was written, and what follows for each class of every system that it names."""

    version: int
    policy: dict[str, Any]
    classes: dict[str, dict[str, Any]]
    at: str | None
    by: str
    note: str

    @classmethod
    def of(cls, one: PolicyVersion | None, classes: dict[str, dict[str, Any]]) -> PolicyOut:
        """Version 0 is what is shipped."""
        if one is None:
            return cls(version=0, policy={}, classes=classes, at=None, by="", note="")
        return cls(
            version=one.version,
            policy=dict(one.document),
            classes=classes,
            at=iso(one.at),
            by=one.by,
            note=one.note,
        )


class FreezeOut(BaseModel):
    """A freeze."""

    id: str
    systems: list[str]
    begins_at: str
    ends_at: str | None
    reason: str
    lets_emergencies: bool
    by: str

    @classmethod
    def of(cls, one: Freeze) -> FreezeOut:
        """As it is."""
        return cls(
            id=one.id,
            systems=list(one.systems),
            begins_at=iso(one.begins_at),
            ends_at=_iso(one.ends_at),
            reason=one.reason,
            lets_emergencies=one.lets_emergencies,
            by=one.by,
        )


def _iso(at: datetime | None) -> str | None:
    return None if at is None else iso(at)
