"""Notices that a pre-training run has collapsed, and stops it with advice.

Self-distillation has trivial solutions: an output that is the same for every image is perfectly
predictable. The class-token loss is a cross-entropy, H(teacher) + KL(teacher | student), so what
is left of it beside the teacher's entropy tells a constant output (KL = 0) from a learning one,
and the entropy tells which: log K for a uniform one, which centring without sharpening ends in,
and 0 for a single peak, which sharpening without centring ends in (Caron et al. 2021, section
5.3). The features themselves give way when the learning rate is too high: unit vectors that point
anywhere have a deviation of 1/sqrt(D) per value, equal ones of 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import Enum
from typing import Protocol

import torch
from torch import Tensor

from ...core.errors import CollapsedError
from ..distributed import World
from .recipe import PretrainRecipe

Number = Tensor | float


class Seen(Protocol):
    """What a step tells about itself; a step's losses are such a thing."""

    @property
    def total(self) -> Number: ...
    @property
    def dino(self) -> Number: ...
    @property
    def teacher_entropy(self) -> Number:
        """Of the class token's target, in nats, over the images of the batch on average."""
        ...

    @property
    def feature_std(self) -> Number:
        """Of the values of the teacher's unit-length features, over the batch."""
        ...


class Sign(Enum):
    """What is wrong, and what helps."""

    BROKEN = (
        "the loss is no longer a number",
        "lower optimiser.lr or lengthen schedule.warmup_epochs; with --amp fp16, use bf16",
    )
    EQUAL = (
        "the features of all images have become the same",
        "lower optimiser.lr, lengthen schedule.warmup_epochs or lower optimiser.clip_norm",
    )
    UNIFORM = (
        "the teacher's output has become uniform, the same for every image",
        "sharpen it: lower teacher.temperature and teacher.temperature_start (0.04 to 0.07)",
    )
    PEAK = (
        "the teacher's output has become one peak, the same for every image",
        "centre it more: keep teacher.centre_momentum at 0.9 or below, raise "
        "teacher.temperature, lower optimiser.lr",
    )
    CONSTANT = (
        "the teacher's output has become the same for every image",
        "lower optimiser.lr, raise teacher.momentum, or give views more to differ in",
    )
    ELSEWHERE = (
        "another process of this run has seen its part collapse",
        "see what process said",
    )

    @property
    def what(self) -> str:
        return self.value[0]

    @property
    def advice(self) -> str:
        return self.value[1]


@dataclass(frozen=True)
class Limits:
    """Shares of the values that theory gives; healthy runs stay far from all of them."""

    outputs: int
    """How many values the head has (K)."""
    width: int
    """How many values a feature has (D)."""
    constant: float = 0.01
    """Of log K: the KL of an output that no longer depends on the image."""
    uniform: float = 0.9
    """Of log K: a constant output of more entropy is called uniform."""
    peak: float = 0.1
    """Of log K: a constant output of less entropy is called a peak."""
    equal: float = 0.05
    """Of 1/sqrt(D): features so close have a mean cosine of 0.9975."""

    def sign(self, total: float, dino: float, entropy: float, spread: float) -> Sign | None:
        if not all(map(math.isfinite, (total, dino, entropy, spread))):
            return Sign.BROKEN
        most = math.log(self.outputs)
        if dino - entropy < self.constant * most:
            if entropy > self.uniform * most:
                return Sign.UNIFORM
            return Sign.PEAK if entropy < self.peak * most else Sign.CONSTANT
        return Sign.EQUAL if spread < self.equal / math.sqrt(self.width) else None


class CollapseWatch:
    """Looks at every so many steps; after the warm-up, patience steps of one sign end the run."""

    def __init__(
        self, limits: Limits, world: World, warmup: int = 0, patience: int = 100, every: int = 10
    ) -> None:
        self.limits, self.world = limits, world
        self.warmup, self.patience, self.every = warmup, patience, every
        self.since: int | None = None

    @property
    def healthy(self) -> bool:
        """No sign at the last look; while there is one, no good checkpoint may be rotated away."""
        return self.since is None

    def observe(self, step: int, seen: Seen) -> None:
        """Raises CollapsedError; every process must call it at the same steps."""
        if step % self.every:
            return
        values = torch.stack(
            [
                torch.as_tensor(value, device=self.world.device).detach().float()
                for value in (seen.total, seen.dino, seen.teacher_entropy, seen.feature_std)
            ]
        )
        total, dino, entropy, spread = values.tolist()
        sign = self.limits.sign(total, dino, entropy, spread)
        if self.world.any(sign is Sign.BROKEN):
            raise self._error(step, sign or Sign.ELSEWHERE, (total, dino, entropy, spread), step)
        if not self.world.any(sign is not None) or step <= self.warmup:
            self.since = None
            return
        self.since = step if self.since is None else self.since
        if step - self.since >= self.patience:
            found = (total, dino, entropy, spread)
            raise self._error(self.since, sign or Sign.ELSEWHERE, found, step)

    def state(self) -> dict[str, int | None]:
        """For the checkpoint, so that a resumed run ends where an undisturbed one would."""
        return {"since": self.since}

    def restore(self, state: dict[str, int | None]) -> None:
        self.since = state["since"]

    def _error(
        self, since: int, sign: Sign, found: tuple[float, float, float, float], step: int
    ) -> CollapsedError:
        total, dino, entropy, spread = found
        return CollapsedError(
            f"pre-training has collapsed: since step {since} {sign.what} (at step {step}: loss "
            f"{total:.3g}; entropy of the teacher {entropy:.3g} of at most "
            f"{math.log(self.limits.outputs):.3g}; its KL to the student {dino - entropy:.2g}; "
            f"deviation of the features {spread:.2g}, {1 / math.sqrt(self.limits.width):.2g} if "
            f"they pointed anywhere). To mend it: {sign.advice}. The checkpoints from before are "
            "kept; a changed recipe needs a new run"
        )


def watch_of(
    recipe: PretrainRecipe, steps_per_epoch: int, world: World, every: int = 10
) -> CollapseWatch:
    """Lenient while networks are random: until the rate and the last layer have warmed up.

    At the start every image looks the same to the head, exactly as after a collapse; one more
    epoch is what the head is given to tell them apart. Then an epoch of patience, within what
    makes sense for very short and very long ones.
    """
    warm = max(recipe.schedule.warmup_epochs, recipe.head.frozen_epochs) + 1
    limits = Limits(recipe.head.outputs, recipe.model_config_of().embedding)
    if not recipe.loss.dino_weight:
        # Patches alone say nothing about whether whole images are told apart.
        limits = replace(limits, constant=-math.inf)
    patience = min(max(steps_per_epoch, 10 * every), 2000)
    return CollapseWatch(limits, world, round(warm * steps_per_epoch), patience, every)
