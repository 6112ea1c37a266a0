"""What is counted, written: calls and operations as rows with their time of expiry, and those that are none any more."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping, Sequence

from holdfast.kernel.time import Clock
from holdfast.storage.columns import UNFIT, Columns
from holdfast.telemetry.ingest.policies import Policies
from holdfast.telemetry.model import Call, Facts, Kind, Operation
from holdfast.telemetry.rules.holds import FAR
from holdfast.telemetry.rules.operations import Done
from holdfast.telemetry.store import counted, operations
from holdfast.telemetry.store.counted import CallRow
from holdfast.telemetry.store.operations import OperationRow
from holdfast.telemetry.store.rollups import SETTLE_MS
from holdfast.telemetry.store.spans import milliseconds

log = logging.getLogger("holdfast.count")

Starts = Mapping[str, int]
"""Id → start in Unix nanoseconds."""


class Keeper:
    """Makes rows of what was counted, and writes them."""

    def __init__(self, columns: Columns, policies: Policies, clock: Clock) -> None:
        self._clock = clock
        self._columns = columns
        self._policies = policies

    def calls(self, workspace: str, calls: Iterable[Call], received_ms: int) -> list[CallRow]:
        """Rows of calls."""
        return [
            CallRow(workspace, one, False, received_ms, self._expires(workspace, one.facts, one.start_ns))
            for one in calls
        ]

    def gone(
        self, workspace: str, trace_id: str, gone: Iterable[tuple[str, int]], version: int, received_ms: int
    ) -> list[CallRow]:
        """Rows that take calls (id, start) of a trace away."""
        made = []
        for call, start in gone:
            nothing = Facts(Kind.OTHER, "")
            one = Call(call, trace_id, call, start, 0, False, nothing, None, (), version)
            made.append(CallRow(workspace, one, True, received_ms, self._expires(workspace, nothing, start)))
        return made

    def operations(self, workspace: str, found: Iterable[Operation], received_ms: int) -> list[OperationRow]:
        """Rows of operations."""
        return [
            OperationRow(
                workspace, one, False, received_ms, self._expires(workspace, one.facts, one.start_ns)
            )
            for one in found
        ]

    def undone(
        self, workspace: str, trace_id: str, gone: Iterable[tuple[str, int]], version: int, received_ms: int
    ) -> list[OperationRow]:
        """Rows that take operations (id, start) of a trace away."""
        made = []
        for operation, start in gone:
            nothing = Facts(Kind.OTHER, "")
            one = Operation(operation, trace_id, start, 0, False, nothing, (), "", version)
            made.append(
                OperationRow(workspace, one, True, received_ms, self._expires(workspace, nothing, start))
            )
        return made

    def _expires(self, workspace: str, facts: Facts, start_ns: int) -> int:
        """When a row expires, in Unix seconds."""
        system = facts.system or ""
        if self._policies.held(workspace, system, facts.user or "", start_ns):
            return FAR
        policy, _ = self._policies.of(workspace, system)
        return min(start_ns // 1_000_000_000 + policy.call_days * 86_400, FAR)

    def write(self, calls: list[CallRow], others: Sequence[OperationRow]) -> None:
        """Stores operations, then calls: what is whole after a crash is told by the versions of both.

        Calls are stored once more where that took long: stored figures follow the time at which they were written.
        """
        self._insert_operations(others)
        while calls:
            self._insert(calls)
            now_ms = milliseconds(self._clock())
            if now_ms - calls[0].received_ms <= SETTLE_MS // 2:
                return
            calls = [row._replace(received_ms=now_ms) for row in calls]

    def _insert(self, rows: Sequence[CallRow]) -> None:
        """Stores calls; one with a value that its column cannot hold is found by halving and stored without detail."""
        try:
            counted.insert(self._columns, rows)
        except UNFIT as error:
            if len(rows) > 1:
                half = len(rows) // 2
                self._insert(rows[:half])
                self._insert(rows[half:])
                return
            call = rows[0].call
            log.warning("call %s of trace %s is counted without detail: %s", call.id, call.trace_id, error)
            facts = Facts(call.facts.kind, call.facts.convention, quality=(*call.facts.quality, "call.unfit"))
            counted.insert(self._columns, [rows[0]._replace(call=call._replace(facts=facts, charge=None))])

    def _insert_operations(self, rows: Sequence[OperationRow]) -> None:
        """The same for operations."""
        try:
            operations.insert(self._columns, rows)
        except UNFIT as error:
            if len(rows) > 1:
                half = len(rows) // 2
                self._insert_operations(rows[:half])
                self._insert_operations(rows[half:])
                return
            one = rows[0].operation
            log.warning("%s of trace %s is counted without detail: %s", one.id, one.trace_id, error)
            plain = one._replace(facts=Facts(one.facts.kind, one.facts.convention))
            operations.insert(self._columns, [rows[0]._replace(operation=plain)])


def missing(before: Starts, now: Starts) -> list[tuple[str, int]]:
    """What was there and is not, or begins at another time."""
    return [(one, start) for one, start in before.items() if now.get(one) != start]


def operation(trace_id: str, one: Done, version: int) -> Operation:
    """An operation of a trace, of which that much was seen."""
    return Operation(
        id=one.span_id,
        trace_id=trace_id,
        start_ns=one.start_ns,
        duration_ns=max(one.end_ns - one.start_ns, 0),
        error=one.error,
        facts=one.facts,
        observations=one.observations,
        scope=one.scope,
        sequence=version,
        llm_calls=one.llm_calls,
        tool_calls=one.tool_calls,
    )
