"""Answers from the audit log: entries, proofs, checkpoints, exports, and whether all of it still holds."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from holdfast.kernel.context import Context
from holdfast.kernel.errors import Conflict, Invalid, NotFound
from holdfast.kernel.page import Page, decode_cursor, encode_cursor
from holdfast.platform.audit import store
from holdfast.platform.audit.model import AuditRecord, Checkpoint, Entry, Tree, VerificationReport
from holdfast.platform.audit.rules import merkle
from holdfast.platform.audit.rules.checkpoints import LogProof, write_proof
from holdfast.platform.audit.rules.exports import as_line
from holdfast.platform.audit.rules.notes import Verifier, read_vkey
from holdfast.platform.audit.rules.records import commit, read_record
from holdfast.platform.audit.rules.verification import LogCheck, check_lines, report_of
from holdfast.storage.sql import Transaction

MAX_PAGE = 1000


def entries(
    ctx: Context,
    tx: Transaction,
    *,
    action: str | None = None,
    actor_id: str | None = None,
    subject: str | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    cursor: str | None = None,
    limit: int = 50,
) -> Page[Entry]:
    """Entries that match all that is given, the newest first. `action` may end in `*`; start <= at < end.

    Raises Invalid for a limit outside 1 to 1000 or a cursor of another list.
    """
    if not 1 <= limit <= MAX_PAGE:
        raise Invalid(f"a page has 1 to {MAX_PAGE} entries", where="limit")
    before = None if cursor is None else int(decode_cursor(cursor, (int,))[0])
    found = store.find_entries(
        tx,
        ctx.workspace,
        before=before,
        limit=limit + 1,
        action=action,
        actor_id=actor_id,
        subject=subject,
        start=start,
        end=end,
    )
    more = len(found) > limit
    return Page(found[:limit], encode_cursor(found[limit - 1].index) if more else None)


def entry(ctx: Context, tx: Transaction, index: int) -> Entry:
    """One entry. Raises NotFound."""
    found = store.entry(tx, ctx.workspace, index)
    if found is None:
        raise NotFound(f"there is no audit entry {index}")
    return found


def said(entry: Entry) -> AuditRecord | None:
    """What an entry says, or None when it is erased. Raises Invalid when it was tampered with."""
    return None if entry.text is None else read_record(entry.text)


def vouched(ctx: Context, tx: Transaction, entry: Entry) -> AuditRecord | None:
    """What an entry says, where its text is the one that its leaf and the tree above it commit to; None where it is erased.

    For decisions that rest on an entry: whoever edits its row is found out here. Raises Invalid then.
    """
    if entry.text is None or entry.salt is None:
        return None
    tree = store.tree(tx, ctx.workspace)
    frontier = None if tree is None else merkle.Frontier.unpack(tree.size, tree.frontier)
    whole = (
        tree is not None
        and frontier is not None
        and commit(entry.text, entry.salt) == entry.leaf_hash
        and entry.index < tree.size
        and merkle.verify_inclusion(
            entry.index,
            tree.size,
            entry.leaf_hash,
            merkle.inclusion_proof(entry.index, tree.size, store.lookup(tx, ctx.workspace)),
            frontier.root(),
        )
    )
    if not whole:
        raise Invalid(f"audit entry {entry.index} was tampered with; run `holdfast audit verify`")
    return read_record(entry.text, exact=False)


def latest_checkpoint(ctx: Context, tx: Transaction) -> Checkpoint | None:
    """The newest signed checkpoint of the workspace's log, or None before the first."""
    return store.last_checkpoint(tx, ctx.workspace)


def checkpoints(ctx: Context, tx: Transaction, *, after: int = 0, limit: int = 100) -> list[Checkpoint]:
    """Signed checkpoints of more than `after` entries, the smallest first."""
    return store.checkpoints_from(tx, ctx.workspace, after + 1, limit)


def inclusion_proof(ctx: Context, tx: Transaction, index: int, size: int | None = None) -> list[bytes]:
    """The path from an entry to the root at `size` (now, unless given). Raises NotFound."""
    tree = store.tree(tx, ctx.workspace)
    size = size if size is not None else tree.size if tree else 0
    if tree is None or not 0 <= index < size <= tree.size:
        raise NotFound(f"there is no audit entry {index} in a log of {size}")
    return merkle.inclusion_proof(index, size, store.lookup(tx, ctx.workspace))


def consistency_proof(ctx: Context, tx: Transaction, old: int, new: int) -> list[bytes]:
    """The proof that the log of size `new` begins with that of size `old`. Raises NotFound."""
    tree = store.tree(tx, ctx.workspace)
    if tree is None or not 1 <= old <= new <= tree.size:
        raise NotFound(f"this log did not grow from {old} to {new} entries")
    return merkle.consistency_proof(old, new, store.lookup(tx, ctx.workspace))


def proof_text(ctx: Context, tx: Transaction, index: int) -> str:
    """A `.tlog-proof` of an entry under the newest checkpoint.

    Raises NotFound, or Conflict before the entry is signed.
    """
    entry(ctx, tx, index)
    point = store.last_checkpoint(tx, ctx.workspace)
    if point is None or point.size <= index:
        raise Conflict("this entry is not signed yet; try again in ten seconds", retry_after=10)
    path = inclusion_proof(ctx, tx, index, point.size)
    return write_proof(LogProof(index, tuple(path), point.note))


def export_lines(ctx: Context, tx: Transaction) -> Iterator[str]:
    """The workspace's whole log as lines of JSON (see rules.exports), for `verify_export` anywhere else."""
    for item in store.every_entry(tx, ctx.workspace):
        yield as_line(item)
    for point in store.checkpoints_from(tx, ctx.workspace, 0):
        yield as_line(point)


def verify(
    tx: Transaction, vkeys: Sequence[str], kept_elsewhere: Iterable[tuple[str, str]] = ()
) -> VerificationReport:
    """Recomputes every log and compares it with what is kept and what was signed.

    `vkeys` are the instance's published keys, old and new. `kept_elsewhere` are (workspace, checkpoint note)
    pairs from outside this store: the signer's memory, a stream's file. Only they can show that a log was
    rewound together with its checkpoints. Raises Invalid for a malformed key.
    """
    verifiers = _verifiers(vkeys)
    elsewhere: dict[str, list[str]] = {}
    for workspace, note in kept_elsewhere:
        elsewhere.setdefault(workspace, []).append(note)
    checks = []
    for workspace in sorted({*store.workspaces(tx), *elsewhere}):
        check = LogCheck(workspace, verifiers)
        for item in store.every_entry(tx, workspace):
            check.add(item)
        check.finish(
            store.checkpoints_from(tx, workspace, 0),
            tree=store.tree(tx, workspace) or Tree(workspace, 0, b""),
            tiles=store.tiles(tx, workspace),
            kept_elsewhere=elsewhere.get(workspace, []),
        )
        checks.append(check)
    return report_of(checks)


def verify_export(
    lines: Iterable[str], vkeys: Sequence[str], kept_elsewhere: Iterable[tuple[str, str]] = ()
) -> VerificationReport:
    """Checks an export or a stream's file by the public keys alone. Raises Invalid for a malformed key."""
    return check_lines(lines, _verifiers(vkeys), kept_elsewhere)


def _verifiers(vkeys: Sequence[str]) -> list[Verifier]:
    return [read_vkey(vkey) for vkey in vkeys]
