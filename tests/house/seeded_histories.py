"""Defects of imported histories that tests must find."""

from __future__ import annotations

from house.seeded import Defect

DEFECTS = (
    Defect(
        "importing again adds everything again",
        "registry/rules/histories.py",
        "elif left[mark] > 0:",
        "elif False:",
        "tests/applications/test_histories.py::test_an_import_again_adds_nothing_and_a_step_back_is_kept",
    ),
)
