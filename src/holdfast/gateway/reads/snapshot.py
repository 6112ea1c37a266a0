"""The snapshot that gateways live from: every workspace's configuration, with what the core works out from it."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from datetime import datetime

import msgspec

from holdfast.gateway import store
from holdfast.gateway.dialects.shelf import provider_of
from holdfast.gateway.model import ClientKey, Configuration, Sealed, Snapshot, Workspace
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

Prices = Mapping[str, Mapping[str, Rates]]


def epoch(services: Services) -> int:
    """The epoch of what is stored now: one row is read."""
    with services.database.reading() as tx:
        return epochs.current(tx)


def snapshot(services: Services, pricer: Pricer) -> Snapshot:
    """All that gateways know, as it is at one moment."""
    with services.database.reading() as tx:
        now = services.clock()
        applied = store.latest_of_all(tx)
        workspaces = {}
        for tenant in tenancy.all_workspaces(tx):
            found = applied.get(tenant.id)
            configured = found.configuration if found else Configuration()
            workspaces[tenant.id] = Workspace(
                id=tenant.id,
                slug=tenant.slug,
                time_zone=tenant.zone,
                version=found.version if found else 0,
                configuration=configured,
                release_ids=found.release_ids if found else {},
                rates=_rates(tx, tenant, configured, pricer, now),
                sealed=_sealed(tx, tenant.id, configured),
                content=_content(tx, tenant.id),
            )
        keys = {
            text: ClientKey(key.id, key.workspace, key.expires_at) for text, key in access.gateway_keys(tx)
        }
        return Snapshot(epochs.current(tx), now, workspaces, keys)


def changed_prices(services: Services, pricer: Pricer) -> str | None:
    """A digest of all prices that gateways should know, where it is not that of what they were told; else None."""
    digest = hashlib.sha256()
    with services.database.reading() as tx:
        now = services.clock()
        applied = store.latest_of_all(tx)
        for tenant in tenancy.all_workspaces(tx):
            if tenant.id not in applied:
                continue
            rates = _rates(tx, tenant, applied[tenant.id].configuration, pricer, now)
            digest.update(msgspec.msgpack.encode((tenant.id, rates), order="deterministic"))
        return None if store.price_digest(tx) == digest.hexdigest() else digest.hexdigest()


def rates_of(
    configured: Configuration, book: tuple[PriceBookEntry, ...], pricer: Pricer, at: datetime
) -> Prices:
    """Upstream → model → rates at an instant: the upstream's own hint, else the price book, else the list.

    Models whose price is unknown are left out, so that nobody takes unknown for free.
    """
    found: dict[str, dict[str, Rates]] = {}
    for name, models in models_asked(configured).items():
        upstream = configured.upstreams[name]
        known: dict[str, Rates] = {}
        for model in sorted(models):
            hint = upstream.prices.get(model)
            if hint is not None:
                rates: Rates | None = pricing.own_rates(hint, "USD", "gateway", f"gateway:{name}/{model}")
            else:
                rates = pricer.rates(provider_of(upstream), model, at, upstream.base_url, book)
            if rates is not None:
                known[model] = rates
        if known:
            found[name] = known
    return found


def _rates(
    tx: Transaction, tenant: Tenant, configured: Configuration, pricer: Pricer, at: datetime
) -> Prices:
    if not configured.upstreams:
        return {}
    return rates_of(configured, pricing.price_book(Context(tenant.id, SYSTEM, at), tx), pricer, at)


def _content(tx: Transaction, workspace: str) -> bool:
    """Whether content may be captured of any system; where it may be of none, gateways need not hold it."""
    policies = {"": DataPolicy(workspace), **tenancy.policies(tx, workspace)}
    return any(one.capture is not CaptureMode.OFF for one in policies.values())


def _sealed(tx: Transaction, workspace: str, configured: Configuration) -> dict[str, Sealed]:
    wanted = {one.credential for one in configured.upstreams.values() if one.credential.startswith("secret:")}
    if not wanted:
        return {}
    return {
        reference: Sealed(secret.id, secret.sealed, key.id, key.wrapped, key.master)
        for reference, (secret, key) in secrets.sealed(tx, workspace).items()
        if reference in wanted
    }
