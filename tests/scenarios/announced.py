"""A registered prompt with a label, and a deployment, marked in all that they say."""

from __future__ import annotations

from holdfast.applications.actions import deployments, labels
from holdfast.applications.model import Deployment
from holdfast.kernel.context import Context
from holdfast.registry import actions as registry
from holdfast.registry.model import Kind
from holdfast.storage.sql import Transaction


def announced_of(ctx: Context, tx: Transaction, mark: str) -> dict[str, str]:
    """The names of the prompt, and of a flag."""
    name = f"prompt-{mark}"
    body = {"messages": [{"role": "system", "content": f"words of {mark}"}], "variables": {}}
    registry.add_version(ctx, tx, kind=Kind.PROMPT, name=name, body=body, rationale=f"because {mark}")
    labels.move(ctx, tx, name, f"label-{mark}", 1)
    made = Deployment(
        workspace=ctx.workspace,
        id=f"dep-{mark}",
        system=f"shop-{mark}",
        environment=f"prod-{mark}",
        version=f"v-{mark}",
        commit=f"c-{mark}",
        release="",
        configuration="",
        link=f"https://ci.test/{mark}",
        note=f"note {mark}",
        at=ctx.now,
        author=f"author {mark}",
        received_at=ctx.now,
        by="",
    )
    deployments.announce(ctx, tx, made)
    return {"prompt": name, "flag": f"route-{mark}"}
