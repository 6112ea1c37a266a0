"""Which steps of a change people are told of, and in which words. Nothing of a prompt or an answer is quoted."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.changes.model import Change, ChangeClass, State, Verdict
from holdfast.platform.notify.model import Severity

_REACHED = {
    State.FAILED: (Severity.WARNING, "Change refused", "It serves nobody."),
    State.HELD: (Severity.WARNING, "Change held", "It stands still where it is until somebody or something lets it go on."),
    State.HALTED: (Severity.CRITICAL, "Change halted", "Traffic is being taken off it; the release before serves again."),
    State.ROLLED_BACK: (Severity.WARNING, "Change rolled back", "The release before has all of its traffic again."),
    State.COMPLETED: (Severity.INFO, "Change completed", "Its release is now what the route serves."),
}  # fmt: skip
_GATE = {
    Verdict.PASS: (Severity.INFO, "Change waits for review", "Its gate passed. Read it, then approve or reject it."),
    Verdict.INCONCLUSIVE: (
        Severity.WARNING,
        "Change waits for a decision",
        "Its gate could not tell: it takes more cases or repeats, or somebody who answers for the risk.",
    ),
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Notice:
    """What people are told of one step. `facts` are pairs of label and ready text."""

    severity: Severity
    title: str
    summary: str
    facts: tuple[tuple[str, str], ...]


def notice(before: Change, after: Change, reviewers: int) -> Notice | None:
    """What to tell of a step; None where nobody has to act or to know.

    `reviewers`: how many its policy asks, a system outside among them.
    """
    said = _said(before, after, reviewers)
    if said is None:
        return None
    severity, title, summary = said
    facts = [("Route", after.route), ("Class", after.change_class.value), ("Author", after.author.name)]
    if after.system:
        facts.append(("System", after.system))
    if after.reason:
        facts.append(("Why", after.reason))
    if after.state is State.GATED:
        facts.append(("Content", after.content))
    if after.review_due is not None and not after.ended:
        facts.append(("To be reviewed by", f"{after.review_due:%Y-%m-%d %H:%M} UTC"))
    return Notice(severity, f"{title}: {after.title}", summary, tuple(facts))


def _said(before: Change, after: Change, reviewers: int) -> tuple[Severity, str, str] | None:
    if after.state is not before.state:
        if after.state is State.GATED and after.change_class is ChangeClass.EMERGENCY:
            return (
                Severity.CRITICAL,
                "Emergency change",
                "It goes on at once, and is reviewed after the fact.",
            )
        withdrawn = after.state is State.FAILED and after.reason.startswith("withdrawn: ")
        return None if withdrawn else _REACHED.get(after.state)
    if after.state is not State.GATED:
        return None
    if before.risk is None and after.risk is not None:
        by = f"{after.risk.name} answers until {after.risk.until:%Y-%m-%d %H:%M} UTC: {after.risk.reason}"
        return Severity.WARNING, "Risk of a change accepted", by
    if after.gate is before.gate or (after.gate is Verdict.PASS and not reviewers):
        return None
    return _GATE.get(after.gate)
