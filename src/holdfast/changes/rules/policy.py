"""What each class of change needs, by system: as shipped, and as a workspace writes it over that."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any, TypeVar

import msgspec

from holdfast.changes.model import ChangeClass
from holdfast.kernel.errors import Invalid

Read = TypeVar("Read")
EVERY_SYSTEM = "*"
ROLES = ("operator", "approver", "admin")
ACTS = ("propose", "approve", "advance", "hold", "roll_back", "accept_risk", "freeze")
"""What the policy says of who may do it."""
METRICS = ("errors", "latency", "cost", "refusals", "format", "flagged", "feedback", "grade")


class _Written(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """What people write: an unknown field is an error with its place."""


class ShadowPolicy(_Written, frozen=True, kw_only=True):
    """Copies of live traffic to the candidate before it serves anybody."""

    percent: float = 5.0
    minutes: float = 15.0
    samples: int = 50
    max_cost: str = "5"  # USD that the copies may cost; then they end


class ABPolicy(_Written, frozen=True, kw_only=True):
    """Both releases are held at a split until one metric tells which is better; every metric is oriented so that less is."""

    metric: str
    minimum: (
        float  # the smallest difference that matters, on the metric's own scale: 0.05 of a share is 5 points
    )
    power: float = 0.8  # the chance to find one that large
    split: int = 50  # percent of traffic that the candidate answers meanwhile
    longest_days: float = 14.0  # then it is held: it cannot be told


class LoadPolicy(_Written, frozen=True, kw_only=True):
    """Both releases are asked in turns at the expected peak before the candidate may serve."""

    rate: float | None = None  # questions a second; None: the busiest minute of the route's last week
    seconds: float = 60.0  # of each release
    margin: float = 0.25  # by how much the candidate's p95 may be longer, of the baseline's own
    errors: float = 0.02  # by how much larger a share of its questions may fail
    max_cost: str = "5"  # USD


class Guard(_Written, frozen=True, kw_only=True):
    """How one metric of live traffic guards a rollout; every one is oriented so that higher is worse.

    `margin`: how much worse than the baseline is not worse, absolute for shares of calls, and of the baseline's own mean for
    `latency` and `cost`. `most`: a mean that no candidate may have, whatever the baseline's. `in_a_row`: bad calls one after
    another that stop it at once.
    """

    stop: bool = True  # worse takes traffic off it; else it only stands still
    margin: float = 0.05
    most: float | None = None
    in_a_row: int | None = None
    samples: int | None = None  # calls of each release that tell it, at least; None: as the class says


DELTAS: Mapping[str, float | None] = MappingProxyType({"cost": 0.25, "latency": 1.0, "format": 0.05})
"""Of cost and latency, of the baseline's own; of the format, the share of answers that break it."""


class ClassPolicy(_Written, frozen=True, kw_only=True):
    """What a change of one class has to go through."""

    suites: tuple[str, ...] | None = None  # None: every suite of the route; empty: none
    repeats: int | None = None  # of each case; None: as the suite says
    deltas: Mapping[str, float | None] = (
        DELTAS  # how much worse answers may be at the gate; None: is not asked
    )
    load: LoadPolicy | None = None
    reviewers: int = 1
    roles: tuple[str, ...] = ("approver", "admin")  # of reviewers
    ticket: str = (
        ""  # what a change's ticket looks like: a pattern that it matches as a whole; empty: none is needed
    )
    external: str = (
        ""  # id of the API key by which a system outside approves or rejects; empty: none is asked
    )
    shadow: ShadowPolicy | None = None
    ab: ABPolicy | None = None
    stages: tuple[int, ...] = (10, 50, 100)  # percent of traffic
    dwell_minutes: float = 60.0  # at least in each stage, from its first request
    samples: int = 200  # calls of each release in each stage, at least
    soak_hours: float = 24.0
    guards: Mapping[str, Guard] = {}  # by metric
    confidence: float = 0.95
    grace_minutes: float = 60.0  # without a call of the candidate it stands still
    stale_seconds: float = 300.0  # a gateway cut off so long serves the release before; 0: goes on as it is
    review_hours: float | None = (
        None  # of an emergency: working time until its review is due; None: a working day
    )
    accept_days: int = 7  # for how long somebody may answer for an inconclusive gate, at most
    may: Mapping[str, tuple[str, ...]] = {}  # act → roles


