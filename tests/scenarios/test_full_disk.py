"""A small filesystem that runs full: telemetry gets 503, nothing acknowledged is lost, and it goes on when there is room."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from otlp_made import CHAT, body, span
from running_core import CoreProcess, until

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1200)]

MEGABYTE = 1 << 20


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A filesystem of 192 MB; skips where none may be mounted."""
    if os.getuid() != 0:
        pytest.skip("mounting a small filesystem needs root")
    folder = tmp_path / "small"
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=192m", "tmpfs", str(folder)], capture_output=True, check=False
    )
    if done.returncode != 0:
        pytest.skip(f"this machine does not permit mounts: {done.stderr.decode().strip()}")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(path: Path, leave: int) -> None:
    """Writes a file until only so many bytes are free."""
    with path.open("wb") as file:
        while (free := os.statvfs(path.parent).f_bavail * os.statvfs(path.parent).f_frsize) > leave:
            file.write(bytes(min(free - leave, MEGABYTE)))
            file.flush()


@pytest.mark.parametrize("watermark", [48 * MEGABYTE, 1])
def test_a_full_disk(small: Path, watermark: int) -> None:
    """With a watermark telemetry is refused before the disk is full; without one, when the store itself fails."""
    core = CoreProcess(small / "data", min_free_bytes=watermark)
    core.log = small.parent / "core.log"
    core.start()
    try:
        workspace = core.workspace()
        acknowledged = 0
        note = {**CHAT, "note": os.urandom(100_000).hex()}

        def send() -> int:
            nonlocal acknowledged
            answer = workspace.post(body([span(attributes=note) for _ in range(20)]))
            if answer.status_code == 200:
                assert answer.content == b""
                acknowledged += 20
            else:
                assert answer.status_code == 503, answer.content
                assert int(answer.headers["retry-after"]) >= 1
            return int(answer.status_code)

        assert send() == 200
        fill(small / "ballast", watermark // 2 if watermark > 1 else 0)
        until(lambda: send() == 503, 60, "the refusal")
        for _ in range(5):
            assert send() == 503
        assert core.process is not None
        assert core.process.poll() is None
        assert core.client.get("/healthz").status_code == 200
        core_said = workspace.get("calls/count")
        assert core_said["spans"] >= acknowledged
        (small / "ballast").unlink()
        until(lambda: send() == 200, 60, "the room")
        calls, spans = workspace.count()
        assert calls == spans >= acknowledged
        core.stop()
        core.start()
        assert workspace.count() == (calls, spans)
        assert send() == 200
        assert workspace.count() == (calls + 20, spans + 20)
    finally:
        core.stop()
    assert "Traceback" not in core.log.read_text()
