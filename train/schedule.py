"""The learning rate over time: linear warm-up into a cosine that has been running all along."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class CosineSchedule:
    """The published schedule, quirks included.

    Warm-up rises from one common rate to each group's own; the cosine ends at one common floor;
    and it counts from the start of the run, so that it enters at t = warmup below the full rate.
    """

    base: float
    epochs: int
    warmup_epochs: float
    start: float
    """The warm-up's first rate, the same for every group."""
    floor: float
    by_step: bool = False
    """Move within an epoch too; the published loop changes the rate between epochs only."""

    def rate(self, factor: float, epoch: int, progress: float = 0.0) -> float:
        """A group's rate in an epoch that counts from 1: epoch e runs at time e - 1."""
        time = epoch - 1 + (progress if self.by_step else 0.0)
        peak = self.base * factor
        if time < self.warmup_epochs:
            return self.start + time * (peak - self.start) / self.warmup_epochs
        if time >= self.epochs:
            return self.floor
        return self.floor + 0.5 * (peak - self.floor) * (1 + math.cos(math.pi * time / self.epochs))
