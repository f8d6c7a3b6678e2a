"""What few observations allow to say: quantiles, and intervals for counts, means and shares."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, lgamma, log, sqrt
from typing import Final, NamedTuple

CONFIDENCE_PERCENT: Final = 95
"""Of all intervals: in so many of a hundred labs the true value lies in it."""
_BELOW: Final = (1 - CONFIDENCE_PERCENT / 100) / 2
_NORMAL: Final = 1.959963984540054
"""The quantile of the normal distribution at 97.5 %."""
_WIDE: Final = 8
"""Beyond so many standard deviations no bound lies."""
_EXACT: Final = 1e-12
_NOTHING: Final = 1e-18


class Bounds(NamedTuple):
    """Between which values a true one lies; ``None``: there is no bound."""

    low: float
    high: float | None


def nearest_rank(ordered: Sequence[int], percent: int) -> int:
    """Return the smallest value that at least so many percent of values, in order, do not exceed."""
    return ordered[max(0, -(-percent * len(ordered) // 100) - 1)]


def share_bounds(part: int, whole: int) -> Bounds | None:
    """Return bounds of a probability from 0 to 1 by Wilson's score; ``None`` without any trial."""
    if whole == 0:
        return None
    share, square = part / whole, _NORMAL**2
    middle = share + square / (2 * whole)
    wide = _NORMAL * sqrt(share * (1 - share) / whole + square / (4 * whole**2))
    low, high = (middle - wide) / (1 + square / whole), (middle + wide) / (1 + square / whole)
    return Bounds(0.0 if part == 0 else low, 1.0 if part == whole else high)


def count_bounds(count: int) -> Bounds:
    """Return exact bounds of the mean of a Poisson distribution that gave a count.

    At the lower one as many or more come with a probability of 2.5 %, at the upper one as many or fewer
    do. They are half the quantiles of chi-square with ``2 count`` and ``2 count + 2`` degrees.
    """
    low = 0.0 if count == 0 else _mean_for(count - 1, 1 - _BELOW)
    return Bounds(low, _mean_for(count, _BELOW))


def time_between_bounds(exposure: float, count: int) -> Bounds:
    """Return bounds of the mean time between events, of which so many came in an exposure of time.

    Of the same unit as the exposure. Without any event it is only known to be beyond the lower one.
    """
    low, high = count_bounds(count)
    return Bounds(exposure / (high or 1.0), exposure / low if low > 0 else None)


def mean_bounds(total: float, count: int) -> Bounds | None:
    """Return exact bounds of the mean of an exponential distribution, from a sum of so many values.

    ``None`` without any value. These are the total over the 97.5 % and 2.5 % quantiles of the gamma
    distribution whose shape is the count.
    """
    if count == 0:
        return None
    return Bounds(
        total / _mean_for(count - 1, _BELOW),
        total / _mean_for(count - 1, 1 - _BELOW),
    )


def _mean_for(count: int, probability: float) -> float:
    """Return the mean at which a Poisson distribution gives at most a count with a probability.

    That is the incomplete gamma function solved for its bound, by bisection on the sum.
    """
    spread = _WIDE * sqrt(count + 1) + _WIDE
    low, high = max(0.0, count - spread), count + spread
    while high - low > _EXACT * high:
        middle = (low + high) / 2
        if _at_most(count, middle) > probability:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _at_most(count: int, mean: float) -> float:
    """Return the probability that a Poisson distribution gives at most a count."""
    term = exp(count * log(mean) - mean - lgamma(count + 1))
    total = 0.0
    for number in range(count, -1, -1):
        total += term
        if number < mean and term < total * _NOTHING:
            break
        term *= number / mean
    return total
