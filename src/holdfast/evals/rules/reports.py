"""A run as a report: Markdown for people, JUnit XML for CI. Pure: from what is known to text."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from typing import NamedTuple
from xml.etree import ElementTree as ET

from holdfast.evals.model import Case, Judged, Outcome, Verdict
from holdfast.evals.states import Graded, Progress, Run

SHOWN_FAILURES = 50
_SIGNS = {Outcome.PASS: "PASS", Outcome.FAIL: "FAIL", Outcome.INCONCLUSIVE: "INCONCLUSIVE"}


class Asked(NamedTuple):
    """A case and the answers to it."""

    case: Case
    answers: Sequence[Graded]


def markdown(run: Run, progress: Progress, verdict: Verdict | None, asked: Sequence[Asked]) -> str:
    """The report as Markdown."""
    lines = [f"# {run.suite} {run.version}: {_outcome(run, verdict)}", ""]
    if verdict is not None:
        lines += [f"- {reason}" for reason in verdict.reasons]
        lines.append("")
    lines += [
        "| | |",
        "|---|---|",
        f"| Answered by | {_cell(_answering(run))} |",
        f"| Answers | {progress.done} of {progress.total}: {progress.passed} passed, {progress.failed} failed, "
        f"{progress.unknown} unknown; {progress.reused} used again |",
        f"| Cost | {cost_text(progress)} |",
        f"| Bars | {_bars(run)} |",
        f"| Suite | `{run.suite_hash[:16]}` |",
        f"| Run | `{run.id}`{f', held against `{run.baseline}`' if run.baseline else ''} |",
        "",
    ]
    if verdict is not None:
        lines += _table(verdict)
    failures = [one for one in asked if any(graded.passed is False for graded in one.answers)]
    if failures:
        lines += ["", f"## Failed ({len(failures)})", ""]
        lines += [line for one in failures[:SHOWN_FAILURES] for line in _failure(one)]
        if len(failures) > SHOWN_FAILURES:
            lines.append(f"- and {len(failures) - SHOWN_FAILURES} more")
    return "\n".join(lines).rstrip() + "\n"


def junit(run: Run, verdict: Verdict | None, asked: Sequence[Asked]) -> str:
    """The report as JUnit XML: a test case for each case, and one for the verdict. Unknown is `skipped`, never a pass."""
    failed = sum(_standing(one) is False for one in asked)
    unknown = sum(_standing(one) is None for one in asked)
    root = ET.Element("testsuites")
    seconds = sum((one.answer.latency_ms or 0) / 1000 for part in asked for one in part.answers)
    suite = ET.SubElement(
        root,
        "testsuite",
        name=f"{run.suite}@{run.version}",
        tests=str(len(asked) + 1),
        time=f"{seconds:.3f}",
    )
    told = ET.SubElement(suite, "testcase", classname=run.suite, name="verdict")
    if verdict is not None:
        ET.SubElement(told, "system-out").text = _plain(f"score {score_text(verdict.suite)}")
    if verdict is None or verdict.outcome is Outcome.INCONCLUSIVE:
        ET.SubElement(told, "skipped", message=_plain(_said(verdict)))
        unknown += 1
    elif verdict.outcome is Outcome.FAIL:
        ET.SubElement(told, "failure", message=_plain(_said(verdict)))
        failed += 1
    for one in asked:
        case = ET.SubElement(suite, "testcase", classname=run.suite, name=_plain(one.case.id))
        standing = _standing(one)
        if standing is False:
            ET.SubElement(case, "failure", message=_plain(_why(one, passed=False)))
        elif standing is None:
            ET.SubElement(case, "skipped", message=_plain(_why(one, passed=None) or "not answered"))
    suite.set("failures", str(failed))
    suite.set("skipped", str(unknown))
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def cost_text(progress: Progress) -> str:
    """What it cost, and how much of that is not known."""
    known = f"{progress.cost.quantize(Decimal('0.000001')).normalize():f} USD"
    return f"{known}, and {progress.unpriced} answers of unknown cost" if progress.unpriced else known


def score_text(one: Judged) -> str:
    """A score with its interval; one that rests on judges as labels correct it, what they alone say beside."""
    trusted = one.trusted
    if trusted is not None and trusted.value is not None:
        return (
            f"{trusted.value:.3f} ({trusted.low:.3f}–{trusted.high:.3f}), corrected by {trusted.labels} labels; "
            f"{trusted.judged:.3f} uncorrected"
        )
    if trusted is not None:
        return f"{trusted.judged:.3f}, {trusted.note}"
    return f"{one.score.value:.3f} ({one.score.low:.3f}–{one.score.high:.3f})" if one.score else "unknown"


def _outcome(run: Run, verdict: Verdict | None) -> str:
    if verdict is None:
        return run.state.value
    return _SIGNS[verdict.outcome] + (f" ({run.note})" if run.note and run.state.value == "stopped" else "")


def _answering(run: Run) -> str:
    parts = [run.release and f"release {run.release}", run.route and f"route {run.route}", run.model]
    said = ", ".join(part for part in parts if part)
    return f"{said} ({run.release_id})" if run.release_id else said


def _bars(run: Run) -> str:
    bars = run.bars
    least = f"score at least {bars.least:g}; " if bars.least is not None else ""
    return f"{least}margin {bars.margin:g}, alpha {bars.alpha:g}, {bars.repeats} answers to each case"


def _table(verdict: Verdict) -> list[str]:
    lines = ["| Part | Verdict | Score | Baseline | Difference | Cases |", "|---|---|---|---|---|---|"]
    parts = [verdict.suite, *([verdict.critical] if verdict.critical else []), *verdict.segments]
    return lines + [_row(one) for one in parts]


def _row(one: Judged) -> str:
    name = f"{one.dimension} {one.value}".strip() or "whole suite"
    score = score_text(one)
    bare = " uncorrected" if one.trusted is not None else ""
    before = f"{one.baseline.value:.3f}{bare}" if one.baseline else ""
    told = one.apart
    change = f"{told.difference:+.3f} ({told.low:+.3f} to {told.high:+.3f})" if told else ""
    if one.trusted is not None and one.comparison is not None:
        change = f"{change}; {one.comparison.difference:+.3f} uncorrected".removeprefix("; ")
    cells = [name, _SIGNS[one.outcome], score, before, change, f"{one.graded} of {one.cases}"]
    return "| " + " | ".join(_cell(cell) for cell in cells) + " |"


def _failure(one: Asked) -> list[str]:
    critical = " (critical)" if one.case.criticality.value == "critical" else ""
    bad = sum(graded.passed is False for graded in one.answers)
    share = f", {bad} of {len(one.answers)} answers" if len(one.answers) > 1 else ""
    return [f"- **{_cell(one.case.id)}**{critical}{share}: {_cell(_why(one, passed=False))}"]


def _why(one: Asked, *, passed: bool | None) -> str:
    """What the graders said of the first answer of that kind."""
    for graded in one.answers:
        reasons = [
            f"{grade.grader}: {grade.reason}" if grade.reason else grade.grader
            for grade in graded.grades
            if grade.passed is passed
        ]
        if graded.passed is passed and reasons:
            return "; ".join(reasons)[:1000]
    return ""


def _standing(one: Asked) -> bool | None:
    told = [graded.passed for graded in one.answers]
    return False if False in told else None if None in told or not told else True


def _said(verdict: Verdict | None) -> str:
    return "; ".join(verdict.reasons)[:2000] if verdict else "the run is not over"


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())[:500]


def _plain(text: str) -> str:
    """Without what XML cannot hold."""
    return "".join(one for one in text if one in "\t\n" or (one >= " " and not "\ud800" <= one <= "\udfff"))
