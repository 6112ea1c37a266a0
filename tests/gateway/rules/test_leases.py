"""Whatever gateways ask, spend and give back, together they are never granted more than the budget."""

from __future__ import annotations

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from holdfast.gateway.rules.leases import AHEAD, grant, in_units, lease, rounded_down, rounded_up
from holdfast.gateway.rules.reservations import Kind

UNHURRIED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The machine may be busy with other tests."""

COUNT = st.integers(0, 10**10)


@UNHURRIED
@given(COUNT, COUNT, st.integers(0, 9))
def test_a_lease_is_what_is_needed_or_nothing_and_never_more_than_remains(
    need: int, remaining: int, gateways: int
) -> None:
    found = lease(need, remaining, gateways)
    assert (found >= need > 0 and found <= remaining) if 0 < need <= remaining else found == 0
    assert found <= max(need, remaining // (2 * max(gateways, 1)))
    assert found <= need * AHEAD


@UNHURRIED
@given(st.integers(0, 10**18), st.sampled_from([Kind.BUDGET, Kind.RUN_COST, Kind.RUN_STEPS]))
def test_rounding_never_makes_a_budget_larger(count: int, kind: Kind) -> None:
    assert in_units(rounded_down(count, kind), kind) <= count <= in_units(rounded_up(count, kind), kind)


class Gateways(RuleBasedStateMachine):
    """Three gateways that see Redis now and then, and crash; each spends from its own lease alone."""

    @initialize(cap=st.integers(0, 2_000))
    def start(self, cap: int) -> None:
        self.cap = cap
        self.granted: dict[str, int] = {}
        self.lease = {name: 0 for name in "abc"}
        self.used = {name: 0 for name in "abc"}

    @rule(
        name=st.sampled_from("abc"),
        amount=st.integers(1, 60),
        sees_redis=st.booleans(),
        reply_lost=st.booleans(),
    )
    def request(self, name: str, amount: int, sees_redis: bool, reply_lost: bool) -> None:
        need = self.used[name] + amount - self.lease[name]
        if need > 0 and sees_redis:
            self.granted = grant(self.granted, name, need, self.cap, 3)
            if not reply_lost:
                self.lease[name] = self.granted[name]
        if self.used[name] + amount <= self.lease[name]:
            self.used[name] += amount

    @rule(name=st.sampled_from("abc"), share=st.integers(0, 100))
    def settle_below(self, name: str, share: int) -> None:
        self.used[name] = self.used[name] * share // 100

    @rule(name=st.sampled_from("abc"), reply_lost=st.booleans())
    def give_back(self, name: str, reply_lost: bool) -> None:
        self.lease[name] = self.used[name]  # first here, then there
        if not reply_lost:
            self.granted[name] = self.used[name]

    @rule(present=st.sets(st.sampled_from("abc")))
    def redis_restarts_empty(self, present: set[str]) -> None:
        """Rebuilt from what each says of itself; of one that is away from what the others saw of it last."""
        seen = {name: count for name, count in self.granted.items() if name not in present}
        self.granted = {**seen, **{name: self.lease[name] for name in present}}

    @invariant()
    def never_more_than_the_budget(self) -> None:
        assert sum(self.granted.values()) <= self.cap
        for name in "abc":
            assert self.used[name] <= self.lease[name] <= self.granted.get(name, 0)
        assert sum(self.used.values()) <= self.cap


Gateways.TestCase.settings = UNHURRIED
TestGateways = Gateways.TestCase
