"""When an improvement may go on to its next stage, and what its measurement says."""

from __future__ import annotations

from datetime import datetime

from holdfast.feedback.model import Effect, Improvement, Measurement, Stage, Window
from holdfast.feedback.rules.rates import Rate, change
from holdfast.kernel.errors import Conflict, Invalid

MAX_TITLE = 200
MAX_TEXT = 5000
MAX_REF = 300
KINDS = ("label", "category", "mode")
_NEXT = {
    Stage.PROPOSED: {Stage.IN_PROGRESS, Stage.DROPPED},
    Stage.IN_PROGRESS: {Stage.MEASURED, Stage.DROPPED},
    Stage.MEASURED: {Stage.MEASURED, Stage.CLOSED, Stage.DROPPED},
    Stage.CLOSED: set(),
    Stage.DROPPED: set(),
}
Fault = tuple[str, str]


def check(one: Improvement) -> None:
    """Raises Invalid that names all that is wrong with what was written."""
    found: list[Fault] = []
    if not one.title.strip():
        found.append(("title", "say in a few words what is to become better"))
    for name, most in (
        ("title", MAX_TITLE),
        ("owner", 200),
        ("hypothesis", MAX_TEXT),
        ("category", MAX_REF),
        ("change_ref", MAX_REF),
        ("note", MAX_TEXT),
    ):
        if len(getattr(one, name)) > most:
            found.append((name, f"it has at most {most:,} characters"))
    kind, _, named = one.category.partition(":")
    if one.category and (kind not in KINDS or not named):
        found.append(("category", "name the feedback that it is about: label:…, category:… or mode:…"))
    _refuse(found)


def check_move(one: Improvement, to: Stage) -> None:
    """Raises Conflict where that is not a next stage, Invalid that names everything that is missing for it."""
    if to not in _NEXT[one.stage]:
        raise Conflict(
            f"it is {one.stage.value.replace('_', ' ')}, and cannot become {to.value.replace('_', ' ')}"
        )
    found: list[Fault] = []
    if to in (Stage.IN_PROGRESS, Stage.MEASURED, Stage.CLOSED):
        found += [
            (name, words)
            for name, words in (
                ("owner", "name who answers for it"),
                ("hypothesis", "say why it should help"),
                ("category", "link the category of feedback that it is about"),
            )
            if not getattr(one, name).strip()
        ]
    if to in (Stage.MEASURED, Stage.CLOSED) and not one.change_ref.strip():
        found.append(("change_ref", "name the change: a release, a commit, a ticket"))
    if to is Stage.CLOSED:
        found += lacking(one.measurement)
    _refuse(found)


def lacking(measurement: Measurement | None) -> list[Fault]:
    """What a measurement lacks before an improvement can be closed with it."""
    if measurement is None:
        return [("measurement", "measure it: two runs of a suite, and two windows of feedback")]
    found: list[Fault] = []
    if measurement.suite is None:
        found.append(("suite", "there is no paired comparison of two runs: " + "; ".join(measurement.lacks)))
    if measurement.feedback is None:
        found.append(
            ("feedback", "there is no rate of feedback before and after: " + "; ".join(measurement.lacks))
        )
    return found


def check_windows(before: Window, after: Window, now: datetime) -> None:
    """Raises Invalid unless both are over, and the one before ends before the other begins."""
    found: list[Fault] = []
    for name, one in (("before", before), ("after", after)):
        if one.start >= one.end:
            found.append((f"{name}_from", f"the window {name} ends before it begins"))
        if one.end > now:
            found.append((f"{name}_to", f"the window {name} is not over yet: measure when it is"))
    if before.end > after.start:
        found.append(("after_from", "the window after begins before the one before has ended"))
    _refuse(found)


def suite_effect(
    before: float, after: float, difference: float, low: float, high: float, words: str
) -> Effect:
    """Of a score, where more is better."""
    return Effect(before, after, difference, low, high, _better(low, high), words)


def feedback_effect(before: Rate, after: Rate) -> Effect | None:
    """Of the share of feedback in a category, where less is better; None where a window has no feedback at all."""
    found = change(before, after)
    if found is None or before.share is None or after.share is None:
        return None
    words = f"{before.negative} of {before.said} before, {after.negative} of {after.said} after"
    better = _better(-found.high, -found.low)
    return Effect(before.share, after.share, found.difference, found.low, found.high, better, words)


def _better(low: float, high: float) -> bool | None:
    return True if low > 0 else False if high < 0 else None


def _refuse(found: list[Fault]) -> None:
    if found:
        told = "; ".join(f"{where}: {words}" for where, words in found)
        raise Invalid(told, where=found[0][0], errors=tuple(found))
