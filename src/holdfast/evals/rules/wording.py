"""The reasons of a verdict in plain words."""

from __future__ import annotations

from collections.abc import Sequence

from holdfast.evals.model import Bars, Comparison, Estimate, Judged, Needs, Outcome, Versus
from holdfast.evals.rules.asked import Pairs

SHOWN = 5  # names in a sentence

_MEASURED = ("If the truth is as measured", "As it was measured")
NO_BAR = "There is neither a least score nor a baseline to hold it against."


def against_bar(outcome: Outcome, score: Estimate, least: float, above: float, below: float) -> str:
    """The score beside the bar, and what is shown of it."""
    said = {
        Outcome.PASS: f"shown to be at least {least:g} ({_p(above)})",
        Outcome.FAIL: f"shown to be below the bar of {least:g} ({_p(below)})",
        Outcome.INCONCLUSIVE: f"not shown to be above or below the bar of {least:g}",
    }[outcome]
    return (
        f"The score is {score.value:.3f} ({_interval(score.low, score.high, score.confidence)}, "
        f"{_cases(score.cases)}{_families(score.cases, score.clusters)}): {said}."
    )


def against_baseline(outcome: Outcome, of: Comparison, bars: Bars, noninferior: float, drop: float) -> str:
    """The difference from the baseline, and what is shown of it."""
    if not of.worse and not of.better:
        moved = "The score is the same as the baseline's on every case"
    elif not of.difference:
        moved = "The score is the same as the baseline's"
    else:
        moved = (
            f"The score is {abs(of.difference):.3f} {'lower' if of.difference < 0 else 'higher'} than "
            "the baseline's"
        )
    fell = f"{of.drop_test} {_p(drop)}" + (", adjusted for the segments" if drop != of.p_drop else "")
    beyond = "; it is beyond the margin, too" if of.p_beyond <= bars.alpha else ""
    fallen = drop <= bars.alpha
    said = {
        Outcome.PASS: f"shown to be within the margin of {bars.margin:g} ({_p(noninferior)})"
        + (f", though it is a fall ({fell})" if fallen else ""),
        Outcome.FAIL: f"that is a fall and not chance ({fell}){beyond}",
        Outcome.INCONCLUSIVE: f"neither shown to be a fall ({fell}) nor to be within the margin of {bars.margin:g}",
    }[outcome]
    return (
        f"{moved} ({_interval(of.low, of.high, of.confidence)}; {_cases(of.cases)}"
        f"{_families(of.cases, of.clusters)}, {of.worse} worse, {of.better} better): {said}."
    )


def against_baseline_corrected(of: Versus, outcome: Outcome, bars: Bars, wanted: int | None) -> str:
    """The difference from the baseline as people would have it, what is shown of it, and how many labels would do."""
    if of.value is None or of.low is None or of.high is None:
        return f"The judges' difference from the baseline is not to be trusted: {of.note}."
    moved = f"{abs(of.value):.3f} {'lower' if of.value < 0 else 'higher'} than" if of.value else "the same as"
    said = {
        Outcome.PASS: f"shown to be within the margin of {bars.margin:g}",
        Outcome.FAIL: "that is a fall and not chance",
        Outcome.INCONCLUSIVE: f"neither shown to be a fall nor to be within the margin of {bars.margin:g}",
    }[outcome]
    more = ""
    if outcome is Outcome.INCONCLUSIVE:
        more = (
            f" If the truth is as measured, about {wanted:,} labels of each run would settle it."
            if wanted is not None
            else " Labels of these answers alone would not settle it: it takes more cases."
        )
    return (
        f"As people would judge it, the score is {moved} the baseline's "
        f"({_interval(of.low, of.high, of.confidence)}; {of.labels} and {of.baseline_labels} human labels): {said}.{more}"
    )


def by_judges_alone(reason: str) -> str:
    """A statement about the score or its difference, as what it is where judges have a say in it."""
    return (
        f"By the judges alone, not to be trusted: the{reason[3:]}"
        if reason.startswith("The score is ")
        else reason
    )


def too_much_missing(missing: Sequence[str], share: float, margin: float) -> str:
    """Why what has no grade stands in the way of a PASS."""
    return (
        f"{_cases(len(missing))} could not be judged for want of a grade ({share:.1%} of the weight, "
        f"more than the margin of {margin:g}): {_names(missing)}."
    )


def would_settle(needs: Needs, repeats: float) -> str:
    """How much more it takes."""
    ways = []
    if needs.more_cases is not None:
        ways.append(f"about {needs.more_cases:,} more cases at {_times(repeats)} each")
    if needs.repeats is not None:
        ways.append(f"about {needs.repeats:,} repeats of these cases")
    if not ways:
        text = f"{_MEASURED[1]}, no number of cases or repeats would settle it."
    else:
        text = f"{_MEASURED[0]}, {' or '.join(ways)} would settle it."
    if needs.smallest_drop is not None:
        text += f" As it is, it finds a fall of {needs.smallest_drop:.3f} or more four times in five."
    return text


def of_critical(failed: Sequence[str], open_: Sequence[str], asked: int) -> tuple[str, ...]:
    """What there is to say of the critical cases."""
    told = []
    if failed:
        told.append(f"{_cases(len(failed), 'critical ')} failed, of which none may: {_names(failed)}.")
    if open_:
        told.append(f"It is not known whether {_cases(len(open_), 'critical ')} passed: {_names(open_)}.")
    return tuple(told) or (f"No critical case failed ({asked} asked).",)


def of_run(binding: Sequence[Judged], segments: Sequence[Judged], pairs: Pairs) -> tuple[str, ...]:
    """All reasons: those that decide first; then what stands open beside them, and what was not compared."""
    order = (Outcome.FAIL, Outcome.INCONCLUSIVE, Outcome.PASS)
    told = [
        _of(one) + reason
        for kind in order
        for one in binding
        if one.outcome is kind
        for reason in one.reasons
    ]
    unsettled = [f"{one.dimension} {one.value}" for one in segments if one.outcome is Outcome.INCONCLUSIVE]
    if unsettled:
        told.append(f"Not settled by itself, which does not hold the suite up: {_names(unsettled)}.")
    for names, why in (
        (pairs.only_baseline, "asked only for the baseline"),
        (pairs.only_candidate, "asked only for the candidate, so not compared"),
        (pairs.changed, "changed since the baseline, so not compared"),
    ):
        if names:
            told.append(f"{_cases(len(names))} {why}: {_names(names)}.")
    return tuple(told)


def _of(one: Judged) -> str:
    return f"{one.dimension} {one.value}: " if one.dimension and one.dimension != "criticality" else ""


def _p(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def _interval(low: float, high: float, confidence: float) -> str:
    return f"{confidence * 100:g} % interval {low:.3f} to {high:.3f}"


def _cases(count: int, kind: str = "") -> str:
    return f"{count:,} {kind}case{'' if count == 1 else 's'}"


def _families(count: int, clusters: int) -> str:
    return "" if clusters == count else f" of {clusters:,} famil{'y' if clusters == 1 else 'ies'}"


def _times(repeats: float) -> str:
    return "1 answer" if repeats == 1 else f"{repeats:g} answers"


def _names(names: Sequence[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more:,} more" if more > 0 else "")
