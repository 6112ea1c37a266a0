"""Checkpoints and proofs of the log, as C2SP writes them.

Specifications: c2sp.org/tlog-checkpoint, c2sp.org/tlog-cosignature, c2sp.org/tlog-proof. A checkpoint of ours
bears two signatures of the log's key: a plain one (type 0x01) over the text, and a timed one (type 0x04), so
that the time at which it was signed is as provable as the tree.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from holdfast.kernel.errors import Invalid
from holdfast.platform.audit.rules.merkle import HASH_SIZE, verify_inclusion
from holdfast.platform.audit.rules.notes import (
    Signer,
    Verifier,
    base64_text,
    read_note,
    sign_note,
    strict_base64,
    verify_note,
)

COSIGNATURE = 0x04
PROOF_HEADER = "c2sp.org/tlog-proof@v1"
_DECIMAL = re.compile(r"0|[1-9][0-9]{0,18}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Head:
    """What a checkpoint states: the log, how many leaves it had, and their root."""

    origin: str
    size: int
    root: bytes


@dataclass(frozen=True, slots=True)
class LogProof:
    """A self-contained proof of inclusion: leaf index, path, and the signed checkpoint it leads to."""

    index: int
    path: tuple[bytes, ...]
    checkpoint: str
    extra: bytes | None = None


def write_checkpoint(head: Head) -> str:
    """The text of a checkpoint: origin, size, root."""
    return f"{head.origin}\n{head.size}\n{base64_text(head.root)}\n"


def read_checkpoint(text: str) -> Head:
    """What a checkpoint's text states; extension lines are not ours and are refused. Raises Invalid."""
    lines = text.split("\n")
    root = strict_base64(lines[2]) if len(lines) == 4 else None
    if root is None or len(root) != HASH_SIZE or lines[3] or not lines[0] or not _DECIMAL.fullmatch(lines[1]):
        raise Invalid("a checkpoint is three lines: origin, size and root", where="checkpoint")
    return Head(lines[0], int(lines[1]), root)


def sign_checkpoint(head: Head, signer: Signer, at: datetime) -> str:
    """The checkpoint as a signed note: a plain signature and one with the time, in whole seconds."""
    text = write_checkpoint(head)
    stamp = int(at.timestamp())
    timed = stamp.to_bytes(8, "big") + signer.sign(_timed(stamp, text))
    return sign_note(text, signer) + signer.signature_line(COSIGNATURE, timed)


def verify_checkpoint(note: str, verifier: Verifier) -> tuple[Head, datetime]:
    """What a signed checkpoint states, and when it was signed. The log's origin is the key's name.

    Raises Invalid when it is malformed, of another log, or when either signature is missing or wrong.
    """
    text = verify_note(note, verifier)
    stamps = []
    for body in read_note(note).by(verifier, COSIGNATURE):
        stamps.append(int.from_bytes(body[:8], "big"))
        if len(body) != 72 or not verifier.accepts(_timed(stamps[-1], text), body[8:]):
            raise Invalid(f"the timed signature of {verifier.name} is wrong", where="signature")
    head = read_checkpoint(text)
    if head.origin != verifier.name:
        raise Invalid(
            f"this checkpoint is of the log {head.origin!r}, not {verifier.name!r}", where="checkpoint"
        )
    return head, datetime.fromtimestamp(max(stamps), UTC)


def write_proof(proof: LogProof) -> str:
    """The text of a `.tlog-proof` file."""
    lines = [PROOF_HEADER]
    if proof.extra is not None:
        lines.append(f"extra {base64_text(proof.extra)}")
    lines += [f"index {proof.index}", *map(base64_text, proof.path), "", proof.checkpoint]
    return "\n".join(lines)


def read_proof(text: str) -> LogProof:
    """A log proof taken apart; nothing is verified yet. Raises Invalid when it is not one."""
    head, gap, checkpoint = text.partition("\n\n")
    lines = head.split("\n")
    if not gap or lines[0] != PROOF_HEADER:
        raise Invalid(f"a log proof begins with the line {PROOF_HEADER}", where="proof")
    extra = None
    if len(lines) > 1 and lines[1].startswith("extra "):
        extra = strict_base64(lines.pop(1)[6:])
        if extra is None:
            raise Invalid("the extra line of this proof is not base64", where="proof")
    if len(lines) < 2 or not lines[1].startswith("index ") or not _DECIMAL.fullmatch(lines[1][6:]):
        raise Invalid("the index line of this proof is missing", where="proof")
    path = [strict_base64(line) for line in lines[2:]]
    return LogProof(int(lines[1][6:]), tuple(_all_hashes(path)), checkpoint, extra)


def verify_proof(text: str, leaf: bytes, verifier: Verifier) -> tuple[Head, datetime]:
    """The signed checkpoint under which a leaf hash is proven to be in the log. `verifier` is the log's.

    Raises Invalid when the proof is malformed, or not of this log, or the path does not lead there.
    """
    proof = read_proof(text)
    head, at = verify_checkpoint(proof.checkpoint, verifier)
    if not verify_inclusion(proof.index, head.size, leaf, proof.path, head.root):
        raise Invalid(f"this entry is not number {proof.index} of the log {head.origin}", where="proof")
    return head, at


def _timed(stamp: int, text: str) -> bytes:
    return f"cosignature/v1\ntime {stamp}\n{text}".encode()


def _all_hashes(values: Sequence[bytes | None]) -> list[bytes]:
    hashes = [value for value in values if value is not None and len(value) == HASH_SIZE]
    if len(hashes) != len(values):
        raise Invalid("a line of this proof is not the base64 of a hash", where="proof")
    return hashes
