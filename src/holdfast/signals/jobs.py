"""What the clock drives: the evaluation of rules."""

from __future__ import annotations

import logging

from holdfast.kernel.errors import HoldfastError
from holdfast.platform.services import Services
from holdfast.signals import actions
from holdfast.signals.model import Figures

log = logging.getLogger("holdfast.signals")


class Watch:
    """Evaluates the rules that are due. Several processes may run one each: a rule goes to one of them a turn."""

    def __init__(self, services: Services, figures: Figures) -> None:
        self._services = services
        self._figures = figures

    def evaluate_due(self) -> int:
        """Evaluates what is due; returns how many rules. One that fails is tried again at the next turn."""
        found, evaluated = self._services, 0
        while True:
            now = found.clock()
            with found.database.reading() as tx:
                if not actions.anything_due(tx, now):
                    return evaluated
            with found.database.transaction() as tx:
                claimed = actions.claim_due(tx, now)
            for rule in claimed:
                try:
                    actions.evaluate(
                        found.database, self._figures, rule, found.clock(), found.settings.base_url
                    )
                except HoldfastError as error:
                    log.warning("the rule %s could not be evaluated: %s", rule.id, error.detail)
                evaluated += 1
            if not claimed:
                return evaluated
