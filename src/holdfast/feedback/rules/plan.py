"""What to do about a backlog: its heaviest groups first, each with whoever could own it and a next step."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from holdfast.feedback.model import Item, Sentiment

MOST = 10


@dataclass(frozen=True, slots=True)
class Step:
    """One group: how many say something bad, how bad (0 to 1, the mean), their product, and what to do."""

    group: str
    items: int
    severity: float
    weight: float
    corrected: int
    owner: str  # empty: unknown
    next: str


def severity(item: Item) -> float | None:
    """How bad what an item says is, 0 to 1; None where it does not say that anything is."""
    if item.sentiment is not Sentiment.NEGATIVE:
        return None
    return 1.0 if item.score is None else max(0.0, 1.0 - item.score)


def steps(items: Iterable[tuple[str, Item]], owners: Mapping[str, str], most: int = MOST) -> list[Step]:
    """The heaviest groups of (group, item), by count times severity; an empty group is what nobody has sorted."""
    groups: dict[str, list[Item]] = defaultdict(list)
    for group, item in items:
        if severity(item) is not None:
            groups[group].append(item)
    made = [_step(group, of, owners) for group, of in groups.items()]
    return sorted(made, key=lambda one: (-one.weight, one.group))[:most]


def _step(group: str, of: list[Item], owners: Mapping[str, str]) -> Step:
    weights = [found for one in of if (found := severity(one)) is not None]
    corrected = sum(bool(one.correction or one.used) for one in of)
    systems = {one.joined.system for one in of if one.joined and one.joined.system}
    known = {owners[one] for one in systems if owners.get(one)}
    if not group:
        todo = "sort it: run a triage, which groups it by what is asked and what went wrong"
    elif corrected:
        todo = f"make cases of the {corrected:,} that say what is right, and propose an improvement"
    else:
        todo = "read a sample, write what a right answer is, and propose an improvement"
    return Step(
        group, len(of), sum(weights) / len(weights), sum(weights), corrected, ", ".join(sorted(known)), todo
    )
