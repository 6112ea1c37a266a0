"""The snapshot that a gateway holds: what the core answers, and what is pushed to it meanwhile."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from holdfast.gateway.model import Signed, Snapshot
from holdfast.gateway.proxy import snapshots
from holdfast.kernel.errors import Conflict, Invalid

Made = Callable[[int], bytes]


@pytest.fixture
def raw(tmp_path: Path) -> Made:
    """Signed snapshots of an epoch, by the core that the folder belongs to."""
    signer = Ed25519PrivateKey.generate()
    snapshots.put(tmp_path / snapshots.KEY, signer.public_key().public_bytes_raw())

    def made(epoch: int) -> bytes:
        body = msgspec.msgpack.encode(Snapshot(epoch, datetime(2026, 11, 20, tzinfo=UTC), {}, {}))
        return msgspec.msgpack.encode(Signed(body, signer.sign(body)))

    return made


def test_what_was_pushed_is_not_undone_by_an_answer_that_was_on_its_way(tmp_path: Path, raw: Made) -> None:
    held = snapshots.Held(tmp_path)
    held.fetched(raw(4), held.epoch())
    asked_with = held.epoch()
    assert held.pushed(raw(6)) == 6 == held.pushed(raw(6))
    held.fetched(raw(5), asked_with)
    assert held.epoch() == 6


def test_what_is_older_is_not_put_back_by_a_push(tmp_path: Path, raw: Made) -> None:
    held = snapshots.Held(tmp_path)
    held.pushed(raw(6))
    with pytest.raises(Conflict, match="epoch 6 already; 5 is older"):
        held.pushed(raw(5))
    assert held.epoch() == 6
    held.fetched(raw(2), 6)
    assert held.epoch() == 2, "the core was restored from a backup: what it says is taken as it is"


def test_what_another_signed_is_refused(tmp_path: Path, raw: Made) -> None:
    held = snapshots.Held(tmp_path)
    held.pushed(raw(6))
    signed = msgspec.msgpack.decode(raw(9), type=Signed)
    forged = msgspec.msgpack.encode(Signed(signed.body, Ed25519PrivateKey.generate().sign(signed.body)))
    for body in (forged, raw(9)[:-1], b"", b"{}"):
        with pytest.raises(Invalid, match="not what the core signed"):
            held.pushed(body)
        with pytest.raises(Invalid, match="not what the core signed"):
            held.fetched(body, 6)
    assert held.epoch() == 6


def test_a_gateway_that_never_met_its_core_takes_nothing(tmp_path: Path, raw: Made) -> None:
    apart = tmp_path / "apart"
    apart.mkdir()
    with pytest.raises(Invalid, match="has not met its core"):
        snapshots.Held(apart).pushed(raw(1))
