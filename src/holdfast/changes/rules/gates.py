"""What the suites of a gate come to together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from holdfast.changes.model import Verdict
from holdfast.evals.model import Delta
from holdfast.evals.rules.deltas import CONFIDENCE, EARLIER


def together(verdicts: Sequence[Verdict]) -> Verdict:
    """One that fails fails all; else one that is under way is waited for; else one that is inconclusive is inconclusive.

    No verdict at all is inconclusive: it is never a pass by itself.
    """
    for one in (Verdict.FAIL, Verdict.PENDING, Verdict.INCONCLUSIVE):
        if one in verdicts:
            return one
    return Verdict.PASS if verdicts else Verdict.INCONCLUSIVE


def of_deltas(margins: Mapping[str, float | None], found: Sequence[Delta]) -> tuple[Verdict, tuple[str, ...]]:
    """What cost, latency and format come to, each against how much worse it may be; and why, the deciding ones first.

    Shown to be worse by more than the margin fails. Not shown to be within it is inconclusive; of the format that is so
    only where it seems to be worse by more, since suites are too small to show that little ever breaks. What was not taken
    at the same time cannot fail. What no answer tells is said, and decides nothing.
    """
    said = [(*_of_delta(margins.get(one.name), one), one) for one in found]
    order = (Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS)
    said.sort(key=lambda one: order.index(one[0]))
    verdict = said[0][0] if said else Verdict.PASS
    return verdict, tuple(_sentence(one, why) for _, why, one in said)


def _of_delta(margin: float | None, one: Delta) -> tuple[Verdict, str]:
    if one.change is None or margin is None:
        return Verdict.PASS, ""
    allowed = f"{margin:.0%} are allowed"
    if one.low is not None and one.low > margin:
        late = one.note == EARLIER
        return (Verdict.INCONCLUSIVE if late else Verdict.FAIL), allowed
    reached = one.change if one.name == "format" else one.high
    if reached is None or reached > margin:
        return Verdict.INCONCLUSIVE, f"not shown to be within the {margin:.0%} that are allowed"
    return Verdict.PASS, ""


def _sentence(one: Delta, why: str) -> str:
    """In words, such as `cost: 12 % more (8 % to 16 %) over 60 cases`."""
    if one.change is None or one.before is None or one.after is None:
        return f"{one.name}: not measured, because {one.note or 'no case tells it on both sides'}"
    between = ""
    if one.low is not None and one.high is not None:
        between = f" ({one.low:+.1%} to {one.high:+.1%}, {2 * CONFIDENCE - 1:.0%} confidence)"
    what = {
        "cost": f"{one.before:.6f} to {one.after:.6f} USD an answer",
        "latency": f"{one.before:.0f} to {one.after:.0f} ms an answer",
        "format": f"{one.before:.1%} to {one.after:.1%} of the answers cut, empty or not JSON where it was",
    }[one.name]
    parts = [f"{one.name}: {one.change:+.1%}{between}, {what}, over {one.pairs} cases"]
    parts += [f"{one.untold} cases do not tell it"] if one.untold else []
    parts += [one.note] if one.note else []
    parts += [why] if why else []
    return "; ".join(parts)
