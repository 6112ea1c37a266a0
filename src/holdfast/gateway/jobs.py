"""The gateway's clock in the core: prices begin and end by themselves, and gateways must know."""

from __future__ import annotations

from holdfast.gateway import actions
from holdfast.gateway.reads import snapshot as reads
from holdfast.platform.services import Services
from holdfast.pricing.reads import Pricer

EVERY_SECONDS = 60.0


class PriceWatch:
    """Tells gateways of prices that have changed since they were last told."""

    def __init__(self, services: Services, pricer: Pricer) -> None:
        self._services = services
        self._pricer = pricer

    def look(self) -> bool:
        """Whether a price had changed."""
        digest = reads.changed_prices(self._services, self._pricer)
        if digest is None:
            return False
        with self._services.database.transaction() as tx:
            actions.tell_prices(tx, digest)
        return True
