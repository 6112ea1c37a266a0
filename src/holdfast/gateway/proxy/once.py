"""Questions that the core asks once: under a name it gives them, whoever asks again has the answer that was made.

Such a request goes on when its client leaves, and its answer is on disk for a day before it is told: an evaluation
that is killed at any moment finds what it has paid for. Workers of a machine share the folder; a lock says who asks.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import time
from collections.abc import Awaitable, Callable
from hashlib import blake2b
from pathlib import Path
from typing import Any

import msgspec

from holdfast.gateway.proxy.serving import Send, send_whole

KEPT_SECONDS = 86_400.0
LOOK_AGAIN = 0.05
"""Seconds between looks at what another worker is asking."""
LONGEST_NAME = 200


class Told(msgspec.Struct, array_like=True, frozen=True):
    """An answer as its client was told it."""

    status: int
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Once:
    """One worker's part. For its event loop alone."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._folder = folder
        self._asking: dict[str, asyncio.Task[Told]] = {}
        self._forgot = -3600.0
        self._forget()

    async def serve(
        self, workspace: str, name: str, ask: Callable[[Send], Awaitable[None]], send: Send
    ) -> None:
        """Tells the answer that was made under this name, or has it made by `ask`, which is given somewhere to send it.

        Only answers with a status of 2xx are kept: after another the same name asks anew. Raises what `ask` does.
        """
        key = blake2b(f"{workspace}\0{name}".encode(errors="replace"), digest_size=16).hexdigest()
        told = self._known(key)
        again = told is not None
        if told is None:
            task = self._asking.get(key)
            again = task is not None
            if task is None:
                task = self._asking[key] = asyncio.create_task(self._made(key, ask))
                task.add_done_callback(lambda done: self._over(key, done))
            told = await asyncio.shield(task)
        headers = [*told.headers, (b"x-holdfast-replayed", b"true")] if again else told.headers
        await send_whole(send, told.status, headers, told.body)

    async def settled(self, seconds: float) -> None:
        """Waits for what is being asked, so long at most."""
        if self._asking:
            await asyncio.wait(list(self._asking.values()), timeout=seconds)

    async def _made(self, key: str, ask: Callable[[Send], Awaitable[None]]) -> Told:
        lock = os.open(self._folder / f"{key}.lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
        try:
            while not _locked(lock):
                await asyncio.sleep(LOOK_AGAIN)
            told = self._known(key)
            if told is not None:
                return told
            heard = _Heard()
            await ask(heard)
            told = heard.told()
            if 200 <= told.status < 300:
                self._keep(key, told)
            return told
        finally:
            os.close(lock)

    def _over(self, key: str, task: asyncio.Task[Told]) -> None:
        self._asking.pop(key, None)
        if not task.cancelled():
            task.exception()  # whoever waited was told

    def _known(self, key: str) -> Told | None:
        try:
            return msgspec.msgpack.decode((self._folder / key).read_bytes(), type=Told)
        except (FileNotFoundError, msgspec.DecodeError):
            return None

    def _keep(self, key: str, told: Told) -> None:
        fresh = self._folder / f"{key}.new"
        descriptor = os.open(fresh, os.O_CREAT | os.O_WRONLY | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(msgspec.msgpack.encode(told))
        fresh.replace(self._folder / key)
        self._forget()

    def _forget(self) -> None:
        """Drops what is older than a day; looks once an hour."""
        if time.monotonic() - self._forgot < 3600:
            return
        self._forgot = time.monotonic()
        oldest = time.time() - KEPT_SECONDS
        for path in self._folder.iterdir():
            try:
                if path.stat().st_mtime < oldest:
                    path.unlink()
            except FileNotFoundError:
                continue


class _Heard:
    """Takes an answer instead of a client."""

    def __init__(self) -> None:
        self._status = 500
        self._headers: list[tuple[bytes, bytes]] = []
        self._body: list[bytes] = []

    async def __call__(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            self._status, self._headers = message["status"], list(message["headers"])
        else:
            self._body.append(message.get("body", b""))

    def told(self) -> Told:
        return Told(self._status, self._headers, b"".join(self._body))


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
