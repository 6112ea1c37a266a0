"""Counting: after each commit, the traces it touched are resolved into calls, priced, and stored.

Spans of a trace come in any order, in several requests, more than once. What a trace's spans make together replaces what
an earlier part of them made. Recent traces are held in memory; older ones are read back. After a crash, the traces of
the last commits are resolved again: the outcome is the same, because a call is a function of its trace's spans alone.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from holdfast.kernel.errors import HoldfastError, Unavailable
from holdfast.kernel.time import Clock, utc_now
from holdfast.pricing.model import Charge
from holdfast.storage.columns import Columns
from holdfast.telemetry.conventions.reading import read_facts
from holdfast.telemetry.ingest import shared
from holdfast.telemetry.ingest.configurations import Configurations
from holdfast.telemetry.ingest.keeping import Keeper, missing, operation
from holdfast.telemetry.ingest.policies import Policies
from holdfast.telemetry.ingest.prepare import observation
from holdfast.telemetry.ingest.seen import SeenTraces
from holdfast.telemetry.ingest.shared import MOST_TURNS, SIZE, Key, View
from holdfast.telemetry.ingest.writers import Writer
from holdfast.telemetry.model import Call, Facts, Noted, Observation
from holdfast.telemetry.rules.merge import Group, resolve
from holdfast.telemetry.rules.operations import operate
from holdfast.telemetry.store import counted, spans
from holdfast.telemetry.store.counted import CallRow
from holdfast.telemetry.store.operations import OperationRow

log = logging.getLogger("holdfast.count")

KEPT_TRACES = 20_000
KEPT_SECONDS = 180.0
MOST_WAITING = 200_000
PACE_SECONDS = 1.0
"""Commits that come faster than this are counted together, unless somebody waits: an insert of calls has a fixed price."""
LOOK_BACK = timedelta(days=7)

Price = Callable[[str, Facts, int], Charge]
"""(workspace, facts, start in Unix nanoseconds) → charge."""


Stored = tuple[str, list[Noted]]
"""A workspace, and what a request stored in it says."""
Commit = tuple[int, list[Stored]]
"""The number of a commit, and what it stored."""


@dataclass(slots=True)
class Trace:
    """What is known of one trace: its spans' facts, and the calls and operations that were made of them (id → start).

    With several writers, `view` is what the store held of it when it was last looked up.
    """

    observations: dict[str, Observation] = field(default_factory=dict)
    made: dict[str, int] = field(default_factory=dict)
    operated: dict[str, int] = field(default_factory=dict)
    view: View | None = None
    used: float = 0.0
    blind: frozenset[str] = frozenset()  # spans of which nobody knows what their content said by the way

    def holds(self, view: View) -> bool:
        """Whether what is known is just what the store holds."""
        known = self.observations
        return len(known) == len(view.commits) and all(
            (one := known.get(span_id)) is not None and one.sequence == commit
            for span_id, commit in view.commits.items()
        )


class Counter:
    """Owns the counting thread. `note` is called by the committer, `wait` by readers who want what was acknowledged.

    `writer` is this process among several that write to the store; None where it is the only one.
    """

    def __init__(
        self,
        columns: Columns,
        policies: Policies,
        price: Price,
        configurations: Configurations,
        writer: Writer | None = None,
        clock: Clock = utc_now,
    ) -> None:
        self.columns = columns
        self._clock = clock
        self._policies = policies
        self._keeper = Keeper(columns, policies, clock)
        self._price = price
        self._configurations = configurations
        self._writer = writer
        self._apart = threading.Lock()
        self._turn = threading.Lock()
        self._traces: OrderedDict[tuple[str, str], Trace] = OrderedDict()
        self._seen = SeenTraces()
        self._older = shared.Older(columns)
        self._queue: list[Commit] = []
        self._waiting_rows = 0
        self._noted_at: list[float] = []  # when each uncounted commit came, on the monotonic clock
        self._noted = 0
        self._counted = 0
        self._changed = threading.Condition()
        self._stopping = False
        self._hastened = False
        self._wanted = False
        self._recovered = 0
        self._before_ns = (
            0  # spans that began earlier may belong to traces that are stored but not in the filter
        )
        if writer is None:
            self._recover()
        self._thread = threading.Thread(target=self._run, name="ingest-count", daemon=True)
        self._thread.start()

    def note(self, sequence: int, stored: list[Stored]) -> None:
        """Takes over a commit. Waits while far too much is uncounted, which slows senders down instead of memory up."""
        with self._changed:
            while self._waiting_rows > MOST_WAITING and not self._hastened:
                self._changed.wait()
            self._queue.append((sequence, stored))
            self._waiting_rows += sum(len(noted) for _, noted in stored)
            self._noted_at.append(time.monotonic())
            self._noted = sequence
            self._changed.notify_all()

    def wait(self, seconds: float = 5.0) -> bool:
        """Waits until all that was committed before is counted. False where that took too long."""
        with self._changed:
            target = self._noted
            if self._counted < target:
                self._wanted = True
                self._changed.notify_all()
            return self._changed.wait_for(lambda: self._counted >= target, timeout=seconds)

    def may_know(self, trace_id: str, start_ns: int) -> bool:
        """False where no span of a trace was surely ever counted."""
        return self._writer is not None or start_ns < self._before_ns or trace_id in self._seen

    def hasten(self) -> None:
        """Lets `note` wait no longer: the end is near, and what stays uncounted is counted at the next start."""
        with self._changed:
            self._hastened = True
            self._changed.notify_all()

    def forget(self, workspace: str, trace_ids: Iterable[str]) -> None:
        """Drops what is held of some traces; a later span finds them in the store. Only while ingest is paused."""
        with self._changed:
            for trace_id in trace_ids:
                self._traces.pop((workspace, trace_id), None)
                self._seen.add(trace_id)

    def stop(self) -> None:
        """Counts what waits, then ends the thread."""
        with self._changed:
            self._stopping = True
            self._changed.notify_all()
        self._thread.join()

    def _run(self) -> None:
        due = 0.0
        while True:
            with self._changed:
                while not self._queue and not self._stopping:
                    if not self._changed.wait(timeout=30):
                        self._forget()
                if not self._queue:
                    return
                self._changed.wait_for(self._at_once, timeout=due - time.monotonic())
                due = time.monotonic() + PACE_SECONDS
                self._wanted = False
                taken, self._queue = self._queue, []
                self._waiting_rows = 0
                self._changed.notify_all()
            if not self._count_until_done(taken):
                return  # later commits stay uncounted too, so that the next start finds where to begin
            with self._changed:
                self._counted = taken[-1][0]
                del self._noted_at[: len(taken)]
                self._changed.notify_all()

    def _at_once(self) -> bool:
        return self._wanted or self._stopping or self._hastened or self._waiting_rows > MOST_WAITING // 2

    def _count_until_done(self, taken: list[Commit]) -> bool:
        """True once counted; False where Holdfast stops before that can be done."""
        while True:
            try:
                self._count(taken[-1][0], taken)
                return True
            except Exception as error:
                log.warning("counting waits: %s", error, exc_info=not isinstance(error, Unavailable))
                with self._changed:
                    if self._stopping:
                        return False
                    self._changed.wait(timeout=1)

    def _count(self, sequence: int, taken: list[Commit]) -> None:
        with self._turn:
            self._count_taken(sequence, taken)

    def _count_taken(self, sequence: int, taken: list[Commit]) -> None:
        now = time.monotonic()
        touched: dict[tuple[str, str], Trace] = {}
        unknown: list[tuple[str, str]] = []
        for _, stored in taken:
            for workspace, noted in stored:
                for trace_id, seen in noted:
                    key = (workspace, trace_id)
                    trace = touched.get(key)
                    if trace is None:
                        trace = self._traces.get(key)
                        if trace is None:
                            trace = Trace()
                            if self._writer is None and (
                                self._seen.add(trace_id) or seen.start_ns < self._before_ns
                            ):
                                unknown.append(key)
                        touched[key] = trace
                    trace.observations[seen.span_id] = seen
        if self._writer is None:
            self._read_back(unknown, touched)
            self._store(touched, sequence)
        else:
            self._count_shared(touched, self._writer.number)
        for key, trace in touched.items():
            trace.used = now
            self._traces[key] = trace
            self._traces.move_to_end(key)
        self._forget()

    def recount(self, keys: Sequence[Key]) -> int:
        """Counts some traces again from what the store holds, with several writers; returns how many. Any thread."""
        number = self._writer.number if self._writer else 0
        with self._apart:
            for start in range(0, len(keys), SIZE):
                self._count_shared({key: Trace() for key in keys[start : start + SIZE]}, number)
        return len(keys)

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nothing is counted in this process by anybody else while the block lasts, nor is anything erased."""
        with self._apart, self._turn:
            yield

    def read(self, keys: Sequence[Key]) -> dict[Key, Trace]:
        """What the store holds of some traces, read by the rules of today."""
        read = {key: Trace() for key in keys}
        self._read_spans(keys, read)
        return read

    def again(self, workspace: str, trace_id: str, group: Group, received_ms: int) -> CallRow:
        """The call that a group makes, counted anew: from it nothing is learned of what varies from call to call."""
        call = self._call(workspace, trace_id, group, group.sequence, learning=False)
        return self._keeper.calls(workspace, [call], received_ms)[0]

    @property
    def keeper(self) -> Keeper:
        """What makes rows of what was counted."""
        return self._keeper

    @property
    def configurations(self) -> Configurations:
        """What names the configurations of calls."""
        return self._configurations

    @property
    def shared(self) -> Writer | None:
        """This process among several that write to the store; None where it is the only one."""
        return self._writer

    @property
    def surely_counted(self) -> int:
        """A commit number that no commit which waits to be counted has reached; 0 where none is known."""
        return max(self._counted, self._recovered)

    @contextmanager
    def none_apart(self) -> Iterator[None]:
        """No `recount` is under way while the block lasts."""
        with self._apart:
            yield

    @property
    def counted(self) -> int:
        """The last commit that is counted; 0 before the first."""
        return self._counted

    @property
    def waiting_rows(self) -> int:
        """Stored spans that nobody has begun to count."""
        return self._waiting_rows

    @property
    def lag_seconds(self) -> float:
        """How long the oldest commit that is not counted has been there; 0 where all is counted."""
        with self._changed:
            return time.monotonic() - self._noted_at[0] if self._noted_at else 0.0

    @property
    def all_counted(self) -> bool:
        """Whether nothing waits to be counted."""
        return self._counted >= self._noted

    def _count_shared(self, touched: dict[Key, Trace], writer: int) -> None:
        """Counts traces of which other processes may store spans and calls at the same time (see `ingest.shared`)."""
        self._older.keep_up(spans.nanoseconds(self._clock()))
        turn = dict(touched)
        before: dict[Key, View] = {}
        for _ in range(MOST_TURNS):
            seen = self._look(turn, writer)
            turn = {key: turn[key] for key, view in seen.items() if view != before.get(key)}
            self._store(turn, 0)
            before = {key: trace.view for key, trace in turn.items() if trace.view}
            calls = shared.look_back(self.columns, before, {key: turn[key].made for key in before})
            others = shared.look_back(
                self.columns, before, {key: turn[key].operated for key in before}, "operations"
            )
            received_ms = spans.milliseconds(self._clock())
            rows: list[CallRow] = []
            undone: list[OperationRow] = []
            for (workspace, trace_id), gone in calls.superseded.items():
                number = before[workspace, trace_id].version
                rows += self._keeper.gone(workspace, trace_id, gone, number, received_ms)
            for (workspace, trace_id), gone in others.superseded.items():
                number = before[workspace, trace_id].version
                undone += self._keeper.undone(workspace, trace_id, gone, number, received_ms)
            self._keeper.write(rows, undone)
            turn = {key: turn[key] for key in dict.fromkeys((*calls.again, *others.again))}
            if not turn:
                return
        log.warning("%d traces are counted by another process meanwhile", len(turn))

    def _look(self, turn: dict[Key, Trace], writer: int) -> dict[Key, View]:
        """Makes what is known of some traces what the store holds of them; those of which it holds nothing are left out."""
        since = self._older.since  # first: another thread may bring it forward
        recent: list[Key] = []
        older: list[Key] = []
        for key, trace in turn.items():
            start = min((one.start_ns for one in trace.observations.values()), default=0)
            (older if self._older.may_have(key[1], start) or not start else recent).append(key)
        seen = shared.views(self.columns, older, writer)
        seen |= shared.views(self.columns, recent, writer, since)
        old = [key for key, view in seen.items() if not turn[key].holds(view)]
        for key in old:
            turn[key].observations = {}
        self._read_spans(old, turn)
        for key in old:  # what was read later may be more
            read = {span_id: one.sequence for span_id, one in turn[key].observations.items()}
            seen[key] = seen[key]._replace(commits={**seen[key].commits, **read})
        for key, view in seen.items():
            turn[key].view = view
        return seen

    def _read_back(self, unknown: list[tuple[str, str]], touched: dict[tuple[str, str], Trace]) -> None:
        by_workspace: dict[str, list[str]] = {}
        for workspace, trace_id in unknown:
            by_workspace.setdefault(workspace, []).append(trace_id)
        for workspace, trace_ids in by_workspace.items():
            for start in range(0, len(trace_ids), 2000):
                some = trace_ids[start : start + 2000]
                self._read_spans([(workspace, trace_id) for trace_id in some], touched)
                for trace_id, made in counted.known(self.columns, workspace, some).items():
                    touched[(workspace, trace_id)].made = made
                operated = counted.known(self.columns, workspace, some, "operations")
                for trace_id, made in operated.items():
                    touched[(workspace, trace_id)].operated = made

    def _read_spans(self, keys: Sequence[Key], touched: dict[Key, Trace]) -> None:
        """Adds what the store holds of some traces to what is known of them."""
        for workspace, trace_ids in shared.by_workspace(keys).items():
            for start in range(0, len(trace_ids), SIZE):
                for stored in spans.of_traces(self.columns, workspace, trace_ids[start : start + SIZE]):
                    trace = touched[(workspace, stored.span.trace_id)]
                    try:
                        facts = read_facts(stored.span, self._policies.overrides)
                    except Exception:
                        log.exception("a stored span of trace %s cannot be read", stored.span.trace_id)
                        continue
                    facts.content = facts.told = None
                    if stored.instructions is not None or stored.content_state == "redacted":
                        facts.instructions = stored.instructions  # redacted words have other fingerprints
                    if stored.tools is not None or stored.content_state == "redacted":
                        facts.tools = stored.tools
                    if not stored.kept:
                        trace.blind |= {stored.span.span_id}
                    found = observation(stored.span, facts, stored.sequence)
                    held = trace.observations.get(stored.span.span_id)
                    if held is None or held.sequence < found.sequence:
                        trace.observations[stored.span.span_id] = found

    def _store(self, touched: dict[tuple[str, str], Trace], sequence: int) -> None:
        rows: list[CallRow] = []
        others: list[OperationRow] = []
        made: list[tuple[Trace, dict[str, int], dict[str, int]]] = []
        received_ms = spans.milliseconds(self._clock())
        for (workspace, trace_id), trace in touched.items():
            number = sequence if trace.view is None else trace.view.version
            try:
                seen = list(trace.observations.values())
                groups = resolve(seen, {})
                done = [operation(trace_id, one, number) for one in operate(seen, groups)]
                found = [self._call(workspace, trace_id, group, number) for group in groups]
            except HoldfastError:
                raise
            except Exception:  # one strange trace does not stop the counting of the others
                log.exception("trace %s of %s cannot be counted; its spans are stored", trace_id, workspace)
                trace.view = None
                continue
            if not found and not trace.made and not done and not trace.operated:
                if trace.view is not None and (span := trace.observations.get(trace.view.replaced)):
                    gone = [(span.span_id, span.start_ns)]  # tells others that more was seen
                    rows += self._keeper.gone(workspace, trace_id, gone, number, received_ms)
                continue
            starts = {call.id: call.start_ns for call in found}
            gone = missing(trace.made, starts)
            rows += self._keeper.calls(workspace, found, received_ms)
            rows += self._keeper.gone(workspace, trace_id, gone, number, received_ms)
            operated = {one.id: one.start_ns for one in done}
            undone = missing(trace.operated, operated)
            others += self._keeper.operations(workspace, done, received_ms)
            others += self._keeper.undone(workspace, trace_id, undone, number, received_ms)
            made.append((trace, starts, operated))
        self._configurations.keep()
        self._keeper.write(rows, others)
        for trace, starts, operated in made:
            trace.made, trace.operated = starts, operated

    def _call(
        self, workspace: str, trace_id: str, group: Group, sequence: int, *, learning: bool = True
    ) -> Call:
        named = self._configurations.of if learning else self._configurations.named
        return Call(
            id=group.span_id,
            trace_id=trace_id,
            span_id=group.span_id,
            start_ns=group.start_ns,
            duration_ns=max(group.end_ns - group.start_ns, 0),
            error=group.error,
            facts=group.facts,
            charge=self._price(workspace, group.facts, group.start_ns),
            observations=group.observations,
            sequence=sequence,
            scope=group.scope,
            attempt=group.attempt,
            configuration=named(workspace, group.facts, failed=group.error),
        )

    def _forget(self) -> None:
        oldest = time.monotonic() - KEPT_SECONDS
        while self._traces:
            key, trace = next(iter(self._traces.items()))
            if len(self._traces) <= KEPT_TRACES and trace.used > oldest:
                return
            del self._traces[key]

    def _recover(self) -> None:
        """Resolves again whatever a crash may have left uncounted, and learns which traces are known."""
        since = self._clock() - LOOK_BACK
        self._seen.add_all(spans.trace_probes(self.columns, since))
        if spans.any_received_before(self.columns, since):
            self._before_ns = spans.nanoseconds(since)
        sequence = self._recovered = spans.last_sequence(self.columns)
        uncounted = spans.traces_since(self.columns, counted.version_before_last(self.columns))
        for start in range(0, len(uncounted), 2000):
            some = uncounted[start : start + 2000]
            touched = {key: Trace() for key in some}
            self._read_back(some, touched)
            self._store(touched, sequence)
