"""The Merkle tree of RFC 6962: roots, appending in O(log n) state, proofs, and checking proofs.

Hashes are 32 bytes of SHA-256. `D[a:b]` below is the RFC's notation: the leaves a to b − 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

HASH_SIZE = 32
EMPTY_ROOT = sha256(b"").digest()
TILE_HEIGHT = 8
"""Inner nodes are kept only at every eighth level (C2SP tlog-tiles does the same); the rest is recomputed."""

Lookup = Callable[[int, int, int], Sequence[bytes]]
"""`lookup(tile, start, end)`: the stored hashes number start..end-1 at tree level `tile * TILE_HEIGHT`."""


def leaf_hash(data: bytes) -> bytes:
    """SHA-256(0x00 ‖ data): RFC 6962 section 2.1."""
    return sha256(b"\x00" + data).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """SHA-256(0x01 ‖ left ‖ right): RFC 6962 section 2.1."""
    return sha256(b"\x01" + left + right).digest()


@dataclass(frozen=True, slots=True)
class Node:
    """A complete subtree: it covers the leaves index·2^level … (index+1)·2^level − 1."""

    level: int
    index: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Frontier:
    """What appending needs to know of a tree: its size, and its complete subtrees' roots, largest first.

    There is one hash for every bit set in `size`.
    """

    size: int = 0
    hashes: tuple[bytes, ...] = ()

    def append(self, leaf: bytes) -> tuple[Frontier, list[Node]]:
        """The frontier with one more leaf hash, and the inner nodes that this completed, lowest first."""
        hashes, completed, node, index = list(self.hashes), [], leaf, self.size
        level = 0
        while index & 1:
            node, index, level = node_hash(hashes.pop(), node), index >> 1, level + 1
            completed.append(Node(level, index, node))
        hashes.append(node)
        return Frontier(self.size + 1, tuple(hashes)), completed

    def root(self) -> bytes:
        """The Merkle tree hash of all leaves so far."""
        return _fold(self.hashes)

    def pack(self) -> bytes:
        """The hashes, one after another: 32 bytes each."""
        return b"".join(self.hashes)

    @classmethod
    def unpack(cls, size: int, packed: bytes) -> Frontier | None:
        """A frontier from what `pack` gave. None when the bytes cannot belong to a tree of this size."""
        if size < 0 or len(packed) != HASH_SIZE * size.bit_count():
            return None
        return cls(size, tuple(packed[at : at + HASH_SIZE] for at in range(0, len(packed), HASH_SIZE)))


def root_of(leaves: Iterable[bytes]) -> bytes:
    """The root over leaf hashes: MTH of RFC 6962 section 2.1."""
    frontier = Frontier()
    for leaf in leaves:
        frontier, _ = frontier.append(leaf)
    return frontier.root()


def inclusion_proof(index: int, size: int, lookup: Lookup) -> list[bytes]:
    """PATH(index, D[0:size]) of RFC 6962 section 2.1.1, from the leaf's sibling up to the root's child."""
    if not 0 <= index < size:
        raise ValueError(f"there is no leaf {index} in a tree of {size}")
    start, end, ranges = 0, size, []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    return [_range_root(a, b, lookup) for a, b in reversed(ranges)]


def consistency_proof(old: int, new: int, lookup: Lookup) -> list[bytes]:
    """PROOF(old, D[0:new]) of RFC 6962 section 2.1.2. `old` is at least 1 and at most `new`."""
    if not 1 <= old <= new:
        raise ValueError(f"no consistency proof leads from size {old} to size {new}")
    start, end, ranges, whole = 0, new, [], True
    while end != old:
        middle = start + _split(end - start)
        if old <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start, whole = middle, False
    if not whole:
        ranges.append((start, end))
    return [_range_root(a, b, lookup) for a, b in reversed(ranges)]


def root_at(size: int, lookup: Lookup) -> bytes:
    """The root that the tree had at `size`, from stored hashes."""
    return EMPTY_ROOT if size == 0 else _range_root(0, size, lookup)


def verify_inclusion(index: int, size: int, leaf: bytes, proof: Sequence[bytes], root: bytes) -> bool:
    """Whether the leaf hash is at `index` of the tree with this size and root: RFC 9162 section 2.1.3.2."""
    if not 0 <= index < size or not _hashes(leaf, root, *proof):
        return False
    place, last, node = index, size - 1, leaf
    for step in proof:
        if last == 0:
            return False
        if place & 1 or place == last:
            node = node_hash(step, node)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            node = node_hash(node, step)
        place, last = place >> 1, last >> 1
    return last == 0 and node == root


def verify_consistency(old: int, new: int, old_root: bytes, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Whether the new tree begins with all of the old one: RFC 9162 section 2.1.4.2.

    An empty old tree says nothing about any other, so `old == 0` is never accepted.
    """
    if old == new:
        return old >= 1 and not proof and old_root == new_root
    if not 1 <= old < new or not _hashes(old_root, new_root, *proof):
        return False
    path = list(proof) if old & (old - 1) else [old_root, *proof]
    if not path:
        return False
    place, last = old - 1, new - 1
    while place & 1:
        place, last = place >> 1, last >> 1
    first = second = path[0]
    for step in path[1:]:
        if last == 0:
            return False
        if place & 1 or place == last:
            first, second = node_hash(step, first), node_hash(step, second)
            while not place & 1 and place:
                place, last = place >> 1, last >> 1
        else:
            second = node_hash(second, step)
        place, last = place >> 1, last >> 1
    return last == 0 and first == old_root and second == new_root


def _hashes(*values: bytes) -> bool:
    return all(len(value) == HASH_SIZE for value in values)


def _split(width: int) -> int:
    """The largest power of two smaller than `width` (which is at least 2)."""
    return 1 << ((width - 1).bit_length() - 1)


def _fold(hashes: Sequence[bytes]) -> bytes:
    """One root over the roots of ever smaller complete subtrees."""
    if not hashes:
        return EMPTY_ROOT
    node = hashes[-1]
    for left in reversed(hashes[:-1]):
        node = node_hash(left, node)
    return node


def _range_root(start: int, end: int, lookup: Lookup) -> bytes:
    """MTH(D[start:end]) where start is a multiple of a power of two that is at least end − start."""
    parts = []
    while start < end:
        level = (end - start).bit_length() - 1
        parts.append(_subtree(level, start >> level, lookup))
        start += 1 << level
    return _fold(parts)


def _subtree(level: int, index: int, lookup: Lookup) -> bytes:
    tile, height = divmod(level, TILE_HEIGHT)
    row = list(lookup(tile, index << height, (index + 1) << height))
    while len(row) > 1:
        row = [node_hash(row[at], row[at + 1]) for at in range(0, len(row), 2)]
    return row[0]
