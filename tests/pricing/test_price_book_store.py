"""The price book in the control store: kept exactly, by workspace, audited, never changed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from holdfast.kernel.context import Actor, Context
from holdfast.kernel.errors import Conflict, Invalid, NotFound
from holdfast.platform.tenancy import store as tenancy
from holdfast.platform.tenancy.model import Workspace
from holdfast.pricing import actions, reads
from holdfast.pricing.model import PriceBookEntry, PriceQuery, Usage
from holdfast.storage.sql import Database, Transaction, metadata

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
OURS = Context("ws_ours", Actor("member", "mem_1", "Ada"), NOW)
THEIRS = Context("ws_theirs", Actor("member", "mem_2", "Bo"), NOW)


@pytest.fixture
def database(tmp_path: Path) -> Iterator[Database]:
    database = Database(f"sqlite:///{tmp_path / 'control.db'}")
    metadata.create_all(database.engine)
    with database.transaction() as tx:
        for ctx in (OURS, THEIRS):
            tenancy.add_workspace(
                tx, Workspace(ctx.workspace, ctx.workspace.replace("_", "-"), ctx.workspace, "UTC", NOW)
            )
    yield database
    database.close()


def add(tx: Transaction, ctx: Context = OURS, **change: Any) -> PriceBookEntry:
    values: dict[str, Any] = {
        "provider": "openai",
        "model_pattern": "gpt-5*",
        "rates": {"input_uncached": "0.123456789012", "output": "7"},
        "effective_from": NOW - timedelta(days=1),
        "currency": "EUR",
        "note": "contract 17",
    }
    return actions.add_entry(ctx, tx, **(values | change))


def test_an_entry_comes_back_as_it_went_and_prices(database: Database) -> None:
    with database.transaction() as tx:
        entry = add(tx)
    with database.reading() as tx:
        book = reads.price_book(OURS, tx)
    assert book == (entry,)
    assert book[0].rates["input_uncached"] == Decimal("0.123456789012")
    assert (book[0].created_by, book[0].created_at) == ("mem_1", NOW)
    charge = reads.Pricer().price_call(
        PriceQuery("openai", "gpt-5-mini", Usage(1_000_000, output=0), NOW), book
    )
    assert (charge.amount, charge.price_id) == (Decimal("0.123456789012"), f"price-book:{entry.id}")


def test_a_book_belongs_to_its_workspace(database: Database) -> None:
    with database.transaction() as tx:
        entry = add(tx)
        assert reads.price_book(THEIRS, tx) == ()
        with pytest.raises(NotFound):
            actions.retire_entry(THEIRS, tx, entry.id)
        add(tx, THEIRS)


def test_retiring_is_once_and_kept(database: Database) -> None:
    with database.transaction() as tx:
        entry = add(tx)
        actions.retire_entry(OURS, tx, entry.id)
        with pytest.raises(NotFound):
            actions.retire_entry(OURS, tx, entry.id)
        assert reads.price_book(OURS, tx) == ()
        assert [(kept.id, kept.retired_at) for kept in reads.all_entries(OURS, tx)] == [(entry.id, NOW)]
        add(tx)


def test_changes_are_audited(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    recorded: list[dict[str, Any]] = []
    record = actions.audit.record

    def spy(ctx: Context, tx: Transaction, **said: Any) -> Any:
        recorded.append(said)
        return record(ctx, tx, **said)

    monkeypatch.setattr(actions.audit, "record", spy)
    with database.transaction() as tx:
        entry = add(tx)
        actions.retire_entry(OURS, tx, entry.id)
    assert [(said["action"], said["subject"]) for said in recorded] == [
        ("price.added", entry.id),
        ("price.retired", entry.id),
    ]
    assert recorded[0]["details"]["rates"] == {"input_uncached": "0.123456789012", "output": "7"}


def test_two_prices_from_one_instant_conflict(database: Database) -> None:
    with database.transaction() as tx:
        add(tx)
        with pytest.raises(Conflict):
            add(tx, model_pattern="GPT-5*", service_tier="default")
        add(tx, service_tier="batch")
        add(tx, effective_from=NOW)


@pytest.mark.parametrize(
    ("change", "where"),
    [
        ({"rates": {"output": "1"}}, "rates.input_uncached"),
        ({"currency": "euro"}, "currency"),
        ({"effective_to": NOW - timedelta(days=2)}, "effective_to"),
        ({"model_pattern": "*"}, "model_pattern"),
    ],
)
def test_what_is_refused_leaves_nothing(database: Database, change: dict[str, Any], where: str) -> None:
    with database.transaction() as tx:
        with pytest.raises(Invalid) as refused:
            add(tx, **change)
        assert refused.value.where == where
        assert tx.execute(sa.select(sa.func.count()).select_from(metadata.tables["price_book"])).scalar() == 0
