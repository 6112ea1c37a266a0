"""The answer leaves only after the disk has what it promises: seen from outside, by strace."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from otlp_made import body, span
from running_core import CoreProcess, independent, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

CALLS = "trace=fsync,fdatasync,sendto,sendmsg,write,writev,openat"


@pytest.fixture
def tracer() -> str:
    """Where strace is; skips where it is missing, or may trace nothing."""
    found = shutil.which("strace")
    if found is None:
        pytest.skip("strace is not installed: make test installs it")
    tried = subprocess.run([found, "-o", "/dev/null", "true"], capture_output=True, check=False)
    if tried.returncode != 0:
        pytest.skip("this machine does not permit ptrace")
    return found


def test_the_part_is_synced_before_the_answer_is_written(tmp_path: Path, tracer: str) -> None:
    out = tmp_path / "trace"
    core = CoreProcess(tmp_path / "data", min_free_bytes=1)
    core.start()
    assert core.process is not None
    command = [
        tracer,
        "-f",
        "-ttt",
        "-y",
        "-s",
        "64",
        "-e",
        CALLS,
        "-o",
        str(out),
        "-p",
        str(core.process.pid),
    ]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as strace:
        assert strace.stderr is not None
        attached = strace.stderr.readline()
        if b"attached" not in attached:
            core.stop()
            pytest.skip(f"this machine does not permit ptrace: {attached!r}")
        try:
            workspace = core.workspace()
            for _ in range(3):
                assert workspace.post(body([span() for _ in range(20)])).content == b""
            until(
                lambda: out.read_text(errors="replace").count("HTTP/1.1 200") >= 3, 30, "the traced answers"
            )
        finally:
            strace.terminate()
            strace.wait(timeout=30)
            core.stop()
    lines = out.read_text(errors="replace").splitlines()
    answers = [
        number for number, line in enumerate(lines) if '"HTTP/1.1 200' in line and "/readyz" not in line
    ]
    assert len(answers) >= 3
    synced = returned_syncs(lines)
    [[folder]] = independent(core.data, "SELECT data_paths[1] FROM system.tables WHERE name = 'spans'")
    spans = re.escape(folder)  # other tables are synced too, sometimes before the answer
    begin = 0
    for answer in answers[:3]:
        files = {path for number, path in synced if begin <= number < answer}
        # the files of a part of the spans' table, and the part's folder itself
        assert any(
            re.search(rf"{spans}tmp_insert_[^/]+/[^/]+\.(bin|mrk\d?|cmrk\d?|txt)$", path) for path in files
        ), files
        assert any(re.search(rf"{spans}(tmp_insert_)?\d+_\d+_\d+_\d+/?$", path) for path in files), files
        begin = answer


def returned_syncs(lines: list[str]) -> list[tuple[int, str]]:
    """(line where the sync had returned with 0, path that was synced)."""
    found: list[tuple[int, str]] = []
    waiting: dict[str, str] = {}
    for number, line in enumerate(lines):
        thread = line.split(maxsplit=1)[0]
        if begun := re.search(r"f(?:data)?sync\(\d+<([^>]*)>", line):
            if "unfinished" in line:
                waiting[thread] = begun[1]
            elif line.endswith("= 0"):
                found.append((number, begun[1]))
        elif re.search(r"<\.\.\. f(?:data)?sync resumed>", line) and line.endswith("= 0"):
            found.append((number, waiting.pop(thread, "")))
    return found
