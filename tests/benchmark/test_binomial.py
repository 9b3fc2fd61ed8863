"""Tails and bounds agree with exact fractions."""

from __future__ import annotations

from fractions import Fraction
from math import comb

import pytest
from hypothesis import given
from hypothesis import strategies as some

from personvit.benchmark.binomial import at_least, at_most, lower_bound, upper_bound


def exactly(count: int, trials: int, chance: Fraction) -> float:
    terms = (comb(trials, k) * chance**k * (1 - chance) ** (trials - k) for k in range(count + 1))
    return float(sum(terms, Fraction(0)))


@given(some.integers(0, 60), some.integers(0, 60), some.fractions(0, 1, max_denominator=50))
def test_tails_equal_exact_sums(count: int, trials: int, chance: Fraction) -> None:
    count = min(count, trials)
    assert at_most(count, trials, float(chance)) == pytest.approx(exactly(count, trials, chance))
    above = 1.0 - exactly(count - 1, trials, chance)
    assert at_least(count, trials, float(chance)) == pytest.approx(above, abs=1e-12)


def test_a_tiny_upper_tail_keeps_its_digits() -> None:
    assert at_least(1000, 1000, 0.9) == pytest.approx(0.9**1000, rel=1e-9)


def test_bounds_are_clopper_and_pearsons() -> None:
    assert upper_bound(0, 59, 0.95) == pytest.approx(1 - 0.05 ** (1 / 59))
    assert upper_bound(7, 7, 0.95) == 1.0
    assert lower_bound(7, 7, 0.95) == pytest.approx(0.05 ** (1 / 7))
    assert at_least(15, 20, lower_bound(15, 20, 0.95)) == pytest.approx(0.05)
