"""Seeded defects of judges."""

from __future__ import annotations

from house.seeded import Defect

JUDGING = "tests/evals/judges/test_judging.py"
TRUSTING = "tests/evals/judges/test_trusting.py"
DEFECTS = (
    Defect(
        "a judge may grade with too few labels",
        "evals/rules/judging.py",
        "    if len(labels) < LEAST_LABELS:",
        "    if len(labels) < 1:",
        f"{JUDGING}::test_a_judge_without_labels_is_refused_in_its_place",
    ),
    Defect(
        "what is no verdict is a low one",
        "evals/rules/judging.py",
        "        return Said(None, \"the judge's reply does not end",
        "        return Said(0.0, \"the judge's reply does not end",
        f"{JUDGING}::test_only_a_verdict_of_the_scale_counts",
    ),
    Defect(
        "the order of two answers decides",
        "evals/rules/judging.py",
        "    if forth.score == 1 - back.score:",
        "    if forth.score is not None:",
        f"{JUDGING}::test_where_the_order_decides_it_is_a_tie",
    ),
    Defect(
        "a judge that nothing corrects passes a run",
        "evals/rules/settling.py",
        "    alone = Outcome.INCONCLUSIVE if part.outcome is Outcome.PASS else part.outcome",
        "    alone = part.outcome",
        f"{TRUSTING}::test_what_no_label_corrects_is_no_pass",
    ),
    Defect(
        "a difference that judges alone see passes a run",
        "evals/rules/settling.py",
        "        outcomes.append(_apart(part, of, bars) if of.value is not None else alone)",
        "        outcomes.append(part.outcome)",
        "tests/evals/judges/test_comparing.py::test_the_margin_is_held_against_the_corrected_difference",
    ),
    Defect(
        "labels count whoever chose them",
        "evals/rules/trusting.py",
        "    done = next((place for place, one in enumerate(found) if one.label is None), len(found))",
        "    done = len(found)",
        f"{TRUSTING}::test_only_labels_in_the_order_given_count",
    ),
)
