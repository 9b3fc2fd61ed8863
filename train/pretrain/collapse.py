"""Notices that a pre-training run has collapsed, and stops it with advice.

Self-distillation has trivial solutions: an output that is the same for every image is perfectly
predictable. What the teacher's output tells about the image is the entropy of its mean over the
images less the mean of its entropies (their mutual information): 0 for a constant output, whatever
its shape. The entropy then tells which constant: log K is uniform, which centring without
sharpening ends in, 0 is a single peak, which sharpening without centring ends in (Caron et al.
2021, section 5.3). The KL between student and teacher, which that paper plots, misses a run whose
rate is too high: the output was the same for all images and the KL 20 to 40 nats, since the
student swung about it (docs/decisions.md). The features themselves say the same in another way:
unit vectors that point anywhere deviate by 1/sqrt(D) per value, equal ones by 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import Enum
from typing import Protocol

import torch
from torch import Tensor

from ...core.errors import CollapsedError
from .recipe import PretrainRecipe

Number = Tensor | float


class Seen(Protocol):
    """What a step tells about itself over all processes; a step's losses are such a thing."""

    @property
    def total(self) -> Number: ...
    @property
    def teacher_entropy(self) -> Number:
        """Of the class token's target, in nats, averaged over images."""
        ...

    @property
    def mean_entropy(self) -> Number:
        """Of the average of those targets."""
        ...

    @property
    def feature_std(self) -> Number:
        """Of the values of the teacher's unit-length features, over images."""
        ...


class Sign(Enum):
    """What is wrong, and what helps."""

    EQUAL = (
        "the features of all images have become the same",
        "lower optimiser.lr, lengthen schedule.warmup_epochs or lower optimiser.clip_norm",
    )
    UNIFORM = (
        "the teacher's output has become uniform, the same for every image",
        "lower teacher.temperature and teacher.temperature_start (0.04 to 0.07)",
    )
    PEAK = (
        "the teacher's output has become one peak, the same for every image",
        "keep teacher.centre_momentum at 0.9 or below, raise "
        "teacher.temperature, lower optimiser.lr",
    )
    CONSTANT = (
        "the teacher's output has become the same for every image",
        "lower optimiser.lr, raise teacher.momentum, or give views more to differ in",
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
    """Of log K: what an output that still depends on the image tells about it at least."""
    uniform: float = 0.9
    """Of log K: a constant output of more entropy is called uniform."""
    peak: float = 0.1
    """Of log K: a constant output of less entropy is called a peak."""
    equal: float = 0.05
    """Of 1/sqrt(D): features so close have a mean cosine of 0.9975."""

    def sign(self, entropy: float, of_mean: float, spread: float) -> Sign | None:
        most = math.log(self.outputs)
        if of_mean - entropy < self.constant * most:
            if entropy > self.uniform * most:
                return Sign.UNIFORM
            return Sign.PEAK if entropy < self.peak * most else Sign.CONSTANT
        return Sign.EQUAL if spread < self.equal / math.sqrt(self.width) else None


class CollapseWatch:
    """Looks at every so many steps; after the warm-up, patience steps with a sign end the run.

    Losses that are no numbers are not its subject: a step refuses them itself.
    """

    def __init__(
        self, limits: Limits, warmup: int = 0, patience: int = 100, every: int = 10
    ) -> None:
        self.limits, self.warmup, self.patience, self.every = limits, warmup, patience, every
        self.since: int | None = None

    @property
    def healthy(self) -> bool:
        """No sign at the last look; while there is one, no good checkpoint may be rotated away."""
        return self.since is None

    def observe(self, step: int, seen: Seen) -> None:
        """Raises CollapsedError, in all processes alike."""
        if step % self.every:
            return
        values = (seen.total, seen.teacher_entropy, seen.mean_entropy, seen.feature_std)
        total, entropy, of_mean, spread = torch.stack(
            [torch.as_tensor(value).detach().float() for value in values]
        ).tolist()
        sign = self.limits.sign(entropy, of_mean, spread)
        if sign is None or step <= self.warmup:
            self.since = None
            return
        self.since = step if self.since is None else self.since
        if step - self.since >= self.patience:
            found = (
                f"at step {step} the loss is {total:.3g}, the teacher's entropy {entropy:.3g} of "
                f"at most {math.log(self.limits.outputs):.3g}, what it tells about an image "
                f"{max(of_mean - entropy, 0):.2g}, and the features deviate by {spread:.2g} where "
                f"{1 / math.sqrt(self.limits.width):.2g} is as far apart as can be"
            )
            raise CollapsedError(
                f"pre-training has collapsed: since step {self.since} {sign.what} ({found}). To "
                f"mend it: {sign.advice}. The last checkpoint from before is kept; start again "
                "with a changed recipe and another -o"
            )

    def state(self) -> dict[str, int | None]:
        """For the checkpoint, so that a resumed run ends where an undisturbed one would."""
        return {"since": self.since}

    def restore(self, state: dict[str, int | None]) -> None:
        self.since = state["since"]


def watch_of(recipe: PretrainRecipe, steps_per_epoch: int, every: int = 10) -> CollapseWatch:
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
    return CollapseWatch(limits, round(warm * steps_per_epoch), patience, every)
