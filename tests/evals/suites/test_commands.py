"""The command line: folders and files of suites applied by a real process, also while a core runs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from tests.evals.suites.texts import HOLDOUT, SUPPORT

from holdfast.commands import create_key
from holdfast.platform.settings import Settings
from running_core import CoreProcess

pytestmark = pytest.mark.slow


def run(data: Path, *arguments: str, cwd: Path | None = None) -> tuple[int, str, str]:
    """Exit code, output and errors of one command."""
    done = subprocess.run(
        [sys.executable, "-m", "holdfast", "suites", *arguments, "--data", str(data)],
        capture_output=True,
        text=True,
        timeout=100,
        cwd=cwd,
        env=dict(os.environ),
    )
    return done.returncode, done.stdout, done.stderr


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A repository's folder with a suite, cases beside it, and what is no suite."""
    made = tmp_path / "repo" / "suites"
    (made / "cases").mkdir(parents=True)
    (made / ".hidden").mkdir()
    (made / ".hidden" / "broken.yaml").write_text("a: [")
    (made / "README.md").write_text("# Suites")
    (made / "support.yaml").write_text(SUPPORT + HOLDOUT + "cases_from: cases/more.jsonl\n", encoding="utf-8")
    (made / "cases" / "more.jsonl").write_text(
        '{"id": "more", "prompt": "Hi", "expect": {"exact": "x"}, "segments": {"language": "en"}}\n'
    )
    return made


def test_a_folder_is_applied_shown_changed_and_compared(tmp_path: Path, folder: Path) -> None:
    data = tmp_path / "data"
    create_key(Settings(data=data), "acme", "read", "test")
    code, out, err = run(data, "apply", "suites", "--dry-run", cwd=folder.parent)
    assert (code, err) == (0, "")
    assert (
        "support: version 1 would be in force in workspace acme" in out and "  + kept-back (holdout)" in out
    )
    assert run(data, "list")[1] == "there is no suite yet; apply one with holdfast suites apply\n"
    code, out, err = run(data, "apply", str(folder), "--note", "the first")
    assert (code, err) == (0, "")
    assert "support: version 1 is in force" in out
    code, text, _ = run(data, "show", "support")
    assert code == 0
    assert [case["id"] for case in yaml.safe_load(text)["cases"]] == [
        "refund-window",
        "refund-window-de",
        "kept-back",
        "more",
    ]
    assert "# the first" in text
    again = tmp_path / "again.yaml"
    again.write_text(text, encoding="utf-8")
    assert "nothing differs from version 1" in run(data, "apply", str(again))[1]
    core = CoreProcess(data).start()
    try:
        again.write_text(text.replace("exact: '30'", "exact: '31'"), encoding="utf-8")
        code, out, err = run(data, "apply", str(again), "--workspace", "acme")
        assert (code, err) == (0, "")
        assert "    expect.exact.params.expected: [-30-]{+31+}" in out
        assert (
            run(data, "diff", "support")[1].splitlines()[0] == "support: version 1 → 2, 3 cases are the same"
        )
        code, out, _ = run(data, "rebaseline", "support", "--author", "Dr. Ben", "--review-on", "2099-01-31")
        assert code == 1
        code, out, err = run(data, "rebaseline", "support", "--author", "Ben", "--review-on", "2027-06-30")
        assert (code, err) == (0, "") and "answered for by Ben until 2027-06-30" in out
    finally:
        core.stop()
    assert "support  version 3  4 cases" in run(data, "list")[1]
    code, _, err = run(data, "show", "gone")
    assert (code, err) == (1, "holdfast: there is no such suite in this workspace\n")


def test_faults_have_their_lines_and_nothing_is_changed(tmp_path: Path, folder: Path) -> None:
    data = tmp_path / "data"
    create_key(Settings(data=data), "acme", "read", "test")
    (folder / "bad.yaml").write_text(
        "cases:\n  - id: a\n    prompt: Hi\n    expect: {exat: x}\n    wieght: 2\n"
    )
    code, out, err = run(data, "apply", "suites", cwd=folder.parent)
    assert (code, out) == (1, "")
    lines = err.splitlines()
    assert lines[0] == "holdfast: these files cannot be used; nothing was changed"
    assert lines[1].startswith("  suites/bad.yaml:4:14 cases[0].expect.exat: there is no grader 'exat'")
    assert (
        lines[2] == "  suites/bad.yaml:5:5 cases[0].wieght: there is no 'wieght' here; did you mean weight?"
    )
    assert run(data, "list")[1].startswith("there is no suite yet")
    code, _, err = run(data, "apply", str(folder / "gone.yaml"))
    assert (code, "gone.yaml cannot be read: No such file or directory" in err) == (1, True)


def test_another_tools_file_is_written_for_review(tmp_path: Path) -> None:
    (tmp_path / "faq.csv").write_text("Frage,Soll,Notiz\nWie lange?,30 Tage,x\nWarum?,,\n", encoding="utf-8")
    columns = ["--column", "prompt=Frage", "--column", "expected=Soll", "--grader", "contains"]
    code, out, err = importing(tmp_path, "faq.csv", "--format", "csv", "--out", "faq.yaml", *columns)
    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "cases in faq.yaml: 1; look through it, then: holdfast suites apply faq.yaml",
        "  left out: faq.csv:2 Notiz: the column 'Notiz' is not used; name it with --column if it is a field or a "
        "segment",
        "  left out: faq.csv:3: this says nothing of what is expected; add an answer or an assertion",
    ]
    (case,) = yaml.safe_load((tmp_path / "faq.yaml").read_text(encoding="utf-8"))["cases"]
    assert (case["prompt"], case["expect"]) == ("Wie lange?", [{"contains": "30 Tage"}])
    code, out, _ = importing(tmp_path, "faq.csv", "--format", "openai", "--out", "none.yaml")
    assert code == 1 and out.startswith("nothing converted; no file was written\n  left out: faq.csv:2")
    assert not (tmp_path / "none.yaml").exists()


def importing(folder: Path, *arguments: str) -> tuple[int, str, str]:
    """Exit code, output and errors of an import, which needs no data folder."""
    done = subprocess.run(
        [sys.executable, "-m", "holdfast", "suites", "import", *arguments],
        capture_output=True,
        text=True,
        timeout=100,
        cwd=folder,
    )
    return done.returncode, done.stdout, done.stderr
