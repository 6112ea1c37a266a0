"""The key that signs snapshots and passes: Ed25519 (RFC 8032), a file of the data folder that only its owner can read."""

from __future__ import annotations

import base64
import binascii
import os
import stat
from datetime import datetime
from pathlib import Path

import msgspec
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from holdfast.gateway.model import Pass, Signed
from holdfast.kernel.errors import Denied, Unauthenticated, Unavailable

PASS = "hfp_"  # noqa: S105 - how one begins
"""How a pass begins; keys of clients begin otherwise."""
_PASS = b"holdfast gateway pass\0"
"""Before what is signed, so that no snapshot can be taken for a pass."""


def load(data: Path) -> Ed25519PrivateKey:
    """The signing key, `keys/gateway.key` (32 bytes in base 64), made at first use.

    Raises Unavailable where others may read the file, or it cannot be used.
    """
    path = data / "keys" / "gateway.key"
    try:
        if not path.exists():
            _make(path)
        if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
            raise Unavailable("keys/gateway.key can be read by others; make it yours alone: chmod 600")
        raw = base64.b64decode(path.read_text(encoding="ascii").strip(), validate=True)
        return Ed25519PrivateKey.from_private_bytes(raw)
    except (OSError, ValueError, binascii.Error) as error:
        raise Unavailable(f"keys/gateway.key cannot be used: {type(error).__name__}") from None


def public_bytes(key: Ed25519PrivateKey) -> bytes:
    """The public key: 32 bytes."""
    return key.public_key().public_bytes_raw()


def sign(key: Ed25519PrivateKey, body: bytes) -> Signed:
    """A body with its signature."""
    return Signed(body, key.sign(body))


def verified(public: bytes, signed: Signed) -> bytes:
    """The body, when the holder of this public key signed exactly it. Raises Denied."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signed.signature, signed.body)
    except (InvalidSignature, ValueError):
        raise Denied("this snapshot is not signed by the core that this gateway belongs to") from None
    return signed.body


def made_pass(key: Ed25519PrivateKey, told: Pass) -> str:
    """A pass as text, to be given to a gateway where a client gives its key."""
    body = msgspec.msgpack.encode(told)
    return PASS + base64.urlsafe_b64encode(key.sign(_PASS + body) + body).decode()


def opened_pass(public: bytes, text: str, now: datetime) -> Pass:
    """What a pass says, when the holder of this public key made it and it has not ended. Raises Unauthenticated."""
    try:
        raw = base64.urlsafe_b64decode(text.removeprefix(PASS).encode())
        Ed25519PublicKey.from_public_bytes(public).verify(raw[:64], _PASS + raw[64:])
        found = msgspec.msgpack.decode(raw[64:], type=Pass)
    except (InvalidSignature, ValueError, msgspec.MsgspecError):
        raise Unauthenticated("this pass was not made by the core that this gateway belongs to") from None
    if found.expires_at <= now:
        raise Unauthenticated("this pass has expired")
    return found


def _make(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    fresh = path.with_name(f"gateway.{os.urandom(8).hex()}.new")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(base64.b64encode(Ed25519PrivateKey.generate().private_bytes_raw()) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(fresh, path)  # of two that make it at once, one wins and both use that
    except FileExistsError:
        pass
    finally:
        fresh.unlink()
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
