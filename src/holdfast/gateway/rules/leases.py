"""How a budget that several gateways share is parted: each holds a lease, grants from it by itself, and asks for more.

The rule that keeps the promise: what all gateways have been granted in a window, spent or not, never exceeds the budget. So
whatever they do with it while they cannot see each other, they cannot exceed it together. Amounts here are millionths of the
currency (steps of a run: themselves), small enough for the doubles of a script in Redis up to nine billion.
"""

from __future__ import annotations

from collections.abc import Mapping

from holdfast.gateway.rules.reservations import Kind

AHEAD = 64
"""A lease is for about so many requests like the one that asks, so that Redis is not asked for each."""
MILLIONTH = 10**6
"""Units of the ledger (10^-12) in one unit of a lease."""


def lease(need: int, remaining: int, gateways: int) -> int:
    """How much more a gateway gets that lacks `need`: 0 where less than that remains.

    Never more than half of an even share of what remains, but for the need itself: near the limit leases get small, so
    that little lies idle at one gateway while another refuses.
    """
    if need <= 0 or remaining < need:
        return 0
    return max(need, min(need * AHEAD, remaining // (2 * max(gateways, 1))))


def grant(granted: Mapping[str, int], gateway: str, need: int, cap: int, gateways: int) -> dict[str, int]:
    """What all gateways have been granted after `gateway` asked for `need` more of `cap`."""
    more = lease(need, cap - sum(granted.values()), gateways)
    return {**granted, gateway: granted.get(gateway, 0) + more}


def rounded_up(count: int, kind: Kind) -> int:
    """`count` units of the ledger as a lease that holds at least that."""
    return count if kind is Kind.RUN_STEPS else -(-count // MILLIONTH)


def rounded_down(count: int, kind: Kind) -> int:
    """`count` units of the ledger as a lease that holds at most that: for budgets."""
    return count if kind is Kind.RUN_STEPS else count // MILLIONTH


def in_units(leased: int, kind: Kind) -> int:
    """A lease in units of the ledger."""
    return leased if kind is Kind.RUN_STEPS else leased * MILLIONTH
