"""Checking a log: everything is computed anew and compared with what is kept and what was signed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from holdfast.kernel.errors import HoldfastError, Invalid
from holdfast.kernel.time import iso
from holdfast.platform.audit.model import Checkpoint, Entry, Problem, Tile, Tree, VerificationReport
from holdfast.platform.audit.rules.checkpoints import Head, verify_checkpoint
from holdfast.platform.audit.rules.exports import read_line
from holdfast.platform.audit.rules.merkle import HASH_SIZE, TILE_HEIGHT, Frontier
from holdfast.platform.audit.rules.notes import Verifier, read_note
from holdfast.platform.audit.rules.records import erased_by, erasure_details, fault

_CLOCK_SLACK = timedelta(minutes=1)
_OWN_SIGNATURES = 2


@dataclass(slots=True)
class _Signed:
    """A statement about the tree that was verified: where it comes from, and what it says."""

    source: str
    head: Head


@dataclass(slots=True)
class LogCheck:
    """The check of one workspace's log: entries are added in order, then `finish` says what is wrong.

    `verifiers` are the instance's keys that are believed. `copy` is for files that streams
    wrote: there, an entry may come twice, and one that was erased later is still there in full.
    """

    workspace: str
    verifiers: Sequence[Verifier]
    copy: bool = False
    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    count: int = 0
    signed: int = 0
    checkpoints: int = 0
    erased: dict[int, Entry] = field(default_factory=dict)
    _leaves: bytearray = field(default_factory=bytearray)
    _broken_at: int | None = None
    _erasures: dict[int, tuple[Entry, dict[str, Any]]] = field(default_factory=dict)
    _latest: Entry | None = None

    def add(self, entry: Entry) -> None:
        """Checks one entry by itself and against the one before."""
        if entry.index < self.count:
            self._add_again(entry)
            return
        if entry.index > self.count:
            self._problem("these entries are missing", self.count, entry.index - 1)
            self._broken_at = self.count if self._broken_at is None else self._broken_at
        self.count = entry.index + 1
        wrong = fault(entry)
        if len(entry.leaf_hash) != HASH_SIZE:
            wrong = wrong or "its leaf hash is not a hash"
            self._broken_at = entry.index if self._broken_at is None else self._broken_at
        if wrong is not None:
            self._problem(wrong, entry.index)
        if self._broken_at is None:
            self._leaves += entry.leaf_hash
        if entry.erased_at is not None:
            self.erased[entry.index] = entry
        elif wrong is None:
            self._add_erasure(entry)
        if self._latest is not None and entry.at < self._latest.at - _CLOCK_SLACK:
            back = self._latest.at - entry.at
            self.notes.append(
                f"workspace {self.workspace}, entry {entry.index}: the clock went back by {back}"
            )
        self._latest = entry

    def finish(
        self,
        checkpoints: Sequence[Checkpoint],
        *,
        tree: Tree | None = None,
        tiles: Sequence[Tile] | None = None,
        kept_elsewhere: Iterable[str] = (),
    ) -> None:
        """Checks the whole against checkpoints, stored state, and checkpoint notes that were kept elsewhere.

        Each of `tree` and `tiles` is compared when given.
        """
        statements = [one for point in checkpoints if (one := self._checkpoint(point))]
        for note in kept_elsewhere:
            if head := self._head(note, "a checkpoint kept elsewhere"):
                statements.append(_Signed("a checkpoint kept elsewhere", head[0]))
        self.checkpoints = len(statements)
        self._check_erasures()
        frontier, computed = self._replay(statements)
        if self._broken_at is None:
            if tree is not None:
                self._check_tree(tree, frontier)
            if tiles is not None:
                self._check_tiles(tiles, computed)
        if self.count > self.signed and not self.problems:
            newest = self.count - self.signed
            self.notes.append(f"workspace {self.workspace}: the {newest} newest entries are not signed yet")

    def _problem(self, what: str, first: int | None = None, last: int | None = None) -> None:
        self.problems.append(Problem(self.workspace, what, first, last))

    def _add_again(self, entry: Entry) -> None:
        at = entry.index * HASH_SIZE
        same = bytes(self._leaves[at : at + HASH_SIZE]) == entry.leaf_hash
        if not self.copy or not same:
            self._problem("this entry is there twice", entry.index)
        elif (wrong := fault(entry)) is not None:
            self._problem(wrong, entry.index)
        elif entry.erased_at is not None:
            self.erased[entry.index] = entry

    def _add_erasure(self, entry: Entry) -> None:
        details = erased_by(entry)
        if details is not None:
            index = details.get("index")
            if type(index) is int and 0 <= index < entry.index:
                self._erasures[index] = (entry, details)
            else:
                self._problem("it announces the erasure of an entry that cannot be", entry.index)

    def _check_erasures(self) -> None:
        for index, entry in self.erased.items():
            said = self._erasures.get(index)
            if said is None:
                self._problem("its content was destroyed, and no later entry records its erasure", index)
            elif said[1] != erasure_details(entry) or said[0].at != entry.erased_at:
                self._problem(f"what is left of it is not what entry {said[0].index} recorded", index)
        if not self.copy:
            for index, (entry, _) in self._erasures.items():
                if index not in self.erased:
                    self._problem(f"it is still there though entry {entry.index} records its erasure", index)

    def _head(self, note: str, source: str) -> tuple[Head, str] | None:
        said = ""
        for verifier in self.verifiers:
            try:
                head, at = verify_checkpoint(note, verifier.of_log(self.workspace))
            except HoldfastError as error:
                said = error.detail
            else:
                return head, iso(at)
        self._problem(f"{source} is not to be believed: {said or 'no key was given to verify it with'}")
        return None

    def _checkpoint(self, point: Checkpoint) -> _Signed | None:
        source = f"the checkpoint of size {point.size}"
        found = self._head(point.note, source)
        if found is None:
            return None
        head, at = found
        if (head.size, head.root, at) != (point.size, point.root, iso(point.at)):
            self._problem(f"{source} is kept with another size, root or time than the one signed")
            return None
        if len(read_note(point.note).signatures) != _OWN_SIGNATURES:
            self._problem(f"{source} has signatures that are not ours")
            return None
        return _Signed(f"{source}, signed {at},", head)

    def _replay(self, statements: list[_Signed]) -> tuple[Frontier, dict[tuple[int, int], bytes]]:
        """Grows the tree anew, comparing each signed root as its size is reached."""
        frontier, good, failed = Frontier(), 0, False
        kept: dict[tuple[int, int], bytes] = {}
        whole = len(self._leaves) // HASH_SIZE
        for one in sorted(statements, key=lambda one: one.head.size):
            while frontier.size < min(one.head.size, whole):
                at = frontier.size * HASH_SIZE
                frontier, completed = frontier.append(bytes(self._leaves[at : at + HASH_SIZE]))
                _keep_tiles(kept, completed)
            if one.head.size > self.count:
                self._problem(f"{one.source} covers entries that are gone", self.count, one.head.size - 1)
                failed = True
            elif one.head.size > whole:
                failed = True  # what is missing before it has been said already
            elif one.head.root == frontier.root():
                good = one.head.size
            elif not failed:
                failed = True
                what = f"{one.source} has another root than these entries give now"
                self._problem(what, good, max(good, one.head.size - 1))
        self.signed = good
        while frontier.size < whole:
            at = frontier.size * HASH_SIZE
            frontier, completed = frontier.append(bytes(self._leaves[at : at + HASH_SIZE]))
            _keep_tiles(kept, completed)
        return frontier, kept

    def _check_tree(self, tree: Tree, frontier: Frontier) -> None:
        if tree.size > self.count:
            self._problem("these entries are missing at the end", self.count, tree.size - 1)
        elif tree.size < self.count:
            self._problem("these entries were added beside the log", tree.size, self.count - 1)
        elif tree.frontier != frontier.pack():
            self._problem("the kept state of the tree is not that of these entries", 0, self.count - 1)

    def _check_tiles(self, tiles: Sequence[Tile], computed: dict[tuple[int, int], bytes]) -> None:
        kept = {(tile.level, tile.index): tile.hash for tile in tiles}
        for level, index in sorted(kept.keys() | computed.keys()):
            if kept.get((level, index)) != computed.get((level, index)):
                width = 1 << (level * TILE_HEIGHT)
                what = f"the kept inner node {index} of level {level} is not that of these entries"
                self._problem(what, index * width, (index + 1) * width - 1)


def report_of(checks: Sequence[LogCheck], more: Sequence[Problem] = ()) -> VerificationReport:
    """One report of the checks of several logs."""
    return VerificationReport(
        workspaces=len(checks),
        entries=sum(check.count for check in checks),
        erased=sum(len(check.erased) for check in checks),
        checkpoints=sum(check.checkpoints for check in checks),
        signed=sum(check.signed for check in checks),
        problems=[*more, *(problem for check in checks for problem in check.problems)],
        notes=[note for check in checks for note in check.notes],
    )


def check_lines(
    lines: Iterable[str], verifiers: Sequence[Verifier], kept_elsewhere: Iterable[tuple[str, str]] = ()
) -> VerificationReport:
    """Checks an export, or a file that a stream wrote, with nothing but the public keys."""
    checks: dict[str, LogCheck] = {}
    points: dict[str, list[str]] = {}
    problems = []
    for number, line in enumerate(lines, 1):
        try:
            item = read_line(line)
        except Invalid as error:
            problems.append(Problem("unknown", f"line {number}: {error.detail}"))
            continue
        workspace = item.workspace if isinstance(item, Entry) else item[0]
        if workspace not in checks:
            checks[workspace] = LogCheck(workspace, verifiers, copy=True)
        if isinstance(item, Entry):
            checks[workspace].add(item)
        else:
            points.setdefault(workspace, []).append(item[1])
    for workspace, note in kept_elsewhere:
        checks.setdefault(workspace, LogCheck(workspace, verifiers, copy=True))
        points.setdefault(workspace, []).append(note)
    for workspace, check in checks.items():
        check.finish([], kept_elsewhere=dict.fromkeys(points.get(workspace, [])))
    return report_of(list(checks.values()), problems)


def _keep_tiles(kept: dict[tuple[int, int], bytes], completed: Iterable[Any]) -> None:
    for node in completed:
        if node.level % TILE_HEIGHT == 0:
            kept[node.level // TILE_HEIGHT, node.index] = node.hash
