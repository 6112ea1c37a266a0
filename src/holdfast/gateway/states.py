"""What gateway processes say of themselves every few seconds: how upstreams, requests, budgets, limits and keys stand."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from enum import StrEnum

import msgspec

from holdfast.gateway.model import Period, Scope


class UpstreamState(msgspec.Struct, frozen=True, kw_only=True):
    """How an upstream and model are doing in one gateway; what is not known is None."""

    workspace: str
    upstream: str
    model: str = ""
    breaker: str = "closed"  # closed | open | half-open
    reason: str = ""  # why it is not closed
    since: datetime | None = None  # when the breaker last changed
    limit: int | None = None  # requests that may be in flight now
    in_flight: int = 0
    waiting: int = 0
    requests: int = 0  # of the last minute
    failures: int = 0
    p50_ms: float | None = None
    p95_ms: float | None = None


class LiveRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request that a gateway is serving; no content of it."""

    workspace: str
    call_id: str
    started_at: datetime
    route: str = ""
    release: str = ""
    upstream: str = ""
    model: str = ""
    key: str = ""
    system: str = ""
    streaming: bool = False


class BudgetState(msgspec.Struct, frozen=True, kw_only=True):
    """Where a budget stands over one value of its scope, in one window, as one gateway process counts it.

    `elsewhere` is what it knows others to have taken of it: of a soft budget what they counted, of a hard one what they
    were granted.
    """

    workspace: str
    budget: str
    scope: Scope
    value: str
    period: Period
    window: str
    ends: datetime
    hard: bool
    currency: str
    amount: Decimal  # with what a lift adds
    spent: Decimal
    reserved: Decimal
    elsewhere: Decimal = Decimal(0)
    closed: bool = False
    lifted: bool = False

    @property
    def event(self) -> BudgetEventKind | None:
        """What people must be told of it, if anything."""
        if self.closed:
            return BudgetEventKind.BREACHED
        if not self.hard and self.spent + self.elsewhere > self.amount:
            return BudgetEventKind.CROSSED
        return None


class BudgetEventKind(StrEnum):
    """What came of a budget."""

    CROSSED = "crossed"  # a soft one: more was spent than its amount
    BREACHED = "breached"  # a hard one: a call cost more than could be foreseen, and it is closed until its window ends


class BudgetEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A budget was crossed or breached: told once for each value and window."""

    id: str
    workspace: str
    kind: BudgetEventKind
    scope: Scope
    value: str
    period: Period
    window: str
    ends: datetime
    currency: str
    amount: Decimal
    spent: Decimal
    at: datetime


class LimitState(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a limit one value of its scope uses now, in one gateway process. None: not limited."""

    workspace: str
    limit: str
    scope: Scope
    value: str
    requests: int
    tokens: int
    running: int
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrency: int | None = None


class KeyUsed(msgspec.Struct, frozen=True):
    """When a client key last had a call that ended."""

    workspace: str
    key: str
    at: datetime


class State(msgspec.Struct, frozen=True, kw_only=True):
    """What a gateway process says of itself every few seconds."""

    id: str
    epoch: int
    version: str
    admin: str = ""  # host:port where it takes snapshots that are pushed to it
    started_at: datetime
    at: datetime
    upstreams: tuple[UpstreamState, ...] = ()
    live: tuple[LiveRequest, ...] = ()
    spool_records: int = 0
    spool_bytes: int = 0
    spool_since: datetime | None = None  # of the oldest record that waits
    budgets: tuple[BudgetState, ...] = ()  # the fullest of each workspace
    limits: tuple[LimitState, ...] = ()
    cut: tuple[str, ...] = ()  # workspaces of which budgets or limits that are less full were left out
    keys: tuple[KeyUsed, ...] = ()  # that were used since it started
    events: tuple[BudgetState, ...] = ()
    """Budgets that are crossed or closed, some at a time, for as long as this process knows them: the core tells once."""


class Process(msgspec.Struct, frozen=True):
    """A gateway process as it was heard of last. `admin`: host:port where it takes what is pushed; empty: on its own machine
    alone."""

    id: str
    epoch: int
    at: datetime
    admin: str
