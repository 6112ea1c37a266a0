"""Runs from the command line and from pytest, as CI has them: exit statuses, reports, and a test that fails."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from tests.evals.runs.desk import Desk, cases, desk

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]


@pytest.fixture(scope="module")
def at(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with desk(tmp_path_factory.mktemp("ci")) as made:
        made.suite("good", cases(40), bars={"least": 0.8})
        made.suite(
            "bad",
            [*cases(30), *[{**one, "id": f"x{one['id']}"} for one in cases(30, "other")]],
            bars={"least": 0.8},
        )
        made.suite("few", cases(3), bars={"least": 0.9})
        yield made


def holdfast(at: Desk, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-m",
        "holdfast",
        "eval",
        *arguments,
        "--data",
        str(at.core.data),
        "--workspace",
        "acme",
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize(("suite", "status"), [("good", 0), ("bad", 1), ("few", 2), ("no-such", 3)])
def test_the_exit_status_is_the_verdict(at: Desk, suite: str, status: int) -> None:
    done = holdfast(at, "run", suite)
    assert done.returncode == status, done.stderr
    word = {0: "PASS", 1: "FAIL", 2: "INCONCLUSIVE", 3: "there is no such suite"}[status]
    assert word in done.stderr


def test_reports_are_written(at: Desk, tmp_path: Path) -> None:
    files = {name: tmp_path / f"report.{name}" for name in ("json", "junit", "markdown")}
    options = [part for name, file in files.items() for part in (f"--{name}", str(file))]
    assert holdfast(at, "run", "bad", *options).returncode == 1
    told = json.loads(files["json"].read_text())
    assert told["verdict"]["outcome"] == "fail"
    assert len(told["cases_with_answers"]) == 60
    [suite] = ET.fromstring(files["junit"].read_text()).findall("testsuite")
    assert suite.get("failures") == "31"
    assert files["markdown"].read_text().startswith("# bad 1: FAIL")
    assert told["id"] in holdfast(at, "list").stdout
    assert holdfast(at, "report", told["id"]).stdout.startswith("# bad 1: FAIL")


def test_from_elsewhere_by_address_and_key(at: Desk) -> None:
    command = [sys.executable, "-m", "holdfast", "eval", "run", "good"]
    where = {"HOLDFAST_URL": f"http://127.0.0.1:{at.core.port}", "HOLDFAST_API_KEY": at.workspace.key}
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, **where}, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    without = {**os.environ, "HOLDFAST_URL": where["HOLDFAST_URL"]}
    told = subprocess.run(command, capture_output=True, text=True, env=without, timeout=120, check=False)
    assert (told.returncode, "HOLDFAST_API_KEY" in told.stderr) == (3, True)


def test_a_suite_as_one_test_of_pytest(at: Desk, tmp_path: Path) -> None:
    (tmp_path / "test_it.py").write_text(
        "def test_the_assistant(holdfast_eval):\n    assert holdfast_eval('good')['verdict']['outcome'] == 'pass'\n"
        "def test_bad(holdfast_eval):\n    holdfast_eval('bad')\n"
        "def test_few(holdfast_eval):\n    holdfast_eval('few')\n"
        "def test_few_skipped(holdfast_eval):\n    holdfast_eval('few', inconclusive='skip')\n"
    )
    where = ["--holdfast-url", f"http://127.0.0.1:{at.core.port}", "--holdfast-key", at.workspace.key]
    command = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-rA", *where, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, timeout=120, check=False)
    assert "1 passed, 1 skipped" in done.stdout and "2 failed" in done.stdout, done.stdout[-2000:]
    assert "bad@1: FAIL, run run_" in done.stdout
