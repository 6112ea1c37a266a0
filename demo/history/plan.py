"""Decides what the past was: which calls, when, how large. The same seed and day give the same calls."""

from __future__ import annotations

import datetime as dt
import math
import pathlib
import random
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from demo.questions import TENANTS

SHAPES = pathlib.Path(__file__).with_name("shapes.toml")
STAGING_SHARE = 0.08
BAD_DAY_EVERY = 11  # days; on such a day the vendor refuses many calls for 40 minutes
VERSION_DAYS = 14


@dataclass(frozen=True)
class System:
    """An AI system of the past. `load` is its share of calls_per_day; `kinds` are its routes with weights.

    `tokens` and `rate` name the measured shapes its token counts and its bursts follow.
    """

    name: str
    provider: str
    model: str
    response_model: str
    load: float
    tokens: str
    rate: str
    kinds: tuple[tuple[str, str, int], ...]  # route, agent, weight
    input_limit: int


SYSTEMS: tuple[System, ...] = (
    System(
        "hr-assistant",
        "openai",
        "gpt-4o-mini",
        "gpt-4o-mini-2024-07-18",
        1.0,
        "azure_conversation",
        "azure_conversation",
        (
            ("policy-question", "policy-agent", 55),
            ("leave-request", "leave-agent", 28),
            ("summarise-ticket", "policy-agent", 17),
        ),
        16_000,
    ),
    System(
        "claims-triage",
        "anthropic",
        "claude-sonnet-4-5",
        "claude-sonnet-4-5-20250929",
        0.5,
        "mooncake_conversation",
        "mooncake_conversation",
        (("assess-claim", "claims-agent", 70), ("draft-letter", "letter-agent", 30)),
        60_000,
    ),
    System(
        "support-chat",
        "openai",
        "gpt-4o-mini",
        "gpt-4o-mini-2024-07-18",
        0.9,
        "azure_conversation",
        "azure_code",
        (("answer", "support-agent", 80), ("hand-over", "support-agent", 20)),
        16_000,
    ),
)

FEATURES: Mapping[str, str] = MappingProxyType(
    {
        "policy-question": "ask-hr",
        "leave-request": "leave-desk",
        "summarise-ticket": "ticket-desk",
        "assess-claim": "claims-desk",
        "draft-letter": "claims-desk",
        "answer": "help-centre",
        "hand-over": "help-centre",
    }
)


@dataclass(frozen=True)
class Turn:
    """One turn of a conversation in the past: all that its spans say. `at` is in UTC nanoseconds."""

    system: System
    environment: str
    version: str
    at: int
    route: str
    agent: str
    tenant: str
    user: str
    conversation: str
    tokens_in: int
    cached: int
    tokens_out: int
    first_token_s: float
    per_token_s: float
    outcome: str  # ok | rate_limited | timed_out | refused
    draw: int  # 128 random bits, from which the ids follow


class Shapes:
    """The measured figures, with sampling by inverse interpolation of the quantile tables."""

    def __init__(self, path: pathlib.Path = SHAPES) -> None:
        with path.open("rb") as file:
            self.figures: dict[str, Any] = tomllib.load(file)
        self.quantiles: Sequence[float] = self.figures["quantiles"]
        self.assumed: dict[str, Any] = self.figures["assumptions"]

    def draw(self, chance: random.Random, trace: str, what: str) -> float:
        """One value whose distribution is the trace's quantile table, straight between the quantiles."""
        table: Sequence[float] = self.figures[trace][what]
        u = chance.random()
        right = next(i for i, q in enumerate(self.quantiles) if q >= u and i > 0)
        low, high = self.quantiles[right - 1], self.quantiles[right]
        return table[right - 1] + (table[right] - table[right - 1]) * (u - low) / (high - low)


def turns(day: dt.date, calls: int, seed: int, shapes: Shapes) -> Iterator[Turn]:
    """All turns of a UTC day in all systems; about `calls` an ordinary day in the largest system."""
    for system in SYSTEMS:
        chance = random.Random(f"{seed}:{system.name}:{day.isoformat()}")
        per_day = calls * system.load * shapes.assumed["weekday"][day.weekday()]
        yield from _system_day(system, day, per_day, chance, shapes)


