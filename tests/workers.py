"""How the tests are shared out among workers (`pytest -n 2`)."""

from __future__ import annotations

from xdist.scheduler import LoadScopeScheduling

BEGIN_WITH = (
    "tests/browser/test_tasks.py",
    "tests/scenarios/test_kill9.py",
    "tests/telemetry/test_governance.py",
    "tests/scenarios",
    "tests/demo",
    "tests/commands",
    "tests/telemetry/test_counted_once.py",
    "tests/telemetry/conventions/test_never_raises.py",
)
"""What takes longest begins first, so that no worker is left with it at the end."""
ALONE = "::test_its_test_turns_red["
"""Tests that share nothing with others of their file: they fill the gaps at the end."""


def unit(test: str) -> str:
    """What a test goes to a worker with: all of its file, which share a core; the demo's, which share the model."""
    file = test.partition("::")[0]
    if ALONE in test:
        return test
    return "tests/demo" if file.startswith("tests/demo/") else file


def rank(test: str) -> int:
    """Place in the order of tests; within one place they stay as they were found."""
    if ALONE in test:
        return len(BEGIN_WITH) + 1
    return next((place for place, start in enumerate(BEGIN_WITH) if test.startswith(start)), len(BEGIN_WITH))


class ByUnit(LoadScopeScheduling):
    """Gives a worker the next unit when it is about to run out."""

    def _split_scope(self, nodeid: str) -> str:
        return unit(nodeid)
