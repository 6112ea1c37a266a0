"""Seeded defects of the registry and of the classes of changes."""

from __future__ import annotations

from house.seeded import Defect

EDITED = "tests/changes/rules/test_edited.py"
CLASSES = "tests/changes/rules/test_classes.py"
DECIDED = "tests/changes/test_decided.py"
STATES = "tests/changes/rules/test_states.py"
DEFECTS = (
    Defect(
        "a changed placeholder counts as formatting",
        "changes/rules/edited.py",
        "    if before != after:\n",
        "    if len(before) != len(after):\n",
        f"{EDITED}::test_placeholders_and_what_nobody_sees_are_major",
    ),
    Defect(
        "what stands by a number counts as punctuation",
        "changes/rules/words.py",
        "        if counts:\n",
        "        if counts and not one.text:\n",
        f"{EDITED}::test_what_may_change_the_meaning_is_moderate",
    ),
    Defect(
        "a guardrail that stops less counts as strengthened",
        "changes/rules/weakening.py",
        "weaker = _ACTIONS.index(new.action) < _ACTIONS.index(old.action)",
        "weaker = False",
        f"{CLASSES}::test_a_weakened_guardrail_is_major",
    ),
    Defect(
        "a class is lowered without a reason",
        "changes/rules/classes.py",
        " and not lowered_because.strip()",
        " and lowered_because is None",
        f"{CLASSES}::test_a_class_is_raised_freely_and_lowered_with_a_reason",
    ),
    Defect(
        "a version takes the place of one that has its number",
        "registry/store/versions.py",
        "    return tx.insert_new(versions, values, key=_KEY)",
        "    tx.upsert(versions, values, key=_KEY)\n    return True",
        "tests/registry/test_versions.py::test_of_two_that_read_the_same_latest_one_is_told",
    ),
    Defect(
        "an author approves what is their own",
        "changes/rules/reviewing.py",
        "    if person.id in {change.author.id, *change.editors, *authors}:\n",
        "    if person.id in {change.author.name}:\n",
        f"{DECIDED}::test_an_author_does_not_approve",
    ),
    Defect(
        "a review that only the database has counts",
        "changes/rules/reviewing.py",
        "        if one.id not in logged:\n",
        "        if not one.id:\n",
        f"{DECIDED}::test_a_review_that_only_the_database_has_does_not_count",
    ),
    Defect(
        "an inconclusive gate passes by itself",
        "changes/rules/states.py",
        "    if (change.gate is Verdict.PASS or accepted or emergency)",
        "    if (change.gate is not Verdict.FAIL or accepted or emergency)",
        f"{STATES}::test_nothing_passes_a_gate_that_is_not_passed",
    ),
    Defect(
        "overdue stages are folded together",
        "changes/rules/states.py",
        "            return _to(change, State.RAMPING, now, reason, stage=change.stage + 1)\n",
        "            return _to(change, State.RAMPING, now, reason, stage=len(policy.stages) - 1)\n",
        f"{STATES}::test_whatever_happens_no_state_is_reached_but_by_its_steps",
    ),
    Defect(
        "a freeze stands in the way of a stop",
        "changes/rules/states.py",
        "now, seen.stop, stage=change.stage)\n    if seen.hold:",
        "now, seen.stop, stage=change.stage) if not seen.blocked else change\n    if seen.hold:",
        f"{STATES}::test_what_is_worse_is_stopped_everywhere",
    ),
    Defect(
        "a document moves governed traffic",
        "gateway/rules/overlaying.py",
        "                if field in SPLIT\n",
        "                if field not in SPLIT\n",
        "tests/gateway/control/test_governed.py::test_a_document_cannot_move_governed_traffic",
    ),
    Defect(
        "files are applied beside another open change without a word",
        "changes/actions/applying.py",
        "    if blocked and not beside:\n",
        "    if blocked and beside:\n",
        "tests/changes/test_applied_files.py::test_another_open_change_of_the_route_is_a_conflict",
    ),
    Defect(
        "another plan than the one that was looked at is applied",
        "changes/actions/applying.py",
        "    if digest and digest != found.digest:\n",
        "    if digest and not found.digest:\n",
        "tests/changes/test_applied_files.py::test_a_plan_that_is_another_by_now_is_not_applied",
    ),
    Defect(
        "a release names a knowledge snapshot that nobody registered",
        "gateway/rules/configured_releases.py",
        "    if retrieval.snapshot and retrieval.snapshot not in manifests:\n",
        "    if retrieval.snapshot and not retrieval.snapshot.strip():\n",
        "tests/gateway/control/test_governed.py::test_a_neighbours_manifest_is_no_snapshot_of_ours",
    ),
)
