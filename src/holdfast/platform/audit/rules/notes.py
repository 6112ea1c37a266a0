"""Signed notes and their keys, as c2sp.org/signed-note writes them, with Ed25519."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from hashlib import sha256

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from holdfast.kernel.errors import Invalid

ED25519 = 0x01
MAX_NOTE = 64 * 1024


@dataclass(frozen=True, slots=True)
class Verifier:
    """Whom we believe: a key name and its 32-byte Ed25519 public key."""

    name: str
    public: bytes

    def key_id(self, kind: int = ED25519) -> bytes:
        """The four bytes that stand before a signature of this key."""
        return sha256(self.name.encode() + b"\n" + bytes([kind]) + self.public).digest()[:4]

    @property
    def vkey(self) -> str:
        """`name+id+key`, as published and as given to verifiers."""
        key = base64_text(bytes([ED25519]) + self.public)
        return f"{self.name}+{self.key_id().hex()}+{key}"

    def of_log(self, workspace: str) -> Verifier:
        """The same key under the name of one workspace's log, which is also that log's origin."""
        return Verifier(f"{self.name}/{workspace}", self.public)

    def accepts(self, message: bytes, signature: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True, slots=True)
class Signer:
    """The instance's signing key. Its repr never shows the secret."""

    name: str
    _private: Ed25519PrivateKey

    def __repr__(self) -> str:
        return f"Signer({self.name!r})"

    @property
    def verifier(self) -> Verifier:
        return Verifier(self.name, self._private.public_key().public_bytes_raw())

    def of_log(self, workspace: str) -> Signer:
        """The same key under the name of one workspace's log."""
        return Signer(f"{self.name}/{workspace}", self._private)

    def signature_line(self, kind: int, body: bytes) -> str:
        """One line of a signed note. `body` is what follows the key id."""
        return f"— {self.name} {base64_text(self.verifier.key_id(kind) + body)}\n"

    def sign(self, message: bytes) -> bytes:
        """64 bytes of Ed25519 (RFC 8032)."""
        return self._private.sign(message)


@dataclass(frozen=True, slots=True)
class Note:
    """A signed note taken apart. `signatures` are (key name, key id ‖ signature)."""

    text: str
    signatures: tuple[tuple[str, bytes], ...]

    def by(self, verifier: Verifier, kind: int) -> list[bytes]:
        """The signatures of this key and kind, without key id, unverified. Raises Invalid when none."""
        wanted = verifier.key_id(kind)
        found = [body[4:] for name, body in self.signatures if name == verifier.name and body[:4] == wanted]
        if not found:
            raise Invalid(f"this note is not signed by {verifier.name} ({wanted.hex()})", where="signature")
        return found


def new_signer(name: str) -> Signer:
    """A fresh key under this name. Raises Invalid for a name that a note cannot carry."""
    return Signer(_checked_name(name), Ed25519PrivateKey.generate())


def write_secret_key(signer: Signer) -> str:
    """`PRIVATE+KEY+name+id+seed`, the way Go's note package keeps a signing key."""
    seed = base64_text(bytes([ED25519]) + signer._private.private_bytes_raw())
    return f"PRIVATE+KEY+{signer.name}+{signer.verifier.key_id().hex()}+{seed}"


def read_secret_key(text: str) -> Signer:
    """The signer back from `write_secret_key`. Raises Invalid, never showing any of the key."""
    parts = text.strip().split("+", 4)
    if len(parts) != 5 or parts[:2] != ["PRIVATE", "KEY"]:
        raise Invalid("this is not a signing key of the audit log", where="audit key")
    seed = _key_bytes(parts[4], "audit key")
    signer = Signer(_checked_name(parts[2]), Ed25519PrivateKey.from_private_bytes(seed))
    if signer.verifier.key_id().hex() != parts[3]:
        raise Invalid("the audit log's signing key is damaged: its id does not match it", where="audit key")
    return signer


def read_vkey(text: str) -> Verifier:
    """A verifier from its vkey. Raises Invalid when it is malformed or its id does not match."""
    parts = text.strip().split("+", 2)
    if len(parts) != 3:
        raise Invalid("a verifier key is written name+id+key", where="vkey")
    verifier = Verifier(_checked_name(parts[0]), _key_bytes(parts[2], "vkey"))
    if verifier.key_id().hex() != parts[1]:
        raise Invalid("this verifier key is damaged: its id does not match it", where="vkey")
    return verifier


def read_note(note: str) -> Note:
    """A signed note taken apart; nothing is verified yet. Raises Invalid when it is not one."""
    if len(note) > MAX_NOTE or any(ord(char) < 32 and char != "\n" for char in note):
        raise Invalid("this is not a signed note: too long, or it has control characters", where="note")
    text, gap, tail = note.rpartition("\n\n")
    if not gap or not tail.endswith("\n"):
        raise Invalid("a signed note is a text, an empty line and signature lines", where="note")
    signatures = []
    for line in tail[:-1].split("\n"):
        words = line.split(" ")
        if len(words) != 3 or words[0] != "—":
            raise Invalid(f"this is not a signature line: {line[:60]!r}", where="note")
        body = strict_base64(words[2])
        if body is None or len(body) < 5:
            raise Invalid(
                f"the signature of {words[1][:60]!r} is not base64 of a key id and more", where="note"
            )
        signatures.append((_checked_name(words[1]), body))
    return Note(text + "\n", tuple(signatures))


def verify_note(note: str, verifier: Verifier) -> str:
    """The text of a note that this key signed. Raises Invalid where it did not, or signed wrongly."""
    parsed = read_note(note)
    for body in parsed.by(verifier, ED25519):
        if not verifier.accepts(parsed.text.encode(), body):
            raise Invalid(f"the signature of {verifier.name} is wrong", where="signature")
    return parsed.text


def sign_note(text: str, signer: Signer) -> str:
    """A note with one plain signature. `text` ends with a newline. Raises Invalid where it can't be one."""
    if not text.endswith("\n") or any(ord(char) < 32 and char != "\n" for char in text):
        raise Invalid("a note's text ends with a newline and has no control characters", where="note")
    return text + "\n" + signer.signature_line(ED25519, signer.sign(text.encode()))


def _checked_name(name: str) -> str:
    if not name or "+" in name or any(char.isspace() or ord(char) < 32 for char in name):
        raise Invalid(f"{name[:60]!r} cannot name a key: no spaces, no plus, not empty", where="key name")
    return name


def _key_bytes(text: str, where: str) -> bytes:
    body = strict_base64(text)
    if body is None or len(body) != 33 or body[0] != ED25519:
        raise Invalid("this is not an Ed25519 key in the note format", where=where)
    return body[1:]


def base64_text(value: bytes) -> str:
    """Standard base64 (RFC 4648 section 4)."""
    return base64.b64encode(value).decode()


def strict_base64(text: str) -> bytes | None:
    """Strict base64: what would not be written the same way is refused, so that no bit of a note is loose."""
    try:
        value = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return value if base64_text(value) == text else None
