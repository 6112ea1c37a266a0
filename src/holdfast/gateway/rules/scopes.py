"""Which budgets and limits of a workspace a request counts against."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import NamedTuple

from msgspec import structs

from holdfast.gateway.model import Budget, Dimensions, Lift, Lifted, Limit, Period, Scope, Workspace
from holdfast.gateway.rules.amounts import units
from holdfast.gateway.rules.reservations import Ceiling, Entry, Kind, Standing
from holdfast.gateway.rules.windows import Window, window

RUN_KEPT = 24 * 3600.0
"""Seconds after its last request for which the spending and steps of a run are remembered."""
REMEMBERED = 4096
"""Requests that say different things, for which it is remembered what they count against."""
RUN = "run"
"""The window of what counts over a whole run."""


def scope_values(workspace: str, key: str, model: str, said: Dimensions) -> dict[Scope, str]:
    """The values that a request has: a scope that it says nothing of is left out, and budgets over it do not apply."""
    found = {
        Scope.WORKSPACE: workspace,
        Scope.SYSTEM: said.system,
        Scope.TENANT: said.tenant,
        Scope.USER: said.user,
        Scope.KEY: key,
        Scope.ROUTE: said.route,
        Scope.AGENT: said.agent,
        Scope.MODEL: model,
        Scope.RUN: said.run,
    }
    return {scope: value for scope, value in found.items() if value}


_FIGURES = tuple(name for name in Limit.__struct_fields__ if name not in ("scope", "only"))


class _Budget(NamedTuple):
    id: str
    scope: Scope
    only: frozenset[str]
    cap: int
    hard: bool
    period: Period
    currency: str


class _Limit(NamedTuple):
    id: str
    scope: Scope
    only: frozenset[str]
    limit: Limit
    run_cost: int | None


class Applied(NamedTuple):
    """What requests that say the same count against, from one instant to another (Unix seconds)."""

    entries: tuple[Entry, ...]
    ceilings: tuple[Ceiling, ...]
    since: float
    until: float


class LimitBook:
    """The budgets and limits of one workspace as applied: made once for a snapshot, asked for each request."""

    __slots__ = ("_budgets", "_known", "_lifts", "_limits", "_workspace", "_zone")

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace.id
        self._known: dict[tuple[str, str, Dimensions], Applied] = {}
        self._zone = workspace.time_zone
        self._lifts = workspace.lifts
        kept: dict[str, _Budget] = {}
        for budget in workspace.configuration.budgets:
            one = _Budget(
                budget_id(workspace.id, budget),
                budget.scope,
                frozenset(budget.only),
                units(budget.amount),
                budget.hard,
                budget.period,
                budget.currency,
            )
            if one.id not in kept or one.cap < kept[one.id].cap:  # of two over the same, the lower
                kept[one.id] = one
        self._budgets = tuple(kept.values())
        limits: dict[str, Limit] = {}
        for limit in workspace.configuration.limits:
            name = limit_id(workspace.id, limit)
            limits[name] = _stricter(limits[name], limit) if name in limits else limit
        self._limits = tuple(
            _Limit(
                name,
                one.scope,
                frozenset(one.only),
                one,
                None if one.run_cost is None else units(one.run_cost),
            )
            for name, one in limits.items()
        )

    def applied(self, key: str, model: str, said: Dimensions, now: float) -> Applied:
        """What a request counts against at `now`; remembered until a window ends where only that can change it."""
        asked = key, model, said
        known = self._known.get(asked)
        if known is not None and known.since <= now < known.until:
            return known
        at = datetime.fromtimestamp(now, UTC)
        values = scope_values(self._workspace, key, model, said)
        entries = self.entries(values, at)
        until = min((one.ends for one in entries), default=float("inf"))
        found = Applied(entries, self.ceilings(values, at), now, until)
        if not self._lifts and not said.run:
            if len(self._known) >= REMEMBERED:
                self._known.clear()
            self._known[asked] = found
        return found

    def entries(self, values: Mapping[Scope, str], at: datetime) -> tuple[Entry, ...]:
        """The accounts that a request with these values counts against at `at`."""
        found = []
        windows: dict[Period, tuple[Window, float]] = {}
        for one in self._budgets:
            value = values.get(one.scope)
            if value is None or (one.only and value not in one.only):
                continue
            known = windows.get(one.period)
            if known is None:
                now = window(one.period, at, self._zone)
                known = windows[one.period] = now, now.end.timestamp()
            found.append(self._entry(one, value, known[0].id, known[1], at))
        run = values.get(Scope.RUN)
        if run is not None:
            found += self._of_run(values, run, at)
        return tuple(found)

    def _of_run(self, values: Mapping[Scope, str], run: str, at: datetime) -> list[Entry]:
        found = []
        ends = at.timestamp() + RUN_KEPT
        for one in self._limits:
            value = values.get(one.scope)
            if value is None or (one.only and value not in one.only):
                continue
            lifted = self._lift(Lifted.LIMIT, one.scope, value, at) is not None
            for kind, name, most in (
                (Kind.RUN_COST, RUN, one.run_cost),
                (Kind.RUN_STEPS, f"{RUN}-steps", one.limit.run_steps),
            ):
                if most is not None:
                    entry = Entry(one.id, Scope.RUN, run, name, most, ends, True, kind)
                    found.append(entry._replace(lifted=True) if lifted else entry)
        return found

    def _lift(self, what: Lifted, scope: Scope, value: str, at: datetime) -> Lift | None:
        """The lift in force that goes furthest."""
        best: Lift | None = None
        for one in self._lifts:
            over = one.what is what and one.scope is scope and one.value in ("", value)
            if not over or not one.holds(at):
                continue
            if one.extra is None:
                return one
            if best is None or best.extra is None or one.extra > best.extra:
                best = one
        return best

    def again(self, standing: Standing, at: datetime) -> tuple[Entry, Period] | None:
        """What an account that was counted in stands under now; None where its budget is not applied any more."""
        budget, value, window_id = standing.key
        one = next((one for one in self._budgets if one.id == budget), None)
        if one is None or standing.kind is not Kind.BUDGET:
            return None
        return self._entry(one, value, window_id, standing.ends, at), one.period

    def _entry(self, one: _Budget, value: str, window_id: str, ends: float, at: datetime) -> Entry:
        lift = self._lift(Lifted.BUDGET, one.scope, value, at) if one.hard else None
        extra = units(lift.extra) if lift is not None and lift.extra is not None else 0
        return Entry(
            one.id,
            one.scope,
            value,
            window_id,
            one.cap + extra,
            ends,
            one.hard,
            Kind.BUDGET,
            one.currency,
            lift is not None and lift.extra is None,
            extra,
        )

    def ceilings(self, values: Mapping[Scope, str], at: datetime) -> tuple[Ceiling, ...]:
        """The rates and ceilings that a request with these values is under. Repeated tool calls count per run.

        Those that are lifted are left out, and count nothing meanwhile.
        """
        found = []
        for one in self._limits:
            value = values.get(one.scope)
            if value is None or (one.only and value not in one.only):
                continue
            if self._lift(Lifted.LIMIT, one.scope, value, at) is not None:
                continue
            limit = one.limit
            rates = (limit.requests_per_minute, limit.tokens_per_minute, limit.concurrency)
            if rates != (None, None, None):
                found.append(Ceiling(one.id, one.scope, value, *rates))
            run = values.get(Scope.RUN)
            if limit.same_tool_calls is not None and run is not None:
                found.append(
                    Ceiling(f"{one.id}/calls", Scope.RUN, run, same_tool_calls=limit.same_tool_calls)
                )
        return tuple(found)


def _stricter(one: Limit, other: Limit) -> Limit:
    """Two limits over the same values as one: of each figure the lower."""
    figures = {}
    for name in _FIGURES:
        given = [value for value in (getattr(one, name), getattr(other, name)) if value is not None]
        figures[name] = min(given, default=None)
    return structs.replace(one, **figures)


def budget_id(workspace: str, budget: Budget) -> str:
    """What a budget is known by wherever it is counted: all that it says but its amount, so that changing the amount
    forgets nothing that was spent."""
    strength = "hard" if budget.hard else "soft"
    only = ",".join(sorted(budget.only))
    return f"{workspace}/{budget.scope}/{budget.period}/{strength}/{budget.currency}/{only}"


def limit_id(workspace: str, limit: Limit) -> str:
    """What a limit is known by: its scope and the values that it names."""
    return f"{workspace}/{limit.scope}/{','.join(sorted(limit.only))}"
