"""Defects of change windows and freezes that tests must find."""

from __future__ import annotations

from house.seeded import Defect

WINDOWS = "tests/changes/rules/test_windows.py"
FREEZES = "tests/changes/rules/test_freezes.py"

DEFECTS = (
    Defect(
        "a window opens an hour off on the day when clocks change",
        "changes/rules/windows.py",
        "                stop = _transition(zone, start, stop)\n",
        "                stop = max(stop, start)\n",
        f"{WINDOWS}::test_boundaries_at_a_change_of_the_clocks",
    ),
    Defect(
        "a day off ends a day early",
        "changes/rules/windows.py",
        "for day in (first, last + DAY))",
        "for day in (first, last))",
        f"{WINDOWS}::test_days_off_are_days_of_the_windows_own_zone",
    ),
    Defect(
        "an emergency passes a stop of everything",
        "changes/rules/freezes.py",
        "not (emergency and one.lets_emergencies)",
        "not emergency",
        f"{FREEZES}::test_an_emergency_passes_windows_but_freezes_only_that_let_it",
    ),
    Defect(
        "a freeze that is planned is not seen by what says when it may go on",
        "changes/rules/freezes.py",
        "        instant = opens\n",
        "        return opens\n",
        f"{FREEZES}::test_the_next_start_is_after_every_freeze_and_in_a_window",
    ),
)
