"""One step of pre-training: teacher, student, losses, update, and the teacher's own step."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.attention import sdpa_kernel

from ...core.errors import ConfigError
from ...core.models.config import ModelConfig
from ...core.models.vit import ReidVit, filled
from ..distributed import GradientSum, World, agree_on
from ..step import Amp, attention_kernels, half_type
from .batch import PretrainBatch
from .centre import Centres, Tally
from .ema import Follower
from .guard import Guard
from .loss import dino_loss, mim_loss, patch_weights
from .network import PretrainNetwork
from .optimiser import build_optimiser, clip, set_rates
from .packing import class_rows, patch_rows
from .recipe import PretrainRecipe
from .schedules import Moment, Schedules, Settings
from .step_losses import StepLosses as StepLosses
from .step_losses import step_losses
from .teaching import look, needs_everything, targets


class Pretrainer:
    """Holds student, teacher, centres and optimiser, and moves them by one batch."""

    def __init__(
        self,
        config: ModelConfig,
        recipe: PretrainRecipe,
        world: World,
        seed: int,
        amp: Amp = "off",
        compile: bool = False,
        activation_checkpointing: bool = False,
    ) -> None:
        self.recipe, self.world, self.schedules = recipe, world, Schedules(recipe)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            student = PretrainNetwork(config, recipe, masked=True)
        teacher = PretrainNetwork(replace(config, drop_path=0.0), recipe, masked=False)
        teacher.load_state_dict(_without_mask(student.state_dict()))
        self.student, self.teacher = student.to(world.device), teacher.to(world.device)
        self.teacher.requires_grad_(False)
        if world.shared:
            agree_on([*self.student.state_dict().values(), *self.teacher.state_dict().values()])
        self.student.checkpointing = activation_checkpointing
        if compile:
            self.student.compile()
            self.teacher.compile()
        self.optimiser = build_optimiser(self.student, recipe.optimiser)
        self.centres = Centres(recipe.head.outputs, recipe.teacher.centre_momentum, world.device)
        self.scaler = torch.amp.GradScaler(world.device.type, enabled=amp == "fp16")
        self._half = half_type(amp, world.device)
        self._follower = Follower(self.teacher, self.student)
        self._sum = GradientSum(self.student) if world.shared else None
        self._guard = Guard()

    @property
    def drop_path_slots(self) -> int:
        return self.student.slots

    def __call__(self, micro_batches: Sequence[PretrainBatch], at: Moment) -> StepLosses:
        """Learn from one batch, whose parts are taken one after the other."""
        if not micro_batches:
            raise ConfigError("a step needs at least one batch")
        now = self.schedules.at(at)
        set_rates(self.optimiser, now)
        self.optimiser.zero_grad(set_to_none=True)
        tally = Tally(self.recipe.head.outputs, self.student.config.width, self.world)
        images = sum(len(batch) for batch in micro_batches)
        for number, batch in enumerate(micro_batches, 1):
            last = number == len(micro_batches)
            if self._sum is not None:
                self._sum.active = last
            loss = self._loss(batch, now, tally) * (len(batch) / images / self.world.size)
            if last:
                tally.send()
            self.scaler.scale(loss).backward()  # type: ignore[no-untyped-call]
        return self._update(tally, now, at)

    def _loss(self, batch: PretrainBatch, now: Settings, tally: Tally) -> Tensor:
        """The mean over the images of this part."""
        masks = batch.masks.flatten(0, 1)
        none = torch.empty(0, 2, dtype=torch.long, device=masks.device)
        hidden = batch.hidden if self.recipe.masked else none
        with self._arithmetic():
            seen = look(self.teacher, batch, hidden, needs_everything(self.recipe))
        target = targets(self.teacher, seen, self.centres, now, tally)
        with self._arithmetic():
            units = self._student_units(batch, masks, hidden)
        head, heat = self.student.head, self.recipe.loss.student_temperature
        scores = head.last_layer(units[: len(units) - len(hidden)])
        dino = dino_loss(scores.view(-1, len(batch), scores.shape[1]), target.cls, heat)
        mim = dino.new_zeros(())
        if self.recipe.masked:
            scores = head.last_layer2(units[len(units) - len(hidden) :])
            mim = mim_loss(scores, target.patches, patch_weights(masks, hidden[:, 0]), heat)
        tally.add(
            dino=dino.detach() * len(batch),
            mim=mim.detach() * len(batch),
            masked=batch.masks.float().mean() * len(batch),
        )
        return self.recipe.loss.dino_weight * dino + self.recipe.mim_weight * mim

    def _student_units(self, batch: PretrainBatch, masks: Tensor, hidden: Tensor) -> Tensor:
        """Of the class tokens of all crops, view by view, and of the masked patches."""
        crops = [batch.globals.flatten(0, 1)]
        if len(batch.locals):
            crops.append(batch.locals.flatten(0, 1))
        tokens, layout = self.student.embed(crops, masks if self.recipe.masked else None)
        keep = torch.cat([class_rows(layout, tokens.device), patch_rows(hidden, layout)])
        features = self.student(tokens, layout, keep, batch.drop_path.flatten(0, 1))
        return self.student.head.units(features)

    def _update(self, tally: Tally, now: Settings, at: Moment) -> StepLosses:
        if self._sum is not None:
            self._sum.finish()
        self.scaler.unscale_(self.optimiser)
        if now.frozen_last_layer:
            for parameter in self.student.head.last_parameters():
                parameter.grad = None
        gradients = [
            parameter.grad for parameter in self.student.parameters() if parameter.grad is not None
        ]
        norm = clip(gradients, self.recipe.optimiser)
        tally.arrive()
        losses = step_losses(self.recipe, tally, norm, now)
        bad = ~torch.isfinite(losses.total)
        if not self.scaler.is_enabled():
            bad = bad | ~torch.isfinite(norm)
            self.optimiser.found_inf = bad.float()  # type: ignore[attr-defined]
        self.scaler.step(self.optimiser)
        self.scaler.update()
        self._follower.follow(now.momentum)
        self.centres.update(tally, bad)
        self._guard.watch(at.step, bad)
        return losses

    @contextmanager
    def _arithmetic(self) -> Iterator[None]:
        """The numbers and the attention kernels that transformer and head run with."""
        device, half = self.world.device, self._half
        with (
            torch.autocast(device.type, half, enabled=half is not torch.float32),
            sdpa_kernel(attention_kernels(device, half)),
        ):
            yield

    def settle(self) -> None:
        """Raise what is still on its way; call it before a checkpoint is written."""
        self._guard.look(wait=True)

    def state(self) -> dict[str, Any]:
        """Everything that a run needs to go on bit for bit."""
        self.settle()
        return copy.deepcopy(
            {
                "student": self.student.state_dict(),
                "teacher": self.teacher.state_dict(),
                "optimiser": self.optimiser.state_dict(),
                "centres": self.centres.state(),
                "scaler": self.scaler.state_dict(),
            }
        )

    def restore(self, state: dict[str, Any]) -> None:
        self.student.load_state_dict(state["student"])
        self.teacher.load_state_dict(state["teacher"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.centres.restore(state["centres"])
        self.scaler.load_state_dict(state["scaler"])

    def teacher_model(self) -> ReidVit:
        """The teacher's backbone by itself, ready to embed; a copy, on the same device."""
        tensors = {
            f"backbone.{name}": value for name, value in self.teacher.backbone.state_dict().items()
        }
        return filled(self.teacher.config, tensors, "the teacher")


def _without_mask(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    return {name: value for name, value in tensors.items() if name != "backbone.masked_embed"}
