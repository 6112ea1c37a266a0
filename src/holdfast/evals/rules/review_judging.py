"""Judges in production review: what a policy may say of them, and how sure a finding of theirs is."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

from holdfast.evals.rules.judging import Kind
from holdfast.evals.rules.review import Basis, Judging
from holdfast.kernel.errors import Invalid

if TYPE_CHECKING:
    from holdfast.evals.rules.correcting import Corrected

MOST_JUDGES = 20
LEAST_SHOWN = 5
"""Labelled answers, good and bad each, below which they correct nothing."""
LEAST_SAID = 20
"""Verdicts on live calls below which nobody knows how often the judge fails one."""
AGREES = 0.6
"""κ with people that a judge must surely have (the lower end of 95 %) before it is told at once what it finds."""
GIVE_UP = timedelta(hours=20)
"""After which a call that no judge could be asked about stays unknown. Within a day the gateway knows what it was asked."""
KEPT = timedelta(days=100)
"""How long verdicts are kept."""


def check_judges(judges: Sequence[Judging]) -> None:
    """Raises Invalid with the place and what to do."""
    if len(judges) > MOST_JUDGES:
        raise Invalid(f"a policy names at most {MOST_JUDGES} judges", where="judges")
    for number, one in enumerate(judges):
        at = f"judges[{number}]"
        if not 0 < one.rate <= 1:
            raise Invalid("a share above 0, to 1; to ask no more, take the entry out", where=f"{at}.rate")
        if not one.max_cost.is_finite() or not 0 < one.max_cost <= 1_000_000:
            raise Invalid("USD a day, above 0 and at most 1000000", where=f"{at}.max_cost")
        for other in judges[:number]:
            _check_beside(one, other, at)


def _check_beside(one: Judging, other: Judging, at: str) -> None:
    if one.judge == other.judge and one.dimension != other.dimension:
        raise Invalid(
            f"the judge {one.judge} judges {other.dimension} already; a judge judges one dimension, so apply another for "
            "this one",
            where=f"{at}.dimension",
        )
    if one.judge == other.judge and one.max_cost != other.max_cost:
        raise Invalid(
            f"the judge {one.judge} has one ceiling for all of its entries; write the same max_cost in each",
            where=f"{at}.max_cost",
        )
    shared = sorted(set(one.routes) & set(other.routes))
    if one.dimension == other.dimension and (shared or not (one.routes or other.routes)):
        where = f"the route {shared[0]}" if shared else "every other route"
        raise Invalid(
            f"two judges of {one.dimension} on {where}; leave one of them out there", where=f"{at}.routes"
        )


def check_known(judges: Sequence[Judging], known: Mapping[str, Kind]) -> None:
    """Raises Invalid for a judge that the workspace does not have, or that needs more than a live call brings along."""
    for number, one in enumerate(judges):
        at = f"judges[{number}].judge"
        kind = known.get(one.judge)
        if kind is None:
            there = ", ".join(sorted(name for name, of in known.items() if of is Kind.RUBRIC))
            raise Invalid(
                f"there is no judge {one.judge!r} in this workspace; apply it with holdfast suites apply, or name one of: "
                f"{there or 'none is there yet'}",
                where=at,
            )
        if kind is not Kind.RUBRIC:
            needs = (
                "another answer to compare with"
                if kind is Kind.PAIRWISE
                else "a reference to hold it against"
            )
            raise Invalid(
                f"the judge {one.judge} needs {needs}, which a live call does not have; name a judge of kind rubric",
                where=at,
            )


@dataclass(frozen=True, slots=True)
class Shown:
    """What a judge's labelled answers show: of `bad` it fails `caught`, of `good` it passes `cleared`.

    `agrees`: whether its agreement with people is surely good.
    """

    caught: int
    bad: int
    cleared: int
    good: int
    agrees: bool = False


@dataclass(frozen=True, slots=True)
class Verdicts:
    """Of live calls: sums of their weights, and of the squares of these."""

    failed: float = 0.0
    weight: float = 0.0
    squares: float = 0.0

    @property
    def effective(self) -> float:
        """Kish's number of calls that would tell as much, if each were drawn alike."""
        return self.weight**2 / self.squares if self.squares else 0.0

    @property
    def share(self) -> float:
        """That the judge fails."""
        return self.failed / self.weight if self.weight else 0.0


def corrected(shown: Shown | None, said: Verdicts) -> Corrected | None:
    """The share of live answers that people would fail (Rogan-Gladen); None where the labels cannot correct it.

    It takes the judge's errors on live answers to be those on its labelled ones.
    """
    n = round(said.effective)
    if shown is None or min(shown.bad, shown.good) < LEAST_SHOWN or n < LEAST_SAID:
        return None
    from holdfast.evals.rules.correcting import rogan_gladen

    return rogan_gladen(round(said.share * n), n, shown.caught, shown.bad, shown.cleared, shown.good)


def confidence(score: float, shown: Shown | None, said: Verdicts) -> tuple[float, Basis]:
    """How sure it is that an answer which the judge fails is bad: by Bayes from its errors on labels and from how common
    bad answers are, or the judge's own word where that cannot be known.
    """
    common = corrected(shown, said)
    if shown is None or common is None:
        return round(1 - score, 4), Basis.UNCORRECTED
    rightly = common.value * shown.caught / shown.bad
    wrongly = (1 - common.value) * (1 - shown.cleared / shown.good)
    if not rightly + wrongly:
        return round(1 - score, 4), Basis.UNCORRECTED
    return round(rightly / (rightly + wrongly), 4), Basis.JUDGE


def spendable(ceiling: Decimal, spent: Decimal, dearest: Decimal, unpriced: int, name: str) -> str:
    """Why a judge may not be asked one question more today; empty where it may."""
    if unpriced:
        return (
            f"what the judge {name} costs is not known, so its ceiling cannot be held; give its model a price"
        )
    if spent + dearest > ceiling:
        return (
            f"the judge {name} may cost {ceiling:f} USD a day, and one question more could cross that; "
            f"{spent:f} are spent"
        )
    return ""


def midnight(now: datetime) -> datetime:
    """When the day (UTC) of a ceiling began."""
    return now.replace(hour=0, minute=0, second=0, microsecond=0)
