"""How large a suite must be: what would settle a verdict, and what a suite of this size can find."""

from __future__ import annotations

import math

from scipy import special

from holdfast.evals.model import Comparison, Estimate, Needs

POWER = 0.8
MOST = 1_000_000  # more than this is as good as never


def cases_for_margin(
    difference: float,
    variance: float,
    margin: float,
    alpha: float,
    power: float = POWER,
) -> int | None:
    """Cases by which a true `difference` (candidate less baseline) is shown to be above -margin; None: it is not.

    n = (z_α + z_β)² · variance / (margin + difference)², variance = discordant share - difference² for passes and
    failures; at least z_α²(1-x)/x with x = margin + difference, which even an unchanged candidate needs.
    """
    room = margin + difference
    if room <= 0:
        return None
    z = _z(alpha)
    unseen = z * z * (1 - room) / room if room < 1 else 0.0
    return _whole(max((z + _z(1 - power)) ** 2 * max(variance, 0.0) / room**2, unseen))


def cases_for_drop(
    difference: float, variance: float, alpha: float, power: float = POWER, *, step: float = 1.0
) -> int | None:
    """Cases by which a true `difference` below 0 is found to be a fall, one-sided at alpha; None: it is no fall.

    n = (z_α + z_β)² · variance / difference² + 2·step/|difference|, the latter as exact tests of what moves in steps are
    a little strict (`step`: what one answer adds to a case, 1 / repeats for passes and failures); and no fewer than
    log2(1/α), as fewer signs cannot be that rare.
    """
    if difference >= 0:
        return None
    needed = (_z(alpha) + _z(1 - power)) ** 2 * max(variance, 0.0) / difference**2 - 2 * step / difference
    return _whole(max(needed, math.log2(1 / alpha)))


def smallest_drop(
    cases: float, variance: float, alpha: float, power: float = POWER, *, shares: bool = False
) -> float | None:
    """The smallest true fall that this many cases find with `power`; None: not even a fall of all.

    √variance · (z_α + z_β) / √cases. With `shares` (passed or failed, one answer) `variance` is the discordant share,
    whose variance is share - d², and which is at least the fall: max(k√(share/(n+k²)), k²/(n+k²)), k = z_α + z_β.
    """
    if cases <= 0:
        return None
    k = _z(alpha) + _z(1 - power)
    least = k * k / (cases + k * k)
    found = k * math.sqrt(max(variance, 0.0) / (cases + k * k if shares else cases))
    found = max(found, least)
    return found if found <= 1 else None


def repeats_for(
    cases: float, between: float, within: float, room: float, alpha: float, power: float = POWER
) -> int | None:
    """Repeats of these cases by which an effect of size `room` is settled; None: no number of them does.

    `within` is the variance of one case's difference that one answer on each side has by chance, `between` what is left
    when cases are asked without end: r = within / (cases·room²/(z_α+z_β)² - between).
    """
    if room <= 0:
        return None
    left = cases * room**2 / (_z(alpha) + _z(1 - power)) ** 2 - between
    return _whole(max(within / left, 1.0)) if left > 0 else None


def to_settle(compared: Comparison, margin: float, alpha: float, repeats: float) -> Needs:
    """What would settle a comparison if the measured difference is the true one: whichever is the fewest of showing
    that it is within the margin and that it is a fall. `repeats` is how often a case was asked, on average.

    Where fewer than 5 cases differ, the variance is at least that of two more, one each way (Laplace): little is known
    of what has not been seen.
    """
    n, d = compared.cases, compared.difference
    variance = compared.variance or 0.0
    if compared.worse + compared.better < 5:
        variance = max(variance, 2 / (n + 2))
    counted = (
        cases_for_margin(d, variance, margin, alpha),
        cases_for_drop(d, variance, alpha, step=1 / repeats),
    )
    wanted = [found for found in counted if found is not None]
    more = max(min(wanted) - n, 1) if wanted else None
    again = None
    if compared.within is not None:
        between = max(0.0, variance - compared.within)
        rooms = [room for room in (margin + d, -d) if room > 0]
        again = _again(n, between, compared.within, rooms, alpha, repeats)
    return Needs(more, again, smallest_drop(n, variance, alpha))


def to_settle_bar(score: Estimate, bar: float, alpha: float, repeats: float, within: float | None) -> Needs:
    """What would settle a score against a bar if the measured score is the true one.

    `within` is the part of the variance of a case's score that is noise of its answers; None: asked once.
    """
    room = abs(score.value - bar)
    if room < 1e-9 or score.se is None:
        return Needs(None, None, None)
    variance = score.se**2 * score.cases
    if not variance:  # all alike: as if one more of the other kind had been seen
        one_more = (score.value * score.cases + (score.value < 0.5)) / (score.cases + 1)
        variance = one_more * (1 - one_more)
    needed = _whole((_z(alpha) + _z(1 - POWER)) ** 2 * variance / room**2)
    again = None
    if within is not None:
        again = _again(score.cases, max(0.0, variance - within), within, [room], alpha, repeats)
    return Needs(None if needed is None else max(needed - score.cases, 1), again, None)


def _again(
    cases: int, between: float, within: float, rooms: list[float], alpha: float, repeats: float
) -> int | None:
    counted = [repeats_for(cases, between, within * repeats, room, alpha) for room in rooms]
    enough = [found for found in counted if found is not None]
    return max(min(enough), math.floor(repeats) + 1) if enough else None


def _z(tail: float) -> float:
    return -float(special.ndtri(tail))


def _whole(number: float) -> int | None:
    return math.ceil(number - 1e-9) if number <= MOST else None
