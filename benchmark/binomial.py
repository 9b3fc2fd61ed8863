"""Exact binomial tails and confidence bounds, with numpy alone."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

_HALVINGS = 60


def at_most(count: int, trials: int, chance: float) -> float:
    """P(X <= count) for X counting successes in `trials` of `chance` each."""
    if count >= trials:
        return 1.0
    if count < 0:
        return 0.0
    if chance <= 0.0 or chance >= 1.0:
        return 1.0 if chance <= 0.0 else 0.0
    return min(1.0, float(np.exp(_log_terms(count, trials, chance)).sum()))


def at_least(count: int, trials: int, chance: float) -> float:
    """P(X >= count), summed directly so that a tiny tail keeps its digits."""
    return at_most(trials - count, trials, 1.0 - chance)


def upper_bound(count: int, trials: int, confidence: float) -> float:
    """Clopper and Pearson's one-sided upper bound on the chance behind `count` of `trials`."""
    if count >= trials:
        return 1.0
    return _root(lambda chance: at_most(count, trials, chance) > 1.0 - confidence)


def lower_bound(count: int, trials: int, confidence: float) -> float:
    if count <= 0:
        return 0.0
    return _root(lambda chance: at_most(count - 1, trials, chance) > confidence)


def _root(still_low: Callable[[float], bool]) -> float:
    low, high = 0.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if still_low(middle) else (low, middle)
    return high


def _log_terms(most: int, trials: int, chance: float) -> NDArray[np.float64]:
    """The logarithms of P(X = 0) ... P(X = most)."""
    counts = np.arange(most + 1)
    steps = np.log(trials - counts[:-1]) - np.log(counts[1:])
    ways = np.concatenate([[0.0], np.cumsum(steps)])
    logs: NDArray[np.float64] = ways + counts * math.log(chance)
    return logs + (trials - counts) * math.log1p(-chance)
