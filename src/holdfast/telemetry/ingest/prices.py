"""What a call costs, at the moment it is counted: the workspace's price book first, list prices second."""

from __future__ import annotations

from datetime import UTC, datetime

from holdfast.kernel.context import SYSTEM, Context
from holdfast.kernel.time import utc_now
from holdfast.pricing import reads as pricing
from holdfast.pricing.model import Charge, PriceBookEntry, PriceQuery, Usage
from holdfast.pricing.prices import Pricer
from holdfast.storage.sql import Database
from holdfast.telemetry.ingest.policies import Fresh
from holdfast.telemetry.model import Facts

COUNTED = "holdfast.cost"
"""The attribute by which the gateway says what it counted a call at."""


class Prices:
    """Prices calls; asks the database for a workspace's price book once every few seconds."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.pricer = Pricer()
        self.books: Fresh[str, tuple[PriceBookEntry, ...]] = Fresh(self._load, 2.0)

    def _load(self, workspace: str) -> tuple[PriceBookEntry, ...]:
        with self._database.reading() as tx:
            return pricing.price_book(Context(workspace, SYSTEM, utc_now()), tx)

    def charge(self, workspace: str, facts: Facts, start_ns: int) -> Charge:
        """The charge of a call that began at `start_ns`: what the gateway counted it at by prices of its own; else by book
        and list; else what its sender reported (in USD).
        """
        if facts.reported_cost is not None and facts.provenance.get("reported_cost") == COUNTED:
            return pricing.reported(facts.reported_cost, source="gateway")
        query = PriceQuery(
            facts.provider,
            facts.response_model or facts.request_model,
            facts.usage or Usage(),
            datetime.fromtimestamp(start_ns / 1e9, UTC),
            facts.service_tier,
        )
        found = self.pricer.price_call(query, self.books.get(workspace))
        if found.amount is None and facts.reported_cost is not None:
            return pricing.reported(facts.reported_cost)
        return found
