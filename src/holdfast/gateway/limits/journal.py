"""An append-only file that outlives the process: what was written before a `kill -9` is read back.

One folder holds `checkpoint` (the whole state at one moment) and `journal-N` (what happened since). A record is its
length and CRC-32 (both 4 bytes, big endian), then its bytes. Appending is one write into the page cache, not synced: a
killed process loses nothing, a power cut may lose the last seconds. A torn last record is cut off. The checkpoint is
synced and put in place by an atomic rename, and names the journal that follows it, so nothing is ever counted twice.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path
from struct import Struct
from zlib import crc32

from holdfast.kernel.errors import Conflict, Unavailable

_HEAD = Struct(">II")
_NUMBER = Struct(">Q")


class Journal:
    """The journal of one folder, which one process may have open at a time.

    After opening, `state` is the checkpoint's bytes (None: there was none), `records` what follows it, `torn` the number of
    bytes that were cut off at the end. Raises Conflict where another process has it open, Unavailable where it
    cannot be read or written.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._file = -1
        self._broken = False
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise Conflict(f"another process keeps its accounts in {folder}") from error
        try:
            self._number, self.state = self._checkpoint()
            self._open()
        except OSError as error:
            self.close()
            raise Unavailable(f"the accounts in {folder} cannot be read: {error}") from error
        except Unavailable:
            self.close()
            raise

    def _checkpoint(self) -> tuple[int, bytes | None]:
        path = self._folder / "checkpoint"
        if not path.exists():
            return 0, None
        found, rest = frames(path.read_bytes())
        if len(found) != 1 or rest:
            raise Unavailable(f"{path} is damaged; the budgets that it counts cannot be told")
        return _NUMBER.unpack_from(found[0])[0], found[0][_NUMBER.size :]

    def _open(self) -> None:
        path = self._path(self._number)
        self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        self.records, self.torn = frames(path.read_bytes())
        self.size = os.fstat(self._file).st_size - self.torn
        if self.torn:
            os.ftruncate(self._file, self.size)
        for other in self._folder.glob("journal-*"):
            if other != path:
                other.unlink()

    def _path(self, number: int) -> Path:
        return self._folder / f"journal-{number}"

    def append(self, *records: bytes) -> None:
        """Adds records in one write: all of them are read back, or those before the one that a kill tore.

        Raises Unavailable where the file takes no more (a full disk); then none of them is in it.
        """
        if self._broken:
            raise Unavailable("the accounts of the gateway can no longer be written")
        data = b"".join([_HEAD.pack(len(record), crc32(record)) + record for record in records])
        try:
            written = os.write(self._file, data)
        except OSError as error:
            self._cut(error)
            raise Unavailable(f"the accounts of the gateway cannot be written: {error.strerror}") from error
        if written != len(data):
            self._cut(None)
            raise Unavailable("the accounts of the gateway cannot be written: the disk is full")
        self.size += written

    def _cut(self, cause: OSError | None) -> None:
        """Takes back what a failed write may have left, or nothing written after it could be read."""
        try:
            os.ftruncate(self._file, self.size)
        except OSError as error:
            self._broken = True
            raise Unavailable("the accounts of the gateway can no longer be written") from (cause or error)

    def compact(self, state: bytes) -> None:
        """Puts `state` in the place of all that was written so far. Raises Unavailable, with nothing changed."""
        following = self._number + 1
        body = _NUMBER.pack(following) + state
        made = self._folder / "checkpoint.new"
        try:
            journal = os.open(
                self._path(following), os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600
            )
            try:
                with open(made, "wb") as file:
                    file.write(_HEAD.pack(len(body), crc32(body)) + body)
                    file.flush()
                    os.fsync(file.fileno())
                made.rename(self._folder / "checkpoint")
            except OSError:
                os.close(journal)
                raise
        except OSError as error:
            raise Unavailable(f"the accounts of the gateway cannot be written: {error.strerror}") from error
        os.close(self._file)
        self._path(self._number).unlink(missing_ok=True)
        self._file, self._number, self.size, self._broken = journal, following, 0, False

    def close(self) -> None:
        """Lets go of the folder."""
        if self._file >= 0:
            os.close(self._file)
            self._file = -1
        if self._lock >= 0:
            os.close(self._lock)  # and with it the lock
            self._lock = -1


def frames(data: bytes) -> tuple[list[bytes], int]:
    """The sound records at the start of `data`, and how many bytes after them are none."""
    found = []
    at = 0
    while at + _HEAD.size <= len(data):
        length, check = _HEAD.unpack_from(data, at)
        record = data[at + _HEAD.size : at + _HEAD.size + length]
        if not length or len(record) < length or crc32(record) != check:  # zeros are a hole, no record
            break
        found.append(record)
        at += _HEAD.size + length
    return found, len(data) - at
