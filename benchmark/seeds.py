"""What a few seeds say together: their mean and Student's interval around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import mean, stdev

from ..core.errors import ConfigError

T_95 = (12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262)
"""Two-sided 95 % quantiles of Student's t with 1, 2, ... degrees of freedom."""


@dataclass(frozen=True)
class Spread:
    mean: float
    half: float
    """Half the width of the 95 % interval of the mean."""
    values: tuple[float, ...]

    def as_text(self) -> str:
        return f"{self.mean:.1f} ± {self.half:.1f}"


def spread_of(values: Sequence[float]) -> Spread:
    freedom = len(values) - 1
    if not 1 <= freedom <= len(T_95):
        raise ConfigError(f"an interval needs 2 to {len(T_95) + 1} seeds, not {len(values)}")
    half = T_95[freedom - 1] * stdev(values) / len(values) ** 0.5
    return Spread(mean(values), half, tuple(values))


def spread_text(values: Sequence[float]) -> str:
    """Mean and interval; of one seed, its value alone."""
    return spread_of(values).as_text() if len(values) > 1 else f"{values[0]:.1f}"


def interval_note(seeds: int) -> str:
    """What a report says about its intervals."""
    if seeds == 1:
        return "one seed, so no interval"
    return f"95 % intervals over {seeds} seeds (Student's t)"
