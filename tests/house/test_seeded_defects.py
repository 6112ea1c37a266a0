"""The tests of the promises can fail: under each seeded defect the test that is named for it turns red."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from house import (
    seeded,
    seeded_applications,
    seeded_changes,
    seeded_coverage,
    seeded_feedback,
    seeded_gateway,
    seeded_graders,
    seeded_guardrails,
    seeded_histories,
    seeded_judges,
    seeded_review,
    seeded_rollouts,
    seeded_runs,
    seeded_suites,
    seeded_triage,
    seeded_unrecorded,
    seeded_verdicts,
    seeded_windows,
)
from house.seeded import Defect

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src/holdfast"
DEFECTS = (
    *seeded.DEFECTS,
    *seeded_applications.DEFECTS,
    *seeded_changes.DEFECTS,
    *seeded_coverage.DEFECTS,
    *seeded_feedback.DEFECTS,
    *seeded_gateway.DEFECTS,
    *seeded_graders.DEFECTS,
    *seeded_guardrails.DEFECTS,
    *seeded_histories.DEFECTS,
    *seeded_unrecorded.DEFECTS,
    *seeded_judges.DEFECTS,
    *seeded_review.DEFECTS,
    *seeded_rollouts.DEFECTS,
    *seeded_runs.DEFECTS,
    *seeded_suites.DEFECTS,
    *seeded_triage.DEFECTS,
    *seeded_verdicts.DEFECTS,
    *seeded_windows.DEFECTS,
)


@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
def test_what_a_defect_replaces_is_there_once(defect: Defect) -> None:
    assert (SOURCE / defect.file).read_text().count(defect.old) == 1
    path, _, function = defect.test.partition("::")
    function = function.partition("[")[0]
    assert f"def {function or 'test_'}" in (ROOT / path).read_text()


@pytest.mark.slow
@pytest.mark.rotating(12)
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("defect", DEFECTS, ids=lambda defect: defect.name)
def test_its_test_turns_red(defect: Defect, tmp_path: Path) -> None:
    copy = tmp_path / "holdfast"
    shutil.copytree(SOURCE, copy)  # with what Python has compiled: only the changed module is compiled anew
    file = copy / defect.file
    file.write_text(file.read_text().replace(defect.old, defect.new))
    Path(importlib.util.cache_from_source(str(file))).unlink(missing_ok=True)
    without = [part for name in ("cacheprovider", "schemathesis", "anyio") for part in ("-p", f"no:{name}")]
    command = [sys.executable, "-m", "pytest", "-x", *without, "--timeout=500", defect.test]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    if "skipped" in done.stdout and "failed" not in done.stdout:
        pytest.skip(f"{defect.test} is skipped on this machine")
    assert done.returncode == 1, done.stdout[-3000:] + done.stderr[-2000:]
    assert "failed" in done.stdout, done.stdout[-3000:]
