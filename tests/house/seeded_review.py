"""Seeded defects of production review."""

from __future__ import annotations

from house.seeded import Defect

ONLINE = "tests/evals/review/test_online_rules.py"
ASKS = "tests/evals/review/test_asks.py"
QUEUE = "tests/evals/review/test_queue.py"
RULES = "evals/rules/online.py"
VERBS = "evals/actions/review.py"
DEFECTS = (
    Defect(
        "a part of an answer without a finding is clean",
        RULES,
        "        if not answer.whole or len(answer.text) > LONGEST:",
        "        if len(answer.text) > LONGEST:",
        f"{ONLINE}::test_what_cannot_be_judged_is_unknown_and_never_clean",
    ),
    Defect(
        "an answer that nobody kept is clean",
        RULES,
        '            return Looked(unknown=dict.fromkeys(plan.dimensions, answer.why or "the answer is not known"))',
        "            return Looked(clean=plan.dimensions)",
        f"{ONLINE}::test_what_cannot_be_judged_is_unknown_and_never_clean",
    ),
    Defect(
        "what the user wrote themselves is a leak",
        RULES,
        "            if text[one.start : one.end].casefold() not in given",
        "            if text[one.start : one.end] not in given",
        f"{ONLINE}::test_what_the_model_was_given_is_no_leak_of_it",
    ),
    Defect(
        "a call that comes again is counted again",
        VERBS,
        "        if rules.fingerprint(one.call) not in before\n",
        "        if rules.fingerprint(one.call) != 0\n",
        f"{QUEUE}::test_a_call_that_comes_again_is_counted_and_queued_once[sqlite]",
    ),
    Defect(
        "what was unknown stays in the count when it is known",
        VERBS,
        "            row[2] -= weight",
        "            row[2] -= 0",
        f"{QUEUE}::test_a_call_whose_content_came_later_is_counted_in_the_place_of_what_it_was[sqlite]",
    ),
    Defect(
        "the same person is both who look",
        "evals/rules/review.py",
        "    if any(one.reviewer == person for one in votes):",
        "    if any(one.reviewer is person for one in ()):",
        f"{QUEUE}::test_two_who_agree_settle_it_and_a_third_decides_where_they_do_not[sqlite]",
    ),
    Defect(
        "two who disagree settle it",
        "evals/rules/review.py",
        "    return len(reviewers) > 2 or not disagree(votes)",
        "    return len(reviewers) > 1",
        f"{QUEUE}::test_two_who_agree_settle_it_and_a_third_decides_where_they_do_not[sqlite]",
    ),
    Defect(
        "harm is told to nobody",
        "evals/rules/review.py",
        "        and one.confidence >= policy.raise_at",
        "        and one.confidence > 1",
        f"{QUEUE}::test_harm_is_told_at_once_and_once_and_quotes_nothing[sqlite]",
    ),
    Defect(
        "a sampled answer counts for one call only",
        "evals/reads/review.py",
        "            weights.append((1 / one.item.inclusion, said is Decision.CONFIRMED))",
        "            weights.append((1.0, said is Decision.CONFIRMED))",
        f"{QUEUE}::test_what_was_missed_is_estimated_by_how_rarely_it_is_drawn[sqlite]",
    ),
    Defect(
        "a judge is told at once whatever its labels show",
        "evals/actions/review_asks.py",
        "    if basis is Basis.JUDGE and shown is not None and shown.agrees:",
        "    if basis is Basis.JUDGE and shown is not None:",
        f"{ASKS}::test_only_a_judge_that_surely_agrees_with_people_is_told_at_once[sqlite-evidence2-judge-0]",
    ),
    Defect(
        "a judge's ceiling is crossed by one question",
        "evals/rules/review_judging.py",
        "    if spent + dearest > ceiling:",
        "    if spent > ceiling:",
        "tests/evals/review/test_judging_rules.py::test_a_ceiling_is_not_crossed_and_what_has_no_price_cannot_be_held_to_it",
    ),
    Defect(
        "a verdict that is known is overruled by a later one",
        "evals/actions/review_asks.py",
        "    if not store.settle(tx, ask, outcome, ctx.now) or not outcome.failed:",
        "    if store.settle(tx, ask, outcome, ctx.now) is None or not outcome.failed:",
        f"{ASKS}::test_a_verdict_is_kept_once[sqlite]",
    ),
    Defect(
        "what a judge failed counts as what rules found",
        "evals/reads/review.py",
        "    return {each.dimension for each in one.found if not each.basis.is_judge}",
        "    return {each.dimension for each in one.found}",
        f"{ASKS}::test_what_a_judge_fails_joins_the_calls_item_and_is_counted_by_itself[sqlite]",
    ),
)
