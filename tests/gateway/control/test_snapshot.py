"""The snapshot: everything that a gateway needs, of every workspace, and a new epoch for whatever changes in it."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest
from tests.gateway.control.desk import SECRET, Desk, document

from holdfast.gateway.jobs import PriceWatch
from holdfast.gateway.model import ClientKey, Sealed, Snapshot
from holdfast.gateway.reads import snapshot as reads
from holdfast.kernel.context import Context
from holdfast.kernel.errors import HoldfastError, Unavailable
from holdfast.platform.access.actions import keys
from holdfast.platform.access.model import Scope
from holdfast.platform.secrets import actions as secrets
from holdfast.platform.secrets import master, rules
from holdfast.platform.secrets.model import DataKey, Secret
from holdfast.platform.tenancy import actions as tenancy
from holdfast.platform.tenancy.model import CaptureMode, DataPolicy
from holdfast.pricing import actions as pricing
from holdfast.pricing.model import PriceQuery, Usage
from holdfast.pricing.reads import Pricer

USAGE = Usage(input_uncached=1000, input_cache_read=0, input_cache_write=0, output=1000)


@pytest.fixture(scope="module")
def pricer() -> Pricer:
    return Pricer()


def taken(desk: Desk, pricer: Pricer) -> Snapshot:
    """As it comes out of a gateway's socket."""
    made = desk.snapshot(pricer)
    found = msgspec.msgpack.decode(msgspec.msgpack.encode(made), type=Snapshot)
    assert found == made
    return found


def opened(desk: Desk, workspace: str, sealed: Sealed) -> str:
    """What a gateway does with a sealed secret."""
    at = desk.clock()
    key = DataKey(sealed.data_key, workspace, sealed.master, sealed.wrapped, at)
    return rules.open_sealed(
        rules.unwrap(master.load(desk.settings), key), Secret(sealed.id, workspace, "", sealed.text, at, at)
    )


def test_it_holds_what_was_applied_and_what_belongs_to_it(desk: Desk, pricer: Pricer) -> None:
    ctx, other = desk.ctx(), desk.ctx("birch")
    reference, unused = desk.secret(ctx), desk.secret(ctx, "unused")
    key, text = desk.key(ctx)
    admin, admin_text = desk.key(other, Scope.ADMIN)
    desk.key(ctx, Scope.READ, Scope.INGEST)
    made = document(keys={key: {"system": "hr"}})
    made["upstreams"]["main"]["credential"] = reference
    done = desk.apply(ctx, made)
    found = taken(desk, pricer)
    assert found.epoch == desk.epoch() == reads.epoch(desk.services)
    assert found.made_at == desk.clock()
    assert found.keys == {
        hashlib.sha256(text.encode()).hexdigest(): ClientKey(key, ctx.workspace),
        hashlib.sha256(admin_text.encode()).hexdigest(): ClientKey(admin, other.workspace),
    }
    mine = found.workspaces[ctx.workspace]
    assert (mine.slug, mine.time_zone, mine.version) == ("acme", "UTC", 1)
    assert mine.configuration == done.version.configuration
    assert mine.release_ids == done.version.release_ids
    assert list(mine.sealed) == [reference] != [unused]
    assert opened(desk, ctx.workspace, mine.sealed[reference]) == SECRET
    with pytest.raises(Unavailable):
        opened(desk, other.workspace, mine.sealed[reference])
    theirs = found.workspaces[other.workspace]
    assert (theirs.version, theirs.sealed, theirs.rates, theirs.release_ids) == (0, {}, {}, {})
    packed = msgspec.msgpack.encode(found)
    assert SECRET.encode() not in packed and text.encode() not in packed


def test_a_key_that_is_revoked_is_gone_and_one_that_expires_says_when(desk: Desk, pricer: Pricer) -> None:
    ctx = desk.ctx()
    key, _ = desk.key(ctx)
    until = desk.clock() + timedelta(days=1)
    with desk.database.transaction() as tx:
        made, _ = keys.create_key(ctx, tx, "short", frozenset({Scope.GATEWAY}), until)
        keys.revoke_key(ctx, tx, key)
    assert list(taken(desk, pricer).keys.values()) == [ClientKey(made.id, ctx.workspace, until)]


