"""A workspace with suites, for tests."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from holdfast.evals.actions import suites as actions
from holdfast.evals.model import Suite
from holdfast.evals.reads import suites as reads
from holdfast.kernel.context import Actor, Context
from holdfast.platform.audit import store as audit_store
from holdfast.platform.tenancy import actions as tenancy
from holdfast.storage.sql import Database


@dataclass
class Shelf:
    """What a test asks for."""

    database: Database
    clock: Any

    def ctx(self, slug: str = "acme") -> Context:
        actor = Actor("member", "somebody", "Somebody")
        with self.database.transaction() as tx:
            now = self.clock()
            return Context(tenancy.ensure_workspace(Context("instance", actor, now), tx, slug).id, actor, now)

    def apply(
        self, ctx: Context, *suites: Suite, holdouts: bool = True, **more: Any
    ) -> list[actions.Applied]:
        with self.database.transaction() as tx:
            return actions.apply(ctx, tx, suites, holdouts=holdouts, **more)

    def check(self, ctx: Context, *suites: Suite, holdouts: bool = True) -> list[actions.Applied]:
        with self.database.reading() as tx:
            return actions.check(ctx, tx, suites, holdouts=holdouts)

    def shown(self, ctx: Context, name: str, version: int | None = None, **more: Any) -> reads.Shown:
        with self.database.reading() as tx:
            return reads.suite(ctx, tx, name, version, **more)

    def exported(self, ctx: Context, name: str, version: int | None = None, **more: Any) -> bytes:
        with self.database.reading() as tx:
            return reads.exported(ctx, tx, name, version, **more)

    def audit(self, ctx: Context) -> list[tuple[str, str, dict[str, Any]]]:
        """(action, subject, details) of the workspace's log, but for its making."""
        with self.database.reading() as tx:
            entries = audit_store.entries_from(tx, ctx.workspace, 1, 1000)
        return [(one.action, str(one.subject), json.loads(one.text or "{}")["details"]) for one in entries]
