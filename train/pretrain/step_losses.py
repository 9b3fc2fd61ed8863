"""What one step of pre-training saw."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from .centre import Tally
from .loss import entropy
from .recipe import PretrainRecipe
from .schedules import Settings


@dataclass(frozen=True)
class StepLosses:
    """Over all parts and processes, still on the device so that nothing waits for it."""

    total: Tensor
    dino: Tensor
    mim: Tensor
    teacher_entropy: Tensor
    """Of the class token's target, averaged over images."""
    mean_entropy: Tensor
    """Of the average of those targets: small when all images get the same one."""
    kl: Tensor
    """From the teacher's class token to the student's."""
    feature_std: Tensor
    """Of the values of the teacher's unit-length features, over images."""
    masked: Tensor
    """The share of the patches that were masked."""
    gradient_norm: Tensor
    """Of this step's gradients, before clipping."""
    now: Settings


def step_losses(
    recipe: PretrainRecipe, tally: Tally, gradient_norm: Tensor, now: Settings
) -> StepLosses:
    """The means of a step whose sums have arrived from all processes."""
    dino, mim = tally.mean("dino").squeeze(0), tally.mean("mim").squeeze(0)
    uncertain = tally.mean("entropy").squeeze(0)
    variance = tally.mean("squares") - tally.mean("features").square()
    return StepLosses(
        total=recipe.loss.dino_weight * dino + recipe.mim_weight * mim,
        dino=dino,
        mim=mim,
        teacher_entropy=uncertain,
        mean_entropy=entropy(tally.mean("shares")),
        kl=dino - uncertain,
        feature_std=variance.clamp(min=0).sqrt().mean(),
        masked=tally.mean("masked").squeeze(0),
        gradient_norm=gradient_norm,
        now=now,
    )
