"""Verbs on deployments: one is announced once, and never changed."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from urllib.parse import urlsplit

from holdfast.applications import store
from holdfast.applications.model import Deployment
from holdfast.kernel.context import Context
from holdfast.kernel.errors import Conflict, Invalid
from holdfast.platform.audit import actions as audit
from holdfast.registry import reads as registry
from holdfast.storage.sql import Transaction

AHEAD = timedelta(minutes=5)
"""So far clocks of pipelines may be ahead of ours."""


def announce(ctx: Context, tx: Transaction, one: Deployment) -> tuple[Deployment, bool]:
    """Keeps a deployment; the same one again changes nothing and gives False.

    Raises Conflict where the id stands for another deployment, Invalid, and NotFound for a release that there is not.
    """
    if not (one.version or one.commit or one.release or one.configuration):
        raise Invalid("say what was deployed: version, commit, release or configuration", where="version")
    if one.at > ctx.now + AHEAD:
        raise Invalid("this instant is still to come; announce a deployment when it is done", where="at")
    if one.link and urlsplit(one.link).scheme not in ("http", "https"):
        raise Invalid("a link begins with https:// or http://", where="link")
    if one.release:
        registry.release(ctx, tx, one.release)
    made = replace(one, workspace=ctx.workspace, received_at=ctx.now, by=ctx.actor.id)
    if not store.add_deployment(tx, made):
        kept = store.deployment(tx, ctx.workspace, one.id)
        assert kept is not None
        if replace(kept, received_at=made.received_at, by=made.by) != made:
            raise Conflict(
                "another deployment was announced under this id; give this one its own", where="id"
            )
        return kept, False
    details = {
        "system": made.system,
        "environment": made.environment,
        "version": made.version,
        "commit": made.commit,
        "release": made.release,
        "configuration": made.configuration,
        "at": made.at.isoformat(),
        "author": made.author,
        "link": made.link,
    }
    audit.record(ctx, tx, action="deployment.announced", subject=made.id, details=details)
    return made, True
