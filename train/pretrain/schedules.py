"""What changes from step to step: rates, weight decay, the teacher's momentum and temperatures.

The published forms, end points included: a warm-up that reaches its peak on its last step, and a
cosine that would reach its end one step after the last.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from .recipe import LR_IMAGES, PretrainRecipe


@dataclass(frozen=True)
class Moment:
    """Where a run stands: the number of steps behind it, and how many make an epoch."""

    step: int
    steps_per_epoch: int

    @property
    def epoch(self) -> int:
        """Epochs count from 1, as they do in journals and checkpoints."""
        return self.step // self.steps_per_epoch + 1

    @property
    def passed(self) -> float:
        """Epochs that lie behind, with their fraction."""
        return self.step / self.steps_per_epoch


@dataclass(frozen=True)
class Settings:
    """The numbers of one step."""

    lr: float
    weight_decay: float
    momentum: float
    temperature: float
    patch_temperature: float
    frozen_last_layer: bool


@dataclass(frozen=True)
class Schedules:
    """Every schedule of a recipe."""

    recipe: PretrainRecipe

    def at(self, moment: Moment) -> Settings:
        recipe, teacher, optimiser = self.recipe, self.recipe.teacher, self.recipe.optimiser
        epochs, warm = recipe.schedule.epochs, recipe.schedule.warmup_epochs
        steps = epochs * moment.steps_per_epoch
        peak = optimiser.lr * recipe.batch.size / LR_IMAGES
        warm_steps = int(warm * moment.steps_per_epoch)
        step = moment.step
        return Settings(
            lr=warmed(peak, optimiser.lr_floor, step, steps, warm_steps),
            weight_decay=cosine(optimiser.weight_decay, optimiser.weight_decay_end, step / steps),
            momentum=cosine(teacher.momentum, teacher.momentum_end, step / steps),
            temperature=self._heat(teacher.temperature_start, teacher.temperature, moment),
            patch_temperature=self._heat(
                teacher.patch_temperature_start,
                teacher.patch_temperature,
                moment,
                recipe.masks.start_epoch,
            ),
            frozen_last_layer=moment.passed < recipe.head.frozen_epochs,
        )

    def _heat(self, start: float, end: float, moment: Moment, later: int = 0) -> float:
        """Linear over the first epochs, or over those that follow some; in steps of an epoch."""
        warm = self.recipe.teacher.temperature_warmup_epochs
        epoch = max(moment.epoch - 1 - later, 0)
        if epoch >= warm:
            return end
        return start + (end - start) * epoch / max(warm - 1, 1)


def warmed(peak: float, floor: float, step: int, steps: int, warm_steps: int) -> float:
    """From nothing to the peak, then down a cosine."""
    if step < warm_steps:
        return peak * step / max(warm_steps - 1, 1)
    return cosine(peak, floor, (step - warm_steps) / (steps - warm_steps))


def cosine(start: float, end: float, passed: float) -> float:
    return end + 0.5 * (start - end) * (1 + math.cos(math.pi * min(passed, 1.0)))
