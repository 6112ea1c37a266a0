"""What pages of runs show of them: their standing in words, and the figures of a verdict placed on axes."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import quote

from holdfast.evals.model import Apart, Estimate, Judged, Outcome, Verdict
from holdfast.evals.reads import runs as reads
from holdfast.evals.states import Progress, Run, RunState
from holdfast.platform.access import reads as access
from holdfast.platform.access.model import Caller
from holdfast.storage.sql import Transaction
from holdfast.web.charts import share

BADGES = {
    Outcome.PASS: ("success", "ok", "PASS"),
    Outcome.FAIL: ("danger", "error", "FAIL"),
    Outcome.INCONCLUSIVE: ("warning", "question", "INCONCLUSIVE"),
}
STATES = {
    RunState.QUEUED: ("", "clock", "queued"),
    RunState.RUNNING: ("accent", "live", "running"),
    RunState.CANCELLED: ("", "cross", "cancelled"),
}
STANDINGS = {
    "failed": ("danger", "error", "failed"),
    "unknown": ("warning", "question", "unknown"),
    "waiting": ("", "clock", "unfinished"),
    "passed": ("success", "ok", "passed"),
}
CHANGES = {
    "worse": ("danger", "down"),
    "better": ("success", "up"),
    "same": ("", ""),
    "not compared": ("", ""),
}


def address(by: Caller, run: str, path: str = "") -> str:
    """Of a run's page."""
    return f"/w/{by.workspace.slug}/runs/{run}{path}"


def runs_of(by: Caller, suite: str) -> str:
    """Of the page of a suite's runs."""
    return f"/w/{by.workspace.slug}/runs?suite={quote(suite, safe='')}"


def badge(run: Run, verdict: Verdict | None) -> tuple[str, str, str]:
    """Tone, icon and word of what became of a run."""
    if verdict is not None:
        return BADGES[verdict.outcome]
    return STATES.get(run.state, ("", "question", run.state.value))


def answering(run: Run) -> str:
    """What was asked, as short as can be."""
    return run.release or run.model or (f"route {run.route}" if run.route else "")


def people(by: Caller, tx: Transaction) -> dict[str, str]:
    """Ids of members and keys, as people know them."""
    members = {member.id: member.name or member.email for member, _ in access.members(tx, by.ctx.workspace)}
    return members | {key.id: f"key {key.name}" for key in access.keys(tx, by.ctx.workspace)}


def bar(progress: Progress) -> list[dict[str, Any]]:
    """The answers of a run as parts of one bar: kind, count, and their place in percent of all that are due."""
    counts = (("failed", progress.failed), ("unknown", progress.unknown), ("passed", progress.passed))
    placed, so_far = [], 0
    for kind, count in counts:
        if count:
            at, width = share(so_far, progress.total), share(count, progress.total)
            placed.append({"kind": kind, "count": count, "at": at, "width": max(width, 0.4)})
            so_far += count
    return placed


@dataclass(frozen=True, slots=True)
class Axis:
    """A stretch of scores or differences, and where on it something lies."""

    low: float
    high: float

    def at(self, value: float) -> float:
        """In percent, held on the axis."""
        return round(min(max((value - self.low) / (self.high - self.low), 0.0), 1.0) * 100, 2)

    def band(self, low: float, high: float) -> dict[str, float]:
        """Beginning and width in percent; what is as thin as a point can still be seen."""
        return {"at": self.at(low), "width": max(round(self.at(high) - self.at(low), 2), 0.5)}


def score_axis(values: Iterable[float | None]) -> Axis:
    """From a round tenth below the lowest of them to 1."""
    known = [value for value in values if value is not None]
    low = math.floor(max(min(known, default=0.0) - 0.02, 0.0) * 10) / 10
    return Axis(min(low, 0.9), 1.0)


def difference_axis(values: Iterable[float], margin: float) -> Axis:
    """As far to either side of 0 as the widest of them and the margin reach."""
    widest = max([abs(value) for value in values] + [margin, 0.02]) * 1.08
    return Axis(-min(widest, 1.0), min(widest, 1.0))


def judged(verdict: Verdict) -> list[tuple[str, str, Judged]]:
    """Every part of a verdict: group, name and what it comes to."""
    found = [("", "Whole suite", verdict.suite)]
    if verdict.critical is not None:
        found.append(("", "Critical cases, none of which may fail", verdict.critical))
    found += [(one.dimension.capitalize(), one.value, one) for one in verdict.segments]
    return found + [("Criticality", one.value, one) for one in verdict.criticalities]


