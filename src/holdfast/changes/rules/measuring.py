"""From sums of calls to readings of metrics, and which span the baseline is read in."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import NamedTuple

from holdfast.changes.model import Change, Evidence, State
from holdfast.changes.rules.guarding import Kind, Metric, Reading
from holdfast.changes.rules.policy import ClassPolicy, Guard
from holdfast.changes.rules.sequential import Sample
from holdfast.changes.rules.wording import SHARE
from holdfast.telemetry.reads.compared import Sums

RELATIVE = ("latency", "cost")
"""Metrics whose margin is a share of the baseline's own mean."""
ALWAYS = ("errors", "latency")
"""Metrics that every call tells: of the others nothing is asked where no call of either release tells any."""


IN_WORDS = "refusals in words"
"""Refusals that the answer's text shows; `refusals` are those that the vendor marks as such."""


COUNTED = timedelta(seconds=10)
"""Review counts calls by spans as long as this, and tells the whole ones within a time range."""


class Span(NamedTuple):
    """From one instant to another."""

    start: datetime
    end: datetime


@dataclass(frozen=True, slots=True)
class Quality:
    """What is known of the answers of a release: (how many tell it, how many of them are bad).

    `grades` by judge: how many answers it graded, and the sums of what was missing of the best grade and of its square.
    """

    flagged: tuple[int, int] = (0, 0)
    refused: tuple[int, int] = (0, 0)
    feedback: tuple[int, int] = (0, 0)
    grades: Mapping[str, tuple[int, float, float]] = field(default_factory=dict)


class Seen(NamedTuple):
    """All that was measured of one release."""

    sums: Sums | None
    quality: Quality = Quality()


def readings(
    policy: ClassPolicy, state: State | None, baseline: Seen, candidate: Seen, row: int
) -> list[Reading]:
    """One for each guarded metric that can be told. `row`: failed calls of the candidate in a row."""
    shadow = policy.shadow
    least = shadow.samples if state is State.SHADOW and shadow is not None else policy.samples
    found = []
    for name, guard, asked in _asked(policy, baseline, candidate):
        before, after = sample(name, baseline), sample(name, candidate)
        if asked not in ALWAYS and not (before and before.n) and not (after and after.n):
            continue
        enough = least if guard.samples is None else guard.samples
        found.append(
            Reading(
                _metric(name, asked, guard, max(2, enough), _unit(asked, baseline.sums, candidate.sums)),
                before,
                after,
                longest_row=row if asked == "errors" else 0,
                unread=_unread(asked, baseline.sums, candidate.sums),
            )
        )
    return found


def unmeasured(policy: ClassPolicy, named: Sequence[str]) -> list[str]:
    """The guards of which none of these readings is."""
    return [guard for guard in policy.guards if not any(_is_of(name, guard) for name in named)]


def _is_of(name: str, guard: str) -> bool:
    return name == guard or name.startswith(f"{guard} ")


def _asked(policy: ClassPolicy, *of: Seen) -> list[tuple[str, Guard, str]]:
    """(name of a reading, its guard, that one's name): a guard of grades has a reading for each judge."""
    found = []
    for guard in policy.guards:
        names = [guard]
        if guard == "refusals":
            names = [guard, IN_WORDS]
        elif guard == "grade":
            judges = {judge for one in of for judge in one.quality.grades}
            names = [f"grade by {judge}" for judge in sorted(judges)]
        found += [(name, policy.guards[guard], guard) for name in names]
    return found


def reference(change: Change, evidence: Sequence[Evidence]) -> Span | None:
    """When the baseline served beside the candidate last: the last stage before all traffic went over. None: never."""
    found: Span | None = None
    entered: Evidence | None = None
    shares = list(change.policy.get("stages", (10, 50, 100)))
    for one in evidence:
        if entered is not None and (one.after, one.stage) != (entered.after, entered.stage):
            found, entered = Span(entered.at, one.at), None
        compared = one.after is State.COMPARING
        ramps = one.after is State.RAMPING and one.stage < len(shares) and shares[one.stage] < 100
        if entered is None and (ramps or compared):
            entered = one
    return found


def about(span: Span) -> Span:
    """The span, and so much around it that all that review counted of it is in: it may be shorter than one count."""
    return Span(span.start - COUNTED, span.end + COUNTED)


def _metric(name: str, asked: str, guard: Guard, least: int, unit: str | None) -> Metric:
    kind = Kind.STOP if guard.stop else Kind.WATCH
    relative = asked in RELATIVE
    said = {} if unit is None else {"unit": unit}
    return Metric(name, kind, guard.margin, relative, least, guard.in_a_row, guard.most, **said)


def _unit(name: str, *of: Sums | None) -> str | None:
    if name == "latency":
        return "ms"
    if name == "grade":
        return "below the best grade"
    if name == "cost":
        return next(iter(_currencies(*of)), "USD")
    return None


def unit_of(name: str, *of: Seen) -> str:
    """What stands behind a metric's numbers."""
    asked = "grade" if name.startswith("grade by ") else name
    return _unit(asked, *(one.sums for one in of)) or SHARE


def _unread(name: str, *of: Sums | None) -> str:
    if name == "cost" and len(_currencies(*of)) > 1:
        return f"calls are priced in {' and '.join(_currencies(*of))}"
    return ""


def _currencies(*of: Sums | None) -> list[str]:
    return sorted({currency for one in of if one is not None for currency in one.currencies})


def sample(name: str, seen: Seen) -> Sample | None:
    """The values of one metric, higher being worse; None where nothing was measured."""
    quality = seen.quality
    if name.startswith("grade by "):
        graded = quality.grades.get(name.removeprefix("grade by "))
        return None if graded is None else Sample.of_sums(*graded)
    counted = {"flagged": quality.flagged, IN_WORDS: quality.refused, "feedback": quality.feedback}.get(name)
    if counted is not None:
        return Sample.of_share(counted[1], counted[0])
    return None if seen.sums is None else _of_calls(name, seen.sums)


def _of_calls(name: str, of: Sums) -> Sample | None:
    match name:
        case "errors":
            return Sample.of_share(of.errors, of.calls)
        case "latency":
            return Sample.of_sums(*of.latency)
        case "cost":
            return Sample.of_sums(*of.cost)
        case "refusals":
            return Sample.of_share(of.refused[1], of.refused[0])
        case "format":
            return Sample.of_share(of.cut[1], of.cut[0])
        case _:
            return None
