"""The snapshot on the gateway's own disk: written whole by the one that fetches it, read by every process."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from holdfast.gateway.model import Signed, Snapshot
from holdfast.kernel.errors import Invalid

FILE = "snapshot.bin"
KEY = "core.pub"
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