def estimated(part: Judged) -> Estimate | None:
    """The score of a part that can be stood by: as labels correct it where judges have a say, None where none does."""
    trusted = part.trusted
    if trusted is None or part.score is None:
        return part.score
    if trusted.value is None or trusted.low is None or trusted.high is None:
        return None
    return replace(
        part.score,
        value=trusted.value,
        low=trusted.low,
        high=trusted.high,
        confidence=trusted.confidence,
        se=None,
        method=trusted.method,
    )


def table(run: Run, verdict: Verdict) -> dict[str, Any]:
    """The parts of a verdict as rows, with every interval placed on an axis that they share."""
    parts = judged(verdict)
    estimates = [one for _, _, part in parts for one in (estimated(part), part.baseline) if one is not None]
    compared = any(part.comparison is not None for _, _, part in parts)
    scores = score_axis([run.bars.least, *(one.low for one in estimates)])
    known = [part.apart for _, _, part in parts if part.apart is not None]
    apart = difference_axis([edge for one in known for edge in (one.low, one.high)], run.bars.margin)
    return {
        "rows": [
            {
                "group": group,
                "name": name,
                "part": part,
                "critical": part is verdict.critical,
                "badge": BADGES[part.outcome],
                "score": _placed(scores, estimated(part)),
                "baseline": _placed(scores, part.baseline),
                "difference": _difference(apart, part.apart),
            }
            for group, name, part in parts
        ],
        "scores": scores,
        "apart": apart,
        "compared": compared,
        "least": None if run.bars.least is None else scores.at(run.bars.least),
        "zero": apart.at(0),
        "margin": apart.at(-run.bars.margin),
    }


def _placed(axis: Axis, one: Estimate | None) -> dict[str, float] | None:
    return None if one is None else axis.band(one.low, one.high) | {"point": axis.at(one.value)}


def _difference(axis: Axis, one: Apart | None) -> dict[str, float] | None:
    return None if one is None else axis.band(one.low, one.high) | {"point": axis.at(one.difference)}


TREND_HEIGHT = 150


def trend(by: Caller, runs: Sequence[Run], names: Mapping[str, str]) -> dict[str, Any] | None:
    """The scores of runs of one suite in the order of time, each a step; None where fewer than two have one.

    `runs` come the latest first. A mark stands where another release answers, or another version of the suite is asked.
    """
    told = [
        (run, verdict, score)
        for run in reversed(runs)
        if (verdict := reads.verdict_of(run)) and (score := estimated(verdict.suite))
    ]
    if len(told) < 2:
        return None
    scores = [score for _, _, score in told]
    axis = score_axis([*(one.low for one in scores), *(run.bars.least for run, _, _ in told)])
    step = 100 / len(told)

    def y(value: float) -> float:
        return round(TREND_HEIGHT * (1 - axis.at(value) / 100), 1)

    points: list[dict[str, Any]] = []
    marks: list[dict[str, Any]] = []
    before: Run | None = None
    for number, (run, verdict, score) in enumerate(told):
        tone, _, words = BADGES[verdict.outcome]
        place = round((number + 0.5) * step, 2)
        points.append(
            {
                "at": place,
                "left": round(number * step, 2),
                "y": y(score.value),
                "low": y(score.low),
                "high": y(score.high),
                "least": None if run.bars.least is None else y(run.bars.least),
                "outcome": verdict.outcome.value,
                "tone": tone,
                "href": address(by, run.id),
                "label": f"{words}: {score.value:.3f} ({score.low:.3f} to {score.high:.3f}), {answering(run)}, version "
                f"{run.version}, {run.created_at:%Y-%m-%d %H:%M} UTC, by {names.get(run.created_by, run.created_by)}",
            }
        )
        words = _mark(before, run)
        if words:
            spaced = not marks or place - marks[-1]["at"] > 9
            marks.append({"at": round(number * step, 2), "words": words, "shown": spaced})
        before = run
    return {
        "points": points,
        "marks": marks,
        "step": round(step, 2),
        "height": TREND_HEIGHT,
        "ticks": [(y(value), f"{value:g}") for value in _round_steps(axis)],
        "first": told[0][0].created_at,
        "last": told[-1][0].created_at,
        "latest": scores[-1],
        "badge": BADGES[told[-1][1].outcome],
        "left_out": len(runs) - len(told),
    }


def _mark(before: Run | None, run: Run) -> str:
    """What is new with a run: its release, or the version of the suite."""
    if before is None:
        return answering(run)
    if (before.release, before.release_id, before.model) != (run.release, run.release_id, run.model):
        same = before.release == run.release and before.model == run.model
        return f"{answering(run)} changed" if same else answering(run)
    return f"suite {run.version}" if before.version != run.version else ""


def _round_steps(axis: Axis) -> list[float]:
    width = 0.1 if axis.high - axis.low <= 0.5 else 0.2
    count = math.floor((axis.high - axis.low) / width + 1e-9)
    return [round(axis.high - number * width, 2) for number in range(count + 1)]
