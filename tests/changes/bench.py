"""A workspace with a gateway's configuration, people, and a clock: where changes are proposed and decided."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.gateway.control.desk import Desk, document
from tests.platform.access.house import House

from holdfast.changes import store
from holdfast.changes.actions import governing, proposing, reviewing, rolling
from holdfast.changes.actions.proposing import Proposal
from holdfast.changes.jobs import Changes
from holdfast.changes.model import Change, Decision, Evidence, State
from holdfast.gateway.model import Traffic
from holdfast.gateway.reads import traffic
from holdfast.kernel.context import Actor, Context
from holdfast.platform.access.model import Role
from holdfast.platform.services import Services
from holdfast.platform.settings import Settings
from holdfast.storage.columns import Columns
from holdfast.storage.sql import Database

UNGATED = {
    "systems": {"*": {name: {"suites": []} for name in ("minor", "moderate", "major")}},
    "parameters": {"temperature": {"least": 0, "most": 0.5}},
}
"""A policy that asks no suites: what is tried here is everything else."""


@dataclass
class Bench:
    """What a test asks for."""

    database: Database
    columns: Columns | None
    clock: Any
    folder: Path

    def __post_init__(self) -> None:
        settings = Settings(data=self.folder, outbound_allow="127.0.0.1")
        self.desk = Desk(self.database, settings, self.clock)
        self.house = House(self.database, settings, self.clock, "")
        self.services = Services(settings, self.clock, self.database, self.columns)  # type: ignore[arg-type]
        self.workspace = self.desk.ctx().workspace
        self.ann = self.house.member("ann@nobody.test", ("acme", Role.APPROVER))
        self.ben = self.house.member("ben@nobody.test", ("acme", Role.APPROVER))
        self.cleo = self.house.member("cleo@nobody.test", ("acme", Role.OPERATOR))
        self.desk.apply(self.by(self.ann), document())
        self.policy(UNGATED)

    def by(self, id: str, kind: Any = "member") -> Context:
        return Context(self.workspace, Actor(kind, id, id), self.clock())

    def policy(self, written: dict[str, Any]) -> None:
        with self.database.transaction() as tx:
            governing.put_policy(self.by("cli", "cli"), tx, written)

    def propose(self, by: Context, temperature: float = 0.1, **more: Any) -> Change:
        release = {
            "chain": [{"upstream": "main", "model": "gpt-4o-mini"}],
            "parameters": {"temperature": temperature},
        }
        wanted = Proposal(**{"route": "chat", "title": "Cooler", "release": release} | more)
        with self.database.transaction() as tx:
            return proposing.propose(by, tx, wanted)

    def submitted(self, by: Context, **more: Any) -> Change:
        made = self.propose(by, **more)
        with self.database.transaction() as tx:
            return proposing.submit(by, tx, made.id)

    def review(
        self, by: Context, change: Change, decision: Decision = Decision.APPROVED, note: str = ""
    ) -> Any:
        with self.database.transaction() as tx:
            return reviewing.review(by, tx, change.id, decision, change.content, note)

    def approved(self, **more: Any) -> Change:
        """Of Ann, approved by Ben, and looked at once."""
        made = self.submitted(self.by(self.ann), **more)
        self.review(self.by(self.ben), made)
        return self.look(made)

    def look(self, change: Change) -> Change:
        return Changes(self.services).look(self.workspace, change.id)

    def until(self, change: Change, state: State) -> Change:
        for _ in range(10):
            if change.state is state:
                return change
            change = self.look(change)
        raise AssertionError(f"{change.state}, not {state}: {change.reason}")

    def roll_back(self, by: Context, change: Change, reason: str = "bad") -> Change:
        with self.database.transaction() as tx:
            return rolling.roll_back(by, tx, change.id, reason)

    def now(self, change: Change) -> Change:
        with self.database.reading() as tx:
            found = store.get(tx, self.workspace, change.id)
        assert found is not None
        return found

    def served(self, route: str = "chat") -> Traffic:
        with self.database.reading() as tx:
            return traffic.governed(self.by(self.ann), tx)[route].traffic

    def shares(self) -> dict[str, int]:
        return {one.release: one.weight for one in self.served().variants if one.weight}

    def evidence(self, change: Change) -> list[Evidence]:
        with self.database.reading() as tx:
            return store.evidence_of(tx, self.workspace, change.id)

    def audit(self) -> list[tuple[str, dict[str, Any]]]:
        return self.desk.audit(self.by(self.ann))
