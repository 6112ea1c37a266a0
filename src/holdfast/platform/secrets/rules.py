"""Sealing and opening: AES-256-GCM (NIST SP 800-38D) with random 96-bit nonces, bound to where the secret belongs."""

from __future__ import annotations

import base64
import binascii
import hashlib
import secrets as random

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from holdfast.kernel.errors import Invalid, Unavailable
from holdfast.platform.secrets.model import DataKey, MasterKey, Secret

KEY_SIZE = 32
NONCE_SIZE = 12
MAX_SECRET = 64 << 10  # bytes
_UNREADABLE = "a stored secret cannot be opened: it was changed, or its key is another one"


def master_key(key: bytes) -> MasterKey:
    """A master key with its id. Raises Invalid unless it has 32 bytes."""
    if len(key) != KEY_SIZE:
        raise Invalid("the master key has 32 bytes", where="HOLDFAST_MASTER_KEY")
    return MasterKey("mk_" + hashlib.sha256(b"holdfast master key\n" + key).hexdigest()[:16], key)


def decode_key(text: str) -> MasterKey:
    """The master key from base 64. Raises Invalid, which does not repeat it."""
    try:
        return master_key(base64.b64decode(text.strip(), validate=True))
    except (ValueError, binascii.Error):
        raise Invalid("the master key is 32 bytes in base 64", where="HOLDFAST_MASTER_KEY") from None


def new_data_key() -> bytes:
    """A fresh data key."""
    return random.token_bytes(KEY_SIZE)


def wrap(master: MasterKey, workspace: str, key_id: str, key: bytes) -> bytes:
    """A data key under the master key, bound to its workspace and id."""
    return _seal(master.key, key, f"data-key|{workspace}|{key_id}|{master.id}")


def unwrap(master: MasterKey, kept: DataKey) -> bytes:
    """The data key. Raises Unavailable where the master key is another one, or something was changed."""
    if kept.master != master.id:
        raise Unavailable(
            "the stored secrets belong to another master key (HOLDFAST_MASTER_KEY, keys/master.key)"
        )
    return _open(master.key, kept.wrapped, f"data-key|{kept.workspace}|{kept.id}|{kept.master}")


def seal(key_id: str, key: bytes, workspace: str, secret_id: str, text: str) -> str:
    """`<key id>.<base 64>`. Raises Invalid for more than 64 KiB."""
    plain = text.encode()
    if len(plain) > MAX_SECRET:
        raise Invalid("a secret has at most 64 KiB", where="secret")
    sealed = _seal(key, plain, f"secret|{workspace}|{secret_id}|{key_id}")
    return f"{key_id}.{base64.b64encode(sealed).decode()}"


def key_id_of(sealed: str) -> str:
    """Which data key opens it."""
    return sealed.partition(".")[0]


def open_sealed(key: bytes, kept: Secret) -> str:
    """The secret's text. Raises Unavailable where anything about it was changed."""
    key_id, _, body = kept.sealed.partition(".")
    try:
        raw = base64.b64decode(body, validate=True)
    except (ValueError, binascii.Error):
        raise Unavailable(_UNREADABLE) from None
    return _open(key, raw, f"secret|{kept.workspace}|{kept.id}|{key_id}").decode()


def seal_value(master: MasterKey, purpose: str, plain: bytes) -> bytes:
    """A short-lived value for Holdfast itself, such as a cookie, under a key made from the master key for `purpose`."""
    return _seal(_derived(master, purpose), plain, purpose)


def open_value(master: MasterKey, purpose: str, sealed: bytes) -> bytes:
    """The value back from `seal_value`. Raises Unavailable."""
    return _open(_derived(master, purpose), sealed, purpose)


def _derived(master: MasterKey, purpose: str) -> bytes:
    return hashlib.blake2b(purpose.encode(), key=master.key, digest_size=KEY_SIZE).digest()


def _seal(key: bytes, plain: bytes, bound_to: str) -> bytes:
    nonce = random.token_bytes(NONCE_SIZE)
    return nonce + AESGCM(key).encrypt(nonce, plain, bound_to.encode())


def _open(key: bytes, sealed: bytes, bound_to: str) -> bytes:
    try:
        return AESGCM(key).decrypt(sealed[:NONCE_SIZE], sealed[NONCE_SIZE:], bound_to.encode())
    except (InvalidTag, ValueError):
        raise Unavailable(_UNREADABLE) from None
