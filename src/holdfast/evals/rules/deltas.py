"""What answers cost, how long they take and whether they keep their format: one run held against another, case by case."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import special

from holdfast.evals.model import Answer, Delta
from holdfast.evals.rules.intervals import clustered

CONFIDENCE = 0.95
"""Of each bound by itself, so 90 % of the interval."""
EARLIER = "the baseline's answers are of an earlier time"


@dataclass(frozen=True, slots=True)
class Told:
    """An answer of a run to a case. `reused`: it is of an earlier run. `family`: of the case; empty: it is its own."""

    answer: Answer
    reused: bool = False
    family: str = ""


def deltas(before: Mapping[str, Sequence[Told]], after: Mapping[str, Sequence[Told]]) -> tuple[Delta, ...]:
    """Cost, latency and format, of answers by case; cases of one run alone are left out, and so are answers in error."""
    shared = [case for case in before if case in after]
    return (
        _cost({case: (before[case], after[case]) for case in shared}),
        _latency({case: (before[case], after[case]) for case in shared}),
        _format({case: (before[case], after[case]) for case in shared}),
    )


Pairs = Mapping[str, tuple[Sequence[Told], Sequence[Told]]]


def _cost(pairs: Pairs) -> Delta:
    """Ratio of the sums: R = Σa / Σb with SE(R) = SE(a - R b) / mean(b), clustered (Cochran 1977, 6.4)."""
    kept, untold = [], 0
    for old, new in pairs.values():
        was, now = (
            _mean([_known(one.answer.cost) for one in old]),
            _mean([_known(one.answer.cost) for one in new]),
        )
        if was is None or now is None:
            untold += 1
        else:
            kept.append((was, now, old[0].family))
    base = sum(one[0] for one in kept)
    if not kept or base <= 0:
        return Delta(
            "cost", None, None, None, None, None, 0, len(pairs), "no price is known" if pairs else ""
        )
    before, after = base / len(kept), sum(one[1] for one in kept) / len(kept)
    ratio = after / before
    apart = clustered([now - ratio * was for was, now, _ in kept], None, [family for *_, family in kept])
    low, high = _bounds(ratio - 1, None if apart.se is None else apart.se / before, apart.df)
    return Delta("cost", before, after, ratio - 1, low, high, len(kept), untold)


def _latency(pairs: Pairs) -> Delta:
    """Mean of log(after / before), back as a ratio: one slow answer among many does not decide."""
    kept, untold, earlier = [], 0, False
    for old, new in pairs.values():
        was, now = (
            _mean([one.answer.latency_ms for one in old]),
            _mean([one.answer.latency_ms for one in new]),
        )
        if not was or not now:
            untold += 1
            continue
        earlier |= any(one.reused for one in old) != any(one.reused for one in new)
        kept.append((was, now, old[0].family))
    if not kept:
        return Delta("latency", None, None, None, None, None, 0, untold, "no answer says how long it took")
    logs = clustered([math.log(now / was) for was, now, _ in kept], None, [family for *_, family in kept])
    low, high = _bounds(logs.value, logs.se, logs.df)
    return Delta(
        "latency",
        sum(one[0] for one in kept) / len(kept),
        sum(one[1] for one in kept) / len(kept),
        math.expm1(logs.value),
        None if low is None else math.expm1(low),
        None if high is None else math.expm1(high),
        len(kept),
        untold,
        EARLIER if earlier else "",
    )


def _format(pairs: Pairs) -> Delta:
    kept, untold = [], 0
    for old, new in pairs.values():
        were = [one.answer for one in old if not one.answer.error]
        are = [one.answer for one in new if not one.answer.error]
        if not were or not are:
            untold += 1
            continue
        json_wanted = all(_is_json(one.text) for one in were)
        kept.append((_broken(were, json_wanted), _broken(are, json_wanted), old[0].family))
    if not kept:
        return Delta("format", None, None, None, None, None, 0, untold, "nothing was answered")
    apart = clustered([now - was for was, now, _ in kept], None, [family for *_, family in kept])
    low, high = _bounds(apart.value, apart.se, apart.df)
    before, after = sum(one[0] for one in kept) / len(kept), sum(one[1] for one in kept) / len(kept)
    return Delta("format", before, after, apart.value, low, high, len(kept), untold)


def _broken(answers: Sequence[Answer], json_wanted: bool) -> float:
    """The share of answers that are cut, empty, or not JSON where that is wanted."""
    bad = sum(
        bool(one.truncated)
        or not (one.text.strip() + one.refusal or one.tool_calls)
        or (json_wanted and not _is_json(one.text))
        for one in answers
    )
    return bad / len(answers)


def _is_json(text: str) -> bool:
    said = text.strip()
    if not said.startswith(("{", "[")):
        return False
    try:
        json.loads(said)
    except ValueError:
        return False
    return True


def _bounds(value: float, se: float | None, df: float) -> tuple[float | None, float | None]:
    if se is None or df <= 0:
        return None, None
    reach = float(special.stdtrit(df, CONFIDENCE)) * se
    return value - reach, value + reach


def _known(cost: object) -> float | None:
    return None if cost is None else float(cost)  # type: ignore[arg-type]


def _mean(values: Sequence[float | None]) -> float | None:
    """Of those that are known; None where one is not."""
    known = [one for one in values if one is not None]
    return float(np.mean(known)) if known and len(known) == len(values) else None
