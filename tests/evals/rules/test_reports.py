"""Reports of runs: what failed is said, what is unknown is no pass, and no text breaks a file."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from xml.etree import ElementTree as ET

from hypothesis import given
from hypothesis import strategies as st

from holdfast.evals.model import Answer, Bars, Case, CaseInput, Expectation, Grade, Trial
from holdfast.evals.rules import reports, verdicts
from holdfast.evals.states import Graded, Progress, Run, RunState, Trigger

NOW = datetime(2026, 11, 20, tzinfo=UTC)
RUN = Run(
    "run_1", "ws", "hr", 3, "a" * 64, "ask", "v2", "rel_1", "", "", Bars(least=0.5), 3, None, 8, None, True,
    Trigger.DEMAND, NOW, "somebody", RunState.DONE,
)  # fmt: skip
PROGRESS = Progress(3, 3, 1, 1, 1, 0, Decimal("0.0123"), 1, NOW, NOW)


def asked(id: str, passed: bool | None, reason: str = "") -> reports.Asked:
    score = None if passed is None else float(passed)
    grade = Grade("exact", "1", score, passed, reason)
    case = Case(id, CaseInput(), (Expectation("exact"),))
    return reports.Asked(case, [Graded(id, "h", 0, Answer("x"), (grade,), score, passed, False, NOW)])


ALL = [asked("good", True), asked("bad", False, "not <that> | but this"), asked("odd", None, "cut off")]
VERDICT = verdicts.judge(
    [Trial(one.case.id, score=one.answers[0].score, passed=one.answers[0].passed) for one in ALL], RUN.bars
)


def test_markdown_says_what_failed_and_what_it_cost() -> None:
    text = reports.markdown(RUN, PROGRESS, VERDICT, ALL)
    assert text.startswith("# hr 3: INCONCLUSIVE")
    assert "0.0123 USD, and 1 answers of unknown cost" in text
    assert "- **bad**: exact: not <that> \\| but this" in text
    assert "**good**" not in text


def test_junit_counts_unknown_as_skipped() -> None:
    root = ET.fromstring(reports.junit(RUN, VERDICT, ALL))
    [suite] = root.findall("testsuite")
    assert (suite.get("tests"), suite.get("failures"), suite.get("skipped")) == ("4", "1", "2")
    assert suite.find("testcase[@name='odd']/skipped") is not None
    assert suite.find("testcase[@name='good']/*") is None
    assert ET.fromstring(reports.junit(replace(RUN, state=RunState.CANCELLED), None, [])) is not None


@given(st.text(max_size=40), st.text(max_size=80))
def test_no_text_breaks_a_report(id: str, reason: str) -> None:
    one = asked(id, False, reason)
    ET.fromstring(reports.junit(RUN, VERDICT, [one]).encode())
    lines = reports.markdown(RUN, PROGRESS, VERDICT, [one]).splitlines()
    assert sum(line.startswith("- **") for line in lines) == 1
