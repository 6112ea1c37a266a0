"""Seeded defects of the coverage of suites."""

from __future__ import annotations

from house.seeded import Defect

RULES = "tests/evals/rules/test_coverage.py"
DEFECTS = (
    Defect(
        "what is like no group counts as not covered",
        "evals/rules/coverage.py",
        "share((labels >= 0) & ~covered, weights, units)",
        "share(~covered, weights, units)",
        f"{RULES}::test_what_is_like_nothing_is_unknown_and_neither_covered_nor_not",
    ),
    Defect(
        "traffic without a graded case counts as known",
        "evals/rules/coverage.py",
        "unknown = 1 - (1 - found.blind) * weight",
        "unknown = found.blind",
        f"{RULES}::test_the_headline_weighs_by_what_is_asked",
    ),
    Defect(
        "a system that keeps every tenth question counts for a tenth",
        "evals/rules/coverage.py",
        "[traffic.get(one, read[one]) / read[one] for one in places]",
        "[1.0 for one in places]",
        f"{RULES}::test_calls_count_for_what_they_were_drawn_for",
    ),
    Defect(
        "a case covers the nearest group, however far it is",
        "evals/rules/coverage.py",
        "if near[case, group] >= min(NEAR, np.quantile(own, reach) - 1e-6):",
        "if len(own):",
        f"{RULES}::test_a_case_far_from_what_is_asked_covers_nothing",
    ),
    Defect(
        "a case is made with an expectation that nobody wrote",
        "evals/actions/coverage.py",
        "    if not expected.strip():",
        "    if not messages:",
        "tests/evals/coverage/test_kept.py::test_nobody_s_expectation_is_invented",
    ),
)
