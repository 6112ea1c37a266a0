"""The job that looks at live calls as they come, from a persisted position: each at least once, counted once.

A turn reads what was counted since its position, holds rules and heads against what it has not seen (heads against a sample
while more waits than is read together), and keeps all of it with the new position in one transaction. A process that dies
before that does it again. What judges are to be shown is noted in the same transaction, and asked by a job of its own
(`review_judging`).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Sequence
from datetime import timedelta

from holdfast.evals.actions import review as actions
from holdfast.evals.reads import review as reads
from holdfast.evals.rules import review as rules
from holdfast.evals.rules.online import Answer, OnlineRules, in_force, together
from holdfast.evals.rules.review import CallRef, KeptPolicy, Method, Reviewed
from holdfast.evals.rules.review_releases import served
from holdfast.evals.runner.asking import ENVIRONMENT
from holdfast.evals.runner.heads import Heads
from holdfast.kernel.context import SYSTEM, Context
from holdfast.kernel.errors import HoldfastError
from holdfast.kernel.ids import new_id
from holdfast.platform.services import Services
from holdfast.platform.tenancy import reads as tenancy
from holdfast.telemetry.reads import arrivals
from holdfast.telemetry.reads.arrivals import Arrival, Said

log = logging.getLogger("holdfast.evals")
EVERY_SECONDS = 2.0
OVERLAP = timedelta(seconds=30)
"""How far back a turn looks again: a call may be stored a moment after one that was counted later."""
MOST_LISTED = 20_000
MOST_LOOKED = 500
"""Calls whose content is read together."""
TURN_SECONDS = 5.0
"""After which a turn makes room for the next workspace."""
WHY = {
    "none": "no content was captured",
    "off": "the data policy keeps no content",
    "unsampled": "the data policy keeps the content of a share of the traces only",
    "withheld": "the content was withheld by the company's own check",
    "expired": "the content is no longer kept",
    "erased": "the content was erased",
    "gone": "the trace is no longer kept",
}


class Reviews:
    """Follows the calls of every workspace."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._heads = Heads()
        self._rules: dict[str, tuple[int, OnlineRules]] = {}

    def turn(self) -> int:
        """Looks at what has come; returns how many calls were read. A workspace that fails waits for the next turn."""
        with self._services.database.reading() as tx:
            workspaces = tenancy.all_workspaces(tx)
        looked = 0
        for workspace in workspaces:
            began = time.monotonic()
            try:
                while (done := self._step(workspace.id)) and time.monotonic() - began < TURN_SECONDS:
                    looked += done
                looked += done
            except HoldfastError as error:
                log.warning("the calls of %s could not be reviewed: %s", workspace.slug, error.detail)
        return looked

    def _step(self, workspace: str) -> int:
        """One batch of a workspace; how many calls were looked at."""
        found = self._services
        ctx = Context(workspace, SYSTEM, found.clock())
        with found.database.reading() as tx:
            position = reads.position(ctx, tx)
            kept = reads.policy(ctx, tx)
        if position is None:
            with found.database.transaction() as tx:
                actions.begin(ctx, tx)
            return 0
        came = arrivals.arrived(found.columns, workspace, position, MOST_LISTED)
        with found.database.reading() as tx:
            fresh = reads.unseen(ctx, tx, [one for one in came if one.environment != ENVIRONMENT], _ref)
        chosen = fresh[:MOST_LOOKED]
        more = len(chosen) < len(fresh) or len(came) == MOST_LISTED
        last = (chosen if len(chosen) < len(fresh) else came)[-1:]
        after = last[0].received_at if more else max(position, ctx.now - OVERLAP)
        if not chosen and not more and after - position < rules.IDLE:
            return 0
        batch = actions.Batch(self._reviewed(ctx, kept, chosen, behind=more), after, more)
        with found.database.transaction() as tx:
            actions.keep(ctx, tx, kept.policy, batch, found.settings.base_url)
        return len(chosen)

    def _reviewed(
        self, ctx: Context, kept: KeptPolicy, calls: Sequence[Arrival], *, behind: bool
    ) -> list[Reviewed]:
        if not calls:
            return []
        online = self._online(ctx.workspace, kept)
        said = arrivals.said(self._services.columns, ctx.workspace, calls)
        return [self._one(ctx, kept, online, one, said[one.trace_id, one.id], behind=behind) for one in calls]

    def _one(
        self, ctx: Context, kept: KeptPolicy, online: OnlineRules, one: Arrival, said: Said, *, behind: bool
    ) -> Reviewed:
        call, answer = _ref(one), answer_of(one, said)
        looked = online.look(answer, call.route)
        parts = [(Method.RULES, looked, 1.0)]
        drawn = rules.wants_heads(kept.policy, call, bool(looked.found), behind=behind)
        if drawn and answer.text is not None and online.plan(call.route).heads:
            parts.append((Method.HEADS, self._heads.look(online, answer, call.route), 1 / drawn))
        whole = together([part for _, part, _ in parts])
        now = self._services.clock()
        item = rules.opened(new_id("rev"), ctx.workspace, kept.policy, call, whole, now)
        known = answer.text is not None
        judged = rules.for_judges(kept.policy, call, bool(looked.found)) if known else ()
        heads = online.plan(call.route).heads
        release = "" if one.cached else one.release  # a kept answer says nothing of who serves now
        seen = served(release, kept.policy, call, parts, heads) if known else None
        return Reviewed(call, tuple(parts), known, item, whole.found, judged, seen)

    def _online(self, workspace: str, kept: KeptPolicy) -> OnlineRules:
        """The rules in force, compiled once for each version of the policy."""
        held = self._rules.get(workspace)
        if held is None or held[0] != kept.version:
            held = self._rules[workspace] = (kept.version, OnlineRules(in_force(kept.policy)))
        return held[1]


def _ref(one: Arrival) -> CallRef:
    return CallRef(one.trace_id, one.id, one.system, one.environment, one.route, one.started_at)


def answer_of(one: Arrival, said: Said) -> Answer:
    """What is looked at of a call."""
    why = WHY.get(said.state, "the call has no text for an answer")
    return Answer(said.answer, said.given, said.documents, not one.cut, said.masked, why)
