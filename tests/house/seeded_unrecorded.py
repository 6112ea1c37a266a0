"""Defects of configurations that nobody recorded, which tests must find."""

from __future__ import annotations

from house.seeded import Defect

RULES = "tests/applications/test_unrecorded.py::test_what_ran_is_held_against_what_is_registered"
DEFECTS = (
    Defect(
        "what was not seen counts as registered",
        "telemetry/rules/recorded.py",
        "Match.UNKNOWN if unseen else Match.RECORDED",
        "Match.RECORDED",
        RULES,
    ),
    Defect(
        "a parameter that no release sets is let pass",
        "telemetry/rules/recorded.py",
        "after._replace(parameters=_without(seen, alike))",
        "after._replace(parameters=_without(seen, alike | (seen.keys() - said.keys())))",
        RULES,
    ),
    Defect(
        "a masked text is registered as what was sent",
        "telemetry/rules/recorded.py",
        "    if runs is None:\n        return None\n",
        "    if runs is None:\n        runs = [(0, len(pieces))]\n",
        "tests/applications/test_unrecorded.py::test_a_text_that_was_masked_is_not_taken_for_what_was_sent",
    ),
)
