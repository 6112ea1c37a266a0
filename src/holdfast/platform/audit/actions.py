"""Verbs of the audit log: record, erase, sign, and keep how far the streams have come."""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from holdfast.kernel.context import Context
from holdfast.kernel.errors import Conflict, HoldfastError, Invalid, NotFound, Unavailable
from holdfast.platform.audit import store
from holdfast.platform.audit.model import (
    ERASED,
    AuditRecord,
    Checkpoint,
    Entry,
    Item,
    Outcome,
    Problem,
    SignedMemory,
    Tile,
    Tree,
)
from holdfast.platform.audit.rules import merkle, records
from holdfast.platform.audit.rules.checkpoints import Head, sign_checkpoint, verify_checkpoint
from holdfast.platform.audit.rules.exports import head_of
from holdfast.platform.audit.rules.notes import Signer
from holdfast.storage.sql import Transaction

MAX_NAME = 100
MAX_COLUMN = 500


@dataclass(frozen=True, slots=True)
class Signing:
    """What a round of signing did. `refused` names each log that does not continue what was signed."""

    checkpoints: Sequence[Checkpoint]
    refused: Sequence[Problem]


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a stream sends next, and the places to keep then: workspace → (next index, checkpoint size)."""

    items: Sequence[Item]
    places: Mapping[str, tuple[int, int]]


def record(
    ctx: Context,
    tx: Transaction,
    *,
    action: str,
    subject: str,
    details: Mapping[str, Any] | None = None,
    outcome: Outcome = "ok",
) -> Entry:
    """Appends to the log of `ctx.workspace`, in the transaction of the change that it records.

    Call it last: on PostgreSQL it holds the workspace's tree until the transaction ends. `action` is words
    with dots (`key.created`), `subject` names what was acted on (`key:hf_ab12`), `details` is anything that
    `rules.records.plain` can turn into JSON. Raises Invalid or TooLarge for what cannot be kept, Unavailable
    when the tree is damaged; the change must then not happen either.
    """
    if not ctx.workspace or set(ctx.workspace) & set(" +/\n"):
        raise Invalid("an audit entry needs the id of its workspace", where="workspace")
    if not action or len(action) > MAX_NAME:
        raise Invalid(f"an action has a name of at most {MAX_NAME} characters", where="action")
    tree = store.lock_tree(tx, ctx.workspace)
    frontier = merkle.Frontier.unpack(tree.size, tree.frontier)
    if frontier is None:
        raise Unavailable("the state of the audit log is damaged; run `holdfast audit verify`")
    entry = records.entry_of(
        AuditRecord(
            ctx.workspace,
            tree.size,
            ctx.now,
            ctx.actor.kind,
            records.one_line(ctx.actor.id)[:MAX_COLUMN],
            records.one_line(ctx.actor.name)[:MAX_COLUMN],
            records.one_line(action),
            records.one_line(subject)[:MAX_COLUMN],
            outcome,
            details or {},
        ),
        secrets.token_bytes(records.SALT_SIZE),
    )
    grown, completed = frontier.append(entry.leaf_hash)
    store.add_entry(tx, entry)
    store.add_tiles(tx, _tiles(ctx.workspace, completed))
    store.put_tree(tx, Tree(ctx.workspace, grown.size, grown.pack()))
    return entry


def erase(ctx: Context, tx: Transaction, index: int) -> Entry:
    """Destroys what an entry says, for good, and records that; returns the entry that records it.

    The leaf hash stays, so every root and proof stays valid. Raises NotFound, or Conflict when the entry is
    erased already or itself records an erasure.
    """
    store.lock_tree(tx, ctx.workspace)
    entry = store.entry(tx, ctx.workspace, index)
    if entry is None:
        raise NotFound(f"there is no audit entry {index}")
    if entry.erased_at is not None:
        raise Conflict(f"audit entry {index} is erased already")
    if entry.action == ERASED:
        raise Conflict("an entry that records an erasure names nobody and stays")
    store.blank_entry(tx, ctx.workspace, index, ctx.now)
    return record(ctx, tx, action=ERASED, subject=f"audit:{index}", details=records.erasure_details(entry))


def erase_about(ctx: Context, tx: Transaction, name: str) -> list[int]:
    """Erases every entry whose actor or subject is `name`, such as a member's id; returns their indexes."""
    found = store.indexes_about(tx, ctx.workspace, name)
    for index in found:
        erase(ctx, tx, index)
    return found


def erase_mentions(ctx: Context, tx: Transaction, texts: Sequence[str]) -> list[int]:
    """Erases every entry that says any of these texts anywhere, such as an e-mail address; returns their indexes."""
    found = store.indexes_mentioning(tx, ctx.workspace, texts)
    for index in found:
        erase(ctx, tx, index)
    return found


