"""A workspace with a review queue, on a clock that stands still."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import msgspec

from holdfast.evals.actions import review as actions
from holdfast.evals.reads import review as reads
from holdfast.evals.rules import review as rules
from holdfast.evals.rules.online import Answer, OnlineRules, in_force
from holdfast.evals.rules.review import (
    CallRef,
    Decision,
    Dimension,
    Item,
    Method,
    Policy,
    Reviewed,
)
from holdfast.kernel.context import SYSTEM, Actor, Context
from holdfast.kernel.ids import new_id
from holdfast.platform.tenancy import actions as tenancy
from holdfast.storage.sql import Database

RUDE = "You are an idiot. Read the manual."
FINE = "You may return shoes within 30 days."
LETHAL = "Honestly, you should just kill yourself."


@dataclass
class Bench:
    """Where calls are reviewed and people decide."""

    database: Database
    clock: Any
    workspace: str = ""
    policy: Policy = field(default_factory=lambda: Policy(second_look=0.0))

    def __post_init__(self) -> None:
        with self.database.transaction() as tx:
            self.workspace = tenancy.ensure_workspace(self.by("", ""), tx, f"w-{new_id('x')[-12:]}").id

    def by(self, name: str, workspace: str | None = None) -> Context:
        """Somebody, now."""
        of = self.workspace if workspace is None else workspace
        return Context(of, Actor("member", name, name) if name else SYSTEM, self.clock())

    def call(self, number: int, route: str = "ask") -> CallRef:
        return CallRef(f"{number:032x}", f"{number:016x}", "shop", "prod", route, self.clock())

    def reviewed(self, call: CallRef, answer: Answer) -> Reviewed:
        """As the job makes it, without heads."""
        looked = OnlineRules(in_force(self.policy)).look(answer, call.route)
        item = rules.opened(new_id("rev"), self.workspace, self.policy, call, looked, self.clock())
        return Reviewed(call, ((Method.RULES, looked, 1.0),), answer.text is not None, item, looked.found)

    def keep(self, *reviewed: Reviewed) -> list[Item]:
        """Keeps a batch."""
        batch = actions.Batch(reviewed, self.clock(), behind=False)
        with self.database.transaction() as tx:
            return actions.keep(self.by(""), tx, self.policy, batch, "http://here")

    def say(self, number: int, text: str | None, **more: Any) -> Item | None:
        """Reviews one answer; the item that it opens."""
        made = self.keep(self.reviewed(self.call(number), Answer(text, **more)))
        return made[0] if made else None

    def decide(self, item: Item, who: str, said: Decision = Decision.CONFIRMED, **more: Any) -> Item:
        with self.database.transaction() as tx:
            return actions.decide(self.by(who), tx, item.id, dict.fromkeys(item.dimensions, said), **more)

    def claim(self, item: Item, who: str) -> Item:
        with self.database.transaction() as tx:
            return actions.claim(self.by(who), tx, item.id)

    def rates(self) -> dict[tuple[Dimension, Method], reads.Rate]:
        with self.database.reading() as tx:
            found = reads.rates(self.by(""), tx, *self.span())
        return {(one.dimension, one.method): one for one in found}

    def work(self) -> reads.Work:
        with self.database.reading() as tx:
            return reads.work(self.by(""), tx, *self.span())

    def span(self) -> tuple[datetime, datetime]:
        return self.clock() - timedelta(days=2), self.clock() + timedelta(hours=1)

    def queue(self, **more: Any) -> list[reads.Opened]:
        with self.database.reading() as tx:
            return reads.queue(self.by(""), tx, **more)


def doubled(policy: Policy) -> Policy:
    """A policy by which two people look at everything."""
    return msgspec.structs.replace(policy, second_look=1.0)
