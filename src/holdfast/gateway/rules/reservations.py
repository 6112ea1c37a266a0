"""What is asked of the account of budgets and limits before a request is sent, and what it answers.

NamedTuples: they are made for every request. Amounts inside are whole numbers of 10^-12 of a currency (`rules.amounts`);
counts of tokens, steps and requests are themselves. Instants are Unix seconds.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple

from holdfast.gateway.model import Scope

Key = tuple[str, str, str]
"""One account: budget id, value of its scope, window id."""


class Kind(StrEnum):
    """What a refusal is about; the first three are also kinds of entries."""

    BUDGET = "budget"
    RUN_COST = "run_cost"
    RUN_STEPS = "run_steps"
    REQUESTS = "requests"
    TOKENS = "tokens"
    CONCURRENCY = "concurrency"
    LOOP = "loop"
    CLOSED = "closed"  # usage came in above its bound
    UNBOUNDED = "unbounded"  # no bound in the budget's currency can be stated
    SHARE = "share"  # this gateway's share is used up, and nothing is lent now


class Entry(NamedTuple):
    """One account that a request counts against: a budget over one value of its scope, in one window.

    Break-glass: a `lifted` one lets requests pass above its cap, and while it is closed; of the cap, `extra` is what a
    lift has added.
    """

    budget: str
    scope: Scope
    value: str
    window: str
    cap: int
    ends: float
    hard: bool = True
    kind: Kind = Kind.BUDGET
    currency: str = "USD"
    lifted: bool = False
    extra: int = 0

    @property
    def key(self) -> Key:
        return self.budget, self.value, self.window


class Ceiling(NamedTuple):
    """One limit over one value of its scope. None: not limited."""

    limit: str
    scope: Scope
    value: str
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None
    concurrency: int | None = None
    same_tool_calls: int | None = None


class Reservation(NamedTuple):
    """What one request may cost at most, and everything that it counts against.

    `amount` None: no bound can be stated. `about` is the caller's own and comes back if the process dies. `calls` are
    digests of the tool calls that the request brings. A `lasting` one (a batch) outlives the process that made it.
    """

    id: str
    amount: int | None
    entries: tuple[Entry, ...] = ()
    ceilings: tuple[Ceiling, ...] = ()
    tokens: int = 0
    calls: tuple[bytes, ...] = ()
    about: bytes = b""
    lasting: bool = False
    currency: str = "USD"


class Granted(NamedTuple):
    """The request may be sent. `crossed` are soft budgets, and lifted hard ones, that it takes above their own amount."""

    crossed: tuple[Entry, ...] = ()


class Refused(NamedTuple):
    """The request may not be sent. `limit`, `spent` and `reserved` are amounts for money, else counts.

    `resets_at` is when it may fit again; None: not by waiting. `id` is the budget or limit.
    """

    kind: Kind
    scope: Scope
    value: str
    limit: Decimal
    spent: Decimal
    reserved: Decimal
    resets_at: float | None
    id: str = ""


class Breach(NamedTuple):
    """Usage that came in above its bound, and the accounts that are closed for it until their windows end."""

    id: str
    reserved: Decimal
    amount: Decimal
    closed: tuple[Key, ...]


class Settled(NamedTuple):
    """What a request was counted at. `assumed`: its cost never became known, so this is its bound."""

    amount: Decimal
    assumed: bool
    breach: Breach | None = None


class Orphan(NamedTuple):
    """A reservation of a process that died, counted at its bound (0 where it had none) until told better."""

    id: str
    amount: Decimal
    about: bytes


class Standing(NamedTuple):
    """Where one account stands. `lease`: what this process may use of it; None: all of it. `elsewhere`: what others hold."""

    key: Key
    scope: Scope
    kind: Kind
    ends: float
    spent: int
    reserved: int
    closed: bool
    lease: int | None
    elsewhere: int = 0
