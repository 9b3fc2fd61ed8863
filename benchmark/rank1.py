"""Rank-1 before and after, by an exact test on the queries whose answer changed.

Only discordant queries carry information: b turned from right to wrong, c from wrong to right.
Given their number d = b + c, b is binomial with some chance t, and the loss is p * (2t - 1), where
p is the share of discordant queries. With margin 0 this is McNemar's exact test. With a margin, p
is unknown; Berger and Boos' device makes the test exact: p is bounded with confidence 1 - 0.005,
the worst t allowed by that bound is tested, and 0.005 is added to the p-value.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from .binomial import at_least, at_most, lower_bound, upper_bound

_BETA = 0.005
_HALVINGS = 30


@dataclass(frozen=True)
class Discordant:
    """How many queries changed their answer, among `queries`."""

    right_to_wrong: int
    wrong_to_right: int
    queries: int

    @property
    def changed(self) -> int:
        return self.right_to_wrong + self.wrong_to_right

    @property
    def loss(self) -> float:
        return (self.right_to_wrong - self.wrong_to_right) / self.queries

    def p_worse(self) -> float:
        """McNemar's exact one-sided p-value: small when Rank-1 is shown to have fallen at all."""
        return at_least(self.right_to_wrong, self.changed, 0.5) if self.changed else 1.0

    def p_beyond(self, margin: float) -> float:
        """Small when the loss is shown to be larger than `margin` (a fraction)."""
        chance = _chance(margin, self._most if margin < 0 else self._least)
        if chance < 0:
            return _BETA
        return min(1.0, at_least(self.right_to_wrong, self.changed, min(chance, 1.0)) + _BETA)

    def p_within(self, margin: float) -> float:
        """Small when the loss is shown to be smaller than `margin`."""
        chance = _chance(margin, self._most if margin >= 0 else self._least)
        if chance > 1:
            return _BETA
        return min(1.0, at_most(self.right_to_wrong, self.changed, max(chance, 0.0)) + _BETA)

    def bounds(self, confidence: float) -> tuple[float, float]:
        """One-sided bounds on the loss: the margins at which the exact tests turn."""
        alpha = 1 - confidence
        low = _turning_point(lambda margin: self.p_beyond(margin) < alpha)
        high = _turning_point(lambda margin: self.p_within(margin) >= alpha)
        return low, high

    @cached_property
    def _most(self) -> float:
        return upper_bound(self.changed, self.queries, 1 - _BETA)

    @cached_property
    def _least(self) -> float:
        return lower_bound(self.changed, self.queries, 1 - _BETA)


def _chance(margin: float, share: float) -> float:
    """That a changed query is a loss, where the loss is `margin` and `share` of all changed."""
    if share == 0:
        return 0.5 if margin == 0 else math.copysign(math.inf, margin)
    return (1 + margin / share) / 2


def _turning_point(still_low: Callable[[float], bool]) -> float:
    low, high = -1.0, 1.0
    for _ in range(_HALVINGS):
        middle = (low + high) / 2
        low, high = (middle, high) if still_low(middle) else (low, middle)
    return (low + high) / 2
