"""The grader of one's own code: a function in Python, run in a process of its own with limits.

The limits keep a mistake from harming the machine; they are no sandbox. The code runs as the same user, may open files
and may use the network.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import re
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import msgspec

from holdfast.evals.graders.grading import Fault, Finding, Made, Outside
from holdfast.evals.graders.leaving import MOST_REPLY, heard, told
from holdfast.evals.model import Answer, Case

_ENTRY = re.compile(r"([^\W\d]\w*(?:\.[^\W\d]\w*)*):([^\W\d]\w*)")
_CHILD = Path(__file__).parent / "python_child.py"
_MOST_SECONDS = 120.0
_LEAST_MEMORY, _MOST_MEMORY = 64, 8192
_MOST_WRITTEN = 8 << 20
"""Bytes of any one file that the code writes, what it says among them."""
_STARTING = 2.0
"""Seconds that an interpreter may take to start."""
_TOLD = 300
"""Characters of what the code wrote to standard error last that a reason repeats."""


class _Python(msgspec.Struct, forbid_unknown_fields=True):
    entry: str
    """module:function; the function is given case, params and answer as dicts, and returns a score or a dict."""
    params: dict[str, Any] = {}
    seconds: float = 10.0
    """Until it is stopped, by the clock and by processor time."""
    memory_mb: int = 1024
    """Address space."""


def _faults(params: _Python) -> Iterator[Fault]:
    if not _ENTRY.fullmatch(params.entry):
        yield "entry", "write module:function, such as graders.tone:friendly"
    if not 0 < params.seconds <= _MOST_SECONDS:
        yield "seconds", f"this is more than 0 and at most {_MOST_SECONDS:g}"
    if not _LEAST_MEMORY <= params.memory_mb <= _MOST_MEMORY:
        yield "memory_mb", f"this is from {_LEAST_MEMORY} to {_MOST_MEMORY}"


def _source(params: _Python, folder: Path) -> Path | None:
    """The file that the entry's module is in; None where there is none in the folder."""
    place = folder.joinpath(*params.entry.partition(":")[0].split("."))
    return next((one for one in (place.with_suffix(".py"), place / "__init__.py") if one.is_file()), None)


def _under(params: _Python, outside: Outside) -> str:
    source = _source(params, outside.folder) if outside.folder is not None else None
    return "none" if source is None else hashlib.sha256(source.read_bytes()).hexdigest()[:12]


def _look(case: Case, params: _Python, answer: Answer, outside: Outside) -> Finding:
    if outside.folder is None:
        return Finding(None, "code of one's own is not run here: there is no folder to take it from")
    if _source(params, outside.folder) is None:
        module = params.entry.partition(":")[0]
        return Finding(None, f"there is no module {module} in the folder of the suite")
    with (
        tempfile.TemporaryFile() as given,
        tempfile.TemporaryFile() as said,
        tempfile.TemporaryFile() as complaints,
        tempfile.TemporaryDirectory(prefix="holdfast-grader-") as nowhere,
    ):
        given.write(told(case, params.params, answer))
        given.seek(0)
        try:
            ended = _run(params, outside, nowhere, given, said, complaints)
        except OSError as error:
            return Finding(None, f"the code could not be started: {error.strerror}")
        if ended is None:
            return Finding(None, f"{params.entry} took longer than {params.seconds:g} s")
        said.seek(0)
        if ended == 0:
            return heard(said.read(MOST_REPLY + 1), params.entry)
        return Finding(None, f"{params.entry} failed: {_why(ended, complaints)}")


def _run(
    params: _Python, outside: Outside, nowhere: str, given: IO[bytes], said: IO[bytes], complaints: IO[bytes]
) -> int | None:
    """Runs the code to its end; its return code, None where it was stopped for its time.

    What it says goes to files, whose size the process is limited in: nobody has to read along, and nobody waits for
    what it leaves running. Its whole process group ends with it.
    """
    module, _, function = params.entry.partition(":")
    limits = [f"{params.seconds:g}", str(params.memory_mb), str(_MOST_WRITTEN)]
    command = [outside.python, "-I", "-B", str(_CHILD), str(outside.folder), module, function, *limits]
    process = subprocess.Popen(
        command, stdin=given, stdout=said, stderr=complaints, cwd=nowhere, env={}, start_new_session=True
    )
    try:
        return process.wait(params.seconds + _STARTING)
    except subprocess.TimeoutExpired:
        return None
    finally:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _why(ended: int, complaints: IO[bytes]) -> str:
    if ended in (-signal.SIGXCPU, -signal.SIGKILL):
        return "it was stopped for its processor time or its memory"
    size = complaints.seek(0, os.SEEK_END)
    if size >= _MOST_WRITTEN:
        return f"it wrote more than {_MOST_WRITTEN:,} bytes"
    complaints.seek(max(0, size - 4 * _TOLD))
    lines = complaints.read().decode("utf-8", "replace").strip().splitlines()
    last = lines[-1][-_TOLD:] if lines else "it said nothing of why"
    return last if ended > 0 else f"signal {-ended}; {last}"


PYTHON = Made("python", "1", _Python, _look, _faults, bar=0.5, under=_under)
