"""A dry run: what a request would resolve to, step by step, by the very rules that gateways decide by."""

from __future__ import annotations

from dataclasses import dataclass

from holdfast.gateway import governing
from holdfast.gateway.dialects.shelf import provider_of
from holdfast.gateway.model import ClientKey, Configuration, Dialect, Dimensions, Workspace
from holdfast.gateway.reads.snapshot import rates_of
from holdfast.gateway.rules import resolving
from holdfast.gateway.rules.scopes import LimitBook, scope_values
from holdfast.kernel.context import Context
from holdfast.kernel.errors import HoldfastError
from holdfast.platform.tenancy import reads as tenancy
from holdfast.pricing import reads as pricing
from holdfast.pricing.reads import Pricer
from holdfast.storage.sql import Transaction


@dataclass(frozen=True, slots=True)
class Stop:
    """One upstream of the chain. `priced`: whether the gateway knows what its model costs."""

    upstream: str
    provider: str
    model: str
    dialect: str
    region: str
    translated: bool
    priced: bool


@dataclass(frozen=True, slots=True)
class Explained:
    """What would become of a request. `refused` says why it would not be served; then there is no chain."""

    version: int
    steps: tuple[str, ...]
    dimensions: Dimensions
    release: str
    release_id: str
    chain: tuple[Stop, ...]
    budgets: tuple[str, ...]
    refused: str = ""


def explain(
    ctx: Context,
    tx: Transaction,
    pricer: Pricer,
    *,
    model: str,
    dialect: Dialect,
    key: str = "",
    said: Dimensions = Dimensions(),
    call_id: str = "",
) -> Explained:
    """How a request with this key (its id), model and dimensions is routed by the configuration in force.

    `call_id` decides the variant of a request that names nothing to be told apart by.
    """
    found = governing.in_force(ctx, tx)
    configured = found.configuration if found else Configuration()
    tenant = next(one for one in tenancy.all_workspaces(tx) if one.id == ctx.workspace)
    workspace = Workspace(
        ctx.workspace,
        tenant.slug,
        tenant.zone,
        found.version if found else 0,
        configured,
        found.release_ids if found else {},
        rates_of(configured, pricing.price_book(ctx, tx), pricer, ctx.now),
    )
    asks = ClientKey(key or "(any)", ctx.workspace)
    translates = dialect in resolving.TRANSLATED
    try:
        decided = resolving.resolve(
            workspace, asks, said, model, dialect, call_id or "explain", translates=translates
        )
    except HoldfastError as error:
        return Explained(workspace.version, (), said, "", "", (), (), error.detail)
    chain = tuple(
        Stop(
            step.name,
            provider_of(step.upstream),
            step.model,
            str(step.upstream.dialect),
            step.upstream.region,
            step.translated,
            step.model in workspace.rates.get(step.name, {}),
        )
        for step in decided.chain
    )
    values = scope_values(ctx.workspace, asks.id, chain[0].model, decided.dimensions)
    entries = LimitBook(workspace).entries(values, ctx.now)
    budgets = tuple(
        f"{'hard' if one.hard else 'soft'} {one.kind} over {one.scope} {one.value}, {one.window}"
        for one in entries
    )
    return Explained(
        workspace.version,
        decided.why,
        decided.dimensions,
        decided.release_name,
        decided.release_id,
        chain,
        budgets,
    )
