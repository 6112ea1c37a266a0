"""Tables of the audit log, and every query on them.

Rows of `audit_entries` are only ever added, or blanked by an erasure; `audit_trees` holds the growing edge of
each tree; `audit_tiles` every eighth level of its inner nodes, so that a proof reads hundreds of rows and
not all.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from holdfast.kernel.errors import Unavailable
from holdfast.platform.audit.model import Checkpoint, Entry, Tile, Tree
from holdfast.platform.audit.rules.merkle import Lookup
from holdfast.storage.sql import Instant, Transaction, metadata

audit_entries = sa.Table(
    "audit_entries",
    metadata,
    sa.Column("workspace", sa.String(64), primary_key=True),
    sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("at", Instant, nullable=False),
    sa.Column("action", sa.String(100), nullable=False),
    sa.Column("actor_kind", sa.String(20), nullable=False),
    sa.Column("actor_id", sa.Text, nullable=True),
    sa.Column("subject", sa.Text, nullable=True),
    sa.Column("record", sa.Text, nullable=True),
    sa.Column("salt", sa.LargeBinary, nullable=True),
    sa.Column("leaf_hash", sa.LargeBinary, nullable=False),
    sa.Column("erased_at", Instant, nullable=True),
    sa.Index(None, "workspace", "actor_id", "position"),
    sa.Index(None, "workspace", "subject", "position"),
)

audit_trees = sa.Table(
    "audit_trees",
    metadata,
    sa.Column("workspace", sa.String(64), primary_key=True),
    sa.Column("size", sa.BigInteger, nullable=False, default=0),
    sa.Column("frontier", sa.LargeBinary, nullable=False, default=b""),
)

audit_tiles = sa.Table(
    "audit_tiles",
    metadata,
    sa.Column("workspace", sa.String(64), primary_key=True),
    sa.Column("level", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("position", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("hash", sa.LargeBinary, nullable=False),
)

audit_checkpoints = sa.Table(
    "audit_checkpoints",
    metadata,
    sa.Column("workspace", sa.String(64), primary_key=True),
    sa.Column("size", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("root", sa.LargeBinary, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("at", Instant, nullable=False),
)

audit_streams = sa.Table(
    "audit_streams",
    metadata,
    sa.Column("name", sa.String(100), primary_key=True),
    sa.Column("workspace", sa.String(64), primary_key=True),
    sa.Column("next_index", sa.BigInteger, nullable=False),
    sa.Column("checkpoint_size", sa.BigInteger, nullable=False),
)

_BATCH = 1000

# What every change of state runs is built once: building costs as much as running.
_LOCK_TREE = sa.select(audit_trees).where(audit_trees.c.workspace == sa.bindparam("of")).with_for_update()
_PUT_TREE = (
    audit_trees.update()
    .where(audit_trees.c.workspace == sa.bindparam("of"))
    .values(size=sa.bindparam("to_size"), frontier=sa.bindparam("to_frontier"))
)
_ADD_ENTRY = audit_entries.insert()


def lock_tree(tx: Transaction, workspace: str) -> Tree:
    """The tree's state, begun where missing, and nobody else's to change until this transaction ends."""
    tree = _tree_row(tx, workspace)
    if tree is None:
        tx.upsert(
            audit_trees, {"workspace": workspace}, key=["workspace"]
        )  # begun at once elsewhere: left alone
        tree = _tree_row(tx, workspace)
    if tree is None:
        raise Unavailable("the audit log could not be begun", retry_after=1)
    return tree


def put_tree(tx: Transaction, tree: Tree) -> None:
    """Keeps the new state of a tree that `lock_tree` gave."""
    tx.execute(_PUT_TREE, [{"of": tree.workspace, "to_size": tree.size, "to_frontier": tree.frontier}])


def add_entry(tx: Transaction, entry: Entry) -> None:
    """Adds an entry. Raises Conflict when its place is taken."""
    values = {"workspace": entry.workspace, "position": entry.index, "at": entry.at, "action": entry.action}
    values |= {"actor_kind": entry.actor_kind, "actor_id": entry.actor_id, "subject": entry.subject}
    values |= {"record": entry.text, "salt": entry.salt, "leaf_hash": entry.leaf_hash}
    tx.execute(_ADD_ENTRY, [values | {"erased_at": None}])


def add_tiles(tx: Transaction, tiles: Sequence[Tile]) -> None:
    """Adds completed inner nodes."""
    rows = [{"workspace": t.workspace, "level": t.level, "position": t.index, "hash": t.hash} for t in tiles]
    if rows:
        tx.execute(audit_tiles.insert(), rows)


def blank_entry(tx: Transaction, workspace: str, index: int, at: datetime) -> None:
    """Destroys the content and the salt of an entry; its leaf hash stays."""
    c = audit_entries.c
    statement = audit_entries.update().where(c.workspace == workspace, c.position == index)
    tx.execute(statement.values(record=None, salt=None, actor_id=None, subject=None, erased_at=at))


def entry(tx: Transaction, workspace: str, index: int) -> Entry | None:
    """One entry, or None."""
    statement = tx.select(audit_entries, workspace).where(audit_entries.c.position == index)
    row = tx.execute(statement).one_or_none()
    return None if row is None else _entry(row)


def entries_from(tx: Transaction, workspace: str, index: int, limit: int) -> list[Entry]:
    """Entries in order, from this index on."""
    statement = tx.select(audit_entries, workspace).where(audit_entries.c.position >= index)
    return [_entry(row) for row in tx.execute(statement.order_by(audit_entries.c.position).limit(limit))]


def every_entry(tx: Transaction, workspace: str) -> Iterator[Entry]:
    """All entries in order, read in batches by key, so that memory stays small."""
    after: int | None = None
    while True:
        statement = tx.select(audit_entries, workspace)
        if after is not None:
            statement = statement.where(audit_entries.c.position > after)
        rows = tx.execute(statement.order_by(audit_entries.c.position).limit(_BATCH)).all()
        for row in rows:
            yield _entry(row)
        if len(rows) < _BATCH:
            return
        after = rows[-1].position


def find_entries(
    tx: Transaction,
    workspace: str,
    *,
    before: int | None,
    limit: int,
    action: str | None,
    actor_id: str | None,
    subject: str | None,
    start: datetime | None,
    end: datetime | None,
) -> list[Entry]:
    """Entries that match all that is given, the newest first. `action` may end in `*`."""
    c = audit_entries.c
    statement = tx.select(audit_entries, workspace)
    if before is not None:
        statement = statement.where(c.position < before)
    if action is not None and action.endswith("*"):
        statement = statement.where(c.action.startswith(action[:-1], autoescape=True))
    elif action is not None:
        statement = statement.where(c.action == action)
    if actor_id is not None:
        statement = statement.where(c.actor_id == actor_id)
    if subject is not None:
        statement = statement.where(c.subject == subject)
    if start is not None:
        statement = statement.where(c.at >= start)
    if end is not None:
        statement = statement.where(c.at < end)
    return [_entry(row) for row in tx.execute(statement.order_by(c.position.desc()).limit(limit))]


def indexes_about(tx: Transaction, workspace: str, name: str) -> list[int]:
    """The indexes of entries whose actor or subject this is, in order."""
    c = audit_entries.c
    statement = sa.select(c.position).where(c.workspace == workspace)
    statement = statement.where(sa.or_(c.actor_id == name, c.subject == name))
    return list(tx.execute(statement.order_by(c.position)).scalars())


def indexes_mentioning(tx: Transaction, workspace: str, texts: Sequence[str]) -> list[int]:
    """The indexes of entries that say any of these texts anywhere, in order."""
    c = audit_entries.c
    said = [c.record.contains(text, autoescape=True) for text in texts]
    statement = sa.select(c.position).where(c.workspace == workspace, sa.or_(*said))
    return list(tx.execute(statement.order_by(c.position)).scalars())


def trees(tx: Transaction) -> list[Tree]:
    """The state of every tree, by workspace."""
    rows = tx.execute(sa.select(audit_trees).order_by(audit_trees.c.workspace))
    return [Tree(row.workspace, row.size, row.frontier) for row in rows]


def tree(tx: Transaction, workspace: str) -> Tree | None:
    """The state of one tree, or None where nothing was ever recorded."""
    row = tx.execute(tx.select(audit_trees, workspace)).one_or_none()
    return None if row is None else Tree(row.workspace, row.size, row.frontier)


def tiles(tx: Transaction, workspace: str) -> list[Tile]:
    """Every kept inner node of a tree."""
    rows = tx.execute(tx.select(audit_tiles, workspace))
    return [Tile(row.workspace, row.level, row.position, row.hash) for row in rows]


def workspaces(tx: Transaction) -> list[str]:
    """Every workspace that any table of the log speaks of."""
    tables = (audit_entries, audit_trees, audit_tiles, audit_checkpoints)
    return sorted(tx.execute(sa.union(*(sa.select(table.c.workspace) for table in tables))).scalars())


def lookup(tx: Transaction, workspace: str) -> Lookup:
    """Reads stored hashes for a proof. What it gives raises Unavailable where some are missing."""

    def read(tile: int, start: int, end: int) -> Sequence[bytes]:
        table = audit_tiles if tile else audit_entries
        hashes = table.c.hash if tile else table.c.leaf_hash
        statement = sa.select(hashes).where(table.c.workspace == workspace)
        statement = statement.where(table.c.position >= start, table.c.position < end)
        if tile:
            statement = statement.where(table.c.level == tile)
        found = list(tx.execute(statement.order_by(table.c.position)).scalars())
        if len(found) != end - start:
            raise Unavailable("hashes of the audit log are missing; run `holdfast audit verify`")
        return found

    return read


def add_checkpoints(tx: Transaction, checkpoints: Iterable[Checkpoint]) -> None:
    """Keeps signed checkpoints. One of the same size takes the other's place: both have the same root."""
    for point in checkpoints:
        values = {"workspace": point.workspace, "size": point.size, "root": point.root}
        values |= {"note": point.note, "at": point.at}
        tx.upsert(audit_checkpoints, values, key=["workspace", "size"])