class Ranges(_Written, frozen=True, kw_only=True):
    """Between which values a parameter may be moved by a moderate change."""

    least: float
    most: float


class Policy(_Written, frozen=True, kw_only=True):
    """Of a workspace: by system (`*` for all others) and class, what differs from what is shipped."""

    systems: Mapping[str, Mapping[str, Mapping[str, Any]]] = {}
    parameters: Mapping[str, Ranges] = {}
    windows: Mapping[str, Any] = {}


GUARDS: Mapping[str, Guard] = MappingProxyType(
    {
        "errors": Guard(margin=0.02, in_a_row=10),
        "latency": Guard(margin=0.25),
        "cost": Guard(margin=0.25),
        "refusals": Guard(margin=0.03),
        "format": Guard(margin=0.02),
        "flagged": Guard(margin=0.02),
        "feedback": Guard(stop=False, margin=0.05, samples=30),
        "grade": Guard(stop=False, margin=0.05, samples=30),
    }
)
MAY: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "propose": ("operator", "approver", "admin"),
        "approve": ("approver", "admin"),
        "advance": ("approver", "admin"),
        "hold": ("operator", "approver", "admin"),
        "roll_back": ("operator", "approver", "admin"),
        "accept_risk": ("admin",),
        "freeze": ("approver", "admin"),
    }
)
SHIPPED: Mapping[ChangeClass, ClassPolicy] = MappingProxyType(
    {
        ChangeClass.MINOR: ClassPolicy(
            stages=(50, 100), dwell_minutes=15, samples=100, soak_hours=1, guards=dict(GUARDS), may=dict(MAY)
        ),
        ChangeClass.MODERATE: ClassPolicy(shadow=ShadowPolicy(), guards=dict(GUARDS), may=dict(MAY)),
        ChangeClass.MAJOR: ClassPolicy(
            reviewers=2,
            load=LoadPolicy(),
            shadow=ShadowPolicy(minutes=60, samples=200, max_cost="20"),
            stages=(5, 25, 50, 100),
            dwell_minutes=240,
            samples=500,
            soak_hours=72,
            guards=dict(GUARDS),
            may=dict(MAY),
        ),
        ChangeClass.EMERGENCY: ClassPolicy(
            suites=(),
            reviewers=0,
            stages=(50, 100),
            dwell_minutes=5,
            samples=20,
            soak_hours=1,
            guards=dict(GUARDS),
            may=dict(MAY),
        ),
    }
)


def parse(written: Mapping[str, Any]) -> Policy:
    """A policy as it is written. Raises Invalid with the place of what is wrong."""
    policy = _converted(written, Policy, "")
    for name, classes in policy.systems.items():
        for change_class in classes:
            if change_class not in tuple(ChangeClass):
                known = ", ".join(ChangeClass)
                raise Invalid(
                    f"there is no class {change_class!r}; there are {known}", where=f"systems.{name}"
                )
            of(policy, name, ChangeClass(change_class))
    for name, one in policy.parameters.items():
        if not one.least <= one.most:
            raise Invalid("the least is above the most", where=f"parameters.{name}")
    return policy


def of(policy: Policy, system: str, change_class: ChangeClass) -> ClassPolicy:
    """What a class needs in a system: as shipped, with what the workspace says of all systems, then of this one.

    Mappings (guards, may, deltas) are laid over one another by their names. Raises Invalid with its place.
    """
    whole: dict[str, Any] = {"deltas": dict(DELTAS), **msgspec.to_builtins(SHIPPED[change_class])}
    for name in (EVERY_SYSTEM, system):
        said = policy.systems.get(name, {}).get(change_class)
        if said is not None:
            whole = _laid_over(whole, said)
    place = f"systems.{system if system in policy.systems else EVERY_SYSTEM}.{change_class}"
    found = _converted(whole, ClassPolicy, place)
    _check(found, place)
    return found


def may(policy: ClassPolicy, act: str, roles: frozenset[str]) -> bool:
    """Whether somebody of these roles may do it."""
    return bool(roles & set(policy.may.get(act, ())))


