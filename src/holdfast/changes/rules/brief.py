"""The brief of a change, written from its gate: what a release would change for people, and whether to go on with it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from holdfast.changes.model import Change, GateRun, Verdict
from holdfast.changes.rules.gates import together
from holdfast.evals.model import Delta, Judged
from holdfast.evals.model import Verdict as Found

ADVICE = {
    Verdict.PASS: "Go on by a staged rollout: nothing that was measured is shown to be worse than is allowed.",
    Verdict.FAIL: "Stay with what is served: the candidate is shown to be worse than is allowed.",
    Verdict.INCONCLUSIVE: "Do not decide yet: what was measured is too little to tell.",
    Verdict.PENDING: "Wait: the suites still run.",
}


@dataclass(frozen=True, slots=True)
class SuiteBrief:
    """What one suite tells. `found`: of the candidate's run; None before its end. `style`: what changed in how it answers,
    surest first; None: not compared."""

    gate: GateRun
    found: Found | None
    style: tuple[str, ...] | None


@dataclass(frozen=True, slots=True)
class Brief:
    """A change in the eyes of whoever decides. `models`: what answers, before and after."""

    change: Change
    models: tuple[str, str]
    suites: tuple[SuiteBrief, ...]

    @property
    def verdict(self) -> Verdict:
        """Of all suites together."""
        return together([one.gate.verdict for one in self.suites])

    @property
    def recommendation(self) -> str:
        """In a sentence, and what would settle it where that is open."""
        wanted = [_settles(one.found.suite) for one in self.suites if one.found is not None]
        more = "; ".join(one for one in wanted if one) if self.verdict is Verdict.INCONCLUSIVE else ""
        if not self.suites:
            return "Write a suite first: nothing asks this route, so nobody can tell what would change."
        return ADVICE[self.verdict] + (f" What would settle it: {more}." if more else "")


def markdown(brief: Brief) -> str:
    """The brief for a ticket, a mail or a file."""
    change = brief.change
    lines = [
        f"# {_plain(change.title)}",
        "",
        f"**{brief.recommendation}**",
        "",
        "| | |",
        "|---|---|",
        f"| Route | {_plain(change.route)} |",
        f"| Class | {change.change_class.value} |",
        f"| Baseline | {_plain(brief.models[0])} (`{change.baseline}`) |",
        f"| Candidate | {_plain(brief.models[1])} (`{change.candidate}`) |",
        f"| Author | {_plain(change.author.name)} |",
        f"| Change | `{change.id}` |",
    ]
    for one in brief.suites:
        lines += ["", f"## {_plain(one.gate.suite)}: {one.gate.verdict.value}", ""]
        lines += [f"- {_plain(reason)}" for reason in one.gate.reasons]
        if one.found is not None:
            lines += ["", "| | Baseline | Candidate | Difference |", "|---|---|---|---|"]
            lines += [_row(judged) for judged in _judged(one.found)]
        if one.gate.deltas:
            lines += ["", "| | Baseline | Candidate | Change | Cases |", "|---|---|---|---|---|"]
            lines += [_delta(delta) for delta in one.gate.deltas]
        if one.style is not None:
            lines += ["", "How it answers:" if one.style else "How it answers is not shown to have changed."]
            lines += [""] * bool(one.style) + [f"- {_plain(said)}" for said in one.style]
    return "\n".join(lines) + "\n"


def score(judged: Judged, *, of_baseline: bool) -> str:
    """A score with its interval, as labels correct it where a judge has a say; `unknown` where there is none."""
    estimate = judged.baseline if of_baseline else judged.score
    trusted = judged.trusted
    if not of_baseline and trusted is not None:
        if trusted.value is None:
            return "unknown (an uncorrected judge)"
        return f"{trusted.value:.3f} ({trusted.low:.3f} to {trusted.high:.3f})"
    return f"{estimate.value:.3f} ({estimate.low:.3f} to {estimate.high:.3f})" if estimate else "unknown"


def difference(judged: Judged) -> str:
    """Candidate less baseline with its interval."""
    apart = judged.apart
    return f"{apart.difference:+.3f} ({apart.low:+.3f} to {apart.high:+.3f})" if apart else "unknown"


def amounts(delta: Delta) -> tuple[str, str, str]:
    """(before, after, change with its bounds) as people read them; `unknown` where no case tells."""
    if delta.before is None or delta.after is None or delta.change is None:
        return ("unknown", "unknown", "unknown")
    shape = {"cost": "{:.6f} USD", "latency": "{:.0f} ms", "format": "{:.1%}"}[delta.name]
    bounds = (
        f" ({delta.low:+.1%} to {delta.high:+.1%})"
        if delta.low is not None and delta.high is not None
        else ""
    )
    return shape.format(delta.before), shape.format(delta.after), f"{delta.change:+.1%}{bounds}"


def named(judged: Judged) -> str:
    """Which cases it is of."""
    return f"{judged.dimension} {judged.value}" if judged.dimension else "all cases"


def _judged(found: Found) -> Sequence[Judged]:
    return (found.suite, *([found.critical] if found.critical else []), *found.segments)


def _row(judged: Judged) -> str:
    before, after = score(judged, of_baseline=True), score(judged, of_baseline=False)
    return f"| {_plain(named(judged))} | {before} | {after} | {difference(judged)} |"


def _delta(delta: Delta) -> str:
    before, after, change = amounts(delta)
    note = f"; {delta.note}" if delta.note else ""
    return f"| {delta.name}{_plain(note)} | {before} | {after} | {change} | {delta.pairs} |"


def _settles(judged: Judged) -> str:
    needs = judged.needs
    if needs is None:
        return ""
    ways = [f"{needs.repeats:,} answers to each case"] if needs.repeats is not None else []
    ways += [f"about {needs.more_cases:,} more cases"] if needs.more_cases is not None else []
    return " or ".join(ways)


def _plain(text: str) -> str:
    """So that it breaks no table and makes no markup."""
    return "".join(f"\\{one}" if one in "\\`*_[]<>|#" else one for one in " ".join(text.split()))
