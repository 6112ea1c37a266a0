"""The local spool: call records appended to segments, each written with one system call, read by the shipper.

A frame is its length, the CRC-32 of its payload (both 32 bits, little-endian), and the payload. What was written outlives a
killed process; a frame cut off by one is left out. Each writing process has a folder of its own and holds its `lock`; a
segment is finished when a later one exists, or when nobody holds the lock.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from holdfast.kernel.errors import Conflict, Unavailable

SEGMENT = 8 << 20
"""Bytes after which a segment is finished."""
LARGEST = 64 << 20
_HEAD = struct.Struct("<II")
SUFFIX = ".records"


class Spool:
    """The writing end, of one process."""

    def __init__(self, folder: Path, most_bytes: int) -> None:
        """`most_bytes`: what all segments of this folder may hold. Raises Conflict where another process writes it."""
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._most = most_bytes
        self._lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(self._lock)
            raise Conflict(f"another process writes the spool {folder.name}") from None
        self._number = max((number for number, _ in segments(folder)), default=0)
        self._size = 0
        self._descriptor = -1
        self._next()

    def append(self, payload: bytes) -> None:
        """Keeps a record. Raises Unavailable where the disk refuses it."""
        frame = _HEAD.pack(len(payload), zlib.crc32(payload)) + payload
        if self._size and self._size + len(frame) > SEGMENT:
            self._next()
        try:
            written = os.write(self._descriptor, frame)
            if written < len(frame):
                os.ftruncate(self._descriptor, self._size)
                raise OSError("the disk is full")
        except OSError as error:
            raise Unavailable(f"the gateway's spool cannot be written: {error.strerror or error}") from None
        self._size += len(frame)

    def backlog(self) -> int:
        """Bytes that are not shipped yet. Looks at the folder: ask once in a while."""
        return sum(_size(path) for _, path in segments(self._folder))

    def full(self) -> bool:
        """Whether it holds as much as it may."""
        return self.backlog() >= self._most

    def turn(self) -> None:
        """Finishes the segment that is being written, if it holds anything."""
        if self._size:
            self._next()

    def close(self) -> None:
        """Lets go of the folder."""
        os.close(self._descriptor)
        os.close(self._lock)

    def _next(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._number += 1
        path = self._folder / f"{self._number:012}{SUFFIX}"
        try:
            self._descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY | os.O_APPEND, 0o600)
        except OSError as error:
            raise Unavailable(f"the gateway's spool cannot be written: {error.strerror}") from None
        self._size = 0


class Frame(NamedTuple):
    """A record as it was written, and where the next one begins."""

    payload: bytes
    after: int


def frames(path: Path, start: int = 0) -> Iterator[Frame]:
    """The whole frames of a segment from a place on; ends before one that is cut off or damaged."""
    with path.open("rb") as file:
        file.seek(start)
        at = start
        while len(head := file.read(_HEAD.size)) == _HEAD.size:
            length, check = _HEAD.unpack(head)
            payload = file.read(length) if length <= LARGEST else b""
            if len(payload) != length or zlib.crc32(payload) != check:
                return
            at += _HEAD.size + length
            yield Frame(payload, at)


def segments(folder: Path) -> list[tuple[int, Path]]:
    """The segments of a folder in the order in which they were written."""
    found = []
    for path in folder.glob(f"*{SUFFIX}"):
        if path.stem.isdecimal():
            found.append((int(path.stem), path))
    return sorted(found)


def abandoned(folder: Path) -> bool:
    """Whether nobody writes this folder any more."""
    try:
        lock = os.open(folder / "lock", os.O_CREAT | os.O_RDWR, 0o600)
    except OSError:
        return False
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(lock)
    return True


def remove(folder: Path) -> None:
    """Takes away the folder of a process that is gone and left nothing."""
    if not segments(folder) and abandoned(folder):
        shutil.rmtree(folder, ignore_errors=True)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
