"""What a gateway says to the counter of shared budgets, and what it hears. The counter is Redis, or a file of one machine.

Amounts are those of leases (`rules.leases`): millionths of the currency, steps of a run.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, Protocol


class Ask(NamedTuple):
    """Of one account: `least` that this gateway must be counted with, `need` more, `give` the lease from now on (None: as
    it is), of a budget of `cap` whose window ends at `ends` (Unix seconds). `closed` tells of a breach."""

    name: str
    least: int
    need: int
    give: int | None
    cap: int
    ends: float
    closed: bool


class Told(NamedTuple):
    """Of one account: all that this gateway has been granted, and each other one. `wanted`: somebody was refused lately."""

    mine: int
    others: Mapping[str, int]
    closed: bool
    wanted: bool


class Heard(NamedTuple):
    """`lends`: whether anything is granted now. `roster` are the gateways that are expected, `alive` how many speak."""

    lends: bool
    alive: int
    roster: frozenset[str]
    told: tuple[Told, ...]


Known = Callable[[], list[tuple[str, float, list[tuple[str, int]]]]]
"""All that a gateway can say of open windows: account, end of its window, and what each gateway was granted of it."""


class Counter(Protocol):
    """Counts what each gateway has been granted of the budgets of a workspace. Raises nothing."""

    away: bool
    """Whether the last call failed."""
    retry_at: float
    """Until then (Unix seconds) no request should wait for it."""

    async def ask(
        self, workspace: str, roster: Sequence[str], asks: Sequence[Ask], known: Known
    ) -> Heard | None:
        """One atomic step. `roster` and `known` are what to tell a counter that lost its memory. None: it is away."""

    async def leave(self, workspace: str) -> None:
        """This gateway is no longer expected; it has given back what it did not spend."""