def _system_day(
    system: System, day: dt.date, per_day: float, chance: random.Random, shapes: Shapes
) -> Iterator[Turn]:
    """Counts per minute are Poisson with a gamma-distributed rate whose variation was measured
    (rate_variation).
    """
    hours: Sequence[float] = shapes.assumed["hour_of_day"]
    variation: float = shapes.figures[system.rate]["rate_variation"]
    shape = 1.0 / variation**2
    midnight = int(dt.datetime.combine(day, dt.time(), dt.UTC).timestamp())
    for minute in range(1440):
        mean = per_day * hours[minute // 60] / sum(hours) / 60
        rate = mean * chance.gammavariate(shape, 1.0 / shape)
        for _ in range(_poisson(chance, rate)):
            at = (midnight + minute * 60) * 1_000_000_000 + chance.randrange(60_000_000_000)
            yield _turn(system, day, minute, at, chance, shapes)


def _turn(system: System, day: dt.date, minute: int, at: int, chance: random.Random, shapes: Shapes) -> Turn:
    tenant = chance.choices([name for name, _ in TENANTS], [weight for _, weight in TENANTS])[0]
    route, agent, _ = chance.choices(system.kinds, [weight for *_, weight in system.kinds])[0]
    tokens_in = max(1, min(system.input_limit, round(shapes.draw(chance, system.tokens, "input_tokens"))))
    cached = _cached(system, tokens_in, chance, shapes)
    slow = chance.lognormvariate(0.0, shapes.assumed["latency_sigma"])
    person = chance.randint(1, 60)
    return Turn(
        system=system,
        environment="staging" if chance.random() < STAGING_SHARE else "production",
        version=f"1.{day.toordinal() // VERSION_DAYS % 100}.0",
        at=at,
        route=route,
        agent=agent,
        tenant=tenant,
        user=f"{tenant.split('-')[0]}-{person:03d}",
        conversation=f"conv-{system.name[0]}{tenant[0]}{day.toordinal()}{minute // 10:03d}{person:02d}",
        tokens_in=tokens_in,
        cached=cached,
        tokens_out=max(1, round(shapes.draw(chance, system.tokens, "output_tokens"))),
        first_token_s=shapes.assumed["first_token_s"] * slow * (1.0 + tokens_in / 20_000),
        per_token_s=shapes.assumed["per_token_s"] * slow,
        outcome=_outcome(system, day, minute, chance, shapes),
        draw=chance.getrandbits(128),
    )


def _cached(system: System, tokens_in: int, chance: random.Random, shapes: Shapes) -> int:
    """Tokens read from the prompt cache: the measured prefix share in whole blocks of 1,024, for Anthropic
    only.
    """
    if system.provider != "anthropic":
        return 0
    share = shapes.draw(chance, "mooncake_conversation", "cached_prefix")
    return int(tokens_in * share) // 1024 * 1024


def _outcome(system: System, day: dt.date, minute: int, chance: random.Random, shapes: Shapes) -> str:
    limited = float(shapes.assumed["rate_limited"])
    offset = SYSTEMS.index(system) * 4
    if (day.toordinal() + offset) % BAD_DAY_EVERY == 0 and 14 * 60 + 10 <= minute < 14 * 60 + 50:
        limited = 0.35
    u = chance.random()
    for name, share in (
        ("rate_limited", limited),
        ("timed_out", float(shapes.assumed["timed_out"])),
        ("refused", float(shapes.assumed["refused"])),
    ):
        if u < share:
            return name
        u -= share
    return "ok"


def _poisson(chance: random.Random, mean: float) -> int:
    """A Poisson count by multiplying uniform draws (Knuth, TAOCP 2, 3.4.1); `mean` is small here."""
    limit, product, count = math.exp(-mean), chance.random(), 0
    while product > limit:
        product *= chance.random()
        count += 1
    return count
