"""A stream into a file: one line of JSON each, on the disk before it counts as delivered."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from holdfast.kernel.errors import Invalid, Unavailable
from holdfast.platform.audit.model import Item, StreamConfig
from holdfast.platform.audit.rules.exports import as_line

_BLOCK = 64 * 1024


class FileStream:
    """Appends to `config.path`. The file is opened for each batch, so it may be rotated between two."""

    def __init__(self, config: StreamConfig) -> None:
        if not config.path:
            raise Invalid("a file stream needs a path", where="audit streams")
        self.name = config.name
        self._path = Path(config.path)

    def send(self, items: Sequence[Item]) -> None:
        """Appends and syncs. A line that a crash tore was never acknowledged: it is cut off first."""
        lines = "".join(as_line(item) + "\n" for item in items).encode()
        try:
            fresh = not self._path.exists()
            with open(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600), "r+b") as file:
                file.seek(_whole_lines(file.fileno()))
                file.truncate()
                file.write(lines)
                file.flush()
                os.fsync(file.fileno())
            if fresh:
                _sync_folder(self._path.parent)
        except OSError as error:
            said = error.strerror or type(error).__name__
            raise Unavailable(f"the audit stream {self.name} cannot write its file: {said}") from error


def _whole_lines(descriptor: int) -> int:
    """The length of the file up to and including its last newline."""
    end = os.fstat(descriptor).st_size
    while end > 0:
        start = max(0, end - _BLOCK)
        block = os.pread(descriptor, end - start, start)
        at = block.rfind(b"\n")
        if at >= 0:
            return start + at + 1
        end = start
    return 0


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
