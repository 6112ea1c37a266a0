"""Seeded defects of the verdicts of evals."""

from __future__ import annotations

from house.seeded import Defect

RULES = "tests/evals/rules"
DEFECTS = (
    Defect(
        "a critical case that nobody graded has passed",
        "evals/rules/verdicts.py",
        "if one.undecided and not one.failed)",
        "if one.undecided and one.failed)",
        f"{RULES}/test_verdicts.py::test_a_critical_case_without_a_grade_never_passes",
    ),
    Defect(
        "an answer without a grade is taken as nought",
        "evals/rules/asked.py",
        "float(trial.score) for trial in trials if trial.score is not None",
        "float(trial.score or 0) for trial in trials",
        f"{RULES}/test_verdicts.py::test_what_has_no_grade_is_told_and_more_of_it_than_the_margin_is_no_pass",
    ),
    Defect(
        "what has no grade holds no PASS up",
        "evals/rules/verdicts.py",
        "    if group.share > bars.margin or (",
        "    if False or (",
        f"{RULES}/test_verdicts.py::test_a_case_that_the_candidate_was_not_asked_is_missing",
    ),
    Defect(
        "cases of one family count as so many",
        "evals/rules/intervals.py",
        "keys = [name or (position,) for",
        "keys = [(position,) for",
        f"{RULES}/test_pairing.py::test_a_family_is_one_piece_of_evidence",
    ),
    Defect(
        "where nothing was seen to change nothing can",
        "evals/rules/pairing.py",
        "    far = max(abs(float(special.stdtrit(of.df, level))) * of.se, z2 / (of.effective + z2))",
        "    far = abs(float(special.stdtrit(of.df, level))) * of.se",
        f"{RULES}/test_pairing.py::test_a_handful_of_cases_shows_nothing",
    ),
    Defect(
        "a feature is not adjusted for the others",
        "evals/rules/behaviour.py",
        "hits, whole = np.zeros(len(observed)), signed.sum(axis=0)",
        "return np.asarray([max_t(column[:, None], rng, draws)[0] for column in differences.T]) "
        "if len(observed) > 1 else np.asarray([max(0.001, 1 - float(special.erf(observed[0] / 1.4142)))])",
        f"{RULES}/test_behaviour.py::test_swapped_pairs_seldom_alarm_by_max_t",
    ),
    Defect(
        "a bar is passed by the score alone",
        "evals/rules/verdicts.py",
        "    if good is not None and good <= alpha:",
        "    if good is not None and good <= 0.5:",
        f"{RULES}/test_verdicts.py::test_a_score_against_the_bar_has_three_outcomes",
    ),
)
