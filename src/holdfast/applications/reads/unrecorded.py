"""Configurations seen in traffic against what is registered: which nobody recorded, and who could have made them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from holdfast.applications import store
from holdfast.applications.governing import Finding, stated
from holdfast.applications.model import Deployment
from holdfast.kernel.context import Context
from holdfast.kernel.errors import Denied, NotFound
from holdfast.platform.access.model import Caller, Scope
from holdfast.registry import reads as registry
from holdfast.registry.model import Kind, Version
from holdfast.storage.columns import Columns
from holdfast.storage.sql import Database, Transaction
from holdfast.telemetry.model import TimeRange
from holdfast.telemetry.reads import recorded
from holdfast.telemetry.reads.configurations import Observed
from holdfast.telemetry.reads.recorded import Sent, Stated

LOOK_BACK = timedelta(days=7)
SOON = timedelta(minutes=5)
"""Clocks of senders may be ahead."""
AFTER = timedelta(hours=1)
"""So long after a deployment its first call is expected."""


def findings(ctx: Context, columns: Columns, database: Database, system: str | None = None) -> list[Finding]:
    """Every configuration of the last seven days, the latest first; of one system, or of all. No sample data."""
    within = TimeRange(ctx.now - LOOK_BACK, ctx.now + SOON)
    seen = recorded.seen(columns, database, ctx.workspace, within, system)
    with database.reading() as tx:
        releases = stated_releases(ctx, tx)
        prompts = _prompts(ctx, tx)
        announced = store.deployments_of(tx, ctx.workspace, system=system, limit=1000)
        flagged = {one.configuration: one for one in store.flagged_of(tx, ctx.workspace)}
    return [
        Finding(
            one,
            recorded.compared(one, releases),
            next((version for version, said in prompts if recorded.says_prompt(one, said)), None),
            announced_for(one, announced),
            flagged.get(one.id),
        )
        for one in reversed(seen)
    ]


def finding(ctx: Context, columns: Columns, database: Database, configuration: str) -> Finding:
    """One of them, as it was answered last. Raises NotFound where no call of the last seven days ran under it."""
    for one in findings(ctx, columns, database):
        if one.seen.id == configuration:
            return one
    raise NotFound("no call of the last seven days ran under such a configuration in this workspace")


def sent(by: Caller, columns: Columns, one: Finding) -> Sent:
    """What its first call was sent. Raises NotFound where that is gone, and Denied who may not read content."""
    reach = by.reach.get(Scope.CONTENT)
    if reach is None:
        raise Denied("registering it reads what was sent, which takes the permission to read content")
    return recorded.sent(columns, by.ctx.workspace, one.seen, reach)


def stated_releases(ctx: Context, tx: Transaction) -> list[Stated]:
    """All releases of the workspace in the words of telemetry, the latest first."""
    found = registry.releases(ctx, tx)
    hashes = {digest for one in found for digest in one.components.values()}
    bodies = {one.hash: one.body for one in registry.components(ctx, tx, hashes)}
    return [
        stated(one.id, {kind: bodies[digest] for kind, digest in one.components.items()}) for one in found
    ]


def announced_for(one: Observed, deployments: Sequence[Deployment]) -> Deployment | None:
    """The deployment that names this configuration, else the last of its system in the hour before its first call."""
    for each in deployments:
        if each.configuration == one.id:
            return each
    near = [
        each
        for each in deployments
        if each.system == one.system and each.at - SOON <= one.first_at <= each.at + AFTER
    ]
    return max(near, key=lambda each: each.at, default=None)


def _prompts(ctx: Context, tx: Transaction) -> list[tuple[Version, Stated]]:
    found = [
        version
        for head in registry.names(ctx, tx, Kind.PROMPT)
        for version in registry.versions(ctx, tx, Kind.PROMPT, head.name)
    ]
    said = registry.components(ctx, tx, {one.hash for one in found})
    bodies = {one.hash: stated(one.hash, {Kind.PROMPT: one.body}) for one in said}
    return [(one, bodies[one.hash]) for one in found]
