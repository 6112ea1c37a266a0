"""Seeded defects of the triage of feedback."""

from __future__ import annotations

from house.seeded import Defect

RULES = "tests/feedback/test_triage_rules.py"
DEFECTS = (
    Defect(
        "a trend is of counts, however much more there is of everything",
        "feedback/rules/triage.py",
        "        return None if chance >= 1 else chance / (1 - chance) * n0 / n1",
        "        return None if chance >= 1 else chance / (1 - chance)",
        f"{RULES}::test_a_trend_is_of_the_share",
    ),
    Defect(
        "every cause is tested as if it were the only one",
        "feedback/rules/triage.py",
        "np.maximum.accumulate(p[order] * (len(p) - np.arange(len(p))))",
        "np.maximum.accumulate(p[order])",
        f"{RULES}::test_a_cause_is_told_with_fisher_s_p",
    ),
    Defect(
        "a score is called a probability before people have decided",
        "feedback/rules/failures.py",
        "    if n < FEW:\n",
        "    if n < 2:\n",
        f"{RULES}::test_too_few_decisions_calibrate_nothing",
    ),
    Defect(
        "two of last week's categories become one",
        "text/clusters.py",
        "            if cosines[row, column] >= bar:\n                found[int(row)] = int(column)",
        "            found[int(row)] = 0",
        "tests/text/test_clusters.py::test_last_week_s_groups_are_known_again",
    ),
)