def _laid_over(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    whole = dict(under)
    for name, value in over.items():
        below = whole.get(name)
        if name in ("guards", "may", "deltas") and isinstance(below, Mapping) and isinstance(value, Mapping):
            whole[name] = {**below, **value}
        else:
            whole[name] = value
    return whole


def _check(found: ClassPolicy, place: str) -> None:
    for field, right, why in (*_wholes(found), *_named(found)):
        if not right:
            raise Invalid(why, where=f"{place}.{field}")


def _compiles(pattern: str) -> bool:
    try:
        re.compile(pattern)
    except re.error:
        return False
    return len(pattern) <= 200


def _wholes(found: ClassPolicy) -> Iterator[tuple[str, bool, str]]:
    """(field, whether it is right, how it would be) of what stands alone."""
    last = (found.stages or (0,))[-1]
    rising = found.stages[:1] > (0,) and list(found.stages) == sorted(set(found.stages)) and last == 100
    yield "stages", rising, "stages are rising percentages of traffic that end at 100, as [10, 50, 100]"
    yield "reviewers", 0 <= found.reviewers <= 10, "0 to 10 reviewers"
    known = set(found.roles) <= set(ROLES) and bool(found.roles)
    yield "roles", known, f"reviewers are one of {', '.join(ROLES)}"
    yield "ticket", _compiles(found.ticket), "a regular expression, as CHG-[0-9]+"
    outside = not found.external or found.external.startswith("key_")
    yield "external", outside, "the id of an API key, as key_…: it alone decides for the system outside"
    yield "samples", found.samples >= 1, "1 call at least"
    yield "dwell_minutes", found.dwell_minutes >= 0, "0 minutes or more"
    yield "soak_hours", found.soak_hours >= 0, "0 hours or more"
    yield "grace_minutes", found.grace_minutes > 0, "above 0 minutes"
    yield "confidence", 0.5 < found.confidence < 1, "a confidence is above 0.5 and below 1, as 0.95"
    measured = set(found.deltas) <= set(DELTAS) and all(
        one is None or one > 0 for one in found.deltas.values()
    )
    yield "deltas", measured, f"margins above 0, or null, of {', '.join(DELTAS)}"
    heard = found.stale_seconds == 0 or found.stale_seconds >= 60
    yield "stale_seconds", heard, "60 s at least, or 0: a gateway hears of its core every 25 s"
    if found.load is not None:
        rate = found.load.rate is None or 0 < found.load.rate <= 200
        yield "load.rate", rate, "above 0 and at most 200 questions a second"
        yield "load.seconds", 5 <= found.load.seconds <= 3600, "5 s to an hour"
        yield "load.margin", found.load.margin > 0, "above 0"
    if found.ab is not None:
        yield (
            "ab.metric",
            (found.ab.metric in METRICS and found.ab.metric != "grade")
            or found.ab.metric.startswith("grade by "),
            (f"one of {', '.join(one for one in METRICS if one != 'grade')}, or grade by a judge's name"),
        )
        yield "ab.minimum", 0 < found.ab.minimum < float("inf"), "a number above 0"
        yield "ab.power", 0.5 <= found.ab.power < 1, "at least 0.5 and below 1"
        yield "ab.split", 1 <= found.ab.split <= 99, "1 to 99 percent"
        yield "ab.longest_days", found.ab.longest_days > 0, "above 0 days"
    if found.shadow is not None:
        yield "shadow.percent", 0 < found.shadow.percent <= 100, "above 0 and at most 100"


def _named(found: ClassPolicy) -> Iterator[tuple[str, bool, str]]:
    for name, guard in found.guards.items():
        there = name in METRICS
        yield f"guards.{name}", there, f"there is no such metric; there are {', '.join(METRICS)}"
        yield f"guards.{name}.margin", guard.margin > 0, "above 0: with none nothing is ever conclusive"
        yield f"guards.{name}.samples", guard.samples is None or guard.samples >= 2, "2 calls at least"
        yield f"guards.{name}.in_a_row", guard.in_a_row is None or guard.in_a_row >= 2, "2 at least"
    for act, roles in found.may.items():
        known = act in ACTS and set(roles) <= set(ROLES)
        yield f"may.{act}", known, f"acts are {', '.join(ACTS)}, each of {', '.join(ROLES)}"


def _converted(written: Mapping[str, Any], kind: type[Read], place: str) -> Read:
    try:
        return msgspec.convert(written, kind)
    except msgspec.ValidationError as error:
        said, _, at = str(error).partition(" - at `$")
        where = (place + at.rstrip("`")).lstrip(".")
        raise Invalid(said, where=where or "policy") from error
