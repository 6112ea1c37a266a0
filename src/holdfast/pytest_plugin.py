"""A pytest plugin: a suite of Holdfast as one test. Loads nothing of Holdfast before a test asks for it.

def test_the_assistant(holdfast_eval):
    holdfast_eval("northwind-hr", release="v2", least=0.8)
"""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Verdict = dict[str, Any]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Says where the core is."""
    group = parser.getgroup("holdfast")
    group.addoption("--holdfast-url", default="", help="Address of the core; or HOLDFAST_URL")
    group.addoption("--holdfast-key", default="", help="API key with read and operate; or HOLDFAST_API_KEY")
    group.addoption("--holdfast-data", default="data", help="Data folder of a core on this machine")


@pytest.fixture(scope="session")
def holdfast_eval(request: pytest.FixtureRequest) -> Callable[..., Verdict]:
    """A function that asks a suite and returns the run when it passed. The test fails where it did not.

    Takes what `POST /api/v1/evals/runs` does: `release`, `baseline`, `repeats`, `least`, `margin`, `seed`, `max_cost` … An
    INCONCLUSIVE verdict fails the test too, with what would settle it; `inconclusive="skip"` skips the test instead.
    """
    from holdfast.commands import evals
    from holdfast.platform.settings import Settings, environment_variable

    option = request.config.getoption
    values: dict[str, Any] = {"data": Path(option("--holdfast-data"))}
    url = option("--holdfast-url") or environment_variable("HOLDFAST_URL") or ""
    key = option("--holdfast-key") or environment_variable("HOLDFAST_API_KEY") or ""
    where = evals.Where(Settings(**values), "", url, key)

    def ask(suite: str, *, inconclusive: str = "fail", **wanted: Any) -> Verdict:
        __tracebackhide__ = True
        found = evals.finished(where, {"suite": suite, **wanted}, io.StringIO())
        verdict = found["verdict"]
        outcome = verdict["outcome"] if verdict else found["state"]
        reasons = "\n".join(f"  {one}" for one in (verdict["reasons"] if verdict else [found["note"]]))
        told = f"{suite}@{found['version']}: {outcome.upper()}, run {found['id']}\n{reasons}"
        if outcome == "pass" and found["state"] == "done":
            return found
        if outcome == "inconclusive" and inconclusive == "skip":
            pytest.skip(told)
        pytest.fail(told, pytrace=False)

    return ask
