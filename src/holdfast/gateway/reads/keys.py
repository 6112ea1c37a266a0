"""Client keys of the gateway: what each stands for, what is over it, and when it was last used, as far as gateways know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from holdfast.gateway import store
from holdfast.gateway.model import Budget, Configuration, KeyUse, Limit, Scope
from holdfast.gateway.states import State
from holdfast.kernel.context import Context
from holdfast.platform.access import reads as access
from holdfast.platform.access.model import ApiKey
from holdfast.platform.access.model import Scope as Permission
from holdfast.storage.sql import Transaction


@dataclass(frozen=True, slots=True)
class KeyNow:
    """A key that opens the gateway. `used_at`: its last call since the gateways that run now started; None: unknown."""

    key: ApiKey
    use: KeyUse
    budgets: tuple[Budget, ...]
    limits: tuple[Limit, ...]
    used_at: datetime | None

    def ended(self, now: datetime) -> bool:
        """Whether it opens nothing any more."""
        expired = self.key.expires_at is not None and self.key.expires_at <= now
        return self.key.revoked_at is not None or expired


def listed(ctx: Context, tx: Transaction, states: Sequence[State]) -> list[KeyNow]:
    """All of them, living ones first, the latest made first."""
    current = store.latest(tx, ctx.workspace)
    configured = current.configuration if current else Configuration()
    used: dict[str, datetime] = {}
    for state in states:
        for one in state.keys:
            if one.workspace == ctx.workspace:
                used[one.key] = max(one.at, used.get(one.key, one.at))
    found = [
        KeyNow(
            key,
            configured.keys.get(key.id, KeyUse()),
            tuple(one for one in configured.budgets if _over(one, key.id)),
            tuple(one for one in configured.limits if _over(one, key.id)),
            used.get(key.id),
        )
        for key in access.keys(tx, ctx.workspace)
        if access.opens(key, Permission.GATEWAY)
    ]
    found.sort(key=lambda one: one.key.created_at, reverse=True)
    return sorted(found, key=lambda one: one.ended(ctx.now))


def _over(one: Budget | Limit, key_id: str) -> bool:
    return one.scope is Scope.KEY and (not one.only or key_id in one.only)
