"""The snapshot on the gateway's own disk: written whole by the one that fetches it, read by every process."""

from __future__ import annotations

import os
import threading
from datetime import datetime
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from holdfast.gateway.model import Signed, Snapshot
from holdfast.kernel.errors import Conflict, Invalid

FILE = "snapshot.bin"
KEY = "core.pub"
HEARD = "heard"
"""An empty file, touched whenever the core has answered."""
_signed = msgspec.msgpack.Decoder(Signed).decode
_snapshot = msgspec.msgpack.Decoder(Snapshot).decode


def opened(raw: bytes, public_key: bytes) -> Snapshot:
    """The snapshot in a signed envelope. Raises Invalid where a byte of it is not as the core signed it."""
    try:
        signed = _signed(raw)
        Ed25519PublicKey.from_public_bytes(public_key).verify(signed.signature, signed.body)
        return _snapshot(signed.body)
    except (msgspec.DecodeError, InvalidSignature, ValueError):
        raise Invalid("the snapshot is not what the core signed") from None


class Watched:
    """The snapshot file of a folder, looked at again and again."""

    __slots__ = ("_folder", "_seen")

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._seen: tuple[int, int] | None = None

    def fresh(self) -> Snapshot | None:
        """The snapshot, where it is another than the last time; None else, and where there is none yet. Raises Invalid."""
        try:
            about = (self._folder / FILE).stat()
        except FileNotFoundError:
            return None
        seen = (about.st_ino, about.st_mtime_ns)
        if seen == self._seen:
            return None
        self._seen = seen
        return opened((self._folder / FILE).read_bytes(), (self._folder / KEY).read_bytes())

    def unheard(self, now: datetime) -> float:
        """Seconds since the core was last heard of; 0 where that is not known."""
        try:
            return max(0.0, now.timestamp() - (self._folder / HEARD).stat().st_mtime)
        except FileNotFoundError:
            return 0.0

    def public_key(self) -> bytes:
        """The core's; empty where the folder has none yet."""
        path = self._folder / KEY
        return path.read_bytes() if path.exists() else b""


class Held:
    """The snapshot file, as the one process that writes it has it; safe to use from several threads.

    What the core answers is taken as it is: after a restore its epoch is lower. What is pushed is taken only where it is
    newer, so nobody can put back what was signed before.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()

    def epoch(self) -> int:
        """Of what is held; -1 where nothing is. Raises Invalid."""
        with self._lock:
            return self._epoch()

    def fetched(self, raw: bytes, after: int) -> None:
        """Keeps what the core answered to one that held `after`; not where something was pushed meanwhile.

        Raises Invalid.
        """
        self._opened(raw)
        with self._lock:
            if self._epoch() == after:
                keep(self._folder, raw)

    def pushed(self, raw: bytes) -> int:
        """Keeps what somebody pushed; its epoch. Raises Invalid where it is not of the core, Conflict where it is older."""
        epoch = self._opened(raw).epoch
        with self._lock:
            held = self._epoch()
            if epoch < held:
                raise Conflict(f"this gateway has epoch {held} already; {epoch} is older")
            if epoch > held:
                keep(self._folder, raw)
        (self._folder / HEARD).touch()
        return epoch

    def _epoch(self) -> int:
        path = self._folder / FILE
        return self._opened(path.read_bytes()).epoch if path.exists() else -1

    def _opened(self, raw: bytes) -> Snapshot:
        public = self._folder / KEY
        if not public.exists():
            raise Invalid("this gateway has not met its core yet, and does not know its key")
        return opened(raw, public.read_bytes())


def keep(folder: Path, raw: bytes) -> None:
    """Writes a signed snapshot whole, on disk before it is seen."""
    put(folder / FILE, raw)


def put(path: Path, raw: bytes) -> None:
    """A file that is there whole or not at all, after a power cut too; readable by its owner alone."""
    fresh = path.with_name(path.name + ".new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(raw)
        file.flush()
        os.fsync(file.fileno())
    os.replace(fresh, path)