def sign_checkpoints(tx: Transaction, signer: Signer, memory: SignedMemory, at: datetime) -> Signing:
    """Signs the present head of every log that grew since it was signed last.

    A log that does not continue all that was signed before, in the store or in the signer's memory, is
    refused and named. Pass a reading transaction: only committed trees may be signed. The memory is durable
    before this returns, so no signature is forgotten. Keep the result with `keep_checkpoints`.
    """
    remembered = memory.load()
    stored = store.checkpoint_sizes(tx)
    trees = {tree.workspace: tree for tree in store.trees(tx)}
    signed, refused = [], []
    for workspace in sorted(trees.keys() | remembered.keys() | stored.keys()):
        tree = trees.get(workspace) or Tree(workspace, 0, b"")
        try:
            point = _sign_one(tx, tree, signer.of_log(workspace), remembered.get(workspace), stored, at)
        except HoldfastError as error:
            refused.append(Problem(workspace, error.detail))
            continue
        if point is not None:
            signed.append(point)
    if signed:
        memory.save(remembered | {point.workspace: point.note for point in signed})
    return Signing(signed, refused)


def keep_checkpoints(tx: Transaction, checkpoints: Sequence[Checkpoint]) -> None:
    """Keeps what `sign_checkpoints` signed."""
    store.add_checkpoints(tx, checkpoints)


def next_delivery(tx: Transaction, stream: str, limit: int) -> Delivery | None:
    """What this stream has not delivered yet, `limit` entries at most; None when it is up to date.

    A checkpoint comes only after the entries that it covers.
    """
    places = store.stream_places(tx, stream)
    signed = store.checkpoint_sizes(tx)
    items: list[Item] = []
    moved: dict[str, tuple[int, int]] = {}
    for tree in store.trees(tx):
        index, size = places.get(tree.workspace, (0, 0))
        if tree.size <= index and signed.get(tree.workspace, 0) <= size:
            continue
        entries = store.entries_from(tx, tree.workspace, index, limit - len(items))
        index = entries[-1].index + 1 if entries else index
        items += entries
        for point in store.checkpoints_from(tx, tree.workspace, size + 1, limit):
            if point.size <= index:
                items.append(point)
                size = point.size
        if (index, size) != places.get(tree.workspace, (0, 0)):
            moved[tree.workspace] = (index, size)
        if len(items) >= limit:
            break
    return Delivery(items, moved) if items else None


def keep_places(tx: Transaction, stream: str, delivery: Delivery) -> None:
    """Keeps that a delivery has arrived."""
    for workspace, (index, size) in delivery.places.items():
        store.put_stream_place(tx, stream, workspace, index, size)


def _tiles(workspace: str, completed: Sequence[merkle.Node]) -> list[Tile]:
    height = merkle.TILE_HEIGHT
    kept = [node for node in completed if node.level % height == 0]
    return [Tile(workspace, node.level // height, node.index, node.hash) for node in kept]


def _sign_one(
    tx: Transaction, tree: Tree, signer: Signer, note: str | None, stored: Mapping[str, int], at: datetime
) -> Checkpoint | None:
    """A new checkpoint, or None when the tree has not grown. Raises Conflict when it is no continuation."""
    known = stored.get(tree.workspace, 0)
    said = None if note is None else head_of(note)
    noted = said.size if said else 0
    if tree.size < max(known, noted):
        raise Conflict(f"it has {tree.size} entries, and {max(known, noted)} were signed: it was rewound")
    frontier = merkle.Frontier.unpack(tree.size, tree.frontier)
    if frontier is None:
        raise Conflict("the kept state of its tree is damaged")
    head = Head(signer.name, tree.size, frontier.root())
    if tree.size == known and said == head:
        return None
    last = store.last_checkpoint(tx, tree.workspace)
    for earlier in {note, last.note if last else None} - {None}:
        _check_continues(tx, tree.workspace, str(earlier), head, signer)
    if last is not None and last.size == tree.size and note is None:
        return last  # only the memory lacks it
    return Checkpoint(tree.workspace, head.size, head.root, sign_checkpoint(head, signer, at), _second(at))


def _check_continues(tx: Transaction, workspace: str, note: str, head: Head, signer: Signer) -> None:
    old, _ = verify_checkpoint(note, signer.verifier)
    proof = merkle.consistency_proof(old.size, head.size, store.lookup(tx, workspace))
    if not merkle.verify_consistency(old.size, head.size, old.root, head.root, proof):
        raise Conflict(
            f"it does not continue the {old.size} entries that were signed: it was changed or forked"
        )


def _second(at: datetime) -> datetime:
    return at.replace(microsecond=0)
