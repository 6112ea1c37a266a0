"""Seeded defects of what guards a staged rollout."""

from __future__ import annotations

from house.seeded import Defect

RULES = "tests/changes/rules"
RELEASES = "tests/evals/review/test_releases.py"
DEFECTS = (
    Defect(
        "an answer that nobody could judge counts as one without a finding",
        "evals/rules/review_releases.py",
        "found if judged else None",
        "found",
        f"{RELEASES}::test_what_one_call_counts_for",
    ),
    Defect(
        "what a rule flagged is shown to heads more often, and counted so",
        "evals/rules/review_releases.py",
        "if head is not None and drawn else None",
        "if head is not None else None",
        f"{RELEASES}::test_what_one_call_counts_for",
    ),
    Defect(
        "grades of what was drawn for being flagged count",
        "evals/store/review_asks.py",
        "c.state == AskState.SAID.value, c.by_chance)",
        "c.state == AskState.SAID.value)",
        f"{RELEASES}::test_grades_are_of_what_chance_drew_and_of_what_the_judge_asked_last[sqlite]",
    ),
    Defect(
        "a guard that one release alone tells is not asked",
        "changes/rules/measuring.py",
        "if asked not in ALWAYS and not (before and before.n) and not (after and after.n):",
        "if asked not in ALWAYS and not (before and before.n and after and after.n):",
        f"{RULES}/test_measuring.py::test_what_is_judged_of_answers",
    ),
    Defect(
        "what review counted of a stage shorter than one count is left out",
        "changes/rules/measuring.py",
        "return Span(span.start - COUNTED, span.end + COUNTED)",
        "return span",
        f"{RULES}/test_measuring.py::test_what_review_counted_of_a_stage_is_all_there_however_short_it_was",
    ),
    Defect(
        "people who met a gateway before it heard of the stage count in its split",
        "changes/reads/observing.py",
        "since = TimeRange(change.first_at, within.end)",
        "since = within",
        "tests/changes/test_core_killed.py::test_a_rollout_survives_a_core_that_is_killed_at_each_stage",
    ),
    Defect(
        "nobody is told of a change's steps",
        "changes/actions/keeping.py",
        "    tell(ctx, tx, before, made)\n",
        "",
        "tests/changes/test_decided.py::test_people_are_told_of_a_step_that_is_kept_and_of_no_other",
    ),
    Defect(
        "the system outside is not waited for",
        "changes/jobs.py",
        "external=outside is not None or not policy_of(change).external",
        "external=True",
        "tests/changes/test_decided.py::test_without_the_system_outside_reviewers_are_not_enough",
    ),
    Defect(
        "any key decides for the system outside",
        "changes/actions/reviewing.py",
        '(ctx.actor.kind, ctx.actor.id) == ("key", policy.external)',
        'ctx.actor.kind == "key"',
        "tests/changes/test_decided.py::test_another_key_does_not_decide_for_the_system_outside",
    ),
    Defect(
        "a comparison goes on without a conclusion",
        "changes/rules/declared.py",
        "    return replace(seen, enough=False)\n",
        "    return seen\n",
        f"{RULES}/test_declared.py::test_what_follows",
    ),
    Defect(
        "what was compared loses traffic when it goes on",
        "changes/rules/states.py",
        "if share > split)",
        "if share > 0)",
        f"{RULES}/test_states.py::test_it_is_compared_at_its_split_and_goes_on_above_it",
    ),
    Defect(
        "each look at a rollout is taken for the only one",
        "changes/rules/sequential.py",
        "return np.asarray(np.sqrt(2 * (x + 1) / x * spent))",
        "return np.asarray(1.645 + 0 * x)",
        f"{RULES}/test_guarding.py::test_a_healthy_canary_is_seldom_aborted_and_goes_on",
    ),
    Defect(
        "no failure seen is none that there can be",
        "changes/rules/sequential.py",
        "+ 1) / (np.asarray(n, dtype=float) + 2)",
        "+ 0) / (np.asarray(n, dtype=float) + 0)",
        f"{RULES}/test_sequential.py::test_no_failures_in_either_arm_bound_the_difference_about_as_the_rule_of_three_does",
    ),
    Defect(
        "a lucky start of a bad release passes",
        "changes/rules/guarding.py",
        "np.maximum(var_c, least)",
        "var_c",
        f"{RULES}/test_guarding.py::test_twice_the_failures_are_caught_and_do_not_go_on",
    ),
    Defect(
        "every stop metric has the whole of alpha",
        "changes/rules/guarding.py",
        "judge(one, alpha / kinds.count(one.metric.kind), alpha)",
        "judge(one, alpha, alpha)",
        f"{RULES}/test_guarding.py::test_alpha_is_shared_among_the_metrics_of_a_kind",
    ),
    Defect(
        "a look without data passes",
        "changes/rules/assessing.py",
        "passed, failed = verdict is Verdict.NOT_WORSE,",
        "passed, failed = verdict in (Verdict.NOT_WORSE, Verdict.NO_DATA),",
        f"{RULES}/test_assessing.py::test_nothing_advances_but_on_the_evidence_of_the_last_look_at_every_stop_metric",
    ),
    Defect(
        "what has not failed by the end is a success",
        "changes/rules/assessing.py",
        "        return Outcome.INCONCLUSIVE\n",
        "        return Outcome.SUCCESSFUL\n",
        f"{RULES}/test_assessing.py::test_at_the_end_too_little_is_inconclusive_and_never_a_success",
    ),
    Defect(
        "a stage without a call is as good as one with traffic",
        "changes/rules/soundness.py",
        "Soundness(False if quiet > grace else known,",
        "Soundness(known,",
        f"{RULES}/test_soundness.py::test_a_stage_without_traffic_is_not_sound_after_a_grace",
    ),
    Defect(
        "users are drawn by another hash than before",
        "gateway/rules/splitting.py",
        'f"{release}\\0{key}"',
        'f"{key}\\0{release}"',
        "tests/gateway/rules/test_splitting.py::test_who_takes_what_is_for_ever",
    ),
    Defect(
        "an older snapshot can be put back by a push",
        "gateway/proxy/snapshots.py",
        "if epoch < held:",
        "if epoch < 0:",
        "tests/gateway/test_pushed.py::test_what_is_older_is_not_put_back_by_a_push",
    ),
    Defect(
        "an answer that was on its way undoes a rollback",
        "gateway/proxy/snapshots.py",
        "if self._epoch() == after:",
        "if True:",
        "tests/gateway/test_pushed.py::test_what_was_pushed_is_not_undone_by_an_answer_that_was_on_its_way",
    ),
)
