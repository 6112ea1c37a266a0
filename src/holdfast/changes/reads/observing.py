"""What a look finds: how the candidate does beside the baseline, who met which, and whether anything stands in its way."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from holdfast.changes.model import Change, Evidence, State
from holdfast.changes.reads.comparing import WITHOUT, comparison, judged
from holdfast.changes.rules import assessing, guarding, soundness
from holdfast.changes.rules.assessing import Stage, Step
from holdfast.changes.rules.declared import concluded
from holdfast.changes.rules.guarding import Finding
from holdfast.changes.rules.measuring import Seen, Span, about, readings, reference, unmeasured
from holdfast.changes.rules.policy import ClassPolicy
from holdfast.changes.rules.splits import share_of
from holdfast.changes.rules.states import Looked
from holdfast.evals.reads import review
from holdfast.gateway.model import Route
from holdfast.kernel.context import SYSTEM, Context
from holdfast.storage.columns import Columns
from holdfast.storage.sql import Database
from holdfast.telemetry.model import TimeRange
from holdfast.telemetry.reads import compared
from holdfast.telemetry.reads.compared import Sums

ARRIVES = timedelta(seconds=10)
"""Within it a call is counted after it began, and can be looked at."""
AHEAD = timedelta(minutes=5)
"""Clocks of gateways may be ahead."""


@dataclass(frozen=True, slots=True)
class Observed:
    """What a look found, and what follows from it."""

    looked: Looked
    findings: tuple[Finding, ...]
    facts: Mapping[str, Any]


def observe(
    database: Database,
    columns: Columns,
    change: Change,
    policy: ClassPolicy,
    evidence: Sequence[Evidence],
    route: Route,
    now: datetime,
    blocked: str,
    *,
    everywhere: bool,
) -> Observed:
    """Of a change that serves, or is held. `everywhere`: no gateway that answers serves what was before its stage.

    Raises Unavailable where calls cannot be read.
    """
    state = change.from_state if change.state is State.HELD else change.state
    within = TimeRange(change.since, now + AHEAD)
    both = (change.baseline, change.candidate)
    sums = compared.sums(columns, change.workspace, change.route, both, within, WITHOUT)
    candidate = sums.get(change.candidate)
    quality = judged(database, change, both, within, now)
    baseline = Seen(sums.get(change.baseline), quality[change.baseline])
    share = share_of(change, policy)
    if share == 100:
        baseline = _before(database, columns, change, evidence, now)
    measured = Seen(candidate, quality[change.candidate])
    row = compared.longest_row(columns, change.workspace, change.route, change.candidate, within, WITHOUT)
    found = guarding.look(readings(policy, state, baseline, measured, row), 1 - policy.confidence)
    stage = assessing.assess(found)
    sound = _sound(columns, change, route, share, within, candidate, policy, now)
    asked = (
        comparison(columns, database, change, policy, baseline, measured, now)
        if state is State.COMPARING
        else None
    )
    looked = _follows(policy, state, candidate, stage, sound, blocked)
    late = _unreviewed(database, change, policy, candidate, now)
    if late:
        looked = replace(looked, enough=False)
    if looked.first_at is not None:
        looked = replace(looked, first_at=now if everywhere else None)
    if asked is not None:
        looked = concluded(asked, looked, change, policy, now)
    facts = {
        "since": change.since,
        "share": share,
        "outcome": stage.outcome.value,
        "calls": {name: one.calls for name, one in sums.items()},
        "findings": [_told(one) for one in found],
        "unmeasured": unmeasured(policy, [one.metric.name for one in found]),
        "sound": {name: one.sentence for name, one in sound.items()} | ({"review": late} if late else {}),
    }
    if asked is not None:
        facts["ab"] = asked.facts()
    return Observed(looked, found, facts)


def _unreviewed(
    database: Database, change: Change, policy: ClassPolicy, candidate: Sums | None, now: datetime
) -> str:
    """Why nothing can be said yet of what review finds: it has not come to the calls of this stage. Else empty."""
    if candidate is None or not {"flagged", "refusals"} & set(policy.guards):
        return ""
    with database.reading() as tx:
        until = review.looked_until(Context(change.workspace, SYSTEM, now), tx)
    if until is None or until >= candidate.first_at + ARRIVES:
        return ""
    return "production review has not looked at the calls of this stage yet"


def _before(
    database: Database, columns: Columns, change: Change, evidence: Sequence[Evidence], now: datetime
) -> Seen:
    """The baseline while it last served beside the candidate: with all traffic on the candidate there is no other."""
    span: Span | None = reference(change, evidence)
    if span is None:
        return Seen(None)
    within = TimeRange(span.start, span.end)
    found = compared.sums(columns, change.workspace, change.route, [change.baseline], within, WITHOUT)
    quality = judged(database, change, [change.baseline], TimeRange(*about(span)), now)
    return Seen(found.get(change.baseline), quality[change.baseline])


def _sound(
    columns: Columns,
    change: Change,
    route: Route,
    share: int,
    within: TimeRange,
    candidate: Sums | None,
    policy: ClassPolicy,
    now: datetime,
) -> dict[str, soundness.Soundness]:
    grace = timedelta(minutes=policy.grace_minutes)
    last = candidate.last_at if candidate is not None else None
    found = {"traffic": soundness.flowing(change.since, last, now, grace)}
    if 0 < share < 100:
        if change.first_at is None:
            return found | {"split": soundness.Soundness(None, "not every gateway serves this stage yet")}
        both = (change.baseline, change.candidate)
        since = TimeRange(change.first_at, within.end)
        units = compared.units(columns, change.workspace, change.route, both, since, WITHOUT, route.sticky)
        weights = {change.baseline: 100.0 - share, change.candidate: float(share)}
        found["split"] = soundness.split(units.by_release, weights)
        whole = sum(units.by_release.values()) - units.met_both
        found["exposure"] = soundness.met_once(units.met_both, whole)
    return found


def _follows(
    policy: ClassPolicy,
    state: State | None,
    candidate: Sums | None,
    stage: Stage,
    sound: Mapping[str, soundness.Soundness],
    blocked: str,
) -> Looked:
    why = "; ".join(stage.because)
    first_at = candidate.first_at if candidate is not None else None
    stop = why if stage.step is Step.ROLL_BACK else ""
    torn = [one.sentence for name, one in sound.items() if name != "traffic" and one.sound is False]
    hold = "; ".join(torn) or (why if stage.step is Step.HOLD else "")
    quiet = sound["traffic"].sentence if sound["traffic"].sound is False else ""
    if state is State.SHADOW and policy.shadow is not None:
        calls = candidate.calls if candidate is not None else 0
        spent = Decimal(str(candidate.cost[1])) if candidate is not None else Decimal(0)
        enough = calls >= policy.shadow.samples
        if not enough and spent >= Decimal(policy.shadow.max_cost):
            hold = f"its copies have cost {spent:.2f} before there were {policy.shadow.samples} of them"
        return Looked(stop=stop, hold=hold, missing=quiet, enough=enough, first_at=first_at, blocked=blocked)
    enough = stage.step is Step.ADVANCE and candidate is not None and candidate.calls >= policy.samples
    return Looked(stop=stop, hold=hold, missing=quiet, enough=enough, first_at=first_at, blocked=blocked)


def _told(one: Finding) -> dict[str, Any]:
    return {
        "metric": one.metric.name,
        "kind": one.metric.kind.value,
        "verdict": one.verdict.value,
        "said": one.sentence,
        "margin": one.metric.margin,
        "baseline": asdict(one.baseline) if one.baseline else None,
        "candidate": asdict(one.candidate) if one.candidate else None,
        "interval": _bounds(one),
    }


def _bounds(one: Finding) -> dict[str, float | None] | None:
    if one.interval is None:
        return None
    limits = asdict(one.interval)
    return {name: value if abs(value) < float("inf") else None for name, value in limits.items()}
