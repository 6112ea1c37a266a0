"""Signed notes, keys, checkpoints, log proofs: the published example, round trips, and what is refused."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from holdfast.kernel.errors import Invalid
from holdfast.platform.audit.rules import checkpoints, merkle, notes
from holdfast.platform.audit.rules.checkpoints import Head, LogProof
from holdfast.platform.audit.rules.notes import new_signer, read_vkey

AT = datetime(2026, 11, 20, 12, 0, 7, tzinfo=UTC)
SIGNER = new_signer("holdfast/hf_1/ws_1")
HEAD = Head("holdfast/hf_1/ws_1", 3, bytes(range(32)))


def test_the_published_signed_note_verifies(shared_data: Path) -> None:
    vector = json.loads((shared_data / "c2sp-specs/signed-note-vector.json").read_text())
    verifier = read_vkey(vector["vkey"])
    assert verifier.vkey == vector["vkey"]
    note = f"{vector['text']}\n{vector['signature_line']}\n"
    assert notes.verify_note(note, verifier) == vector["text"]
    with pytest.raises(Invalid, match="wrong"):
        notes.verify_note(note.replace("example message", "exemple message"), verifier)


def test_keys_survive_writing_and_reading_and_show_no_secret() -> None:
    secret = notes.write_secret_key(SIGNER)
    again = notes.read_secret_key(secret + "\n")
    assert again.verifier == SIGNER.verifier == read_vkey(SIGNER.verifier.vkey)
    assert secret.split("+", 4)[4] not in repr(SIGNER)
    with pytest.raises(Invalid) as caught:
        notes.read_secret_key(secret.replace("ws_1", "ws_2"))
    assert secret.split("+", 4)[4] not in str(caught.value)


@pytest.mark.parametrize("name", ["", "a b", "a+b", "a\nb", "a\u2003b"])
def test_a_name_that_a_note_cannot_carry_is_refused(name: str) -> None:
    with pytest.raises(Invalid, match="cannot name a key"):
        new_signer(name)


@pytest.mark.parametrize(
    "vkey",
    [
        "",
        "x",
        "x+00000000+AA==",
        "x+zz+" + "A" * 44,
        "PRIVATE+KEY+x+00+AA",
        "x+00000000+" + "A" * 44,
        "x+1+é",
    ],
)
def test_a_malformed_vkey_is_refused(vkey: str) -> None:
    with pytest.raises(Invalid):
        read_vkey(vkey)


def test_a_checkpoint_says_what_was_signed_and_when() -> None:
    note = checkpoints.sign_checkpoint(HEAD, SIGNER, AT)
    assert note.split("\n")[:2] == ["holdfast/hf_1/ws_1", "3"]
    assert checkpoints.verify_checkpoint(note, SIGNER.verifier) == (HEAD, AT)
    assert len(notes.read_note(note).signatures) == 2


def test_every_single_changed_character_of_a_checkpoint_is_refused() -> None:
    note = checkpoints.sign_checkpoint(HEAD, SIGNER, AT)
    for at in range(len(note)):
        for char in {"A", "0", "\n", " "} - {note[at]}:
            with pytest.raises(Invalid):
                checkpoints.verify_checkpoint(note[:at] + char + note[at + 1 :], SIGNER.verifier)


def test_signatures_of_others_are_ignored_but_never_suffice() -> None:
    other = new_signer("holdfast/hf_1/ws_1")
    note = checkpoints.sign_checkpoint(HEAD, SIGNER, AT)
    witnessed = note + other.signature_line(notes.ED25519, other.sign(b"anything"))
    assert checkpoints.verify_checkpoint(witnessed, SIGNER.verifier) == (HEAD, AT)
    with pytest.raises(Invalid, match="not signed by"):
        checkpoints.verify_checkpoint(note, other.verifier)
    with pytest.raises(Invalid, match="not signed by"):
        checkpoints.verify_checkpoint(
            notes.sign_note(checkpoints.write_checkpoint(HEAD), SIGNER), SIGNER.verifier
        )


def test_a_checkpoint_of_another_log_is_refused_even_if_rightly_signed() -> None:
    note = checkpoints.sign_checkpoint(Head("elsewhere", 3, HEAD.root), SIGNER, AT)
    with pytest.raises(Invalid, match="is of the log 'elsewhere'"):
        checkpoints.verify_checkpoint(note, SIGNER.verifier)


@pytest.mark.parametrize(
    "text",
    [
        "a\n1\n",
        "a\n01\nR\n",
        "a\n-1\nR\n",
        "a\n+1\nR\n",
        "\n1\nR\n",
        "a\n1\nR\nmore\n",
        "a\n1\nshort\n",
        "a\n١\nR\n",
    ],
)
def test_a_malformed_checkpoint_is_refused(text: str) -> None:
    root = base64.b64encode(bytes(32)).decode()
    with pytest.raises(Invalid, match="three lines"):
        checkpoints.read_checkpoint(text.replace("R", root))


@pytest.mark.parametrize(
    "note", ["", "text\n", "text\n\n", "te\txt\n\n— a AAAAAAA=\n", "text\n\n- a AAAAAAA=\n"]
)
def test_what_is_no_note_is_refused(note: str) -> None:
    with pytest.raises(Invalid):
        notes.read_note(note)


@given(st.text())
def test_no_text_makes_the_readers_fail_otherwise(text: str) -> None:
    for read in (notes.read_note, read_vkey, notes.read_secret_key, checkpoints.read_proof):
        try:
            read(text)
        except Invalid:
            continue


@pytest.mark.parametrize("extra", [None, b"", b"context"])
def test_a_log_proof_stands_on_its_own(extra: bytes | None) -> None:
    leaves = [merkle.leaf_hash(bytes([number])) for number in range(11)]
    head = Head(HEAD.origin, 11, merkle.root_of(leaves))
    path = merkle.inclusion_proof(6, 11, lambda tile, start, end: leaves[start:end])
    proof = LogProof(6, tuple(path), checkpoints.sign_checkpoint(head, SIGNER, AT), extra)
    text = checkpoints.write_proof(proof)
    assert text.startswith("c2sp.org/tlog-proof@v1\n")
    assert checkpoints.read_proof(text) == proof
    assert checkpoints.verify_proof(text, leaves[6], SIGNER.verifier) == (head, AT)
    with pytest.raises(Invalid, match="not number 6"):
        checkpoints.verify_proof(text, leaves[5], SIGNER.verifier)
    with pytest.raises(Invalid, match="not number 7"):
        checkpoints.verify_proof(text.replace("index 6", "index 7"), leaves[6], SIGNER.verifier)