def book(desk: Desk, ctx: Context, **changed: Any) -> None:
    given: dict[str, Any] = {
        "provider": "openai",
        "model_pattern": "gpt-4o-mini",
        "rates": {"input_uncached": "1", "output": "2"},
        "effective_from": desk.clock() - timedelta(days=1),
    }
    with desk.database.transaction() as tx:
        pricing.add_entry(ctx, tx, **{**given, **changed})


def test_a_hint_goes_before_the_book_and_the_book_before_the_list(desk: Desk, pricer: Pricer) -> None:
    ctx = desk.ctx()
    made = document()
    made["upstreams"]["other"]["models"] = ["claude-sonnet-4-5", "no-such-model"]
    desk.apply(ctx, made)
    rates = taken(desk, pricer).workspaces[ctx.workspace].rates
    assert rates["main"]["gpt-4o-mini"].source == "genai-prices"
    assert rates["other"]["claude-sonnet-4-5"].source == "genai-prices"
    assert "no-such-model" not in rates["other"]  # unknown, and not free
    query = PriceQuery("openai", "gpt-4o-mini", USAGE, desk.clock(), None, "http://127.0.0.1:9/v1")
    assert rates["main"]["gpt-4o-mini"].price_ids[0] == pricer.price_call(query).price_id
    book(desk, ctx)
    rates = taken(desk, pricer).workspaces[ctx.workspace].rates
    assert rates["main"]["gpt-4o-mini"].bands[0]["output"] == Decimal(2)
    assert rates["main"]["gpt-4o-mini"].source == "price-book"
    made["upstreams"]["main"]["prices"] = {"gpt-4o-mini": {"input_uncached": 3, "output": "4.5"}}
    desk.apply(ctx, made)
    found = taken(desk, pricer).workspaces[ctx.workspace].rates["main"]["gpt-4o-mini"]
    assert found.bands[0]["output"] == Decimal("4.5")
    assert (found.source, found.price_ids) == ("gateway", ("gateway:main/gpt-4o-mini",))


@pytest.mark.parametrize("model", ["gpt-4o-mini", "claude-sonnet-4-5", "gemini-2.5-pro", "deepseek-chat"])
@pytest.mark.parametrize("hour", [0, 12, 17])
def test_rates_are_those_by_which_calls_are_priced(pricer: Pricer, model: str, hour: int) -> None:
    at = datetime(2026, 11, 20, hour, tzinfo=UTC)
    charge = pricer.price_call(PriceQuery(None, model, USAGE, at))
    rates = pricer.rates(None, model, at)
    assert rates is not None and charge.price_id is not None
    assert charge.price_id.startswith(rates.price_ids[0])
    assert pricer.rates(None, "no-such-model", at) is None


def test_prices_that_begin_by_themselves_make_an_epoch(desk: Desk, pricer: Pricer) -> None:
    ctx = desk.ctx()
    book(desk, ctx, effective_from=desk.clock() + timedelta(hours=1))
    desk.apply(ctx, document())
    watch = PriceWatch(desk.services, pricer)
    watch.look()
    epoch = desk.epoch()
    assert not watch.look()
    assert not PriceWatch(desk.services, pricer).look(), "another process, or the same after a restart"
    assert desk.epoch() == epoch
    desk.clock.move(hours=2)
    assert watch.look()
    assert desk.epoch() == epoch + 1
    found = taken(desk, pricer).workspaces[ctx.workspace].rates["main"]["gpt-4o-mini"]
    assert found.source == "price-book"
    assert not watch.look()


def _create(desk: Desk, ctx: Context) -> None:
    desk.key(ctx)


def _revoke(desk: Desk, ctx: Context) -> None:
    with desk.database.transaction() as tx:
        keys.revoke_key(ctx, tx, keys.create_key(ctx, tx, "x", frozenset({Scope.GATEWAY}))[0].id)


def _keep(desk: Desk, ctx: Context) -> None:
    desk.secret(ctx)


def _reseal(desk: Desk, ctx: Context) -> None:
    with desk.database.transaction() as tx:
        secrets.change_data_key(ctx, tx, master.load(desk.settings))


def _rename(desk: Desk, ctx: Context) -> None:
    with desk.database.transaction() as tx:
        tenancy.rename_workspace(ctx, tx, "Acme", "Europe/Berlin")


