"""The snapshot that gateways live from: every workspace's configuration, with what the core works out from it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import msgspec

from holdfast.gateway import governing, keys, store
from holdfast.gateway.dialects.shelf import provider_of
from holdfast.gateway.model import (
    OWN_PRICE,
    ClientKey,
    Configuration,
    Sealed,
    Snapshot,
    Traffic,
    Version,
    Workspace,
)
from holdfast.gateway.rules.rated import models_asked
from holdfast.kernel.context import SYSTEM, Context
from holdfast.platform.access import reads as access
from holdfast.platform.epochs import reads as epochs
from holdfast.platform.secrets import reads as secrets
from holdfast.platform.services import Services
from holdfast.platform.tenancy import reads as tenancy
from holdfast.platform.tenancy.model import CaptureMode, DataPolicy
from holdfast.platform.tenancy.model import Workspace as Tenant
from holdfast.pricing import reads as pricing
from holdfast.pricing.model import PriceBookEntry, Rates
from holdfast.pricing.reads import Pricer
from holdfast.storage.sql import Transaction

BATCH = "batch"
Prices = Mapping[str, Mapping[str, Rates]]


def epoch(services: Services) -> int:
    """The epoch of what is stored now: one row is read."""
    with services.database.reading() as tx:
        return epochs.current(tx)


def snapshot(tx: Transaction, now: datetime, pricer: Pricer) -> Snapshot:
    """All that gateways know, as it is at one moment."""
    versions = store.latest_of_all(tx)
    workspaces = {}
    for tenant in tenancy.all_workspaces(tx):
        governed = governing.traffic(tx, tenant.id)
        found = _laid_over(tx, tenant.id, versions, governed, now)
        configured = found.configuration if found else Configuration()
        workspaces[tenant.id] = Workspace(
            id=tenant.id,
            slug=tenant.slug,
            time_zone=tenant.zone,
            version=found.version if found else 0,
            configuration=configured,
            release_ids=found.release_ids if found else {},
            rates=_rates(tx, tenant, configured, pricer, now),
            batch_rates=_rates(tx, tenant, configured, pricer, now, BATCH),
            sealed=_sealed(tx, tenant.id, configured),
            lifts=tuple(store.lifts(tx, tenant.id, now)),
            governed=governed,
            content=_content(tx, tenant.id),
        )
    clients = {
        text: ClientKey(key.id, key.workspace, key.expires_at) for text, key in access.gateway_keys(tx)
    }
    return Snapshot(epochs.current(tx), now, workspaces, clients)


def signed(data: Path, made: Snapshot) -> bytes:
    """As gateways take it: with the signature of the core's key in this data folder. Raises Unavailable."""
    return msgspec.msgpack.encode(keys.sign(keys.load(data), msgspec.msgpack.encode(made)))


def _laid_over(
    tx: Transaction,
    workspace: str,
    versions: Mapping[str, Version],
    governed: Mapping[str, Traffic],
    now: datetime,
) -> Version | None:
    found = versions.get(workspace)
    ctx = Context(workspace, SYSTEM, now)
    return None if found is None else governing.laid_over(ctx, tx, found, governed)


def changed_prices(services: Services, pricer: Pricer) -> str | None:
    """A digest of all prices that gateways should know, where it is not that of what they were told; else None."""
    digest = hashlib.sha256()
    with services.database.reading() as tx:
        now = services.clock()
        versions = store.latest_of_all(tx)
        for tenant in tenancy.all_workspaces(tx):
            found = _laid_over(tx, tenant.id, versions, governing.traffic(tx, tenant.id), now)
            if found is None:
                continue
            for tier in (None, BATCH):
                rates = _rates(tx, tenant, found.configuration, pricer, now, tier)
                digest.update(msgspec.msgpack.encode((tenant.id, rates), order="deterministic"))
        return None if store.price_digest(tx) == digest.hexdigest() else digest.hexdigest()


def rates_of(
    configured: Configuration,
    book: tuple[PriceBookEntry, ...],
    pricer: Pricer,
    at: datetime,
    tier: str | None = None,
) -> Prices:
    """Upstream → model → rates at an instant: the upstream's own hint, else the price book, else the list.

    Models whose price is unknown are left out, so that nobody takes unknown for free. Hints are for standard service: a
    `tier` has none.
    """
    found: dict[str, dict[str, Rates]] = {}
    for name, models in models_asked(configured).items():
        upstream = configured.upstreams[name]
        known: dict[str, Rates] = {}
        for model in sorted(models):
            hint = upstream.prices.get(model)
            if hint is not None:
                if tier is not None:
                    continue
                rates: Rates | None = pricing.own_rates(hint, "USD", "gateway", f"{OWN_PRICE}{name}/{model}")
            else:
                rates = pricer.rates(provider_of(upstream), model, at, upstream.base_url, book, tier)
            if rates is not None:
                known[model] = rates
        if known:
            found[name] = known
    return found


def _rates(
    tx: Transaction,
    tenant: Tenant,
    configured: Configuration,
    pricer: Pricer,
    at: datetime,
    tier: str | None = None,
) -> Prices:
    if not configured.upstreams:
        return {}
    return rates_of(configured, pricing.price_book(Context(tenant.id, SYSTEM, at), tx), pricer, at, tier)


def _content(tx: Transaction, workspace: str) -> bool:
    """Whether content may be captured of any system; where it may be of none, gateways need not hold it."""
    policies = {"": DataPolicy(workspace), **tenancy.policies(tx, workspace)}
    return any(one.capture is not CaptureMode.OFF for one in policies.values())


def _sealed(tx: Transaction, workspace: str, configured: Configuration) -> dict[str, Sealed]:
    named = {one.credential for one in configured.upstreams.values()}
    named |= {one.credential for one in configured.guardrails.values()}
    wanted = {one for one in named if one.startswith("secret:")}
    if not wanted:
        return {}
    return {
        reference: Sealed(secret.id, secret.sealed, key.id, key.wrapped, key.master)
        for reference, (secret, key) in secrets.sealed(tx, workspace).items()
        if reference in wanted
    }