def checkpoints_from(
    tx: Transaction, workspace: str, size: int, limit: int | None = None
) -> list[Checkpoint]:
    """Checkpoints of at least this size, the smallest first."""
    c = audit_checkpoints.c
    statement = tx.select(audit_checkpoints, workspace).where(c.size >= size).order_by(c.size).limit(limit)
    return [_checkpoint(row) for row in tx.execute(statement)]


def last_checkpoint(tx: Transaction, workspace: str) -> Checkpoint | None:
    """The checkpoint with the largest size, or None."""
    c = audit_checkpoints.c
    row = tx.execute(tx.select(audit_checkpoints, workspace).order_by(c.size.desc()).limit(1)).one_or_none()
    return None if row is None else _checkpoint(row)


def checkpoint_sizes(tx: Transaction) -> dict[str, int]:
    """The largest signed size of every workspace."""
    c = audit_checkpoints.c
    rows = tx.execute(sa.select(c.workspace, sa.func.max(c.size).label("size")).group_by(c.workspace))
    return {row.workspace: row.size for row in rows}


def stream_places(tx: Transaction, name: str) -> dict[str, tuple[int, int]]:
    """How far a stream has come in each workspace: (next entry's index, size of the last checkpoint sent)."""
    rows = tx.execute(sa.select(audit_streams).where(audit_streams.c.name == name))
    return {row.workspace: (row.next_index, row.checkpoint_size) for row in rows}


def put_stream_place(
    tx: Transaction, name: str, workspace: str, next_index: int, checkpoint_size: int
) -> None:
    """Keeps how far a stream has come."""
    values = {"name": name, "workspace": workspace, "next_index": next_index}
    tx.upsert(audit_streams, values | {"checkpoint_size": checkpoint_size}, key=["name", "workspace"])


def _tree_row(tx: Transaction, workspace: str) -> Tree | None:
    row = tx.execute(_LOCK_TREE, [{"of": workspace}]).one_or_none()
    return None if row is None else Tree(row.workspace, row.size, row.frontier)


def _entry(row: Any) -> Entry:
    return Entry(
        row.workspace,
        row.position,
        row.at,
        row.action,
        row.actor_kind,
        row.actor_id,
        row.subject,
        row.record,
        row.salt,
        row.leaf_hash,
        row.erased_at,
    )


def _checkpoint(row: Any) -> Checkpoint:
    return Checkpoint(row.workspace, row.size, row.root, row.note, row.at)
