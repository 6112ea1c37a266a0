"""The clock of changes: each one that is open is looked at, and goes on by one step at most."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import timedelta
from typing import Any

import msgspec

from holdfast.changes import store
from holdfast.changes.actions import gating, reviewing, rolling, routing
from holdfast.changes.actions.keeping import load
from holdfast.changes.model import Change, State
from holdfast.changes.reads import comparing, observing, standing
from holdfast.changes.rules.reading import policy_of
from holdfast.changes.rules.states import Looked
from holdfast.gateway.model import Route
from holdfast.gateway.reads import applied, processes
from holdfast.gateway.reads import traffic as decided
from holdfast.kernel.context import SYSTEM, Context
from holdfast.kernel.errors import Conflict, Unavailable
from holdfast.platform.services import Services
from holdfast.storage.sql import Transaction

log = logging.getLogger("holdfast.changes")

EVERY_SECONDS = 5.0
LOOKED_AT = frozenset(
    {
        State.GATED,
        State.APPROVED,
        State.SCHEDULED,
        State.SHADOW,
        State.COMPARING,
        State.RAMPING,
        State.SOAKING,
        State.HELD,
        State.HALTED,
    }
)
UNREAD = 4
"""So many looks in a row at which calls cannot be read: then it is held."""
SILENT = timedelta(seconds=60)
"""For so long gateways that do not answer are waited for before what they serve is called unknown."""


class Changes:
    """Looks at all open changes of all workspaces; one that goes wrong keeps no other from its turn."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._unread: dict[str, int] = {}

    def turn(self) -> None:
        """One look at each."""
        with self._services.database.reading() as tx:
            found = store.in_states(tx, LOOKED_AT)
        for workspace, id in found:
            try:
                self.look(workspace, id)
            except Conflict:
                continue  # somebody else had it go on: the next turn sees how it is now
            except Exception:
                log.exception("the change %s could not be looked at; it is tried again", id)

    def look(self, workspace: str, id: str) -> Change:
        """One look at one change: it is as it was, or one step on. Raises NotFound, Conflict."""
        services = self._services
        ctx = Context(workspace, SYSTEM, services.clock())
        with services.database.reading() as tx:
            change = load(ctx, tx, id)
        if change.state is State.GATED:
            with services.database.transaction() as tx:
                seen, facts = self._gated(ctx, tx, change)
                return rolling.look(ctx, tx, change, seen, facts)
        seen, facts = self._seen(ctx, change)
        with services.database.transaction() as tx:
            after = rolling.look(ctx, tx, change, seen, facts)
        if after.state is not change.state:
            log.info("the change %s is %s: %s", id, after.state, after.reason or "as planned")
        return after

    def _gated(self, ctx: Context, tx: Transaction, change: Change) -> tuple[Looked, dict[str, Any]]:
        gate = gating.go_on(ctx, tx, change)
        reviews = reviewing.standing(ctx, tx, change)
        rejected, outside = reviews.rejected, reviews.external
        facts = gate.facts() | {
            "approvals": [
                {"person": one.person.id, "name": one.person.name, "review": one.id}
                for one in reviews.approved
            ],
            "needed": reviews.needed,
        }
        if outside is not None:
            facts["external"] = {"key": outside.person.id, "name": outside.person.name, "review": outside.id}
        if change.risk is not None:
            facts["risk"] = {"by": change.risk.name, "until": change.risk.until}
        seen = Looked(
            gate=gate.verdict,
            approved=reviews.enough,
            external=outside is not None or not policy_of(change).external,
            rejected=f"{rejected.person.name}: {rejected.note}" if rejected else "",
        )
        return seen, facts

    def _seen(self, ctx: Context, change: Change) -> tuple[Looked, dict[str, Any]]:
        match change.state:
            case State.SCHEDULED:
                with self._services.database.reading() as tx:
                    seen, facts = self._scheduled(ctx, tx, change)
                return seen, facts | self._planned(ctx, change)
            case State.HALTED:
                with self._services.database.reading() as tx:
                    return self._halted(ctx, tx, change)
            case State.SHADOW | State.COMPARING | State.RAMPING | State.SOAKING | State.HELD:
                return self._under_way(ctx, change)
            case _:
                return Looked(), {}

    def _scheduled(self, ctx: Context, tx: Transaction, change: Change) -> tuple[Looked, dict[str, Any]]:
        other = routing.under_way(ctx, tx, change)
        blocked = f"the change {other.id} of the same route is under way" if other else ""
        blocked = blocked or standing.blocked(ctx, tx, change)
        now_serving = routing.stable(ctx, tx, change.route)
        moved = "" if other or now_serving == change.baseline else _moved(change, now_serving)
        return Looked(blocked=blocked, moved=moved), {"blocked": blocked, "serving": now_serving}

    def _planned(self, ctx: Context, change: Change) -> dict[str, Any]:
        """The comparison that its policy declares, with the calls that it takes: before the first of them."""
        policy = policy_of(change)
        if policy.ab is None:
            return {}
        found = self._services
        try:
            alpha = 1 - policy.confidence
            calls = comparing.plan_of(
                found.columns, found.database, change, policy.ab, alpha, ctx.now, ctx.now
            )
        except Unavailable:
            calls = None
        return {"planned": {**msgspec.to_builtins(policy.ab), "calls": calls}}

    def _halted(self, ctx: Context, tx: Transaction, change: Change) -> tuple[Looked, dict[str, Any]]:
        served = decided.governed(ctx, tx).get(change.route)
        reached = processes.reached(tx, served.epoch if served else 0, ctx.now)
        settled = reached.settled
        if settled is None and ctx.now - change.since < SILENT:
            settled = False
        facts = {"epoch": served.epoch if served else None, "gateways": list(reached.serving)}
        facts |= {"behind": list(reached.behind), "silent": list(reached.silent)}
        return Looked(settled=settled), facts

    def _under_way(self, ctx: Context, change: Change) -> tuple[Looked, dict[str, Any]]:
        with self._services.database.reading() as tx:
            blocked = standing.blocked(ctx, tx, change)
            evidence = store.evidence_of(tx, ctx.workspace, change.id)
            version = applied.current(ctx, tx)
            reviews = reviewing.standing(ctx, tx, change) if change.review_due is not None else None
            served = decided.governed(ctx, tx).get(change.route)
            reached = processes.reached(tx, served.epoch if served else 0, ctx.now)
        routes = version.configuration.routes if version else {}
        reviewed = reviews is None or bool(reviews.approved)
        if reviews is not None and reviews.rejected is not None:
            why = f"rejected by {reviews.rejected.person.name}: {reviews.rejected.note}"
            return Looked(stop=why), {"review": reviews.rejected.id}
        policy = policy_of(change)
        try:
            seen = observing.observe(
                self._services.database,
                self._services.columns,
                change,
                policy,
                evidence,
                routes.get(change.route, Route()),
                ctx.now,
                blocked,
                everywhere=reached.settled is not False,
            )
        except Unavailable as error:
            times = self._unread[change.id] = self._unread.get(change.id, 0) + 1
            missing = (
                f"calls could not be read {times} times in a row: {error.detail}" if times >= UNREAD else ""
            )
            return Looked(missing=missing, blocked=blocked, reviewed=reviewed), {"unread": error.detail}
        self._unread.pop(change.id, None)
        return replace(seen.looked, reviewed=reviewed), dict(seen.facts)


def _moved(change: Change, serving: str) -> str:
    return f"its route serves {serving} by now, not {change.baseline}, which it was judged against: submit it anew"
