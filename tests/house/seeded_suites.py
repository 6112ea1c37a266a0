"""Defects of suites that tests must find."""

from __future__ import annotations

from house.seeded import Defect

APPLIED = "tests/evals/suites/test_applied.py"
DOORS = "tests/evals/suites/test_doors.py"
ROUND_TRIP = "tests/evals/suites/test_round_trip.py"
WRITTEN = "tests/evals/suites/test_written.py"

DEFECTS = (
    Defect(
        "good suites are applied beside bad ones",
        "evals/rules/written.py",
        "        return Read((), tuple(faults))\n",
        "        return Read(tuple(suite for _, suite in made), tuple(faults))\n",
        f"{WRITTEN}::test_one_bad_file_among_good_ones_gives_no_suite",
    ),
    Defect(
        "an id that comes twice is taken",
        "evals/rules/written.py",
        "            if case_id in places:\n",
        "            if case_id in places and case is None:\n",
        f"{WRITTEN}::test_faults_in_json_lines_have_their_line",
    ),
    Defect(
        "authors read holdout cases",
        "evals/reads/suites.py",
        "    if not case.holdout:\n        return case\n",
        "    return case\n",
        f"{DOORS}::test_only_admins_read_holdouts",
    ),
    Defect(
        "differences tell what holdout cases say",
        "evals/rules/differences.py",
        "fields = () if hidden and not holdouts else",
        "fields = () if hidden and holdouts is None else",
        f"{ROUND_TRIP}::test_of_a_holdout_only_that_it_differs_is_told_to_others",
    ),
    Defect(
        "applying without the holdout takes it away",
        "evals/actions/suites.py",
        "cases=suite.cases + secret))",
        "cases=suite.cases))",
        f"{APPLIED}::test_whoever_may_not_see_holdouts_neither_sees_nor_touches_them",
    ),
    Defect(
        "what is expected is not in a case's hash",
        "evals/rules/hashing.py",
        '{"input": _said(asked), "expect": listed}',
        '{"input": _said(asked), "expect": len(listed)}',
        f"{WRITTEN}::test_the_hash_is_of_what_can_change_a_grade",
    ),
    Defect(
        "a version that somebody else made meanwhile is overwritten",
        "evals/actions/suites.py",
        "        if current != wanted:\n",
        "        if current < wanted:\n",
        f"{APPLIED}::test_nothing_is_half_applied",
    ),
    Defect(
        "a text that YAML takes for a number is written bare",
        "evals/rules/writing.py",
        "if from_yaml(made.encode()) != written:",
        "if not made:",
        f"{ROUND_TRIP}::test_what_is_written_reads_back_as_the_same_suite",
    ),
)
