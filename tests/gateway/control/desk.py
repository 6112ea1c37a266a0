"""A workspace with keys and a secret, and documents to apply to it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from holdfast.gateway import actions, store
from holdfast.gateway.model import Snapshot
from holdfast.gateway.reads import snapshot as snapshots
from holdfast.kernel.context import Actor, Context
from holdfast.platform.access.actions import keys
from holdfast.platform.access.model import Scope
from holdfast.platform.audit import store as audit_store
from holdfast.platform.epochs import reads as epochs
from holdfast.platform.secrets import master
from holdfast.platform.services import Services
from holdfast.platform.settings import Settings
from holdfast.platform.tenancy import actions as tenancy
from holdfast.pricing.reads import Pricer
from holdfast.storage.sql import Database

SECRET = "sk-canary-that-must-not-show"


@dataclass
class Desk:
    """What a test asks for."""

    database: Database
    settings: Settings
    clock: Any

    @property
    def services(self) -> Services:
        return Services(self.settings, self.clock, self.database, None)  # type: ignore[arg-type]

    def ctx(self, slug: str = "acme", kind: Any = "member") -> Context:
        actor = Actor(kind, "somebody", "Somebody")
        with self.database.transaction() as tx:
            now = self.clock()
            return Context(tenancy.ensure_workspace(Context("instance", actor, now), tx, slug).id, actor, now)

    def key(self, ctx: Context, *scopes: Scope) -> tuple[str, str]:
        """Id and text."""
        with self.database.transaction() as tx:
            made, text = keys.create_key(ctx, tx, "test", frozenset(scopes or (Scope.GATEWAY,)))
        return made.id, text

    def secret(self, ctx: Context, name: str = "vendor") -> str:
        """Its reference."""
        with self.database.transaction() as tx:
            return actions.keep_secret(ctx, tx, master.load(self.settings), name, SECRET)

    def apply(self, ctx: Context, document: Any, **more: Any) -> actions.Applied:
        judged = actions.judge(self.settings, document)
        with self.database.transaction() as tx:
            return actions.apply(ctx, tx, judged, **more)

    def check(self, ctx: Context, document: Any) -> actions.Check:
        judged = actions.judge(self.settings, document)
        with self.database.reading() as tx:
            return actions.check(ctx, tx, judged)

    def snapshot(self, pricer: Pricer | None = None) -> Snapshot:
        with self.database.reading() as tx:
            return snapshots.snapshot(tx, self.clock(), pricer or Pricer())

    def epoch(self) -> int:
        with self.database.reading() as tx:
            return epochs.current(tx)

    def version(self, ctx: Context) -> int:
        with self.database.reading() as tx:
            found = store.latest(tx, ctx.workspace)
        return found.version if found else 0

    def audit(self, ctx: Context) -> list[tuple[str, dict[str, Any]]]:
        """(action, details) of the workspace's log."""
        with self.database.reading() as tx:
            entries = audit_store.entries_from(tx, ctx.workspace, 0, 1000)
        return [(one.action, json.loads(one.text or "{}")["details"]) for one in entries]


def document(**changed: Any) -> dict[str, Any]:
    """A configuration that can be applied in any workspace; parts are replaced by name."""
    made: dict[str, Any] = {
        "upstreams": {
            "main": {"dialect": "openai", "base_url": "http://127.0.0.1:9/v1", "models": ["gpt-4o-mini"]},
            "other": {"dialect": "anthropic", "base_url": "http://127.0.0.1:9/v1"},
        },
        "releases": {
            "one": {
                "chain": [{"upstream": "main", "model": "gpt-4o-mini"}],
                "parameters": {"temperature": 0.2},
            },
            "two": {
                "chain": [{"upstream": "other", "model": "claude-sonnet-4-5"}, {"upstream": "main"}],
                "prompt": {
                    "messages": [{"role": "system", "content": "You serve {{ name }}."}],
                    "variables": {"name": {}},
                },
            },
        },
        "routes": {
            "chat": {"release": "one", "models": ["chat"]},
            "split": {"variants": [{"release": "one", "weight": 9}, {"release": "two"}]},
        },
        "budgets": [{"scope": "workspace", "amount": "100"}],
        "limits": [{"scope": "key", "requests_per_minute": 60}],
    }
    return {**made, **changed}
