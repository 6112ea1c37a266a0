"""Random samples of calls that can be drawn again: for judges, reviews, and estimates with known weights."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from holdfast.kernel.errors import Invalid
from holdfast.storage.columns import Columns
from holdfast.telemetry.reads.shapes import call_json
from holdfast.telemetry.store import samples as store
from holdfast.telemetry.store.calls import FILTERS, FLAGS, CallFilter

STRATA = (*FILTERS, *FLAGS, "model")
"""Dimensions by which a sample can be stratified."""
MOST_CALLS = 10_000
MOST_STRATA = 1_000
LONGEST_SEED = 200


@dataclass(frozen=True, slots=True)
class Stratum:
    """The calls of one value of a dimension: how many there are, and those that were drawn, in the order of drawing.

    `population` counts every call of the filter with that value, exactly. Where fewer were drawn than asked for, there
    are no more. Each drawn call stands for `weight` calls.
    """

    value: str
    population: int
    calls: list[dict[str, Any]]

    @property
    def weight(self) -> float | None:
        """Calls that one drawn call stands for; None where none was drawn."""
        return self.population / len(self.calls) if self.calls else None


@dataclass(frozen=True, slots=True)
class Sample:
    """What was drawn with a seed: strata with most calls first (one of empty value where there are none by a dimension).

    `asked` is how many calls were asked for of each stratum; `short` says that at least one has fewer. `population` counts
    the calls of all strata. `complete` is False while some of what was received is still being counted: then the same seed
    may draw others later.
    """

    seed: str
    by: str
    asked: int
    strata: list[Stratum]
    complete: bool

    @property
    def population(self) -> int:
        return sum(one.population for one in self.strata)

    @property
    def drawn(self) -> int:
        return sum(len(one.calls) for one in self.strata)

    @property
    def short(self) -> bool:
        return not self.strata or any(len(one.calls) < self.asked for one in self.strata)


def sample(
    columns: Columns,
    workspace: str,
    filters: CallFilter,
    n: int,
    seed: str,
    *,
    by: str = "",
    complete: bool = True,
    shape: Callable[[dict[str, Any]], dict[str, Any]] = call_json,
) -> Sample:
    """At most `n` calls of a filter, or of each value of the dimension `by`, drawn uniformly without replacement.

    The same seed draws the same calls from the same population, on every engine. A call that joins the population takes
    the place of at most one drawn call, and one outside of the filter changes nothing; of two sizes the smaller sample is
    the beginning of the larger. Calls have no content; the filter is limited to what a caller may see as for every read
    (`reads.calls.reachable`), and content is read by trace, with its own permission. `complete`: whether all that was
    received has been counted. Raises Invalid for a size, seed or dimension that cannot be, and for too many strata.
    """
    if not 1 <= n <= MOST_CALLS:
        raise Invalid(f"a sample has 1 to {MOST_CALLS} calls", where="n")
    if not seed or len(seed) > LONGEST_SEED:
        raise Invalid(f"a sample needs a seed of at most {LONGEST_SEED} characters", where="seed")
    if by and by not in STRATA:
        raise Invalid(f"there is no dimension {by[:40]!r}; there are {', '.join(STRATA)}", where="by")
    found = store.drawn(columns, workspace, filters, by, n, seed, MOST_STRATA + 1)
    if len(found) > MOST_STRATA:
        raise Invalid(f"{by} has more than {MOST_STRATA} values here; narrow the filter", where="by")
    keys = [(trace, call) for one in found for _, trace, call in one.keys]
    if len(keys) > MOST_CALLS:
        raise Invalid(f"that is more than {MOST_CALLS} calls in all; ask for fewer of each", where="n")
    rows = store.of_keys(columns, workspace, filters, keys)
    strata = [
        Stratum(
            one.value,
            one.population,
            [shape(row) for _, *key in one.keys if (row := rows.get((key[0], key[1]))) is not None],
        )
        for one in found
    ]
    return Sample(seed, by, n, strata, complete)
