"""A gateway's configuration in a workspace, marked in all that may be named freely."""

from __future__ import annotations

from typing import Any

from holdfast.gateway import actions
from holdfast.kernel.context import Context
from holdfast.platform.secrets import master
from holdfast.platform.settings import Settings
from holdfast.storage.sql import Transaction


def gate_of(ctx: Context, tx: Transaction, settings: Settings, mark: str) -> dict[str, str]:
    """Puts one in force; what stands for its parts in paths."""
    name = f"vendor-{mark}"
    reference = actions.keep_secret(ctx, tx, master.load(settings), name, f"sk-{mark}")
    upstream = {"dialect": "openai", "base_url": "https://1.1.1.1/v1", "credential": reference}
    document: dict[str, Any] = {
        "upstreams": {f"up-{mark}": {**upstream, "models": [f"model-{mark}"]}},
        "releases": {f"rel-{mark}": {"chain": [{"upstream": f"up-{mark}"}]}},
        "routes": {f"route-{mark}": {"release": f"rel-{mark}", "message": f"sorry {mark}"}},
    }
    judged = actions.judge(settings, document)
    actions.apply(ctx, tx, judged, note=f"because {mark}")
    return {"secret": name, "version": "1"}
