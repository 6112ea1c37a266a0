"""The verdict of a run whose score rests on judges: held against its bars as labels correct it, never by judges alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from holdfast.evals.model import Bars, Judged, Outcome, Trusted, Verdict, Versus
from holdfast.evals.rules import comparing, wording
from holdfast.evals.rules.verdicts import worst


def settled(raw: Verdict, bars: Bars, groups: Mapping[tuple[str, str], Trusted]) -> Verdict:
    """The verdict, where judges have a say. `raw` was worked out without the least score wherever that is corrected:
    the corrected interval is held against it here, and the corrected difference against the margin. What no label
    corrects is never a PASS.
    """

    def with_trust(one: Judged) -> tuple[Judged, tuple[str, ...]]:
        trusted = groups.get((one.dimension, one.value))
        if trusted is None:
            return one, ()
        outcome, said = _held(one, trusted, bars)
        corrected = trusted.value is not None and bars.least is not None
        kept = [
            alone
            for reason in one.reasons
            if (alone := wording.by_judges_alone(reason)) and not (corrected and reason == wording.NO_BAR)
        ]
        made = replace(one, trusted=trusted, outcome=outcome, reasons=(*said, *kept), needs=None)
        return made, said

    if ("", "") not in groups:
        return raw
    suite, said = with_trust(raw.suite)
    segments = tuple(with_trust(one)[0] for one in raw.segments)
    binding = [suite, *([raw.critical] if raw.critical else [])]
    binding += [one for one in segments if one.outcome is Outcome.FAIL]
    others = [reason for reason in raw.reasons if reason not in raw.suite.reasons]
    return replace(
        raw,
        outcome=worst([one.outcome for one in binding]),
        reasons=(*said, *others, *suite.reasons[len(said) :]),
        suite=suite,
        segments=segments,
        criticalities=tuple(with_trust(one)[0] for one in raw.criticalities),
    )


def _held(part: Judged, trusted: Trusted, bars: Bars) -> tuple[Outcome, tuple[str, ...]]:
    """What a part comes to by the corrected intervals, and why; never a PASS where nothing corrects it."""
    names, of = ", ".join(trusted.judges), trusted.versus
    apart = []
    if of is not None:
        wanted = comparing.labels_wanted(of, bars.margin)
        apart = [wording.against_baseline_corrected(of, comparing.held(of, bars), bars, wanted)]
    alone = Outcome.INCONCLUSIVE if part.outcome is Outcome.PASS else part.outcome
    if trusted.value is None or trusted.low is None or trusted.high is None:
        said = f"The score {trusted.judged:.3f} rests on the judge {names}: {trusted.note}."
        return alone, (said, *apart)
    outcomes, held = [], ""
    all_graded = part.graded == part.cases or part.outcome is Outcome.PASS
    if bars.least is not None:
        if trusted.low >= bars.least:
            outcomes.append(Outcome.PASS if all_graded else Outcome.INCONCLUSIVE)
            held = f", shown to be at least {bars.least:g}"
        elif trusted.high < bars.least:
            outcomes.append(Outcome.FAIL)
            held = f", shown to be below the least score {bars.least:g}"
        else:
            outcomes.append(Outcome.INCONCLUSIVE)
            held = f", not shown to be above or below the least score {bars.least:g}"
    if of is not None:
        outcomes.append(_apart(part, of, bars) if of.value is not None else alone)
    said = (
        f"As people would judge it: {trusted.value:.3f} ({trusted.low:.3f} to {trusted.high:.3f}){held}; corrected by "
        f"{trusted.labels} human labels ({trusted.method}). The judge {names} alone says {trusted.judged:.3f}."
    )
    return worst(outcomes) if outcomes else alone, (said, *apart)


def _apart(part: Judged, of: Versus, bars: Bars) -> Outcome:
    """By the corrected difference; what was not compared for want of a grade stands in the way of a PASS."""
    found = comparing.held(of, bars)
    compared = part.comparison is not None and part.comparison.cases == part.cases == part.graded
    return found if found is not Outcome.PASS or compared or part.outcome is found else Outcome.INCONCLUSIVE
