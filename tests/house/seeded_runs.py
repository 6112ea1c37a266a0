"""Seeded defects of runs of suites."""

from __future__ import annotations

from house.seeded import Defect

LISTED = "tests/evals/suites/test_runs_listed.py"
TRIGGERS = "tests/evals/suites/test_triggers.py"
CASES = "evals/reads/cases.py"
DEFECTS = (
    Defect(
        "a case passes before all of it was answered",
        CASES,
        '    return "waiting" if found == "passed" and len(told) < due else found',
        "    return found",
        f"{LISTED}::test_failures_stand_first_and_only_what_is_whole_has_passed",
    ),
    Defect(
        "what was said of a holdout is told to its authors",
        CASES,
        "if one.passed is True or (shown[one.case].holdout and not holdouts):",
        "if one.passed is True:",
        f"{LISTED}::test_a_holdout_tells_nothing_but_how_it_stands",
    ),
    Defect(
        "another run's answer to a holdout is shown",
        CASES,
        "    return found if holdouts or not case.holdout else found.without_content()",
        "    return found",
        f"{LISTED}::test_a_holdout_tells_nothing_but_how_it_stands",
    ),
    Defect(
        "an answer that one grader cannot judge passes by the others",
        "evals/rules/scoring.py",
        "    if not pairs or any(grade.score is None or grade.passed is None for _, grade in pairs):",
        "    if not pairs or all(grade.score is None or grade.passed is None for _, grade in pairs):",
        "tests/evals/rules/test_scoring.py::test_score_and_pass",
    ),
    Defect(
        "answers of an unknown release are used again",
        "evals/rules/scoring.py",
        "    if not release_id:\n",
        "    if release_id is None:\n",
        "tests/evals/rules/test_scoring.py::test_what_answers_alike_must_be_known",
    ),
    Defect(
        "an unknown case is a passed test in CI",
        "evals/rules/reports.py",
        "        elif standing is None:\n",
        "        elif standing == 0:\n",
        "tests/evals/rules/test_reports.py::test_junit_counts_unknown_as_skipped",
    ),
    Defect(
        "a question that is asked again is paid for again",
        "gateway/proxy/once.py",
        "            if 200 <= told.status < 300:",
        "            if told.status == 1:",
        "tests/gateway/test_once.py::test_the_same_name_has_the_same_answer_and_another_asks_anew",
    ),
    Defect(
        "runs pile up behind one that is not over",
        "evals/actions/triggers.py",
        '    problem = _waits(ctx, tx, one) if called else ""',
        '    problem = ""',
        f"{TRIGGERS}::test_no_run_begins_while_the_one_before_is_not_over",
    ),
    Defect(
        "what could not begin is forgotten",
        "evals/actions/triggers.py",
        "{*found} - missed",
        "{*found}",
        f"{TRIGGERS}::test_what_could_not_begin_is_news_again",
    ),
    Defect(
        "feedback outlives the person who gave it",
        "feedback/actions/erasing.py",
        "        for id in theirs:",
        "        for id in theirs[:0]:",
        "tests/feedback/test_erasing.py::test_feedback_on_their_traces_and_by_them_loses_its_words",
    ),
)
