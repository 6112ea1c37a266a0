"""When the demo's people write and what: a day's rhythm with bursts, the same for the same seed."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

from demo import questions

BASE_SECONDS = 6.0
"""Mean time between two conversations at the busiest hour: about a third of one CPU core for the local model.
"""

DAY = (0.44, 0.42, 0.40, 0.40, 0.42, 0.46, 0.54, 0.68, 0.86, 0.96, 1.00, 0.98)
AFTERNOON = (0.84, 0.90, 0.98, 0.96, 0.90, 0.82, 0.72, 0.64, 0.58, 0.54, 0.50, 0.46)
BURST_SHARE = 0.06
OPENING = 3
"""So many conversations begin at once, so that whoever starts the demo sees calls within seconds."""

ROUTES = (("policy-question", 55), ("leave-request", 28), ("summarise-ticket", 17))


@dataclass(frozen=True)
class Conversation:
    """One conversation to come: who, which route, what is asked turn by turn, and the pause before it."""

    number: int
    pause: float
    route: str
    tenant: str
    user: str
    turns: tuple[str, ...]
    other_topic: tuple[str, ...]


def busyness(hour: int) -> float:
    """How busy the local hour 0 … 23 is, as a share of the busiest; never quite silent."""
    return (*DAY, *AFTERNOON)[hour]


def pause_seconds(conversation: Conversation, hour: int, base: float = BASE_SECONDS) -> float:
    """Seconds to wait before the conversation begins, at the given local hour."""
    return conversation.pause * base / busyness(hour)


def conversations(seed: int) -> Iterator[Conversation]:
    """Without end; pauses have mean 1 (an exponential clock), except inside bursts of 3 to 5."""
    chance = random.Random(seed)
    number = 0
    burst = 0
    while True:
        if burst == 0 and chance.random() < BURST_SHARE:
            burst = chance.randint(3, 5)
        pause = 0.05 if burst or number < OPENING else min(chance.expovariate(1.0), 4.0)
        burst = max(0, burst - 1)
        yield _conversation(chance, number, pause)
        number += 1


def _conversation(chance: random.Random, number: int, pause: float) -> Conversation:
    route = chance.choices([name for name, _ in ROUTES], [weight for _, weight in ROUTES])[0]
    tenant = chance.choices([t for t, _ in questions.TENANTS], [w for _, w in questions.TENANTS])[0]
    user = f"{tenant.split('-')[0]}-{chance.randint(1, 40):03d}"
    other = chance.choice(questions.NEW_TOPIC)
    return Conversation(number, pause, route, tenant, user, _turns(chance, route), other)


def _turns(chance: random.Random, route: str) -> tuple[str, ...]:
    if route == "policy-question":
        return chance.choice(questions.POLICY)
    if route == "summarise-ticket":
        return (chance.choice(questions.TICKETS),)
    first = chance.choice(questions.LEAVE).format(employee=f"E-{chance.randint(1000, 1999)}")
    if chance.random() < 0.4:
        again = chance.choice(questions.LEAVE_AGAIN).format(employee=f"E-{chance.randint(1000, 1999)}")
        return (first, again)
    return (first,)
