"""Defects of applications that tests must find."""

from __future__ import annotations

from house.seeded import Defect

DOORS = "tests/applications/test_doors.py"

DEFECTS = (
    Defect(
        "who has a key is told apart by nothing",
        "gateway/reads/serving.py",
        "return structs.replace(said, **{route.sticky[0]: key})",
        "return said",
        f"{DOORS}::test_the_prompt_is_that_of_the_release_that_the_gateway_would_choose",
    ),
    Defect(
        "a label called production can be set by hand",
        "applications/actions/labels.py",
        "    if label == PRODUCTION:\n",
        "    if False:\n",
        f"{DOORS}::test_labels_move_but_production_only_by_a_change",
    ),
    Defect(
        "a rollout without a targeting key is answered by chance",
        "applications/reads/flags.py",
        "if one.split and not one.told_apart:",
        "if False:",
        f"{DOORS}::test_flags_are_evaluated_as_openfeature_says",
    ),
    Defect(
        "another deployment under the same id is taken for the first",
        "applications/actions/deployments.py",
        "if replace(kept, received_at=made.received_at, by=made.by) != made:",
        "if False:",
        f"{DOORS}::test_a_deployment_is_announced_once",
    ),
    Defect(
        "a client that starts without Holdfast serves a candidate",
        "client.py",
        'if path is None or not (made.body.get("stable") or not path.exists()):',
        "if path is None:",
        f"{DOORS}::test_the_client_goes_on_when_holdfast_is_away_also_over_a_restart",
    ),
)
