"""What a gateway remembers of conversations and of stored answers: shared by the workers of a machine, kept over restarts.

One file of frames that every worker appends to and reads the end of; the last word on a key holds. When the file is large
it becomes `….before`, and a new one begins: what is older than both is forgotten. So it does when a worker could not write
a whole frame, or when one that starts finds one cut off.

With Redis, keys that no worker of this machine knows are also looked for there, so that several machines agree. Redis away
means that each machine goes by what it knows itself.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import os
import struct
import zlib
from collections import OrderedDict
from hashlib import blake2b
from pathlib import Path
from typing import cast

from redis.asyncio import Redis
from redis.exceptions import RedisError

log = logging.getLogger("holdfast.gateway")

MOST_BYTES = 16 << 20
MOST_KEYS = 200_000
KEPT_SECONDS = 30 * 86_400
"""How long Redis keeps what was last said of a key."""
_HEAD = struct.Struct("<HI")


class Memory:
    """Keys are tuples of text, values text. `redis` is shared with other machines; None: this machine alone."""

    def __init__(self, file: Path, redis: Redis | None = None) -> None:
        file.parent.mkdir(parents=True, exist_ok=True)
        self._file = file
        self._redis = redis
        self._known: OrderedDict[bytes, str] = OrderedDict()
        self._descriptor = -1
        self._inode = 0
        self._at = 0
        self._telling: set[asyncio.Task[None]] = set()
        before = file.with_suffix(".before")
        if before.exists():
            self._take(before.read_bytes())
        self._open()

    def known(self, *key: str) -> str | None:
        """What is remembered of a key on this machine."""
        hashed = _hashed(key)
        found = self._known.get(hashed)
        if found is None and os.fstat(self._descriptor).st_size != self._at:
            self.look()
            found = self._known.get(hashed)
        return found

    async def found(self, *key: str) -> str | None:
        """What is remembered of a key here or on other machines."""
        found = self.known(*key)
        if found is not None or self._redis is None:
            return found
        try:
            raw = cast("bytes | None", await self._redis.get(_name(_hashed(key))))
        except (RedisError, OSError, TimeoutError):
            return None
        if raw is None:
            return None
        text: str = raw.decode()
        self._write(_hashed(key), text)
        return text

    def keep(self, value: str, *key: str) -> None:
        """Remembers a value, unless that is what is known already."""
        hashed = _hashed(key)
        if self._known.get(hashed) == value:
            return
        self._write(hashed, value)
        if self._redis is not None:
            telling = asyncio.get_running_loop().create_task(self._tell(self._redis, hashed, value))
            self._telling.add(telling)
            telling.add_done_callback(self._telling.discard)

    def look(self) -> None:
        """Reads what other workers wrote."""
        try:
            replaced = self._file.stat().st_ino != self._inode
        except FileNotFoundError:
            replaced = True
        self._read()
        if replaced:
            os.close(self._descriptor)
            self._open()

    def close(self) -> None:
        """Lets go of the file."""
        os.close(self._descriptor)

    def _open(self) -> None:
        self._descriptor = os.open(self._file, os.O_CREAT | os.O_RDWR | os.O_APPEND, 0o600)
        self._inode = os.fstat(self._descriptor).st_ino
        self._at = 0
        self._read()
        if self._at < os.fstat(self._descriptor).st_size:
            self._replace()

    def _read(self) -> None:
        size = os.fstat(self._descriptor).st_size
        if size > self._at:
            self._at += self._take(os.pread(self._descriptor, size - self._at, self._at))

    def _take(self, raw: bytes) -> int:
        """Whole frames from the start; how many bytes they were."""
        at = 0
        while at + _HEAD.size <= len(raw):
            length, check = _HEAD.unpack_from(raw, at)
            payload = raw[at + _HEAD.size : at + _HEAD.size + length]
            if len(payload) < length or zlib.crc32(payload) != check:
                break
            self._set(payload[:16], payload[16:].decode(errors="replace"))
            at += _HEAD.size + length
        return at

    def _set(self, key: bytes, value: str) -> None:
        self._known[key] = value
        self._known.move_to_end(key)
        if len(self._known) > MOST_KEYS:
            self._known.popitem(last=False)

    def _write(self, key: bytes, value: str) -> None:
        self._set(key, value)
        payload = key + value.encode()
        frame = _HEAD.pack(len(payload), zlib.crc32(payload)) + payload
        try:
            written = os.write(self._descriptor, frame)
        except OSError as error:
            log.warning("a conversation's release is remembered by this process alone: %s", error.strerror)
            return
        if written < len(frame) or os.fstat(self._descriptor).st_size > MOST_BYTES:
            self._replace()

    def _replace(self) -> None:
        """Begins a new file, unless another worker just has."""
        with (self._file.with_suffix(".lock")).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if self._file.exists() and self._file.stat().st_ino == self._inode:
                self._file.replace(self._file.with_suffix(".before"))
            os.close(self._descriptor)
            self._open()

    async def _tell(self, redis: Redis, key: bytes, value: str) -> None:
        try:
            await redis.set(_name(key), value, ex=KEPT_SECONDS)
        except (RedisError, OSError, TimeoutError):
            return  # the other machines go by what they know themselves


def _hashed(key: tuple[str, ...]) -> bytes:
    """No name of a user or conversation is written anywhere."""
    return blake2b("\0".join(key).encode(errors="replace"), digest_size=16).digest()


def _name(key: bytes) -> str:
    return f"holdfast:memory:{key.hex()}"
