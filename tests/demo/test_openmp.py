"""A machine without libgomp runs the model's engine all the same."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from demo.openmp import LIBRARY, SEARCH, bundled, with_bundled

ROOT = Path(__file__).resolve().parents[2]
AGAIN = """
import ctypes, pathlib, sys
from demo import openmp
openmp.LIBRARY, openmp.bundled = sys.argv[1], lambda: pathlib.Path(sys.argv[2])
print("begun")
openmp.provide()
ctypes.CDLL(sys.argv[1])
print("loaded")
"""


def run(*arguments: str, **more: str) -> str:
    done = subprocess.run(
        [sys.executable, *arguments], cwd=ROOT, env={**os.environ, **more}, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_search_path_is_extended_once(tmp_path: Path) -> None:
    assert with_bundled({}, tmp_path) is None
    (tmp_path / LIBRARY).touch()
    extended = with_bundled({"A": "b", SEARCH: "/x"}, tmp_path)
    assert extended == {"A": "b", SEARCH: f"/x:{tmp_path}"}
    assert with_bundled(extended, tmp_path) is None
    assert with_bundled({}, tmp_path) == {SEARCH: str(tmp_path)}


@pytest.mark.demo
def test_a_process_that_misses_a_library_starts_anew_with_it(tmp_path: Path) -> None:
    shutil.copyfile(bundled() / LIBRARY, tmp_path / "libof-nobody.so.1")
    assert run("-c", AGAIN, "libof-nobody.so.1", str(tmp_path)).split() == ["begun", "begun", "loaded"]


@pytest.mark.demo
def test_the_engine_runs_on_the_bundled_runtime() -> None:
    show = "import xllamacpp; print(open('/proc/self/maps').read())"
    assert f"{bundled()}/{LIBRARY}" in run("-c", show, **{SEARCH: str(bundled())})
