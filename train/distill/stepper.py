"""One step of distillation: the teacher looks, the student looks, the student moves."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.attention import sdpa_kernel

from ...core.models.vit import ReidVit
from ..distributed import GradientSum, World
from ..drop_path import Choices
from ..loader import TrainBatch
from ..losses import batch_hard_triplet, contrastive_loss, identity_loss
from ..step import Amp, attention_kernels, half_type
from .bridge import Bridge
from .recipe import DistillRecipe, LabelLoss
from .seen import Eyes, Seen
from .terms import Lessons


class Trainee(nn.Module):
    """Everything that learns: the student, and the maps that only its lessons need."""

    def __init__(self, student: ReidVit, heads: nn.ModuleDict) -> None:
        super().__init__()
        self.student = student
        self.heads = heads


@dataclass(frozen=True)
class DistillLosses:
    """What one step saw, still on the device: the total, then each unweighted loss."""

    total: Tensor
    parts: tuple[Tensor, ...]

    def values(self) -> tuple[Tensor, ...]:
        return self.total, *self.parts


@dataclass(frozen=True)
class Guide:
    """A teacher at work: its model, how crops are brought to it, and its arithmetic."""

    model: ReidVit
    bridge: Bridge
    amp: Amp = "off"


class DistillStepper:
    """Holds `student`, `teacher` and the lessons, and moves the student by one batch.

    `model` is the trainee, which checkpoints hold. Whoever changes the student (fake-quantised
    layers, a token schedule) does so before this is made; the state of such layers travels in
    `model.state_dict()`.
    """

    def __init__(
        self,
        trainee: Trainee,
        guide: Guide,
        optimiser: torch.optim.Optimizer,
        recipe: DistillRecipe,
        lessons: Lessons,
        world: World,
        amp: Amp,
    ) -> None:
        self.model, self.optimiser, self.recipe, self.world = trainee, optimiser, recipe, world
        self.guide, self.lessons = guide, lessons
        self.labels = label_losses(recipe)
        taught = tuple(f"{term.name}_loss" for term in lessons.terms)
        self.names: tuple[str, ...] = ("loss", *taught, *(f"{name}_loss" for name in self.labels))
        self.choices = Choices(trainee.student.backbone)
        self.scaler = torch.amp.GradScaler(world.device.type, enabled=amp == "fp16")
        self._half = half_type(amp, world.device)
        self._teacher_half = half_type(guide.amp, world.device)
        self._sum = GradientSum(trainee.student.backbone) if world.shared else None
        self._eyes = Eyes(trainee.student, world, lessons.student)
        self._teacher_eyes = Eyes(guide.model.eval(), world, lessons.teacher)

    @property
    def student(self) -> ReidVit:
        return self.model.student

    @property
    def teacher(self) -> ReidVit:
        return self.guide.model

    @property
    def batch_size(self) -> int:
        return self.recipe.batch_size

    def __call__(self, batch: TrainBatch) -> DistillLosses:
        self.choices.set(batch.drop_path)
        self.optimiser.zero_grad(set_to_none=True)
        losses = self.losses(batch)
        self.scaler.scale(losses.total).backward()  # type: ignore[no-untyped-call]
        if self._sum is not None:
            self._sum.finish()
        self._clip()
        self.scaler.step(self.optimiser)
        self.scaler.update()
        return losses

    def losses(self, batch: TrainBatch) -> DistillLosses:
        """The weighted total, and each loss on its own."""
        with arithmetic(self.world.device, self._half):
            ours = self._eyes.learning(batch.images, batch.cameras)
        values = self._taught(ours, batch)
        weights = [term.weight for term in self.lessons.terms]
        for name, weight in self.labels.items():
            values.append(label_loss(name, self.student, ours, batch.labels, self.recipe.loss))
            weights.append(weight)
        total = torch.stack([w * value for w, value in zip(weights, values, strict=True)]).sum()
        return DistillLosses(total, tuple(value.detach() for value in values))

    def _taught(self, ours: Seen, batch: TrainBatch) -> list[Tensor]:
        """The lessons of this batch; without any, the teacher is not asked."""
        if not self.lessons.terms:
            return []
        with arithmetic(self.world.device, self._teacher_half):
            theirs = self._teacher_eyes.knowing(self.guide.bridge(batch.images), None)
        return [term.value(ours, theirs) for term in self.lessons.terms]

    def _clip(self) -> None:
        limit = self.recipe.optimiser.clip_norm
        if limit is not None:
            self.scaler.unscale_(self.optimiser)
            nn.utils.clip_grad_norm_(self.model.parameters(), limit)


@contextmanager
def arithmetic(device: torch.device, half: torch.dtype) -> Iterator[None]:
    """Autocast, and the attention kernels that go with it."""
    cast = torch.autocast(device.type, half, enabled=half is not torch.float32)
    with cast, sdpa_kernel(attention_kernels(device, half)):
        yield


def label_losses(recipe: DistillRecipe) -> dict[str, float]:
    """The fine-tuning losses that have a weight."""
    found = recipe.loss
    weights = {
        "identity": found.identity_weight,
        "triplet": found.triplet_weight,
        "contrastive": found.contrastive_weight,
    }
    return {name: weight for name, weight in weights.items() if weight}


def label_loss(
    name: str, student: ReidVit, ours: Seen, labels: Tensor, settings: LabelLoss
) -> Tensor:
    """One loss of fine-tuning, on what the student showed."""
    if name == "identity":
        logits = student.logits(ours.after) if ours.logits is None else ours.logits
        return identity_loss(logits, labels, settings.label_smoothing)
    if name == "triplet":
        return batch_hard_triplet(ours.before, labels, settings.triplet_margin)
    return contrastive_loss(ours.after, labels, settings.temperature)