def _price(desk: Desk, ctx: Context) -> None:
    book(desk, ctx)


def _apply(desk: Desk, ctx: Context) -> None:
    desk.apply(ctx, document())


def _policy(desk: Desk, ctx: Context) -> None:
    with desk.database.transaction() as tx:
        tenancy.set_policy(ctx, tx, DataPolicy(ctx.workspace, capture=CaptureMode.OFF))


@pytest.mark.parametrize("change", [_create, _revoke, _keep, _reseal, _rename, _price, _apply, _policy])
def test_whatever_gateways_must_know_makes_an_epoch(
    desk: Desk, change: Callable[[Desk, Context], None]
) -> None:
    ctx = desk.ctx()
    before = desk.epoch()
    change(desk, ctx)
    assert desk.epoch() > before


def test_changes_of_all_kinds_at_once_neither_wait_for_one_another_forever_nor_share_an_epoch(
    desk: Desk, pricer: Pricer
) -> None:
    """Who advances the epoch holds it before the audit tree: two that took them in turn would be stuck."""
    ctx, other = desk.ctx(), desk.ctx("birch")
    desk.secret(ctx)  # makes the data key, which the first two would both make
    before, failed = desk.epoch(), []

    def limits(number: int) -> Any:
        made = document(limits=[{"scope": "key", "requests_per_minute": number}])
        made["releases"]["one"]["parameters"] = {"seed": number}  # a release of its own, recorded before
        return made

    kinds: list[Callable[[int], object]] = [
        lambda number: desk.apply(ctx, limits(number + 1)),
        lambda number: desk.apply(other, limits(number + 1)),
        lambda number: desk.key(ctx),
        lambda number: desk.secret(ctx, f"s{number}"),
        lambda number: book(desk, ctx, model_pattern=f"model-{number}"),
    ]

    def work(change: Callable[[int], object]) -> None:
        for number in range(8):
            try:
                change(number)
            except HoldfastError as error:
                failed.append(error)

    threads = [threading.Thread(target=work, args=[change]) for change in kinds]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failed == []
    assert desk.epoch() == before + 40
    assert taken(desk, pricer).workspaces[ctx.workspace].version == 8


def test_content_is_held_where_any_system_may_be_captured(desk: Desk, pricer: Pricer) -> None:
    ctx = desk.ctx()
    off = DataPolicy(ctx.workspace, capture=CaptureMode.OFF)
    for policy, wanted in ((off, False), (replace(off, system="hr", capture=CaptureMode.ON), True)):
        assert taken(desk, pricer).workspaces[ctx.workspace].content  # as long as nobody says otherwise
        with desk.database.transaction() as tx:
            tenancy.set_policy(ctx, tx, policy)
        assert taken(desk, pricer).workspaces[ctx.workspace].content is wanted
        if not wanted:
            with desk.database.transaction() as tx:
                tenancy.set_policy(ctx, tx, DataPolicy(ctx.workspace))


def test_what_fails_makes_none(desk: Desk) -> None:
    ctx = desk.ctx()
    before = desk.epoch()

    def fail() -> None:
        with desk.database.transaction() as tx:
            keys.create_key(ctx, tx, "x", frozenset({Scope.GATEWAY}))
            raise LookupError

    with pytest.raises(LookupError):
        fail()
    assert desk.epoch() == before


def test_rotated_credentials_come_with_the_next_epoch(desk: Desk, pricer: Pricer, tmp_path: Path) -> None:
    ctx = desk.ctx()
    reference = desk.secret(ctx)
    made = document()
    made["upstreams"]["main"]["credential"] = reference
    desk.apply(ctx, made)
    first = taken(desk, pricer)
    with desk.database.transaction() as tx:
        secrets.change_data_key(ctx, tx, master.load(desk.settings))
    second = taken(desk, pricer)
    assert second.epoch > first.epoch
    sealed = second.workspaces[ctx.workspace].sealed[reference]
    assert sealed != first.workspaces[ctx.workspace].sealed[reference]
    assert opened(desk, ctx.workspace, sealed) == SECRET
    elsewhere = replace(desk, settings=desk.settings.model_copy(update={"data": tmp_path / "other"}))
    with pytest.raises(Unavailable):
        opened(elsewhere, ctx.workspace, sealed)
