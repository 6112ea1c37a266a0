"""The tree: constants of the standard, public vectors, and every proof of every small tree."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from holdfast.platform.audit.rules import merkle
from holdfast.platform.audit.rules.merkle import (
    Frontier,
    Lookup,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    node_hash,
    root_at,
    root_of,
    verify_consistency,
    verify_inclusion,
)

# The eight leaves that certificate transparency logs test with, and the roots of the trees of their first n.
LEAVES = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
ROOTS = {
    0: "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    1: "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    8: "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
}


def hashes(count: int) -> list[bytes]:
    return [leaf_hash(str(number).encode()) for number in range(count)]


def naive_root(leaves: Sequence[bytes]) -> bytes:
    """MTH as the RFC defines it, by recursion: an oracle of another shape."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return node_hash(naive_root(leaves[:half]), naive_root(leaves[half:]))


def stored(leaves: Sequence[bytes]) -> Lookup:
    """A lookup over what the store would keep: leaves, and every eighth level above them."""
    rows: dict[int, list[bytes]] = {0: list(leaves)}
    frontier = Frontier()
    for leaf in leaves:
        frontier, completed = frontier.append(leaf)
        for node in completed:
            if node.level % merkle.TILE_HEIGHT == 0:
                row = rows.setdefault(node.level // merkle.TILE_HEIGHT, [])
                assert node.index == len(row)
                row.append(node.hash)
    return lambda tile, start, end: [rows[tile][at] for at in range(start, end)]


@pytest.mark.parametrize("size", sorted(ROOTS))
def test_roots_of_the_standard_leaves(size: int) -> None:
    assert root_of(leaf_hash(bytes.fromhex(leaf)) for leaf in LEAVES[:size]).hex() == ROOTS[size]


def test_an_empty_leaf_is_not_an_empty_tree() -> None:
    assert leaf_hash(b"").hex() == ROOTS[1] != ROOTS[0]


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 9, 255, 256, 257, 600])
def test_the_frontier_gives_the_root_of_the_definition(size: int) -> None:
    leaves = hashes(size)
    assert root_of(leaves) == naive_root(leaves) == root_at(size, stored(leaves))


def test_every_inclusion_proof_of_every_small_tree_holds_and_no_other_index_does() -> None:
    leaves = hashes(40)
    lookup = stored(leaves)
    for size in range(1, 41):
        root = naive_root(leaves[:size])
        for index in range(size):
            proof = inclusion_proof(index, size, lookup)
            assert verify_inclusion(index, size, leaves[index], proof, root)
            for other in {index - 1, index + 1, index ^ 1, 0, size} - {index}:
                assert not verify_inclusion(other, size, leaves[index], proof, root)
            assert not verify_inclusion(index, size, leaf_hash(b"other"), proof, root)


def test_every_consistency_proof_of_every_small_tree_holds_and_no_fork_does() -> None:
    leaves = hashes(40)
    lookup = stored(leaves)
    forked = [leaf_hash(b"fork"), *leaves[1:]]
    for new in range(1, 41):
        for old in range(1, new + 1):
            proof = consistency_proof(old, new, lookup)
            old_root, new_root = naive_root(leaves[:old]), naive_root(leaves[:new])
            assert verify_consistency(old, new, old_root, new_root, proof)
            assert not verify_consistency(old, new, naive_root(forked[:old]), new_root, proof)
            assert not verify_consistency(old, new, old_root, naive_root(forked[:new]), proof)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_proofs_of_larger_trees_and_none_survives_a_flipped_bit(data: st.DataObject) -> None:
    size = data.draw(st.integers(257, 1400))
    leaves = hashes(size)
    lookup = stored(leaves)
    index, old = data.draw(st.integers(0, size - 1)), data.draw(st.integers(1, size - 1))
    root = root_of(leaves)
    path, steps = inclusion_proof(index, size, lookup), consistency_proof(old, size, lookup)
    old_root = root_of(leaves[:old])
    assert verify_inclusion(index, size, leaves[index], path, root)
    assert verify_consistency(old, size, old_root, root, steps)
    at, bit = data.draw(st.integers(0, len(path) - 1)), data.draw(st.integers(0, 255))
    bent = (int.from_bytes(path[at]) ^ 1 << bit).to_bytes(32)
    assert not verify_inclusion(index, size, leaves[index], [*path[:at], bent, *path[at + 1 :]], root)
    at = data.draw(st.integers(0, len(steps) - 1))
    bent = (int.from_bytes(steps[at]) ^ 1 << bit).to_bytes(32)
    assert not verify_consistency(old, size, old_root, root, [*steps[:at], bent, *steps[at + 1 :]])


@given(st.integers(0, 3000), st.binary(max_size=400))
def test_a_frontier_is_unpacked_only_from_bytes_that_fit_its_size(size: int, packed: bytes) -> None:
    frontier = Frontier.unpack(size, packed)
    assert (frontier is not None) == (len(packed) == 32 * bin(size).count("1"))
    assert frontier is None or frontier.pack() == packed


def test_there_is_no_proof_outside_the_tree() -> None:
    lookup = stored(hashes(4))
    with pytest.raises(ValueError, match="no leaf 4"):
        inclusion_proof(4, 4, lookup)
    for old, new in ((0, 4), (5, 4)):
        with pytest.raises(ValueError, match="no consistency proof"):
            consistency_proof(old, new, lookup)


def _vectors(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(path.read_text()) for path in sorted(folder.rglob("*.json"))]


def _bytes(vector: dict[str, Any], *names: str) -> list[bytes]:
    return [base64.b64decode(vector[name]) for name in names]


def test_public_inclusion_vectors(shared_data: Path) -> None:
    vectors = _vectors(shared_data / "rfc6962-merkle-vectors/testdata/inclusion")
    assert len(vectors) == 98
    for vector in vectors:
        leaf, root = _bytes(vector, "leafHash", "root")
        proof = [base64.b64decode(step) for step in vector["proof"] or []]
        holds = verify_inclusion(vector["leafIdx"], vector["treeSize"], leaf, proof, root)
        assert holds is not vector["wantErr"], vector["desc"]


def test_public_consistency_vectors(shared_data: Path) -> None:
    vectors = _vectors(shared_data / "rfc6962-merkle-vectors/testdata/consistency")
    assert len(vectors) == 98
    assert any(vector["size1"] == 0 for vector in vectors)
    for vector in vectors:
        one, two = _bytes(vector, "root1", "root2")
        proof = [base64.b64decode(step) for step in vector["proof"] or []]
        holds = verify_consistency(vector["size1"], vector["size2"], one, two, proof)
        assert holds is not vector["wantErr"], vector["desc"]
